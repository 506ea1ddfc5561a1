"""Reads a label map that another tool wrote: whole numbers on a grid with a place in the world.

NIfTI (.nii, .nii.gz), MetaImage (.mha) and DICOM SEG. What the numbers mean is not known here
(``imaging.label_import``); a SEG says itself what its segments are.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anatomy.conventions import Convention
from imaging import limits
from imaging.label_order import centroids_ras
from imaging.sniff import FileKind, sniff
from imaging.types import AffineMatrix
from runtime.errors import StudyError
from runtime.names import shown_name

_EXPECTED = "a label map in NIfTI (.nii, .nii.gz), MetaImage (.mha) or DICOM SEG (.dcm)"
_WHOLE = 1e-3
"""Floats this near to whole numbers are labels; own choice: float32 stores labels exactly, resampling does not."""
_MAX_LABEL = 65535

LabelGrid = NDArray[np.int32]
"""Label numbers of a file, shape (I, J, K) in the file's own order."""


@dataclass(frozen=True, eq=False)
class LabelVolume:
    """Labels as a file holds them.

    Attributes:
        name: File name as it may be shown.
        array: (I, J, K) int32, 0 is background.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm.
        sha256: Of the file.
        convention: What the file itself says of its numbers; None where it holds numbers only.
    """

    name: str
    array: LabelGrid
    affine: AffineMatrix
    sha256: str
    convention: Convention | None = None

    @property
    def voxel_mm3(self) -> float:
        """Return the volume of a voxel."""
        return float(abs(np.linalg.det(self.affine[:3, :3])))

    @cached_property
    def counts(self) -> dict[int, int]:
        """Label -> voxels, without the background, by number."""
        numbers = np.bincount(self.array.ravel())
        return {int(label): int(numbers[label]) for label in np.flatnonzero(numbers) if label != 0}

    @cached_property
    def centres(self) -> dict[int, NDArray[np.float64]]:
        """Label -> centre of gravity in RAS+ mm."""
        return centroids_ras(self.array, self.affine)


def read_label_file(path: Path) -> LabelVolume:
    """Read a label map.

    Raises:
        StudyError: If there is no such file, it is no volume of whole numbers from 0, or it holds no label.
        LimitError: If it is larger than allowed.
    """
    name = shown_name(path.name)
    convention = None
    try:
        limits.check_file_size(name, path.stat().st_size)
        with path.open("rb") as stream:
            kind = sniff(stream)
            if kind is FileKind.NIFTI:
                from imaging.nifti import read_nifti_grid

                stored, affine = read_nifti_grid(stream, name)
            elif kind is FileKind.META_IMAGE:
                from imaging.metaimage import read_metaimage_grid

                stored, affine = read_metaimage_grid(stream, name)
            elif kind is FileKind.DICOM:
                from imaging.dicom.segmentation import read_segmentation

                grid = read_segmentation(stream, name)
                stored, affine, convention = grid.array, grid.affine, grid.convention
            else:
                raise StudyError(f"{name}: expected {_EXPECTED}, found {kind.value}")
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StudyError(f"{name}: expected {_EXPECTED}, found none ({error.strerror})") from error
    array = _whole(stored, name)
    if not array.any():
        raise StudyError(f"{name}: expected labels, found only 0 (background)")
    return LabelVolume(name, array, affine, digest, convention)


def _whole(stored: NDArray[np.generic], name: str) -> LabelGrid:
    """Return the numbers as labels.

    Raises:
        StudyError: If they are not whole, not finite, below 0 or above ``_MAX_LABEL``.
    """
    if stored.dtype.kind == "f":
        if not np.isfinite(stored).all():
            raise StudyError(f"{name}: expected label numbers, found NaN or infinity")
        rounded = np.rint(stored)
        off = np.abs(stored - rounded)
        if float(off.max()) > _WHOLE:
            raise StudyError(
                f"{name}: expected whole numbers, found {float(stored.ravel()[off.argmax()]):.4g}; it is a "
                "probability map, or labels were resampled with interpolation: save labels, resampled by nearest "
                "neighbour"
            )
        stored = rounded
    low, high = int(stored.min()), int(stored.max())
    if low < 0 or high > _MAX_LABEL:
        raise StudyError(f"{name}: expected labels from 0 to {_MAX_LABEL}, found {low} to {high}")
    return np.asarray(stored, dtype=np.int32)
