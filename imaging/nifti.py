"""Reads a NIfTI file (.nii, .nii.gz) as one series.

NIfTI's world is RAS+ mm, as ours. The slices are those across the coarsest axis; an isotropic volume has no
acquired plane and is read as sagittal slices. The file carries no weighting: only its name may hint at one.
"""

import gzip
import math
import warnings
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from imaging import limits
from imaging.geometry import (
    ISOTROPIC_RATIO,
    MIN_SPACING_MM,
    Oriented,
    check_affine,
    is_plausible,
    reorient,
    spacing_of,
)
from imaging.intensity import MAX_INTENSITY, check_values
from imaging.roles import Candidate
from imaging.sequences import sequence_from_name
from imaging.types import AffineMatrix, Series, Volume
from runtime.errors import StudyError

_HEADER_BYTES = 544
"""Header of NIfTI-2 and the four bytes that announce extensions; NIfTI-1's is shorter."""

_EXTENSION_FLAG_BYTES = 4
_TAIL_BYTES = 65536
_UNITS = {1: "metres", 3: "micrometres"}  # Source: nifti1.h, NIFTI_UNITS_METER and _MICRON; 2 is mm, 0 unknown
MAX_SLICE_MM = 50.0
"""Between slices; own choice: spine protocols use 3 to 5 mm, gaps of 20 mm occur in localisers."""

# What nibabel and gzip raise on damaged files.
_BROKEN = (OSError, EOFError, zlib.error, ValueError, KeyError, OverflowError, nib.spatialimages.HeaderDataError)


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
    check_affine(name, affine)
    array, zeroed = _voxels(image, name)
    slice_axis, plane_reason = _slice_axis(array.shape, affine)
    oriented = reorient(array, affine, slice_axis)
    return _series(oriented, array.shape, plane_reason, zeroed, name)


def read_nifti_grid(stream: BinaryIO, name: str) -> tuple[NDArray[np.generic], AffineMatrix]:
    """Return the numbers of a NIfTI volume as stored, (I, J, K) in the file's order, and its affine (RAS+ mm).

    Raises:
        StudyError: As ``read_nifti``, except for what concerns intensities.
    """
    image = _parse(stream, name)
    affine = np.asarray(image.affine, dtype=np.float64)
    check_affine(name, affine)
    return np.asarray(image.dataobj).reshape(_shape(image.header, name)), affine


def _series(
    oriented: Oriented, source_shape: tuple[int, ...], plane_reason: str, zeroed: int, name: str
) -> Candidate:
    array = np.ascontiguousarray(oriented.array)
    spacing = spacing_of(oriented.affine, array.shape[2])
    if not is_plausible(spacing):
        raise StudyError(
            f"{name}: expected 0.1 to 5 mm between pixels, found {spacing.row_mm:.3g} x {spacing.col_mm:.3g} mm"
        )
    limits.check_side(name, array.shape[0], array.shape[1])
    step = spacing.slice_mm
    if step is not None and not MIN_SPACING_MM <= step <= MAX_SLICE_MM:
        raise StudyError(
            f"{name}: expected {MIN_SPACING_MM} to {MAX_SLICE_MM:g} mm between slices, found {step:.3g}"
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
        expected = _expected_bytes(header, name)
        _check_orientation(header, name)
        _check_scale(header, name)
        raw = _unpacked(stream, expected)
        if len(raw) < expected:
            raise StudyError(f"{name}: expected {expected} bytes, found {len(raw)}: the file is cut short")
        # nibabel warns in words of its own; what matters of them is checked here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _image_class(raw).from_bytes(_without_extensions(raw))
    except StudyError:
        raise
    except _BROKEN as error:
        raise StudyError(f"{name}: the NIfTI file is damaged or cut short ({error})") from error


def _expected_bytes(header: Any, name: str) -> int:
    """Return how long the file must be at least."""
    shape = _shape(header, name)
    voxels = math.prod(shape)
    limits.check_voxels(name, voxels)
    start, least = float(header["vox_offset"]), header.template_dtype.itemsize + _EXTENSION_FLAG_BYTES
    if not (math.isfinite(start) and start >= least and start.is_integer()):
        raise StudyError(
            f"{name}: expected voxels to begin at byte {least} or after it, found {start:g}; the header is damaged"
        )
    expected = int(start) + voxels * int(header.get_data_dtype().itemsize)
    limits.check_file_size(name, expected)
    return expected


def _without_extensions(raw: bytes) -> bytes:
    """Return the file with its extensions marked as absent: we need none, and they may lie about their length."""
    end = _image_class(raw).header_class.template_dtype.itemsize
    return raw[:end] + bytes(_EXTENSION_FLAG_BYTES) + raw[end + _EXTENSION_FLAG_BYTES :]


def _unpacked(stream: BinaryIO, count: int) -> bytes:
    """Return the first ``count`` bytes, unpacked when the stream is gzip.

    A little beyond them is read as well: a gzip stream that ends there has its checksum verified by that.
    """
    stream.seek(0)
    is_packed = stream.read(2) == b"\x1f\x8b"
    stream.seek(0)
    if not is_packed:
        return stream.read(count)
    with gzip.GzipFile(fileobj=stream) as unpacked:
        content = unpacked.read(count)
        unpacked.read(_TAIL_BYTES)
    return content


def _image_class(raw: bytes) -> Any:
    return nib.Nifti2Image if raw[4:7] == b"n+2" else nib.Nifti1Image


def _header(raw: bytes) -> Any:
    header_class = _image_class(raw).header_class
    # Unchecked: nibabel would mend what is wrong without a word.
    return header_class(raw[: header_class.template_dtype.itemsize], check=False)


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
    codes = int(header["sform_code"]), int(header["qform_code"])
    if not all(0 <= code <= 5 for code in codes):  # nifti1.h: NIFTI_XFORM_UNKNOWN to NIFTI_XFORM_TEMPLATE_OTHER
        raise StudyError(f"{name}: expected orientation codes from 0 to 5, found {codes}; the header is damaged")
    if not any(codes):
        raise StudyError(
            f"{name}: expected an orientation (qform or sform), found none; left and right cannot be told. Set "
            "the affine in the tool that wrote the file"
        )
    unit = int(header["xyzt_units"]) & 0x07
    if unit not in (0, 2):
        raise StudyError(f"{name}: expected millimetres, found a NIfTI in {_UNITS.get(unit, 'an unknown unit')}")
    sizes = [float(size) for size in header["pixdim"][1:4]]
    used = [size for size, count in zip(sizes, _shape(header, name), strict=True) if count > 1]
    if int(header["sform_code"]) == 0 and not all(0 < size < math.inf for size in used):
        raise StudyError(
            f"{name}: expected voxel sizes above 0 mm, found {sizes}; set them in the tool that wrote it"
        )


def _check_scale(header: Any, name: str) -> None:
    """Refuse an infinite slope; 0 and NaN stand for "no slope" (nifti1.h), and no intercept counts then."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if math.isinf(slope) or (slope and not math.isnan(slope) and not math.isfinite(intercept)):
        raise StudyError(f"{name}: expected a finite slope and intercept, found {slope:g} and {intercept:g}")


def _voxels(image: Any, name: str) -> tuple[NDArray[np.float32], int]:
    """Return the voxels with the file's own slope, and how many were not finite."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is looked at below
        array = np.asarray(image.dataobj, dtype=np.float32).reshape(_shape(image.header, name))
    is_bad = ~np.isfinite(array)
    count = int(is_bad.sum())
    if count:
        _check_truly_bad(image, is_bad, name)
        array[is_bad] = array[~is_bad].min()
    check_values(name, array)
    return array, count


def _check_truly_bad(image: Any, is_bad: NDArray[np.bool_], name: str) -> None:
    """Tell voxels that the file stores as NaN or infinity from those that its slope or size made so."""
    if is_bad.all():
        raise StudyError(f"{name}: expected numbers, found only NaN or infinity")
    values = np.asarray(image.dataobj).reshape(is_bad.shape)[is_bad]
    if np.isfinite(values).any():
        raise StudyError(
            f"{name}: expected pixel values of at most {MAX_INTENSITY:g}, found larger ones; the file is damaged "
            "or its scale is wrong"
        )


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
