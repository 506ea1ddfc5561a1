"""A vertebral body on one sagittal slice: heights in front, in the middle and at the back, wedging, depth.

Its endplates are those beside the discs above and below; its front and back walls are traced between them. The
heights in front and at the back are distances of the endplates' lines where the walls meet them (the corners of
six-point morphometry, osteophytes left out, as the walls are traced away from the rims); the middle height is the
distance of the endplates themselves half-way.
Source: six-point vertebral morphometry, heights Ha, Hm and Hp (general knowledge); fitting is own choice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points, SliceFrame
from segmentation.measure.endplates import Endplate
from segmentation.profiles import runs_along

_WALL_PLACES = np.linspace(0.25, 0.75, 9)
"""Where walls are traced, as shares of the way from the upper to the lower endplate."""
_MIDDLE = 0.15
"""Endplate points this near to the middle, in body depths, give the middle height."""


@dataclass(frozen=True, eq=False)
class Body:
    """A vertebral body; lengths in plane units.

    Attributes:
        anterior: Height in front.
        middle: Height half-way; None when the endplates have no points there.
        posterior: Height at the back.
        depth: Front to back at mid-height.
        wedge_deg: Angle between the endplates, positive when taller in front.
        walls: Plane points of the front and back wall at mid-height.
        lines: (upper, lower) plane points of the heights in front, in the middle and at the back.
    """

    anterior: float
    middle: float | None
    posterior: float
    depth: float
    wedge_deg: float
    walls: tuple[Points, Points]
    lines: dict[str, tuple[Points, Points]]


def measure_body(bone: NDArray[np.float32], upper: Endplate, lower: Endplate, frame: SliceFrame) -> Body | None:
    """Measure a body between its endplates; None when its walls cannot be traced.

    Args:
        bone: Mask of the vertebra, (rows, columns), 0 or 1; its posterior elements may be part of it.
        upper: Its upper endplate.
        lower: Its lower endplate.
        frame: The slice's plane.
    """
    axis = upper.axis + lower.axis
    axis = axis / np.linalg.norm(axis)
    half = 0.5 * float(np.ptp(upper.points @ axis) + np.ptp(lower.points @ axis)) / 2
    origins = (1 - _WALL_PLACES[:, None]) * upper.centre + _WALL_PLACES[:, None] * lower.centre
    walls = runs_along(bone, origins, axis, (-2.2 * half, 1.7 * half), frame)
    walls = walls[(walls[:, 0] < -0.5 * half) & (walls[:, 1] > 0.5 * half) & (walls[:, 1] < 1.65 * half)]
    if len(walls) < len(_WALL_PLACES) // 2 + 1:
        return None
    front, back = np.median(walls, axis=0)
    centre = (upper.centre + lower.centre) / 2
    normal = np.array([-axis[1], axis[0]])
    ends = {"anterior": centre + front * axis, "posterior": centre + back * axis}
    lines = {name: (upper.meet(at, normal), lower.meet(at, normal)) for name, at in ends.items()}
    heights = {name: float((below - above) @ normal) for name, (above, below) in lines.items()}
    middle = _middle_height(upper, lower, centre + (front + back) / 2 * axis, axis, float(back - front))
    if middle is not None:
        lines["middle"] = middle
    return Body(
        anterior=heights["anterior"],
        middle=None if middle is None else float((middle[1] - middle[0]) @ normal),
        posterior=heights["posterior"],
        depth=float(back - front),
        wedge_deg=upper.angle_deg - lower.angle_deg,
        walls=(ends["anterior"], ends["posterior"]),
        lines=lines,
    )


def _middle_height(
    upper: Endplate, lower: Endplate, at: Points, axis: Points, depth: float
) -> tuple[Points, Points] | None:
    normal = np.array([-axis[1], axis[0]])
    ends = []
    for endplate in (upper, lower):
        near = np.abs((endplate.points - at) @ axis) <= _MIDDLE * depth
        if near.sum() < 2:
            return None
        ends.append(at + float(np.median((endplate.points[near] - at) @ normal)) * normal)
    return ends[0], ends[1]
