"""Slip of one vertebra on the next (listhesis), from the two bodies' masks.

Both bodies' posterior walls are traced near the disc and each is carried on straight to its endplate, which gives
the two corners; the slip is the distance of the corners along the upper endplate of the lower vertebra. Positive:
the upper vertebra stands further to the front (anterolisthesis); negative: to the back (retrolisthesis). The share
of the slip in that endplate's length is Meyerding's measure.
Source: Meyerding's quarters as in CLINICAL.md section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.measure.discs import Line, line_between
from segmentation.frame import Points, SliceFrame
from segmentation.measure.endplates import find_endplate, robust_slope
from segmentation.profiles import run_along
from segmentation.shapes import DiscShape

_WALL = (0.08, 0.30)
"""The wall is traced this far from the endplate, in pitches: off the rounded corner, before the basivertebral
vein."""
_WALL_LINES = 9
_BEHIND = 0.35
"""A body seeming to reach further behind the disc than this share of its length has grown together with its
pedicle: the wall cannot be traced."""


@dataclass(frozen=True)
class SlipMeasure:
    """Slip and endplate length in plane units; ``reason`` says why there is none."""

    value: float | None
    endplate_length: float | None
    line_px: Line | None
    reason: str | None


def measure_slip(
    upper: NDArray[np.float32],
    lower: NDArray[np.float32],
    disc: DiscShape,
    pitch: float,
    frame: SliceFrame,
) -> SlipMeasure:
    """Measure the slip between two neighbouring vertebrae.

    Args:
        upper: Mask of the vertebra above the disc, (rows, columns), 0 or 1.
        lower: Mask of the vertebra below.
        disc: The disc between them.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
    """
    endplate = find_endplate(lower, disc, +1.0, pitch, frame)
    if endplate is None:
        return SlipMeasure(None, None, None, "the upper endplate of the vertebra below is not outlined")
    direction = endplate.axis
    corner_above = _corner(upper, disc, -1.0, pitch, frame)
    corner_below = _corner(lower, disc, +1.0, pitch, frame)
    if corner_above is None or corner_below is None:
        return SlipMeasure(None, None, None, "a posterior vertebral wall cannot be traced")
    length = _endplate_length(lower, corner_below, direction, disc, pitch, frame)
    if length is None:
        return SlipMeasure(None, None, None, "the upper endplate of the vertebra below is not outlined")
    value = float((corner_below - corner_above) @ direction)
    foot = corner_below - value * direction
    return SlipMeasure(value, length, line_between(foot, corner_below, frame), None)


def _corner(
    body: NDArray[np.float32], disc: DiscShape, side: float, pitch: float, frame: SliceFrame
) -> Points | None:
    """Return the posterior corner of a body at the disc; side -1 for the body above, +1 below."""
    depth = disc.thickness / 2
    heights = side * (depth + np.linspace(*_WALL, _WALL_LINES) * pitch)
    found = []
    for height in heights:
        origin = disc.centre + height * disc.normal
        reach = (-0.8 * disc.length, (0.5 + _BEHIND) * disc.length)
        run = run_along(body, origin, disc.axis, reach, frame)
        if run is not None and run[1] < reach[1] - frame.pixel_side:
            found.append((height, run[1]))
    if len(found) < _WALL_LINES // 2 + 1:
        return None
    height_at, wall = np.array(found).T
    slope = robust_slope(height_at, wall)
    at_endplate = float(np.median(wall - slope * height_at)) + slope * side * depth
    corner: Points = disc.centre + side * depth * disc.normal + at_endplate * disc.axis
    return corner


def _endplate_length(
    lower: NDArray[np.float32],
    corner: Points,
    direction: Points,
    disc: DiscShape,
    pitch: float,
    frame: SliceFrame,
) -> float | None:
    """Return the length of the lower body along its endplate, a tenth of a pitch below it."""
    origin = corner + 0.1 * pitch * disc.normal
    run = run_along(
        lower, origin, -direction, (-0.3 * disc.length, 1.8 * disc.length), frame, nearest_to=0.3 * disc.length
    )
    return None if run is None else run[1] - run[0]
