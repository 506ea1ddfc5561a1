"""Reads a NIfTI file (.nii, .nii.gz) as one series.

NIfTI's world is RAS+ mm, as ours. The slices are those across the coarsest axis; an isotropic volume has no
acquired plane and is read as sagittal slices. The file carries no weighting: only its name may hint at one.
"""

import gzip
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from imaging import limits
from imaging.geometry import (
    ISOTROPIC_RATIO,
    Oriented,
    check_affine,
    is_plausible,
    reorient,
    spacing_of,
)
from imaging.roles import Candidate
from imaging.sequences import sequence_from_name
from imaging.types import AffineMatrix, Series, Volume
from runtime.errors import StudyError

_HEADER_BYTES = 544
"""Header of NIfTI-2 and the four bytes that announce extensions; NIfTI-1's is shorter."""


def read_nifti(stream: BinaryIO, name: str) -> Candidate:
    """Read a NIfTI volume or slice.

    Args:
        stream: The file's bytes, packed by gzip or not.
        name: File name, for messages and the sequence hint.

    Raises:
        StudyError: If the file is damaged or cut short, is no grey image of two or three dimensions, tells no
            orientation, or has an affine or spacing that cannot be.
    """
    image = _parse(stream, name)
    affine = np.asarray(image.affine, dtype=np.float64)
    _check_orientation(image.header, name)
    check_affine(name, affine)
    array, zeroed = _voxels(image, name)
    slice_axis, plane_reason = _slice_axis(array.shape, affine)
    oriented = reorient(array, affine, slice_axis)
    return _series(oriented, array.shape, plane_reason, zeroed, name)


def _series(
    oriented: Oriented, source_shape: tuple[int, ...], plane_reason: str, zeroed: int, name: str
) -> Candidate:
    array = np.ascontiguousarray(oriented.array)
    spacing = spacing_of(oriented.affine, array.shape[2])
    if not is_plausible(spacing):
        raise StudyError(
            f"{name}: expected 0.1 to 5 mm between pixels, found {spacing.row_mm:.3g} x {spacing.col_mm:.3g} mm"
        )
    finding = sequence_from_name(Path(name).name.split(".")[0])
    reasons = [f"plane {oriented.plane.value}: {plane_reason}, tilted by {oriented.tilt_deg:.0f} degrees"]
    reasons.extend(finding.reasons)
    if zeroed:
        reasons.append(f"{zeroed} voxels that were no finite number were set to the smallest value")
    columns, rows, slices = source_shape
    volume = Volume(
        array=array,
        spacing=spacing,
        affine=oriented.affine,
        source_shape=(columns, rows, slices),
        source_axes=oriented.source_axes,
    )
    series = Series(
        id="S1", role=None, plane=oriented.plane, sequence=finding.sequence, volume=volume, reasons=tuple(reasons)
    )
    return Candidate(series, finding)


def _parse(stream: BinaryIO, name: str) -> Any:
    """Return the nibabel image, its bytes all in memory and no more of them than the header announces."""
    try:
        header = _header(_unpacked(stream, _HEADER_BYTES))
        shape = _shape(header, name)
        voxels = int(np.prod(shape, dtype=np.int64))
        limits.check_voxels(name, voxels)
        expected = int(header["vox_offset"]) + voxels * header.get_data_dtype().itemsize
        limits.check_file_size(name, expected)
        raw = _unpacked(stream, expected)
        if len(raw) < expected:
            raise StudyError(f"{name}: expected {expected} bytes, found {len(raw)}: the file is cut short")
        return _image_class(raw).from_bytes(raw)
    except StudyError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, KeyError, nib.spatialimages.HeaderDataError) as error:
        raise StudyError(f"{name}: the NIfTI file is damaged or cut short ({error})") from error


def _unpacked(stream: BinaryIO, count: int) -> bytes:
    """Return the first ``count`` bytes, unpacked when the stream is gzip."""
    stream.seek(0)
    is_packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if not is_packed:
        return stream.read(count)
    with gzip.GzipFile(fileobj=stream) as unpacked:
        return unpacked.read(count)


def _image_class(raw: bytes) -> Any:
    return nib.Nifti2Image if raw[4:7] == b"n+2" else nib.Nifti1Image


def _header(raw: bytes) -> Any:
    header_class = _image_class(raw).header_class
    return header_class(raw[: header_class.template_dtype.itemsize])


def _shape(header: Any, name: str) -> tuple[int, ...]:
    """Return the three sizes; a slice gets a third axis of one."""
    shape = tuple(int(size) for size in header.get_data_shape())
    if header.get_data_dtype().fields is not None:
        raise StudyError(f"{name}: expected a grey image, found a NIfTI of colour values")
    if header.get_data_dtype().kind not in "iuf":
        raise StudyError(f"{name}: expected whole or real numbers, found {header.get_data_dtype()}")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) not in (2, 3) or min(shape) < 1:
        raise StudyError(
            f"{name}: expected a volume of 2 or 3 dimensions, found shape {shape}; save the one volume to read"
        )
    return (*shape, 1)[:3]


def _check_orientation(header: Any, name: str) -> None:
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise StudyError(
            f"{name}: expected an orientation (qform or sform), found none; left and right cannot be told. Set "
            "the affine in the tool that wrote the file"
        )
    unit = header.get_xyzt_units()[0]
    if unit not in ("mm", "unknown"):
        raise StudyError(f"{name}: expected millimetres, found a NIfTI in {unit}")


def _voxels(image: Any, name: str) -> tuple[NDArray[np.float32], int]:
    """Return the voxels with the file's own slope, and how many were not finite."""
    array = np.asarray(image.dataobj, dtype=np.float32)
    array = array.reshape(_shape(image.header, name))
    is_bad = ~np.isfinite(array)
    count = int(is_bad.sum())
    if count == array.size:
        raise StudyError(f"{name}: expected numbers, found only NaN or infinity")
    if count:
        array[is_bad] = array[~is_bad].min()
    return array, count


def _slice_axis(shape: tuple[int, ...], affine: AffineMatrix) -> tuple[int, str]:
    """Return the axis that runs from slice to slice, and why."""
    if 1 in shape:
        return shape.index(1), "one slice"
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    coarsest = int(sizes.argmax())
    rest = np.delete(sizes, coarsest).max()
    if sizes[coarsest] >= ISOTROPIC_RATIO * rest:
        return coarsest, f"slices across the coarsest axis ({sizes[coarsest]:.2f} mm)"
    lateral = int(np.abs(affine[0, :3] / sizes).argmax())
    return lateral, f"a nearly isotropic volume ({sizes[coarsest]:.2f} mm) is read as sagittal slices"
