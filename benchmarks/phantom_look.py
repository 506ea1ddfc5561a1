"""Phantom slices beside real ones of the same kind: ``python -m benchmarks.phantom_look --out out/phantom_look``.

Writes one picture for each kind of series: phantoms above, real slices below, so that a reader can judge
proportions, the order of the tissues' signals, texture and edges. Real slices come from the data folder; where it
has none of a kind (STIR, sacroiliac joints), the picture shows phantoms alone and the terminal says so.
Keep the pictures to yourself: the output folder is ignored by git, real slices are not ours to publish.
"""

import argparse
import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.phantom import Phantom, build_phantom, phantom_picture
from imaging.phantom.picture import to_grey
from runtime.paths import configs_dir
from runtime.settings import load_settings

Picture = NDArray[np.uint8]
Item = TypeVar("Item")
_TILE = 360


@dataclass(frozen=True)
class Kind:
    """One kind of series.

    Attributes:
        name: Of the picture.
        protocol: Body region.
        setup: Of the phantoms; None takes the usual one.
        role: Series.
        level: Whose slice; None the middle one.
        real: Data folder, how many -> real slices.
    """

    name: str
    protocol: str
    setup: str | None
    role: str
    level: str | None
    real: Callable[[Path, int], list[Picture]]


def spider_middle(sequence: str) -> Callable[[Path, int], list[Picture]]:
    """Return a reader of ordinary middle slices."""
    return lambda data, count: [
        grey_file(file) for file in spread(sorted((data / "spider/midsagittal").glob(f"*_{sequence}.png")), count)
    ]


def spider_space(data: Path, count: int) -> list[Picture]:
    """Return T2 SPACE slices through the canal: the middle one of each patient."""
    by_patient: dict[str, list[Path]] = {}
    for file in sorted((data / "spider/space/images").glob("*.png")):
        by_patient.setdefault(file.name.split("_")[0], []).append(file)
    return [grey_file(files[len(files) // 2]) for files in spread(list(by_patient.values()), count)]


def sudirman(plane: str) -> Callable[[Path, int], list[Picture]]:
    """Return a reader of slices whose plane we labelled by hand."""

    def read(data: Path, count: int) -> list[Picture]:
        with (configs_dir() / "planes" / "sudirman.csv").open(encoding="utf-8", newline="") as stream:
            names = [row["file"] for row in csv.DictReader(stream) if row["plane"] == plane]
        files = [data / "sudirman/planes" / name for name in names]
        return [grey_file(file) for file in spread([file for file in files if file.is_file()], count)]

    return read


def volume_slices(pattern: str, axis: int, turn: int) -> Callable[[Path, int], list[Picture]]:
    """Return a reader of the middle slices of NIfTI volumes along a RAS+ axis."""

    def read(data: Path, count: int) -> list[Picture]:
        files = [file for file in sorted((data / "nifti").glob(pattern)) if "seg" not in file.name]
        pictures = []
        for file in spread(files, count):
            image = nib.as_closest_canonical(nib.load(file))  # type: ignore[no-untyped-call]
            array = np.asarray(image.dataobj, dtype=np.float32)
            middle = np.take(array, array.shape[axis] // 2, axis=axis)
            pictures.append(to_grey(np.rot90(middle, turn)))
        return pictures

    return read


def nothing(data: Path, count: int) -> list[Picture]:
    """Return no slices: the data folder has none of the kind."""
    return []


def front_left(read: Callable[[Path, int], list[Picture]]) -> Callable[[Path, int], list[Picture]]:
    """Return a reader that turns sagittal slices round, so that the front is on the left."""
    return lambda data, count: [picture[:, ::-1] for picture in read(data, count)]


KINDS = (
    Kind("lumbar_sagittal_t1", "lumbar", None, "sagittal_t1", None, spider_middle("t1")),
    Kind("lumbar_sagittal_t2", "lumbar", None, "sagittal_t2", None, spider_middle("t2")),
    Kind("lumbar_sagittal_space", "lumbar", None, "sagittal_t2", None, spider_space),
    Kind("lumbar_sagittal_stir", "lumbar", "setup_lumbar_stir", "sagittal_stir", None, nothing),
    Kind("lumbar_axial_t2", "lumbar", None, "axial_t2", "L4-L5", sudirman("axial")),
    Kind("cervical_sagittal_t1", "cervical", None, "sagittal_t1", None,
         front_left(volume_slices("sct_testing/t1*.nii.gz", 0, 1))),
    Kind("cervical_sagittal_t2", "cervical", None, "sagittal_t2", None,
         front_left(volume_slices("sct_testing/t2*.nii.gz", 0, 1))),
    Kind("cervical_axial_t2", "cervical", None, "axial_t2", "C5-C6", volume_slices("gm_challenge/*.nii.gz", 2, 1)),
    Kind("sacroiliac_coronal_t1", "sacroiliac", None, "coronal_t1", None, sudirman("coronal")),
    Kind("sacroiliac_coronal_stir", "sacroiliac", None, "coronal_stir", None, nothing),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/phantom_look"))
    parser.add_argument("--count", type=int, default=4, help="slices a row")
    parser.add_argument("--seed", type=int, default=7, help="of the first phantom")
    parser.add_argument("--kinds", nargs="+", choices=[kind.name for kind in KINDS], default=None)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data = load_settings().data_dir
    phantoms: dict[tuple[str, str | None], list[Phantom]] = {}
    for kind in KINDS:
        if options.kinds is not None and kind.name not in options.kinds:
            continue
        key = (kind.protocol, kind.setup)
        if key not in phantoms:
            seeds = range(options.seed, options.seed + options.count)
            phantoms[key] = [build_phantom(kind.protocol, seed=seed, setup=kind.setup) for seed in seeds]
        made = [phantom_picture(phantom, role=kind.role, level=kind.level) for phantom in phantoms[key]]
        real = kind.real(data, options.count)
        file = options.out / f"{kind.name}.png"
        Image.fromarray(side_by_side(made, real)).save(file)
        print(file, "" if real else "(no real slices of this kind)", flush=True)


def side_by_side(above: list[Picture], below: list[Picture]) -> Picture:
    """Return rows of square tiles: phantoms above, real slices below."""
    rows = [np.hstack([tile(picture) for picture in pictures]) for pictures in (above, below) if pictures]
    width = max(row.shape[1] for row in rows)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]))) for row in rows])


def tile(picture: Picture) -> Picture:
    """Return a picture fitted into a square tile, its shape kept."""
    scale = _TILE / max(picture.shape)
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    fitted = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
    return np.pad(fitted, ((0, _TILE - fitted.shape[0]), (0, _TILE - fitted.shape[1])))


def spread(items: list[Item], count: int) -> list[Item]:
    """Return ``count`` items evenly spread over a list."""
    if len(items) <= count:
        return items
    return [items[int(place)] for place in np.linspace(0, len(items) - 1, count)]


def grey_file(file: Path) -> Picture:
    return to_grey(np.asarray(Image.open(file).convert("L"), dtype=np.float32))


if __name__ == "__main__":
    main()
