"""Real slices for the content network to learn from and to be judged on.

Sudirman's planes are the test of the plane and are never yielded here for training; see ``benchmarks.planes``.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.geometry import nearest_plane, reorient

Grey = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Sample:
    """One slice.

    Attributes:
        image: (rows, columns) float32, any range, shown as ``imaging.geometry`` stores its plane.
        plane: ``sagittal``, ``coronal`` or ``axial``.
        sequence: ``t1``, ``t2``, ``stir``, or ``unknown`` for what is none of them.
        group: What may not be split: a patient of SPIDER, a volume, a phantom.
        source: Where it is from, such as ``spider`` or ``phantom``.
    """

    image: NDArray[np.float32]
    plane: str
    sequence: str
    group: str
    source: str


def spider_samples(data_dir: Path) -> Iterator[Sample]:
    """Yield the middle slices, the T2 SPACE slices and the (often far lateral) vertebra slices of SPIDER."""
    spider = data_dir / "spider"
    for row in read_rows(spider / "midsagittal.csv"):
        sequence = row["sequence"].split("_")[0]
        image = read_grey(spider / "midsagittal" / row["file"])
        yield Sample(image, "sagittal", sequence, f"spider{row['patient']}", "spider_middle")
    for row in read_rows(spider / "space.csv"):
        image = read_grey(spider / "space" / "images" / row["file"])
        yield Sample(image, "sagittal", "t2", f"spider{row['patient']}", "spider_space")
    for row in read_rows(spider / "vertebrae.csv"):
        image = read_grey(next((spider / "vertebrae").rglob(row["file"])))
        sequence = row["series"].split("_")[1]
        yield Sample(image, "sagittal", sequence, f"spider{row['patient']}", "spider_lateral")


def volume_samples(data_dir: Path) -> Iterator[Sample]:
    """Yield slices of the volumes at hand: axial necks and backs, and the small volumes cut in three planes."""
    import nibabel as nib

    nifti = data_dir / "nifti"
    for file in sorted(nifti.rglob("*.nii.gz")):
        if "_seg" in file.name:
            continue
        image: Any = nib.load(file)
        array, affine = np.asarray(image.dataobj, dtype=np.float32), np.asarray(image.affine)
        sequence = "t1" if "t1w" in file.name else "unknown" if "T2starw" in file.name else "t2"
        is_cut_freely = max(image.header.get_zooms()[:3]) <= 1.0
        for axis in range(3) if is_cut_freely else (int(np.argmax(image.header.get_zooms()[:3])),):
            yield from _cut(array, affine, axis, sequence, file.name.split("_run")[0].split("Ses")[0])


def _cut(array: Grey, affine: NDArray[np.float64], axis: int, sequence: str, group: str) -> Iterator[Sample]:
    plane, _ = nearest_plane(affine, axis)
    stored = reorient(array, affine, axis, plane=plane).array
    count = stored.shape[2]
    for k in np.linspace(0.1 * count, 0.9 * count, min(8, count)).astype(int):
        image = np.ascontiguousarray(stored[:, :, k].T)
        if min(image.shape) >= 40:
            yield Sample(image, plane.value, sequence, group, f"volume_{plane.value}")


def read_rows(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_grey(file: Path) -> Grey:
    """Return an 8-bit picture as float32 (rows, columns)."""
    with Image.open(file) as image:
        return np.asarray(image.convert("L"), dtype=np.float32)
