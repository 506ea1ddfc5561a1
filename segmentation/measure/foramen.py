"""Width and height of the neural foramina on sagittal slices beside the canal.

A foramen is seen best where the pedicles above and below it are cut. The slices of one side are searched for bone
right behind the two vertebral bodies; the pedicles' middle across the slices is the plane of the foramen, and the
two slices around it are measured and weighed by nearness. Width: from the disc's rear edge straight back to the
first bone, the least within 1 mm of the disc's plane. Height: through the middle of that width, from bone above to
bone below (pedicle to pedicle).
Source: width and height as in CLINICAL.md 1.1 (foramen); how the plane is found is own choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS, Side, disc_label
from segmentation.frame import Points, SliceFrame
from segmentation.measure.discs import line_between
from segmentation.measure.found import Found, between_slices, missing
from segmentation.measure.labels import BONES, FIRST_SACRAL, beside
from segmentation.measure.midline import Middle
from segmentation.measure.sagittal import missing_disc
from segmentation.measure.spine import SagittalSpine
from segmentation.profiles import run_along
from segmentation.shapes import DiscShape

OBLIQUE = "the foramina of the neck run obliquely: sagittal slices do not show their width"
NO_SIDE = "left and right are unknown: the slices have no positions"
NO_PEDICLES = "no slice on this side cuts the pedicles above and below"
NO_FACET = "no bone is outlined behind the foramen"
NO_PEDICLE = "no bone is outlined above or below the foramen"
_STRAIGHT = DISC_LEVELS[DISC_LEVELS.index("T1-T2") :]
"""Levels whose foramina open to the side."""
_BAND = 1.0
"""Width is the least within this many mm of the disc's plane; without spacing, within a pixel."""
_LEAST = 0.06
"""Less bone than this behind a body is no pedicle, pitches; own choice."""
_INWARDS_MM = 1.5
"""The foramen is measured this far inside the pedicles' middle, where the facet reaches furthest forward; own
choice."""
_WIDEST = 0.45
_INSIDE = 0.06
"""The free distance may start this far inside the disc's rear end, pitches: its edge is not straight."""
_PAST = 2.0
"""The free distance holds a point this many pixels behind the disc, or lies nearest to it: chinks between disc and
body are no foramen. Own choice."""
_HIGHEST = 0.7
"""A foramen is no wider and reaches no further up or down than this, in pitches; own choice."""


@dataclass(frozen=True)
class Opening:
    """A foramen on one slice."""

    width: Found
    height: Found


def measure_foramina(spine: SagittalSpine, level: str) -> Iterator[tuple[str, Side, Found]]:
    """Yield width and height of both foramina of a level."""
    if level not in _STRAIGHT:
        for side in (Side.LEFT, Side.RIGHT):
            yield from ((name, side, missing(OBLIQUE)) for name in ("foraminal_width", "foraminal_height"))
        return
    sides = _slices_of_sides(spine, level)
    for side in (Side.LEFT, Side.RIGHT):
        slices = sides.get(side, ())
        middle = None if not sides else _pedicle_middle(spine, level, slices)
        for name in ("foraminal_width", "foraminal_height"):
            if not sides:
                found = missing(NO_SIDE)
            elif middle is None:
                found = missing(NO_PEDICLES)
            else:
                found = between_slices(middle.around, lambda k, name=name: _opening(spine, level, k, name))  # type: ignore[misc]
            yield name, side, found


def _slices_of_sides(spine: SagittalSpine, level: str) -> dict[Side, tuple[int, ...]]:
    """Return the slices beside the middle of a level by side; empty without positions or with one slice."""
    stack = spine.stack
    if stack.affine is None or stack.slices < 2:
        return {}
    middle = spine.middle(level).place
    grows_right = stack.affine[0, 2] > 0
    low = tuple(k for k in range(stack.slices) if k < middle - 0.5)
    high = tuple(k for k in range(stack.slices) if k > middle + 0.5)
    return {Side.LEFT: low, Side.RIGHT: high} if grows_right else {Side.LEFT: high, Side.RIGHT: low}


def _pedicle_middle(spine: SagittalSpine, level: str, slices: tuple[int, ...]) -> Middle | None:
    """Return the slice coordinate of the foramen: a little inside the middle of the pedicles beside it."""
    places = []
    for vertebra in beside(level):
        if vertebra == FIRST_SACRAL:
            continue
        heights = np.array([spine.pedicle_height(vertebra, k) for k in slices])
        if len(heights) == 0 or heights.max() < _LEAST * spine.pitch:
            return None
        places.append(float(heights @ np.array(slices) / heights.sum()))
    inwards = spine.middle(level).place - float(np.mean(places))
    step = np.sign(inwards) * _INWARDS_MM / _slice_mm(spine)
    return Middle(float(np.mean(places) + step), spine.stack.slices)


def _slice_mm(spine: SagittalSpine) -> float:
    assert spine.stack.affine is not None
    return float(np.linalg.norm(spine.stack.affine[:3, 2]))


def _opening(spine: SagittalSpine, level: str, k: int, name: str) -> Found:
    disc = spine.disc(level, k)
    reason = missing_disc(disc)
    if disc is None or reason is not None:
        return Found(None, reason)
    pedicles = [spine.pedicle_height(item, k) for item in beside(level) if item != FIRST_SACRAL]
    if min(pedicles) < _LEAST * spine.pitch:
        return missing(NO_PEDICLES)
    bone = spine.stack.mask(k, *BONES)
    taken = np.maximum(bone, spine.stack.mask(k, disc_label(level)))
    free = _width(taken, disc, spine.pitch, spine.frame)
    if free is None:
        return missing(NO_FACET)
    start, end = free
    if name == "foraminal_width":
        return Found(float(np.linalg.norm(end - start)), None, line_between(start, end, spine.frame))
    return _height(bone, (start + end) / 2, disc.normal, spine.pitch, spine.frame)


def _width(
    taken: NDArray[np.float32], disc: DiscShape, pitch: float, frame: SliceFrame
) -> tuple[Points, Points] | None:
    """Return both ends of the least free distance between the disc and the bone behind it."""
    band, back = _BAND if frame.is_mm else 1.0, _WIDEST * pitch
    best: tuple[Points, Points] | None = None
    for step in np.linspace(-band, band, 5):
        origin = disc.posterior + step * disc.normal
        run = run_along(
            1.0 - taken, origin, disc.axis, (-_INSIDE * pitch, back), frame, nearest_to=frame.pixel_side
        )
        if run is None or run[1] >= back:
            continue
        if best is None or run[1] - run[0] < np.linalg.norm(best[1] - best[0]):
            best = origin + run[0] * disc.axis, origin + run[1] * disc.axis
    return best


def _height(bone: NDArray[np.float32], middle: Points, normal: Points, pitch: float, frame: SliceFrame) -> Found:
    """Return the free length through a point along the spine, from bone above to bone below."""
    ends = []
    for sign in (-1.0, 1.0):
        run = run_along(bone, middle, sign * normal, (0.0, _HIGHEST * pitch), frame)
        if run is None:
            return missing(NO_PEDICLE)
        ends.append(run[0])
    line = line_between(middle - ends[0] * normal, middle + ends[1] * normal, frame)
    return Found(ends[0] + ends[1], None, line)
