"""The overlay: a slice with structures, level names, patient directions and a scale bar.

How a slice becomes a picture, and where its points lie in it, says ``reporting.slice_picture``.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from grading.types import Evidence
from imaging.types import Series, Study
from reporting.slice_picture import (
    GREY, SliceView, colours, directions, draw_directions, draw_scale, enlarged_slice, font, paint_structures, view_of, write,
)
from segmentation.types import Level, SegmentedStudy

_BAND_PX = 46
_NAME_GAP = 0.6  # of the disc's length: past the canal
_CAPTION = "SpineScribe draft, research use only"


@dataclass(frozen=True)
class OverlayLayers:
    """What is drawn over the slice."""

    structures: bool = True
    names: bool = True
    measurements: bool = False


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
    view = view_of(series, k)
    picture = enlarged_slice(view)
    label_map = segmented.label_map(series.id)
    if layers.structures and label_map is not None:
        picture = paint_structures(picture, label_map.array[:, :, k].T, view)
    canvas = Image.new("RGB", (picture.width, picture.height + _BAND_PX))
    canvas.paste(picture, (0, 0))
    draw = ImageDraw.Draw(canvas)
    if layers.measurements:
        _draw_measurements(draw, view, segmented)
    if layers.names:
        is_primary = series.id == segmented.primary_series_id
        _draw_names(draw, view, tuple(item for item in levels if is_primary or item.slice_index == k))
    _draw_boxes(draw, view, boxes)
    draw_directions(draw, view, directions(series.volume, levels))
    _draw_band(draw, view)
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", compress_level=4)
    return buffer.getvalue()


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


def _draw_names(draw: ImageDraw.ImageDraw, view: SliceView, levels: tuple[Level, ...]) -> None:
    """Write each level's name behind its posterior margin, in another colour and with ``?`` when in doubt."""
    for level in levels:
        colour = colours()["level_name" if level.doubt is None else "level_in_doubt"][0]
        centre, margin = view.place(level.centre_px), view.place(level.posterior_px)
        if centre == margin:  # the sacroiliac joints: a place between them, without a margin
            write(draw, centre, level.name if level.doubt is None else f"{level.name}?", colour, "mm")
            continue
        towards = 1.0 if margin[0] >= centre[0] else -1.0
        text = level.name if level.doubt is None else f"{level.name}?"
        width = draw.textlength(text, font=font())
        x = margin[0] + towards * max(46.0, _NAME_GAP * level.length_px * view.x_scale)
        # Near the edge the name stays whole inside the picture.
        x = min(max(x, width + 6.0 if towards < 0 else 6.0), view.size[0] - 6.0 - (width if towards > 0 else 0.0))
        draw.line((margin, (x, margin[1])), fill=colour, width=1)
        draw.ellipse((margin[0] - 3, margin[1] - 3, margin[0] + 3, margin[1] + 3), fill=colour)
        write(draw, (x, margin[1]), text, colour, "lm" if towards > 0 else "rm")


def _draw_measurements(draw: ImageDraw.ImageDraw, view: SliceView, segmented: SegmentedStudy) -> None:
    """Draw the line of each quantity that was measured on this slice."""
    for item in segmented.measurements:
        if item.line_px is not None and (item.series_id, item.slice_index) == (view.series.id, view.k):
            draw.line([view.place(point) for point in item.line_px], fill=colours()["measurement"][0], width=2)


def _draw_boxes(draw: ImageDraw.ImageDraw, view: SliceView, boxes: Sequence[Evidence]) -> None:
    """Draw the boxes that lie on this slice, each once."""
    for box in dict.fromkeys(boxes):
        if (box.series_id, box.slice_index) == (view.series.id, view.k):
            first, last = view.place(box.box_px[:2]), view.place(box.box_px[2:])
            draw.rectangle((*first, *last), outline=colours()["evidence"][0], width=3)


def _draw_band(draw: ImageDraw.ImageDraw, view: SliceView) -> None:
    """Draw the band under the slice: scale bar (or that there is none), series, slice and the notice."""
    width, height = view.size
    draw_scale(draw, view, height + 10)
    slices = view.series.volume.shape[2]
    where = view.series.id if slices == 1 else f"{view.series.id} slice {view.k + 1} of {slices}"
    write(draw, (width - 8, height + 12), where, GREY, "rm")
    write(draw, (8, height + 34), _CAPTION, GREY, "lm")
