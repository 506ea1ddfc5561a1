"""Measurements of every named level on one slice: disc heights, height index, canal width, slip.

Millimetres only with pixel spacing; ratios along one line direction also without. Everything not measurable is
there with its reason.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anatomy import STRUCTURES, VERTEBRAE, Structure, disc_label, vertebra_label
from segmentation.measure.canal import measure_canal
from segmentation.measure.discs import HeightMeasure, Line, disc_shape, measure_body_height, measure_heights
from segmentation.frame import SliceFrame
from segmentation.measure.norms import percentile
from segmentation.shapes import DiscShape
from segmentation.measure.slip import SlipMeasure, measure_slip
from segmentation.types import Level, Measurement

NO_SPACING = "pixel spacing unknown"
NOT_OUTLINED = "the disc is not outlined"
CUT_OFF = "the disc is cut by the image border"
NO_SACRUM = "the sacrum is not segmented"

_METHODS = {
    "disc_height": "mean height of the middle third of the disc mask, mid-sagittal",
    "disc_height_anterior": "mean height of the front third of the disc mask, mid-sagittal",
    "disc_height_posterior": "mean height of the rear third of the disc mask, mid-sagittal",
    "disc_height_index": "middle disc height over mean height of the vertebral bodies beside it",
    "canal_ap_diameter": "smallest canal width behind the disc, at right angles to the canal, mid-sagittal",
    "listhesis": "posterior corners of the two vertebrae along the lower endplate; positive: upper one in front",
    "listhesis_percent": "listhesis over the length of the lower endplate",
}
_UNITS = {"disc_height_index": "1", "listhesis_percent": "%"}


@dataclass(frozen=True, eq=False)
class MeasuredSlice:
    """What is measured on.

    Attributes:
        labels: (rows, columns) label numbers.
        canal: (rows, columns) canal probability or mask, 0 to 1.
        frame: The slice's plane.
        pitch: Usual distance of neighbouring discs, plane units.
        series_id: Series.
        slice_index: Slice k.
    """

    labels: NDArray[np.uint8]
    canal: NDArray[np.float32]
    frame: SliceFrame
    pitch: float
    series_id: str
    slice_index: int


def measure(levels: tuple[Level, ...], on: MeasuredSlice) -> tuple[Measurement, ...]:
    """Measure every named level.

    Args:
        levels: Named levels of the slice, cranial to caudal.
        on: The slice.

    Returns:
        Measurements with ids m1, m2, ... level by level.
    """
    found = [item for level in levels for item in _measure_level(level, levels, on)]
    return tuple(replace(item, id=f"m{number}") for number, item in enumerate(found, start=1))


def canal_mask(labels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the canal of a label slice as a mask of 0 and 1."""
    return np.asarray(labels == STRUCTURES[Structure.SPINAL_CANAL].label, dtype=np.float32)


def _measure_level(level: Level, levels: tuple[Level, ...], on: MeasuredSlice) -> Iterator[Measurement]:
    disc = disc_shape(on.labels, disc_label(level.name), on.frame)
    heights = None if disc is None else measure_heights(disc, on.frame)
    for name, window in (
        ("disc_height", "middle"),
        ("disc_height_anterior", "anterior"),
        ("disc_height_posterior", "posterior"),
    ):
        yield _height(name, None if heights is None else heights[window], disc, level, on)
    yield _height_index(disc, heights, level, levels, on)
    yield _canal(disc, heights, level, on)
    yield from _slip(disc, level, on)


def _missing_disc(disc: DiscShape | None) -> str | None:
    """Return why a disc cannot be measured, None when it can."""
    if disc is None:
        return NOT_OUTLINED
    return CUT_OFF if disc.touches_border else None


def _height(
    name: str, found: HeightMeasure | None, disc: DiscShape | None, level: Level, on: MeasuredSlice
) -> Measurement:
    reason = _missing_disc(disc)
    if found is None or reason is not None:
        return _build(name, level, on, None, reason)
    return _build(name, level, on, found.value, None, found.line_px)


def _height_index(
    disc: DiscShape | None,
    heights: dict[str, HeightMeasure] | None,
    level: Level,
    levels: tuple[Level, ...],
    on: MeasuredSlice,
) -> Measurement:
    name = "disc_height_index"
    if disc is None or heights is None or disc.touches_border:
        return _build(name, level, on, None, _missing_disc(disc))
    bodies = [
        measure_body_height(on.labels, vertebra_label(vertebra), disc, on.frame)
        for vertebra in _bounded_vertebrae(level, levels)
    ]
    known = [body for body in bodies if body is not None]
    if not known:
        return _build(name, level, on, None, "no neighbouring vertebral body is in full view")
    return _build(
        name, level, on, heights["middle"].value / float(np.mean(known)), None, heights["middle"].line_px
    )


def _bounded_vertebrae(level: Level, levels: tuple[Level, ...]) -> list[str]:
    """Return the vertebrae beside a disc whose other disc is named too: those in full view."""
    upper, lower = level.name.split("-")
    named = {item.name for item in levels}
    beside = []
    if any(name.endswith(f"-{upper}") for name in named):
        beside.append(upper)
    if lower in VERTEBRAE and any(name.startswith(f"{lower}-") for name in named):
        beside.append(lower)
    return beside


def _canal(
    disc: DiscShape | None, heights: dict[str, HeightMeasure] | None, level: Level, on: MeasuredSlice
) -> Measurement:
    posterior = on.frame.to_plane(level.posterior_px)
    height = 0.15 * on.pitch if disc is None or heights is None else heights["posterior"].value
    found = measure_canal(on.canal, posterior, height, on.pitch, on.frame)
    return _build("canal_ap_diameter", level, on, found.value, found.reason, found.line_px)


def _slip(disc: DiscShape | None, level: Level, on: MeasuredSlice) -> Iterator[Measurement]:
    upper, lower = level.name.split("-")
    if lower not in VERTEBRAE:
        found = SlipMeasure(None, None, None, NO_SACRUM)
    elif disc is None or disc.touches_border:
        found = SlipMeasure(None, None, None, _missing_disc(disc))
    else:
        masks = [np.asarray(on.labels == vertebra_label(name), dtype=np.float32) for name in (upper, lower)]
        found = measure_slip(masks[0], masks[1], disc, on.pitch, on.frame)
    yield _build("listhesis", level, on, found.value, found.reason, found.line_px)
    share = None
    if found.value is not None and found.endplate_length:
        share = 100.0 * found.value / found.endplate_length
    yield _build("listhesis_percent", level, on, share, found.reason, found.line_px)


def _build(
    name: str, level: Level, on: MeasuredSlice, value: float | None, reason: str | None, line: Line | None = None
) -> Measurement:
    """Make the record; a length without pixel spacing has no value, a ratio keeps it."""
    unit = _UNITS.get(name, "mm")
    if value is not None and unit == "mm" and not on.frame.is_mm:
        value, reason = None, NO_SPACING
    return Measurement(
        id="",
        name=name,
        level=level.name,
        side=None,
        value=value,
        unit=unit,
        method=_METHODS[name],
        reason=reason,
        series_id=on.series_id,
        slice_index=on.slice_index,
        line_px=line,
        percentile=None if value is None else percentile(name, level.name, value, unit),
    )
