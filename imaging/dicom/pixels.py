"""Decodes the pixels of a stack, compressed or not, with the file's own rescale."""

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.dicom.headers import BROKEN
from imaging.dicom.members import Member
from imaging.dicom.stacks import Stack
from runtime.errors import StudyError

_TAGS = [
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "Rows", "Columns", "NumberOfFrames",
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "SOPClassUID",
]  # fmt: skip


def stack_pixels(stack: Stack) -> NDArray[np.float32]:
    """Decode a stack.

    Returns:
        (columns, rows, slices) float32 after slope and intercept, bright as shown (MONOCHROME1 is inverted).

    Raises:
        StudyError: If a file is damaged or cut short, or its compression is not known.
    """
    first = stack.slices[0].instance
    array = np.empty((first.columns, first.rows, len(stack.slices)), dtype=np.float32)
    decoded: tuple[Member, NDArray[np.generic]] | None = None
    for k, item in enumerate(stack.slices):
        if decoded is None or decoded[0] is not item.instance.member:
            decoded = (item.instance.member, _decode(item.instance.member, item.instance.frames))
        image = decoded[1][item.frame]
        if image.shape != (first.rows, first.columns):
            raise StudyError(
                f"{item.instance.member.name}: expected {first.columns} x {first.rows} grey pixels, found an "
                f"array of shape {image.shape}"
            )
        array[:, :, k] = image.T.astype(np.float32) * np.float32(item.slope) + np.float32(item.intercept)
    if not np.isfinite(array).all():
        raise StudyError(f"{first.member.name}: expected finite pixel values, found NaN or infinity in its series")
    if first.photometric == "MONOCHROME1":
        array = array.max() + array.min() - array
    return array


def _decode(member: Member, frames: int) -> NDArray[np.generic]:
    """Return the frames of a file, (frames, rows, columns)."""
    try:
        with member.open() as stream:
            dataset = pydicom.dcmread(stream, force=True, specific_tags=list(_TAGS))
        if "TransferSyntaxUID" not in dataset.file_meta:
            is_implicit, _ = dataset.original_encoding
            syntax = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
            dataset.file_meta.TransferSyntaxUID = syntax
        pixels: NDArray[np.generic] = dataset.pixel_array
    except BROKEN as error:
        raise StudyError(
            f"{member.name}: expected whole pixel data, found none that can be decoded ({error}); the file is "
            "damaged, cut short or compressed in an unknown way: send it again, uncompressed if need be"
        ) from error
    return pixels if frames > 1 else pixels[np.newaxis]
