"""Looks for text that was burned into the pixels. It can warn; it can never say that there is none.

Written characters are thin strokes of about one height in a row. Strokes are what a white or black top-hat finds;
their connected parts of letter size are chained along rows; four in a row count as text. Only the outer quarter on
each side is searched: viewers and scanners write there, and anatomy makes chance rows in the middle.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID, ExplicitVRBigEndian
from scipy import ndimage

from imaging import limits
from imaging.dicom.decoders import decode_frames
from imaging.dicom.values import BROKEN, number, text

MARGIN = 0.25
"""Share of each side that is searched."""
STROKE_PX = 7
"""Size of the top-hat: strokes thinner than this are found."""
CONTRAST = 0.35
"""Height of a stroke over its surroundings, as a share of the image's range (0.5th to 99.9th percentile)."""
MIN_HEIGHT_PX, MAX_HEIGHT_SHARE = 5, 0.08
"""Height of a character: the smallest legible font, and the share of the image's height."""
MIN_CHARACTERS = 4
"""In a row, to count as text. All own choices; docs/decisions/0004-deidentification.md has what they find."""
MAX_FRAMES = 64
"""Frames of a multi-frame image that are looked at, evenly spread."""

_SECONDARY = ("1.2.840.10008.5.1.4.1.1.7",)  # secondary capture and its multi-frame forms begin so


@dataclass(frozen=True)
class _Part:
    """A connected part of strokes: box in pixels."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2


def pixel_warnings(dataset: Dataset) -> tuple[str, ...]:
    """Return what to look at in the pixels of an instance before it is given away; empty if nothing was seen."""
    warnings = []
    if text(dataset, "BurnedInAnnotation").upper() == "YES":
        warnings.append("the header says that text is burned into the pixels")
    if text(dataset, "SOPClassUID").startswith(_SECONDARY):
        warnings.append("a secondary capture: screens and scanned papers often show names")
    try:
        frames = _frames(dataset)
    except BROKEN:
        return (*warnings, "the pixels could not be decoded and were not looked at")
    if "PixelData" in dataset and _has_hidden_bits(dataset):
        warnings.append("bits outside the stored ones are set: an old overlay may be hidden in them")
    if any(has_text(frame) for frame in frames):
        warnings.append("strokes like written text near the border")
    return tuple(warnings)


def has_text(image: NDArray[np.generic]) -> bool:
    """Say whether a slice (rows, columns) or (rows, columns, colours) shows strokes like written text."""
    grey: NDArray[np.float32] = np.asarray(image, dtype=np.float32)
    grey = np.asarray(grey.max(axis=2)) if grey.ndim == 3 else grey
    low, high = np.percentile(grey, (0.5, 99.9))
    high = max(high, float(grey.max()) * 0.5)
    if not high > low:
        return bool(grey.max() > grey.min()) and _has_row(grey > grey.min())
    strength = CONTRAST * (high - low)
    size = (STROKE_PX, STROKE_PX)
    bright, dark = ndimage.white_tophat(grey, size), ndimage.black_tophat(grey, size)
    return _has_row(bright > strength) or _has_row(dark > strength)


def _has_row(strokes: NDArray[np.bool_]) -> bool:
    rows, columns = strokes.shape
    searched = strokes.copy()
    top, left = round(rows * MARGIN), round(columns * MARGIN)
    searched[top : rows - top, left : columns - left] = False
    labels, _ = ndimage.label(searched, structure=np.ones((3, 3)))
    parts = [_Part(y.start, y.stop, x.start, x.stop) for y, x in ndimage.find_objects(labels)]
    letters = [part for part in parts if _is_letter(part, rows)]
    letters.sort(key=lambda part: part.left)
    return any(_chain(letters, start) >= MIN_CHARACTERS for start in range(len(letters)))


def _is_letter(part: _Part, rows: int) -> bool:
    width = part.right - part.left
    tallest = max(MIN_HEIGHT_PX + 7, MAX_HEIGHT_SHARE * rows)
    return MIN_HEIGHT_PX <= part.height <= tallest and 0.1 * part.height <= width <= 1.6 * part.height


def _chain(letters: list[_Part], start: int) -> int:
    """Return how many letters of one height follow one another on a line from ``start`` to the right."""
    length, last = 1, letters[start]
    for part in letters[start + 1 :]:
        gap = part.left - last.right
        if gap > 1.5 * last.height:
            break
        level = abs(part.middle - last.middle) <= 0.3 * last.height
        if gap >= 0 and level and 0.6 <= part.height / last.height <= 1.67:
            length, last = length + 1, part
    return length


def _frames(dataset: Dataset) -> list[NDArray[np.generic]]:
    rows, columns = int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0)
    limits.check_voxels("image", rows * columns)
    count = int(number(dataset, "NumberOfFrames") or 1)
    chosen = np.unique(np.linspace(0, count - 1, min(count, MAX_FRAMES)).round().astype(int)).tolist()
    if UID(dataset.file_meta.TransferSyntaxUID).is_compressed:
        return list(decode_frames(dataset, chosen, "image"))
    return list(iter_pixels(dataset, indices=chosen, raw=True))


def _has_hidden_bits(dataset: Dataset) -> bool:
    """Say whether a pixel of native unsigned data has bits set above the stored ones, which decoders mask away."""
    names = ("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation")
    allocated, stored, high, signed = (number(dataset, name) for name in names)
    is_native = not UID(dataset.file_meta.TransferSyntaxUID).is_compressed
    if not is_native or signed != 0 or allocated not in (8, 16) or stored is None or high != stored - 1:
        return False
    order = ">" if UID(dataset.file_meta.TransferSyntaxUID) == ExplicitVRBigEndian else "<"
    pixels = np.frombuffer(dataset.PixelData, dtype=f"{order}u{int(allocated) // 8}")
    return bool(pixels.size) and int(pixels.max()) >= 2 ** int(stored)
