"""Near-duplicate images by a difference hash: the same slice under another name, brightness, size or compression.

The hash tells for 16 x 16 fields of an image, shrunk to a few pixels, whether each is brighter than its neighbour
to the left and above: 512 bits. The distance of two images is the share of bits that differ. It does not see
through mirroring, or cropping of a few per cent.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from imaging.nifti import read_nifti_grid
from runtime.errors import StudyError

FIELDS = 16
ALIKE = 0.15
"""Share of differing bits up to which two images are near-duplicates.

Source: between what ``python -m benchmarks.leakage`` measures on SPIDER's middle slices for two patients and for
altered copies of one image (docs/benchmarks.md).
"""
PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
VOLUMES = (".nii", ".nii.gz")
_BLOCK = 1000
_SPREAD = (1.0, 99.0)
"""Percentiles of grey values that become black and white."""

Hash = NDArray[np.bool_]


def read_slice(file: Path) -> NDArray[np.float32]:
    """Return a picture, or the middle slice of a NIfTI volume across its thickest voxels; (rows, columns), grey.

    Raises:
        StudyError: If the file cannot be read as either.
    """
    if file.name.endswith(VOLUMES):
        with file.open("rb") as stream:
            array, affine = read_nifti_grid(stream, file.name)
        axis = int(np.argmax(np.linalg.norm(affine[:3, :3], axis=0)))
        volume = np.asarray(array, dtype=np.float32)
        return np.ascontiguousarray(np.take(volume, volume.shape[axis] // 2, axis=axis))
    try:
        with Image.open(file) as image:
            return np.asarray(image.convert("F"), dtype=np.float32)
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise StudyError(
            f"{file.name}: expected a picture or a NIfTI volume that can be read ({error})"
        ) from error


def difference_hash(grey: NDArray[np.float32]) -> Hash:
    """Return the hash of an image, (512,).

    Raises:
        StudyError: If it has fewer than 16 rows or columns, or is of one grey.

    Source: N. Krawetz, "Kind of like that", 2013 (dHash), here in both directions.
    """
    if min(grey.shape) < FIELDS:
        raise StudyError(f"image: expected at least {FIELDS} x {FIELDS} pixels, got {grey.shape}")
    low, high = np.percentile(grey, _SPREAD)
    if not high > low:
        raise StudyError("image: expected different grey values, got one only")
    plain = Image.fromarray((np.clip((grey - low) / (high - low), 0.0, 1.0) * 255).astype(np.uint8))
    wide, tall = (
        np.asarray(plain.resize(size, Image.Resampling.BOX), dtype=np.int16)
        for size in ((FIELDS + 1, FIELDS), (FIELDS, FIELDS + 1))
    )
    return np.concatenate([(wide[:, 1:] > wide[:, :-1]).ravel(), (tall[1:] > tall[:-1]).ravel()])


def near_pairs(hashes: Sequence[Hash], *, most: float = ALIKE) -> Iterator[tuple[int, int, float]]:
    """Yield the pairs of images whose hashes differ in at most a share of bits: both places and the share."""
    if not len(hashes):
        return
    table = np.stack(hashes).astype(np.float32)
    for start in range(0, len(table), _BLOCK):
        block = table[start : start + _BLOCK]
        apart = (block @ (1.0 - table).T + (1.0 - block) @ table.T) / table.shape[1]
        for row, column in np.argwhere(apart <= most + 1e-6):
            first, second = int(row) + start, int(column)
            if first < second:
                yield first, second, float(apart[row, column])
