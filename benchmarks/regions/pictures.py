"""Pictures of real slices without masks, with what the network outlines: to be looked at, never committed."""

import csv
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from benchmarks.regions.cords import cord_stack
from benchmarks.regions.stacks import THRESHOLD
from imaging.phantom.picture import to_grey
from imaging.types import Spacing
from runtime.paths import configs_dir
from segmentation.predict import SliceSegmenter
from segmentation.training.cords import challenge_volumes, sct_volumes

COLOURS = {
    "disc": (255, 176, 0),
    "vertebra": (100, 200, 255),
    "spinal_canal": (90, 230, 90),
    "sacrum": (255, 255, 90),
    "spinal_cord": (255, 60, 255),
    "ilium": (0, 220, 200),
    "joint_space": (255, 60, 60),
}
"""Outline of each structure."""
_PANEL_PX = 384
_COLUMNS = 6


def write_pictures(model: SliceSegmenter, data: Path, out: Path) -> Iterator[Path]:
    """Write one sheet for each source; yield their files."""
    out.mkdir(parents=True, exist_ok=True)
    sheets = {
        "neck_axial_t2": _tutorial(model, data, "t2_axial", "axial"),
        "lumbar_sagittal_t2": _tutorial(model, data, "t2_lumbar", "sagittal"),
        **{f"sudirman_{plane}": _sudirman(model, data, plane) for plane in ("axial", "coronal", "sagittal")},
        "cords": _cords(model, data),
    }
    for name, panels in sheets.items():
        file = out / f"{name}.png"
        Image.fromarray(sheet(list(panels))).save(file)
        yield file


def outlined(image: NDArray[np.floating], masks: dict[str, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """Return (H, W, 3): a slice in grey with the outlines of its masks."""
    picture = np.repeat(to_grey(image.astype(np.float32))[..., None], 3, axis=2)
    for name, mask in masks.items():
        picture[mask & ~ndimage.binary_erosion(mask)] = COLOURS[name]
    return picture


def sheet(panels: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return panels side by side, each set into a square."""
    squares = []
    for panel in panels:
        picture = Image.fromarray(panel)
        picture.thumbnail((_PANEL_PX, _PANEL_PX))
        square = Image.new("RGB", (_PANEL_PX, _PANEL_PX))
        square.paste(picture)
        squares.append(np.asarray(square))
    squares += [np.zeros_like(squares[0])] * (-len(squares) % min(_COLUMNS, len(squares)))
    width = min(_COLUMNS, len(squares))
    return np.vstack([np.hstack(squares[start : start + width]) for start in range(0, len(squares), width)])


def _look(
    model: SliceSegmenter,
    images: NDArray[np.float32],
    spacing: tuple[float, float] | None,
    chosen: NDArray[np.intp],
) -> Iterator[NDArray[np.uint8]]:
    """Yield panels of some slices of a series."""
    before, after = np.maximum(chosen - 1, 0), np.minimum(chosen + 1, len(images) - 1)
    neighbours = np.stack([images[before], images[after]], axis=1) if model.config.context_slices else None
    maps = model.segment_slices(images[chosen], None if spacing is None else Spacing(*spacing), neighbours)
    for image, probabilities in zip(images[chosen], maps.probabilities, strict=True):
        yield outlined(image, dict(zip(maps.structures, probabilities >= THRESHOLD, strict=True)))


def _tutorial(model: SliceSegmenter, data: Path, name: str, plane: str) -> Iterator[NDArray[np.uint8]]:
    """Yield panels of a volume of ``nifti/sct_tutorial``."""
    file = data / "nifti" / "sct_tutorial" / f"{name}.nii.gz"
    volume = nib.as_closest_canonical(nib.load(file))  # type: ignore[no-untyped-call]
    pixels = np.asarray(volume.dataobj, dtype=np.float32)
    i, j, k = (float(value) for value in volume.header.get_zooms()[:3])
    if plane == "axial":
        images, spacing = pixels[::-1, ::-1].transpose(2, 1, 0), (j, i)
    else:
        images, spacing = pixels[:, ::-1, ::-1].transpose(0, 2, 1), (k, j)
    chosen = np.linspace(0, len(images) - 1, 12 + 2)[1:-1].round().astype(np.intp)
    return _look(model, np.ascontiguousarray(images), spacing, chosen)


def _sudirman(model: SliceSegmenter, data: Path, plane: str) -> Iterator[NDArray[np.uint8]]:
    """Yield panels of the first slices of a plane; they have no spacing and no neighbours."""
    with (configs_dir() / "planes" / "sudirman.csv").open(encoding="utf-8", newline="") as stream:
        names = [row["file"] for row in csv.DictReader(stream) if row["plane"] == plane]
    for name in names[:18]:
        with Image.open(data / "sudirman" / "planes" / name) as picture:
            image = np.asarray(picture.convert("L"), dtype=np.float32)
        yield from _look(model, image[None], None, np.array([0]))


def _cords(model: SliceSegmenter, data: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield panels of the real cords, the middle slices of each volume."""
    for volume in [*sct_volumes(data), *challenge_volumes(data)]:
        stack = cord_stack(volume, "axial", 1)
        middle = len(stack.images) // 2
        yield from _look(model, stack.images, stack.spacing_mm, np.array([middle // 2, middle]))
