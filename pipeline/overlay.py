"""The overlay: a slice with structures, level names, patient directions and a scale bar.

Frames. Output pixels are square: the slice (rows, columns) is enlarged by one factor a direction so that the
picture keeps the patient's proportions when the spacing is known. A point at the pixel centre (x, y) of the
original slice lies at ((x + 0.5) * x_scale, (y + 0.5) * y_scale) of the picture.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from anatomy import DISC_LEVELS, STRUCTURES, VERTEBRAE, disc_label, vertebra_label
from grading.types import Evidence
from imaging.types import Series, Study, Volume
from segmentation.types import Level, SegmentedStudy

Colour = tuple[int, int, int]
Point = tuple[float, float]

_LONG_SIDE_PX = 900
_BAND_PX = 46
_FILL_OPACITY = 0.22
_EDGE_PX = 2
_BAR_MM = 50.0
_NAME_GAP = 0.6  # of the disc's length: past the canal
_FONT_PX = 20
_GREY: Colour = (190, 190, 190)
_CAPTION = "SpineScribe draft, research use only"


@dataclass(frozen=True)
class OverlayLayers:
    """What is drawn over the slice."""

    structures: bool = True
    names: bool = True
    measurements: bool = False


@dataclass(frozen=True)
class _View:
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


def render_overlay(
    study: Study,
    segmented: SegmentedStudy,
    *,
    layers: OverlayLayers | None = None,
    slice_index: int | None = None,
    series_id: str | None = None,
    boxes: Sequence[Evidence] = (),
) -> bytes:
    """Draw the overlay of one series.

    Args:
        study: The study.
        segmented: Its label maps, levels and measurements.
        layers: What is drawn; None draws structures and names.
        slice_index: Slice k of the series; None takes the one on which most levels lie.
        series_id: Series; None takes the primary one. Of another one only the levels of the slice are named.
        boxes: Boxes of chosen findings (``pipeline.grounding``), drawn where they lie on the slice that is shown.
            Where neither series nor slice is given, those of the first box are shown.

    Returns:
        A PNG, RGB; the same input gives the same bytes.

    Raises:
        ValueError: If the series is not one of the study, or the slice not one of the series.
    """
    layers = layers or OverlayLayers()
    if boxes and series_id is None and slice_index is None:
        series_id, slice_index = boxes[0].series_id, boxes[0].slice_index
    series = _series_of(study, segmented.primary_series_id if series_id is None else series_id)
    levels = segmented.series_levels.get(series.id, segmented.levels)
    k = _main_slice(levels, series) if slice_index is None else slice_index
    if not 0 <= k < series.volume.shape[2]:
        raise ValueError(f"slice_index: expected 0 to {series.volume.shape[2] - 1}, got {k!r}")
    view = _View(series, k, *_scales(series.volume))
    picture = _enlarged_slice(view)
    label_map = segmented.label_map(series.id)
    if layers.structures and label_map is not None:
        picture = _paint_structures(picture, label_map.array[:, :, k].T, view)
    canvas = Image.new("RGB", (picture.width, picture.height + _BAND_PX))
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    if layers.measurements:
        _draw_measurements(draw, view, segmented)
    if layers.names:
        is_primary = series.id == segmented.primary_series_id
        _draw_names(draw, view, tuple(item for item in levels if is_primary or item.slice_index == k))
    _draw_boxes(draw, view, boxes)
    _draw_directions(draw, view, directions(series.volume, levels))
    _draw_band(draw, view)
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


def directions(volume: Volume, levels: tuple[Level, ...]) -> tuple[str, str, str, str]:
    """Return the patient direction at the (left, right, top, bottom) edge: A, P, R, L, H or F.

    With an affine they follow from it. Without one (a picture), front and back follow from where the posterior
    disc margins were found, head and foot from the order of the named levels.
    """
    if volume.affine is not None:
        right, bottom = (_axis_letter(volume.affine[:3, axis]) for axis in (0, 1))
        return _OPPOSITE[right], right, _OPPOSITE[bottom], bottom
    back = sum(level.posterior_px[0] - level.centre_px[0] for level in levels)
    foot = levels[-1].centre_px[1] - levels[0].centre_px[1] if len(levels) > 1 else 1.0
    right, bottom = ("P" if back >= 0 else "A"), ("F" if foot >= 0 else "H")
    return _OPPOSITE[right], right, _OPPOSITE[bottom], bottom


_OPPOSITE = {"A": "P", "P": "A", "R": "L", "L": "R", "H": "F", "F": "H"}


def _axis_letter(direction: NDArray[np.float64]) -> str:
    """Return the patient direction that a RAS+ vector mostly points to."""
    axis = int(np.argmax(np.abs(direction)))
    towards = ("R", "A", "H")[axis]
    return towards if direction[axis] > 0 else _OPPOSITE[towards]


@cache
def _colours() -> dict[str, tuple[Colour, ...]]:
    table = yaml.safe_load((Path(__file__).parent / "overlay_colours.yaml").read_text(encoding="utf-8"))
    return {name: tuple((r, g, b) for r, g, b in rows) for name, rows in table.items()}


@cache
def structure_colours() -> dict[int, Colour]:
    """Return label number -> colour of every structure that can be in a label map."""
    colours = _colours()
    table = {
        vertebra_label(name): colours["vertebra"][vertebra_label(name) % len(colours["vertebra"])]
        for name in VERTEBRAE
    }
    table |= {disc_label(level): colours["disc"][0] for level in DISC_LEVELS}
    table |= {
        info.label: colours[structure.value][0] for structure, info in STRUCTURES.items() if info.label is not None
    }
    return table


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=_FONT_PX)


def _series_of(study: Study, series_id: str) -> Series:
    for series in study.series:
        if series.id == series_id:
            return series
    raise ValueError(f"series_id: expected one of {[item.id for item in study.series]}, got {series_id!r}")


def _main_slice(levels: tuple[Level, ...], series: Series) -> int:
    """Return the slice on which most levels lie (the lowest of equals), else the middle one."""
    counts = Counter(level.slice_index for level in levels)
    if not counts:
        return series.volume.shape[2] // 2
    most = max(counts.values())
    return min(k for k, count in counts.items() if count == most)


def _scales(volume: Volume) -> tuple[float, float]:
    """Return output pixels per (column, row) so that the longer side is ``_LONG_SIDE_PX``."""
    columns, rows, _ = volume.shape
    col_mm, row_mm = (1.0, 1.0) if volume.spacing is None else (volume.spacing.col_mm, volume.spacing.row_mm)
    per_mm = _LONG_SIDE_PX / max(columns * col_mm, rows * row_mm)
    return per_mm * col_mm, per_mm * row_mm


def _enlarged_slice(view: _View) -> Image.Image:
    """Return the slice as a grey RGB picture, windowed as the networks see it."""
    from imaging.intensity import normalise_slice

    grey = np.clip(normalise_slice(view.series.volume.slice_image(view.k)), 0.0, 1.0)
    image = Image.fromarray(np.round(grey * 255).astype(np.uint8))
    return image.resize(view.size, Image.Resampling.BICUBIC).convert("RGB")


def _paint_structures(picture: Image.Image, labels: NDArray[np.uint8], view: _View) -> Image.Image:
    """Lay a light fill and a contour of every label (rows, columns) over the picture."""
    pixels = np.array(picture)
    for label, colour in structure_colours().items():
        mask = labels == label
        if mask.any():
            _paint_one(pixels, mask, colour, view)
    return Image.fromarray(pixels)


def _paint_one(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], colour: Colour, view: _View) -> None:
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


def _write(draw: ImageDraw.ImageDraw, place: Point, text: str, colour: Colour, anchor: str) -> None:
    draw.text(place, text, fill=colour, font=_font(), anchor=anchor, stroke_width=2, stroke_fill=(0, 0, 0))


def _draw_names(draw: ImageDraw.ImageDraw, view: _View, levels: tuple[Level, ...]) -> None:
    """Write each level's name behind its posterior margin, in another colour and with ``?`` when in doubt."""
    for level in levels:
        colour = _colours()["level_name" if level.doubt is None else "level_in_doubt"][0]
        centre, margin = view.place(level.centre_px), view.place(level.posterior_px)
        if centre == margin:  # the sacroiliac joints: a place between them, without a margin
            _write(draw, centre, level.name if level.doubt is None else f"{level.name}?", colour, "mm")
            continue
        towards = 1.0 if margin[0] >= centre[0] else -1.0
        text = level.name if level.doubt is None else f"{level.name}?"
        width = draw.textlength(text, font=_font())
        x = margin[0] + towards * max(46.0, _NAME_GAP * level.length_px * view.x_scale)
        # Near the edge the name stays whole inside the picture.
        x = min(max(x, width + 6.0 if towards < 0 else 6.0), view.size[0] - 6.0 - (width if towards > 0 else 0.0))
        draw.line((margin, (x, margin[1])), fill=colour, width=1)
        draw.ellipse((margin[0] - 3, margin[1] - 3, margin[0] + 3, margin[1] + 3), fill=colour)
        _write(draw, (x, margin[1]), text, colour, "lm" if towards > 0 else "rm")


def _draw_measurements(draw: ImageDraw.ImageDraw, view: _View, segmented: SegmentedStudy) -> None:
    """Draw the line of each quantity that was measured on this slice."""
    for item in segmented.measurements:
        if item.line_px is not None and (item.series_id, item.slice_index) == (view.series.id, view.k):
            draw.line([view.place(point) for point in item.line_px], fill=_colours()["measurement"][0], width=2)


def _draw_boxes(draw: ImageDraw.ImageDraw, view: _View, boxes: Sequence[Evidence]) -> None:
    """Draw the boxes that lie on this slice, each once."""
    for box in dict.fromkeys(boxes):
        if (box.series_id, box.slice_index) == (view.series.id, view.k):
            first, last = view.place(box.box_px[:2]), view.place(box.box_px[2:])
            draw.rectangle((*first, *last), outline=_colours()["evidence"][0], width=3)


def _draw_directions(draw: ImageDraw.ImageDraw, view: _View, letters: tuple[str, str, str, str]) -> None:
    width, height = view.size
    places: tuple[tuple[Point, str], ...] = (
        ((8, height / 2), "lm"),
        ((width - 8, height / 2), "rm"),
        ((width / 2, 6), "mt"),
        ((width / 2, height - 6), "mb"),
    )
    for letter, (place, anchor) in zip(letters, places, strict=True):
        _write(draw, place, letter, _GREY, anchor)


def _draw_band(draw: ImageDraw.ImageDraw, view: _View) -> None:
    """Draw the band under the slice: scale bar (or that there is none), series, slice and the notice."""
    width, height = view.size
    spacing = view.series.volume.spacing
    if spacing is None:
        _write(draw, (8, height + 12), "scale unknown", _GREY, "lm")
    else:
        length = _BAR_MM / spacing.col_mm * view.x_scale
        draw.line(((8, height + 10), (8 + length, height + 10)), fill=_GREY, width=3)
        _write(draw, (14 + length, height + 12), f"{_BAR_MM / 10:.0f} cm", _GREY, "lm")
    slices = view.series.volume.shape[2]
    where = view.series.id if slices == 1 else f"{view.series.id} slice {view.k + 1} of {slices}"
    _write(draw, (width - 8, height + 12), where, _GREY, "rm")
    _write(draw, (8, height + 34), _CAPTION, _GREY, "lm")
