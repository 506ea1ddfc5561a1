"""Slip of one vertebra on the next (listhesis), from the two bodies' masks.

The rear wall of each body is traced near the disc and carried at right angles onto the body's own endplate (the
line through its rims), which gives the two corners; the slip is the distance of the corners along the upper
endplate of the lower vertebra. Carrying it on along its own slope made the error two thirds larger on phantoms:
spurs and pits turn it. Positive: the upper vertebra stands further to the front (anterolisthesis); negative: to
the back (retrolisthesis). The share of the slip in that endplate's length is Meyerding's measure.
Source: Meyerding's quarters as in CLINICAL.md section 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points, SliceFrame, caudal_normal
from segmentation.measure.discs import Line, line_between
from segmentation.measure.endplates import Endplate, find_endplate
from segmentation.profiles import runs_along
from segmentation.shapes import DiscShape

_WALL = (0.06, 0.26)
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
    endplate_above = find_endplate(upper, disc, -1.0, pitch, frame)
    if endplate is None or endplate_above is None:
        which = (
            "upper endplate of the vertebra below" if endplate is None else "lower endplate of the vertebra above"
        )
        return SlipMeasure(None, None, None, f"the {which} is not outlined")
    corner_above = _corner(upper, endplate_above, -1.0, disc.length, _depths(pitch), frame)
    corner_below = _corner(lower, endplate, +1.0, disc.length, _depths(pitch), frame)
    if corner_above is None or corner_below is None:
        return SlipMeasure(None, None, None, "a posterior vertebral wall cannot be traced")
    length = _endplate_length(lower, endplate, disc.length, _depths(pitch), frame)
    if length is None:
        return SlipMeasure(None, None, None, "the upper endplate of the vertebra below is not outlined")
    value = float((corner_below - corner_above) @ endplate.axis)
    foot = corner_below - value * endplate.axis
    return SlipMeasure(value, length, line_between(foot, corner_below, frame), None)


def _depths(pitch: float) -> NDArray[np.float64]:
    return np.linspace(*_WALL, _WALL_LINES) * pitch


def _corner(
    body: NDArray[np.float32],
    endplate: Endplate,
    side: float,
    length: float,
    depths: NDArray[np.float64],
    frame: SliceFrame,
) -> Points | None:
    """Return the posterior corner of a body at the disc; side -1 for the body above, +1 below."""
    into = side * caudal_normal(endplate.axis)
    reach = (-0.8 * length, (0.5 + _BEHIND) * length)
    origins = endplate.centre + depths[:, None] * into
    wall = runs_along(body, origins, endplate.axis, reach, frame, nearest_to=0.4 * length)[:, 1]
    is_found = wall < reach[1] - frame.pixel_side
    if is_found.sum() < _WALL_LINES // 2 + 1:
        return None
    corner: Points = endplate.centre + float(np.median(wall[is_found])) * endplate.axis
    return corner


def _endplate_length(
    lower: NDArray[np.float32], endplate: Endplate, length: float, depths: NDArray[np.float64], frame: SliceFrame
) -> float | None:
    """Return the depth of the lower body near its upper endplate: the median over a few lines below it."""
    into = caudal_normal(endplate.axis)
    origins = endplate.centre + depths[:, None] * into
    runs = runs_along(lower, origins, endplate.axis, (-length, length), frame)
    lengths = (runs[:, 1] - runs[:, 0])[~np.isnan(runs[:, 0])]
    return float(np.median(lengths)) if len(lengths) > _WALL_LINES // 2 else None
