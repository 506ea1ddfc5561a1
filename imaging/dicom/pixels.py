"""Pixels of a stack as a float volume, with the file's own rescale and nothing else.

Slope and intercept are applied; vendor scalings in private elements and Real World Value Maps are not, as they
turn some series into other units and leave others; windows only say how to show a picture. Uncompressed pixels
are read straight from their place in the file, slice by slice, so memory stays near the size of the volume.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.dicom.decoders import decode_frames
from imaging.dicom.members import Member
from imaging.dicom.native import read_native_frame
from imaging.dicom.slices import SliceHeader
from imaging.dicom.stacks import Stack
from imaging.dicom.values import BROKEN
from imaging.intensity import MAX_INTENSITY, check_values
from imaging.types import FloatVolume
from runtime.errors import StudyError

_TAGS = [
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "SOPClassUID",
]  # fmt: skip

LONGEST_REASON = 200
"""Characters of a decoder's own words in a message; ours."""

Image = NDArray[np.generic]
"""(rows, columns) stored values of one frame."""


def stack_pixels(stack: Stack) -> FloatVolume:
    """Decode a stack.

    Returns:
        (columns, rows, slices) float32 after slope and intercept, bright as shown (MONOCHROME1 is inverted).
        Padding takes the darkest measured value. In memory slice lies after slice, each row by row.

    Raises:
        StudyError: If a file is damaged or cut short, or its compression is not known.
    """
    first = stack.slices[0].instance
    volume = np.empty((len(stack.slices), first.rows, first.columns), dtype=np.float32)
    padded: dict[int, NDArray[np.bool_]] = {}
    for k, stored in _stored_images(stack.slices):
        item = stack.slices[k]
        mask = _padding_mask(item, stored)
        if mask is not None:
            padded[k] = mask
        _rescale(stored, item, out=volume[k])
        if not _stays_believable(stored, item):
            check_values(item.instance.member.name, volume[k])
    is_inverted = first.photometric == "MONOCHROME1"
    if is_inverted:
        _invert(volume, padded)
    _fill_padding(volume, padded)
    return volume.transpose(2, 1, 0)


def stored_pixels(item: SliceHeader) -> Image:
    """Return the stored values of one slice, (rows, columns).

    Raises:
        StudyError: As for ``stack_pixels``.
    """
    return next(image for _, image in _stored_images((item,)))


def _stored_images(slices: tuple[SliceHeader, ...]) -> Iterator[tuple[int, Image]]:
    """Yield (index in ``slices``, stored values) file by file."""
    by_file: dict[int, list[int]] = {}
    for k, item in enumerate(slices):
        by_file.setdefault(id(item.instance.member), []).append(k)
    for places in by_file.values():
        instance = slices[places[0]].instance
        images = _frames(slices, places)
        for k in places:
            image = _decoded(instance.member, lambda images=images: next(images))  # type: ignore[misc]
            if image.shape != (instance.rows, instance.columns):
                raise StudyError(
                    f"{instance.member.name}: expected {instance.columns} x {instance.rows} grey pixels, found an "
                    f"array of shape {image.shape}"
                )
            yield k, image


def _frames(slices: tuple[SliceHeader, ...], places: list[int]) -> Iterator[Image]:
    """Yield the frames of one file that the given slices need, in that order."""
    instance = slices[places[0]].instance
    frames = [slices[k].frame for k in places]
    with instance.member.open() as stream:
        if instance.native is not None:
            for frame in frames:
                yield read_native_frame(stream, instance.native, frame, instance.rows, instance.columns)
            return
        dataset = pydicom.dcmread(stream, force=True, specific_tags=list(_TAGS))
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    yield from decode_frames(dataset, frames, instance.member.name)


def _decoded(member: Member, decode: Callable[[], Image]) -> Image:
    """Run a decoder; say what is wrong with the file when it fails."""
    try:
        return decode()
    except StudyError:
        raise
    except (*BROKEN, StopIteration) as error:
        raise StudyError(
            f"{member.name}: expected whole pixel data, found none that can be decoded ({_short(error)}); the "
            "file is damaged, cut short or compressed in an unknown way: send it again, uncompressed if need be"
        ) from error


def _short(error: Exception) -> str:
    """Return the words of a decoder on one line, cut where they run on."""
    words = " ".join(str(error).split())
    return words if len(words) <= LONGEST_REASON else f"{words[:LONGEST_REASON]}..."


def _rescale(stored: Image, item: SliceHeader, *, out: NDArray[np.float32]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by its value
        _scale(stored, item, out=out)


def _scale(stored: Image, item: SliceHeader, *, out: NDArray[np.float32]) -> None:
    out[...] = stored
    if item.slope != 1.0:
        out *= np.float32(item.slope)
    if item.intercept != 0.0:
        out += np.float32(item.intercept)


def _stays_believable(stored: Image, item: SliceHeader) -> bool:
    """Say whether no whole number of this size can be rescaled to a value that ``check_values`` refuses."""
    if not np.issubdtype(stored.dtype, np.integer):
        return False
    return abs(item.slope) * 2.0 ** (8 * stored.dtype.itemsize) + abs(item.intercept) < MAX_INTENSITY


def _padding_mask(item: SliceHeader, stored: Image) -> NDArray[np.bool_] | None:
    """Return which pixels are padding, (rows, columns); None when none is."""
    padding = item.instance.padding
    if padding is None:
        return None
    values = stored.astype(np.int64, copy=False)
    mask = (values >= padding[0]) & (values <= padding[1])
    return mask if mask.any() else None


def _invert(volume: NDArray[np.float32], padded: dict[int, NDArray[np.bool_]]) -> None:
    """Turn dark and bright within the measured range, in place."""
    low, high = _measured_range(volume, padded)
    np.subtract(np.float32(low + high), volume, out=volume)


def _fill_padding(volume: NDArray[np.float32], padded: dict[int, NDArray[np.bool_]]) -> None:
    low, _ = _measured_range(volume, padded) if padded else (0.0, 0.0)
    for k, mask in padded.items():
        volume[k][mask] = low


def _measured_range(volume: NDArray[np.float32], padded: dict[int, NDArray[np.bool_]]) -> tuple[float, float]:
    """Return the lowest and highest measured value; 0 and 0 when all is padding."""
    if not padded:
        return float(volume.min()), float(volume.max())
    measured = [image[~padded[k]] if k in padded else image.ravel() for k, image in enumerate(volume)]
    ends = [(float(part.min()), float(part.max())) for part in measured if part.size]
    return (min(low for low, _ in ends), max(high for _, high in ends)) if ends else (0.0, 0.0)
