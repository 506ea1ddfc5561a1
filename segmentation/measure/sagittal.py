"""What is measured at one disc level on sagittal slices: disc, canal, slip, angle, signal of the CSF."""

from collections.abc import Iterator

import numpy as np

from segmentation.measure.canal import CanalMeasure, narrowest, sample_inside
from segmentation.measure.discs import measure_body_height, measure_heights
from segmentation.measure.found import Found, between_slices, missing
from segmentation.measure.labels import CANAL, FIRST_SACRAL, SACRUM, beside, body_label
from segmentation.measure.spine import SagittalSpine
from segmentation.shapes import DiscShape

NOT_OUTLINED = "the disc is not outlined"
CUT_OFF = "the disc is cut by the image border"
NO_SACRUM = "the sacrum is not segmented"
NO_BODY = "no neighbouring vertebral body is in full view"
NO_CANAL = "the spinal canal is not outlined at this level"
NO_ENDPLATE = "an endplate is not outlined"
NOT_T2 = "CSF is bright on T2-weighted images only, and none is outlined"
NO_FLUID = "no CSF could be sampled in the canal"
_SAMPLES = 20
"""Fewest samples of CSF whose median is a signal; own choice."""

Row = tuple[str, Found]
"""Quantity and what was found."""

_WINDOWS = (
    ("disc_height", "middle"),
    ("disc_height_anterior", "anterior"),
    ("disc_height_posterior", "posterior"),
)


def measure_level(spine: SagittalSpine, level: str, *, is_t2: bool) -> Iterator[Row]:
    """Yield every quantity of one level that sagittal slices show."""
    around = spine.middle(level).around
    for name, window in _WINDOWS:
        yield name, between_slices(around, lambda k, window=window: _height(spine, level, window, k))  # type: ignore[misc]
    for name, window in _WINDOWS:
        index = name.replace("disc_height", "disc_height_index")
        yield index, between_slices(around, lambda k, window=window: _height_index(spine, level, window, k))  # type: ignore[misc]
    yield "canal_ap_diameter", between_slices(spine.middle(level).alone, lambda k: canal_width(spine, level, k))
    yield from _slip(spine, level)
    yield "segmental_angle", between_slices(around, lambda k: _segmental_angle(spine, level, k))
    yield "csf_signal_ratio", _csf_ratio(spine, level) if is_t2 else missing(NOT_T2)


def missing_disc(disc: DiscShape | None) -> str | None:
    """Return why a disc cannot be measured, None when it can."""
    if disc is None:
        return NOT_OUTLINED
    return CUT_OFF if disc.touches_border else None


def canal_width(spine: SagittalSpine, name: str, k: int) -> Found:
    """Return the smallest width of the canal at a level, or behind the middle of a vertebral body."""
    stretch = spine.stretch(name, k)
    return missing(NO_CANAL) if stretch is None else from_canal(narrowest(stretch, spine.frame))


def from_canal(found: CanalMeasure) -> Found:
    """Return a width as an outcome."""
    return Found(found.value, found.reason, found.line_px)


def _height(spine: SagittalSpine, level: str, window: str, k: int) -> Found:
    disc = spine.disc(level, k)
    reason = missing_disc(disc)
    if disc is None or reason is not None:
        return Found(None, reason)
    found = measure_heights(disc, spine.frame)[window]
    return Found(found.value, None, found.line_px)


def _height_index(spine: SagittalSpine, level: str, window: str, k: int) -> Found:
    disc = spine.disc(level, k)
    reason = missing_disc(disc)
    if disc is None or reason is not None:
        return Found(None, reason)
    labels = spine.stack.slice_labels(k)
    heights = [
        measure_body_height(labels, body_label(name), disc, spine.frame)
        for name in beside(level)
        if name in spine.bodies_in_view and name != FIRST_SACRAL
    ]
    known = [height for height in heights if height is not None]
    if not known:
        return missing(NO_BODY)
    height = measure_heights(disc, spine.frame)[window]
    return Found(height.value / float(np.mean(known)), None, height.line_px)


def _slip(spine: SagittalSpine, level: str) -> Iterator[Row]:
    around = spine.middle(level).around
    length = between_slices(around, lambda k: _slip_on(spine, level, k))
    share = between_slices(around, lambda k: _slip_on(spine, level, k, as_share=True))
    yield from (("listhesis", length), ("listhesis_percent", share))


def _slip_on(spine: SagittalSpine, level: str, k: int, *, as_share: bool = False) -> Found:
    disc = spine.disc(level, k)
    _, lower = beside(level)
    if lower == FIRST_SACRAL and not (spine.stack.slice_labels(k) == SACRUM).any():
        return missing(NO_SACRUM)
    reason = missing_disc(disc)
    if disc is None or reason is not None:
        return Found(None, reason)
    found = spine.slip(level, k)
    if found is None or found.value is None or not found.endplate_length:
        return Found(None, NOT_OUTLINED if found is None else found.reason)
    value = 100.0 * found.value / found.endplate_length if as_share else found.value
    return Found(value, None, found.line_px)


def _segmental_angle(spine: SagittalSpine, level: str, k: int) -> Found:
    """Return the lordosis between the upper endplates of the vertebrae above and below a disc."""
    upper = spine.endplate(level, +1.0, k)
    above = next((name for name in spine.names if beside(name)[1] == beside(level)[0]), None)
    first = None if above is None else spine.endplate(above, +1.0, k)
    if upper is None or first is None:
        return missing(NO_ENDPLATE)
    return Found(first.angle_deg - upper.angle_deg)


def _csf_ratio(spine: SagittalSpine, level: str) -> Found:
    """Return the median signal of the canal at a level over that behind the bodies beside it."""
    middle = spine.middle(level).nearest
    here = _csf_signal(spine, level, middle)
    beside_it = [
        signal
        for name in beside(level)
        if name in spine.bodies_in_view and (signal := _csf_signal(spine, name, middle)) is not None
    ]
    if here is None or not beside_it or max(beside_it) <= 0:
        return missing(NO_FLUID, middle)
    return Found(here / float(np.mean(beside_it)), None, None, middle)


def _csf_signal(spine: SagittalSpine, name: str, k: int) -> float | None:
    stretch = spine.stretch(name, k)
    if stretch is None:
        return None
    image = np.ascontiguousarray(spine.stack.image[:, :, k].T)
    values = sample_inside(image, spine.stack.mask(k, CANAL), stretch, spine.frame)
    return float(np.median(values)) if len(values) >= _SAMPLES else None
