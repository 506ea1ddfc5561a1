"""Label maps for tests of importing: a drawn spine in our numbers, and files of it."""

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, VERTEBRAE, disc_label, vertebra_label
from anatomy.conventions import Convention
from imaging.label_file import LabelVolume
from imaging.types import AffineMatrix

SAGITTAL_AFFINE = np.array(
    [[0.0, 0.0, 4.0, -10.0], [-1.0, 0.0, 0.0, 30.0], [0.0, -1.0, 0.0, 200.0], [0.0, 0.0, 0.0, 1.0]]
)
"""Columns front to back, rows head to foot, slices to the patient's right; RAS+ mm."""


def drawn_spine(first: str = "T11", last: str = "L5", *, has_sacrum: bool = True) -> NDArray[np.uint8]:
    """Return (40, n, 5) labels on ``SAGITTAL_AFFINE``: bodies 24 rows high, discs of 8, a canal with the cord."""
    names = VERTEBRAE[VERTEBRAE.index(first) : VERTEBRAE.index(last) + 1]
    rows = 32 * len(names) + (30 if has_sacrum else 0) + 20
    labels = np.zeros((40, rows, 5), dtype=np.uint8)
    labels[28:36, 5 : rows - 5] = 100
    labels[31:34, 5 : rows // 2, 2] = 101
    for index, name in enumerate(names):
        top = 10 + 32 * index
        labels[6:26, top : top + 24] = vertebra_label(name)
        level = next((item for item in DISC_LEVELS if item.startswith(f"{name}-")), None)
        is_seen = level is not None and (name != last or has_sacrum)
        if is_seen and level is not None:
            labels[7:25, top + 24 : top + 32] = disc_label(level)
    if has_sacrum:
        labels[8:24, 10 + 32 * len(names) : rows - 4] = 50
    return labels


def volume_of(
    array: NDArray[np.integer], affine: AffineMatrix = SAGITTAL_AFFINE, name: str = "x.nii"
) -> LabelVolume:
    """Return labels as if read from a file."""
    return LabelVolume(name, array.astype(np.int32), affine, "0" * 64)


def in_their_numbers(array: NDArray[np.uint8], convention: Convention) -> NDArray[np.int32]:
    """Write labels with another tool's numbers by its table alone; what it does not know becomes background."""
    theirs = np.zeros(array.shape, dtype=np.int32)
    for ours, number in convention.their_labels().items():
        theirs[array == ours] = number
    return theirs


def write_nifti(
    path: Path, array: NDArray[np.generic], affine: AffineMatrix = SAGITTAL_AFFINE, *, slope: float | None = None
) -> Path:
    """Write a NIfTI file with sform and qform."""
    image = nib.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    if slope is not None:
        image.header.set_slope_inter(slope, 0.0)
    image.to_filename(path)
    return path
