"""Writes a label map on the grid of the file that was read, so that any viewer lays it over the source."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.geometry import source_affine, undo_axes
from imaging.types import AffineMatrix, Series, SourceKind
from runtime.errors import StudyError


def write_label_map(
    label_array: NDArray[np.uint8], series: Series, source: SourceKind, folder: Path, *, stem: str = "label_map"
) -> Path:
    """Write ``label_map.nii.gz``, or ``label_map.png`` for a picture.

    Args:
        label_array: (I, J, K) uint8 label numbers of ``anatomy/codes.csv`` on the grid of ``series.volume``.
        series: The series that the labels lie on.
        source: What the study was read from.
        folder: Exists.
        stem: File name without its ending.

    Returns:
        The file. A NIfTI source gets back its own shape and affine; DICOM slices are stacked by position (columns,
        rows, slices); a picture gets the size of its pixel grid as stored, before any EXIF rotation.

    Raises:
        StudyError: If a volume that is no picture has no affine.
        ValueError: If shape or type of the array do not fit.
    """
    if label_array.shape != series.volume.shape or label_array.dtype != np.uint8:
        raise ValueError(
            f"label_array: expected uint8 of shape {series.volume.shape} for series {series.id}, got "
            f"{label_array.dtype} of shape {label_array.shape}"
        )
    stored = np.ascontiguousarray(undo_axes(label_array, series.volume.source_axes))
    if source is SourceKind.PICTURE:
        path = folder / f"{stem}.png"
        Image.fromarray(np.ascontiguousarray(stored[:, :, 0].T)).save(path)
        return path
    affine = source_affine(series.volume)
    if affine is None:
        raise StudyError(f"series {series.id}: a label map in NIfTI needs an affine, found none")
    path = folder / f"{stem}.nii.gz"
    _nifti_image(stored, affine).to_filename(path)
    return path


def label_map_bytes(label_array: NDArray[np.uint8], series: Series) -> bytes:
    """Return a label map as the bytes of a .nii.gz, the same for the same labels.

    Args:
        label_array: (I, J, K) uint8 on the grid of ``series.volume``.
        series: The series that the labels lie on; the file gets its own shape and affine.

    Raises:
        StudyError: If the series has no affine (a picture).
    """
    affine = source_affine(series.volume)
    if affine is None:
        raise StudyError(f"series {series.id}: a label map in NIfTI needs an affine, found none")
    stored = np.ascontiguousarray(undo_axes(label_array, series.volume.source_axes))
    return gzip.compress(_nifti_image(stored, affine).to_bytes(), mtime=0)


def write_label_grid(array: NDArray[np.uint8], affine: AffineMatrix, folder: Path) -> Path:
    """Write ``label_map.nii.gz`` of labels on a grid of their own.

    Args:
        array: (I, J, K) uint8 label numbers of ``anatomy/codes.csv``.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm.
        folder: Exists.
    """
    path = folder / "label_map.nii.gz"
    _nifti_image(array, affine).to_filename(path)
    return path


def _nifti_image(stored: NDArray[np.uint8], affine: AffineMatrix) -> Any:
    """Return an image with both orientations set, as readers differ in which of them they follow."""
    import nibabel as nib

    image: Any = nib.Nifti1Image(stored, affine)  # type: ignore[no-untyped-call]
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code="scanner")
    image.set_qform(affine, code="scanner")
    if not np.allclose(image.get_qform(), affine, atol=1e-3):
        image.set_qform(None, code="unknown")  # a quaternion cannot hold a sheared grid
    return image
