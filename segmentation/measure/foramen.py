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

from anatomy import Side
from segmentation.frame import Points, SliceFrame
from segmentation.measure.discs import line_between
from segmentation.measure.found import Found, between_slices, missing
from segmentation.measure.labels import BONES, beside
from segmentation.measure.midline import Middle
from segmentation.measure.sagittal import missing_disc
from segmentation.measure.spine import SagittalSpine
from segmentation.profiles import run_along

NO_SIDE = "left and right are unknown: the slices have no positions"
NO_PEDICLES = "no slice on this side cuts the pedicles above and below"
NO_FACET = "no bone is outlined behind the foramen"
NO_PEDICLE = "no bone is outlined above or below the foramen"
_BAND = 1.0
"""Width is the least within this many mm of the disc's plane; without spacing, within a pixel."""
_BEHIND = (0.10, 0.30)
"""Bone this far behind the line between the disc margins is pedicle, in pitches; own choice."""
_WIDEST = 0.75
_HIGHEST = 1.1
"""A foramen is no wider and reaches no further up or down than this, in pitches; own choice."""


@dataclass(frozen=True)
class Opening:
    """A foramen on one slice."""

    width: Found
    height: Found


def measure_foramina(spine: SagittalSpine, level: str) -> Iterator[tuple[str, Side, Found]]:
    """Yield width and height of both foramina of a level."""
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
    """Return the slice coordinate at which both pedicles are cut through their middle."""
    weights = []
    for k in slices:
        heights = [_pedicle_height(spine, name, k) for name in beside(level)]
        weights.append(min(heights))
    total = sum(weights)
    if total <= 0:
        return None
    place = sum(k * weight for k, weight in zip(slices, weights, strict=True)) / total
    return Middle(float(place), spine.stack.slices)


def _pedicle_height(spine: SagittalSpine, vertebra: str, k: int) -> float:
    """Return the height of bone right behind a body on a slice, plane units; 0 where none joins it."""
    point = spine.behind_body(vertebra)
    if point is None:
        return 0.0
    bone = spine.bone(vertebra, k)
    _, down = spine.along_spine(vertebra)
    back = np.array([down[1], -down[0]])
    heights = []
    for share in np.linspace(*_BEHIND, 4):
        run = run_along(bone, point + share * spine.pitch * back, down, (-0.6 * spine.pitch, 0.35 * spine.pitch), spine.frame, nearest_to=-0.15 * spine.pitch)
        heights.append(0.0 if run is None else run[1] - run[0])
    return float(min(heights))


def _opening(spine: SagittalSpine, level: str, k: int, name: str) -> Found:
    disc = spine.disc(level, k)
    reason = missing_disc(disc)
    if disc is None or reason is not None:
        return Found(None, reason)
    bone = spine.stack.mask(k, *BONES)
    free = _width(bone, disc.posterior, disc.axis, disc.normal, spine.pitch, spine.frame)
    if free is None:
        return missing(NO_FACET)
    start, width = free
    if name == "foraminal_width":
        return Found(width, None, line_between(start, start + width * disc.axis, spine.frame))
    return _height(bone, start + width / 2 * disc.axis, disc.normal, spine.pitch, spine.frame)


def _width(
    bone: NDArray[np.float32], edge: Points, axis: Points, normal: Points, pitch: float, frame: SliceFrame
) -> tuple[Points, float] | None:
    """Return the start at the disc's edge and the least free distance to the bone behind."""
    band = _BAND if frame.is_mm else 1.0
    best: tuple[Points, float] | None = None
    for step in np.linspace(-band, band, 5):
        start = edge + step * normal
        run = run_along(bone, start, axis, (0.0, _WIDEST * pitch), frame)
        if run is not None and (best is None or run[0] < best[1]):
            best = start, max(run[0], 0.0)
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
