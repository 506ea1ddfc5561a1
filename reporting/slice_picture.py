"""A slice as a picture: square pixels, windowed, with structures, lettering, patient directions and a scale bar.

Frames. Output pixels are square: the slice (rows, columns) is enlarged by one factor a direction so that the
picture keeps the patient's proportions when the spacing is known. A point at the pixel centre (x, y) of the
original slice lies at ((x + 0.5) * x_scale, (y + 0.5) * y_scale) of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from anatomy import DISC_LEVELS, STRUCTURES, VERTEBRAE, disc_label, vertebra_label
from imaging.types import Series, Volume
from segmentation.types import Level

Colour = tuple[int, int, int]
Point = tuple[float, float]

LONG_SIDE_PX = 900
GREY: Colour = (190, 190, 190)
_FILL_OPACITY = 0.22
_EDGE_PX = 2
_BAR_MM = 50.0
FONT_PX = 20


@dataclass(frozen=True)
class SliceView:
    """One slice as it is shown: its place in the series and the enlargement."""

    series: Series
    k: int
    x_scale: float
    y_scale: float

    @property
    def size(self) -> tuple[int, int]:
        """Return (width, height) of the enlarged slice in output pixels."""
        columns, rows, _ = self.series.volume.shape
        return max(1, round(columns * self.x_scale)), max(1, round(rows * self.y_scale))

    def place(self, point: Point) -> Point:
        """Return where a point of the original slice lies in the picture."""
        return (point[0] + 0.5) * self.x_scale, (point[1] + 0.5) * self.y_scale


def directions(volume: Volume, levels: tuple[Level, ...]) -> tuple[str, str, str, str]:
    """Return the patient direction at the (left, right, top, bottom) edge: A, P, R, L, H or F.

    With an affine they follow from it; a slice tilted by 30 degrees or more has two letters, such as ``AH``.
    Without one (a picture), front and back follow from where the posterior disc margins were found, head and foot
    from the order of the named levels.
    """
    if volume.affine is not None:
        right, bottom = (_axis_letters(volume.affine[:3, axis]) for axis in (0, 1))
        return _opposite(right), right, _opposite(bottom), bottom
    back = sum(level.posterior_px[0] - level.centre_px[0] for level in levels)
    foot = levels[-1].centre_px[1] - levels[0].centre_px[1] if len(levels) > 1 else 1.0
    right, bottom = ("P" if back >= 0 else "A"), ("F" if foot >= 0 else "H")
    return _OPPOSITE[right], right, _OPPOSITE[bottom], bottom


_TILT = 0.5  # sine of 30 degrees
_OPPOSITE = {"A": "P", "P": "A", "R": "L", "L": "R", "H": "F", "F": "H"}


def _opposite(letters: str) -> str:
    return "".join(_OPPOSITE[letter] for letter in letters)


def _axis_letters(direction: NDArray[np.float64]) -> str:
    """Return the patient direction that a RAS+ vector points to, the principal letter first.

    Source: DICOM PS3.3 C.7.6.1.1.1, Patient Orientation; from which tilt on a second letter is told is own choice.
    """
    share = direction / np.linalg.norm(direction)
    order = np.argsort(-np.abs(share), kind="stable")
    told = [axis for place, axis in enumerate(order[:2]) if place == 0 or abs(share[axis]) >= _TILT]
    return "".join("RAH"[axis] if share[axis] > 0 else _OPPOSITE["RAH"[axis]] for axis in told)


@cache
def colours() -> dict[str, tuple[Colour, ...]]:
    """Return what is drawn -> its colours (``slice_colours.yaml``)."""
    table = yaml.safe_load((Path(__file__).parent / "slice_colours.yaml").read_text(encoding="utf-8"))
    return {name: tuple((r, g, b) for r, g, b in rows) for name, rows in table.items()}


@cache
def structure_colours() -> dict[int, Colour]:
    """Return label number -> colour of every structure that can be in a label map."""
    known = colours()
    table = {
        vertebra_label(name): known["vertebra"][vertebra_label(name) % len(known["vertebra"])]
        for name in VERTEBRAE
    }
    table |= {disc_label(level): known["disc"][0] for level in DISC_LEVELS}
    table |= {
        info.label: known[structure.value][0] for structure, info in STRUCTURES.items() if info.label is not None
    }
    return table


@cache
def font(size_px: int = FONT_PX) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font of all lettering, which comes with Pillow."""
    return ImageFont.load_default(size=size_px)


def view_of(series: Series, k: int, long_side_px: int = LONG_SIDE_PX) -> SliceView:
    """Return how slice k of a series is shown: its longer side is ``long_side_px`` output pixels long."""
    columns, rows, _ = series.volume.shape
    spacing = series.volume.spacing
    col_mm, row_mm = (1.0, 1.0) if spacing is None else (spacing.col_mm, spacing.row_mm)
    per_mm = long_side_px / max(columns * col_mm, rows * row_mm)
    return SliceView(series, k, per_mm * col_mm, per_mm * row_mm)


def enlarged_slice(view: SliceView) -> Image.Image:
    """Return the slice as a grey RGB picture, windowed as the networks see it."""
    from imaging.intensity import normalise_slice

    grey = np.clip(normalise_slice(view.series.volume.slice_image(view.k)), 0.0, 1.0)
    image = Image.fromarray(np.round(grey * 255).astype(np.uint8))
    return image.resize(view.size, Image.Resampling.BICUBIC).convert("RGB")


def paint_structures(picture: Image.Image, labels: NDArray[np.uint8], view: SliceView) -> Image.Image:
    """Lay a light fill and a contour of every label (rows, columns) over the picture."""
    pixels = np.array(picture)
    for label, colour in structure_colours().items():
        mask = labels == label
        if mask.any():
            _paint_one(pixels, mask, colour, view)
    return Image.fromarray(pixels)


def _paint_one(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, view: SliceView) -> None:
    """Paint one structure into the enlarged picture, working on its own box only."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, left = max(0, rows[0] - 1), max(0, columns[0] - 1)
    box = mask[top : rows[-1] + 2, left : columns[-1] + 2]
    x, y = round(left * view.x_scale), round(top * view.y_scale)
    right = min(view.size[0], round((left + box.shape[1]) * view.x_scale))
    bottom = min(view.size[1], round((top + box.shape[0]) * view.y_scale))
    # Enlarging a soft mask and cutting at one half gives round contours instead of pixel stairs.
    soft = Image.fromarray(box.astype(np.uint8) * 255)
    inside = np.asarray(soft.resize((right - x, bottom - y), Image.Resampling.BILINEAR)) >= 128
    edge = inside & ~_eroded(inside, _EDGE_PX)
    target = pixels[y:bottom, x:right]
    fill = (1 - _FILL_OPACITY) * target[inside] + _FILL_OPACITY * np.asarray(colour, dtype=np.float32)
    target[inside] = np.round(fill).astype(np.uint8)
    target[edge] = colour


def _eroded(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """Return a mask without its outermost pixels; what touches the border of the array counts as inside."""
    for _ in range(steps):
        padded = np.pad(mask, 1, mode="edge")
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def write(
    draw: ImageDraw.ImageDraw, place: Point, text: str, colour: Colour, anchor: str, *, size_px: int = FONT_PX
) -> None:
    """Write a line of text with a black rim, so that it can be read on bright tissue."""
    draw.text(place, text, fill=colour, font=font(size_px), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def wrapped(text: str, width_px: float, *, size_px: int = FONT_PX) -> list[str]:
    """Return a text as the rows of whole words that fit a width."""
    rows = [""]
    for word in text.split():
        longer = f"{rows[-1]} {word}".strip()
        if rows[-1] and font(size_px).getlength(longer) > width_px:
            rows.append(word)
        else:
            rows[-1] = longer
    return rows


def draw_directions(
    draw: ImageDraw.ImageDraw, view: SliceView, letters: tuple[str, str, str, str], *, size_px: int = FONT_PX
) -> None:
    """Write patient directions at the (left, right, top, bottom) edges of the slice."""
    width, height = view.size
    places: tuple[tuple[Point, str], ...] = (
        ((8, height / 2), "lm"),
        ((width - 8, height / 2), "rm"),
        ((width / 2, 6), "mt"),
        ((width / 2, height - 6), "mb"),
    )
    for letter, (place, anchor) in zip(letters, places, strict=True):
        write(draw, place, letter, GREY, anchor, size_px=size_px)


def draw_scale(draw: ImageDraw.ImageDraw, view: SliceView, y: float, *, size_px: int = FONT_PX) -> None:
    """Draw a scale bar at the left of a row of the picture, or say that the scale is unknown."""
    spacing = view.series.volume.spacing
    if spacing is None:
        write(draw, (8, y + 2), "scale unknown", GREY, "lm", size_px=size_px)
        return
    length = _BAR_MM / spacing.col_mm * view.x_scale
    draw.line(((8, y), (8 + length, y)), fill=GREY, width=3)
    write(draw, (14 + length, y + 2), f"{_BAR_MM / 10:.0f} cm", GREY, "lm", size_px=size_px)
