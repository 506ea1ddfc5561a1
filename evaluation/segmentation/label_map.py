"""Label maps on disk, NIfTI or PNG, with the spacing and grid that distances need."""

import zlib
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import StudyError

ENDINGS = (".nii", ".nii.gz", ".png")
_SAME_GRID_MM = 0.1
"""Two grids are one when no corner is farther apart: well under a pixel. Source: ours."""


@dataclass(frozen=True)
class LabelImage:
    """One label map.

    Attributes:
        name: File name, for messages.
        labels: Integer array in the file's own axis order; (rows, columns) of a PNG.
        spacing_mm: Of each axis; None when unknown (a PNG without ``--spacing``).
        affine: (4, 4) array index -> RAS+ mm; None for a PNG.
    """

    name: str
    labels: NDArray[np.int64]
    spacing_mm: tuple[float, ...] | None
    affine: NDArray[np.float64] | None


def read_label_map(file: Path, *, spacing_mm: tuple[float, float] | None = None) -> LabelImage:
    """Read a label map.

    Args:
        file: ``.nii``, ``.nii.gz`` or ``.png``.
        spacing_mm: (row, column) of a PNG.

    Raises:
        StudyError: If it cannot be read, has colours, or holds numbers that are not whole.
    """
    try:
        return _read_png(file, spacing_mm) if file.suffix == ".png" else _read_nifti(file)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(
            f"{file.name}: expected a label map, found a file that cannot be read ({error})"
        ) from error


def check_same_grid(predicted: LabelImage, reference: LabelImage) -> None:
    """Refuse two label maps that do not lie on one grid.

    Raises:
        StudyError: If shapes differ, or a corner lies elsewhere in the world.
    """
    left, right = predicted.labels.shape, reference.labels.shape
    if left != right:
        raise StudyError(f"{predicted.name}: expected shape {right} as the reference {reference.name}, got {left}")
    if predicted.affine is None or reference.affine is None:
        return
    corners = np.array([[*corner, 1.0] for corner in product(*((0, size - 1) for size in right[:3]))])
    shift = np.linalg.norm((corners @ predicted.affine.T - corners @ reference.affine.T)[:, :3], axis=1).max()
    if shift > _SAME_GRID_MM:
        raise StudyError(
            f"{predicted.name}: expected the affine of the reference {reference.name}, found corners up to "
            f"{shift:.1f} mm away; resample one onto the grid of the other first"
        )


def _read_png(file: Path, spacing_mm: tuple[float, float] | None) -> LabelImage:
    from PIL import Image

    with Image.open(file) as picture:
        if len(picture.getbands()) != 1:
            raise StudyError(f"{file.name}: expected one channel of label numbers, found {picture.mode}")
        labels = np.asarray(picture).astype(np.int64)
    return LabelImage(file.name, labels, spacing_mm, None)


def _read_nifti(file: Path) -> LabelImage:
    import nibabel
    from nibabel.filebasedimages import ImageFileError
    from nibabel.spatialimages import HeaderDataError
    from nibabel.wrapstruct import WrapStructError

    try:
        image = nibabel.Nifti1Image.from_filename(file)
    except (ImageFileError, HeaderDataError, WrapStructError) as error:
        raise StudyError(f"{file.name}: expected a NIfTI label map, found another file ({error})") from error
    values = np.asarray(image.dataobj)
    if values.ndim == 4 and values.shape[3] == 1:
        values = values[..., 0]
    if values.ndim not in (2, 3):
        raise StudyError(f"{file.name}: expected a label map of 2 or 3 axes, got shape {values.shape}")
    affine = np.asarray(image.affine, dtype=np.float64)
    spacing = np.linalg.norm(affine[:3, : values.ndim], axis=0)
    return LabelImage(file.name, _whole(values, file), tuple(float(step) for step in spacing), affine)


def _whole(values: NDArray[Any], file: Path) -> NDArray[np.int64]:
    rounded = np.round(values)
    if not np.all(np.abs(values - rounded) < 1e-3):
        raise StudyError(f"{file.name}: expected whole label numbers, found fractions: a map of probabilities?")
    return rounded.astype(np.int64)
