"""Endplates on one sagittal slice: where the bone beside a disc begins.

From the disc's mid line, lines run up and down at right angles until they meet the bone above or below, over the
whole depth of that bone. An endplate is hollow: a straight line and a bowl about the middle of the body are fitted
together (by the points that agree, so that a notch does not turn them); the straight line, through the rims, is
the endplate's. Angles are taken between such lines.
Source: the lines stand for those that a reader draws from rim to rim for Cobb's method; how they are fitted is own
choice.
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points, SliceFrame
from segmentation.profiles import run_along, runs_along
from segmentation.shapes import DiscShape

_PLACES = np.linspace(-0.88, 0.88, 23)
"""Where endplates are sought, in half depths of the body from its middle: off the rounded corners."""
_POINTS_NEEDED = 11
_DEEP = 0.45
"""Bone is sought this many pitches beyond the disc's mean edge."""
_WALL = 0.15
"""The body's front and back are taken this many pitches beyond the disc's mean edge."""
_BEHIND = 0.15
"""A body that reaches further behind the disc than this share of its length has grown together with its arch."""
_AGREE = 0.9
"""A point agrees with a candidate within this many pixels; own choice: masks step by whole pixels."""
_SURE = 0.5
"""Share of the points that must agree; own choice: pits over a third of an endplate leave two thirds."""
_SPREAD = 0.9
"""Points of a candidate lie at least this far apart, in half depths; own choice."""
_CONVEX = 0.2
"""Endplates are flat or hollow; this many pixels of the contrary are put down to the mask. Own choice."""
_PROUD = 2.5
"""Bone standing proud of a candidate counts up to this many times as far as a pit in it: pits (Schmorl nodes) are
common, spurs off the rim are not. Own choice."""
_DEEPEST = 12.0
"""Deepest hollow believed, pixels; own choice."""


@dataclass(frozen=True, eq=False)
class Endplate:
    """One endplate.

    Attributes:
        points: (n, 2) plane points, front to back.
        centre: Plane point of the fitted line nearest to the disc's centre.
        axis: Unit vector of the line, front to back.
    """

    points: Points
    centre: Points
    axis: Points

    @property
    def angle_deg(self) -> float:
        """Return the direction, degrees from the x axis of the plane; positive turns the back to the feet."""
        return float(np.degrees(np.arctan2(self.axis[1], self.axis[0])))

    def meet(self, origin: Points, direction: Points) -> Points:
        """Return where the fitted line meets a line that is not parallel to it."""
        share = np.linalg.solve(np.stack([self.axis, -direction], axis=1), origin - self.centre)
        crossing: Points = self.centre + share[0] * self.axis
        return crossing


def find_endplate(
    bone: NDArray[np.float32], disc: DiscShape, side: float, pitch: float, frame: SliceFrame
) -> Endplate | None:
    """Return the endplate of the bone above (side -1) or below (+1) a disc; None when it is not outlined.

    Args:
        bone: Mask of that bone, (rows, columns), 0 or 1.
        disc: The disc.
        side: -1.0 above, +1.0 below.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
    """
    depth = disc.thickness / 2
    middle, half = _extent(bone, disc, side, pitch, frame)
    origins = disc.centre + (middle + _PLACES[:, None] * half) * disc.axis
    reach = (-depth, depth + 2 * _DEEP * pitch)
    edge = runs_along(bone, origins, side * disc.normal, reach, frame, nearest_to=depth)[:, 0]
    is_found = (edge > -depth) & (edge < depth + _DEEP * pitch)
    if is_found.sum() < _POINTS_NEEDED:
        return None
    along, away = _PLACES[is_found], edge[is_found]
    line = _rim_line(along, away, frame.pixel_side)
    if line is None:
        return None
    offset, slope = line
    axis = disc.axis + slope / half * side * disc.normal
    along = middle + along * half
    points = disc.centre + along[:, None] * disc.axis + away[:, None] * side * disc.normal
    centre = disc.centre + middle * disc.axis + offset * side * disc.normal
    return Endplate(points, centre, axis / np.linalg.norm(axis))


def _extent(
    bone: NDArray[np.float32], disc: DiscShape, side: float, pitch: float, frame: SliceFrame
) -> tuple[float, float]:
    """Return middle and half depth of the bone beside a disc, along the disc's axis from its centre."""
    origin = disc.centre + side * (disc.thickness / 2 + _WALL * pitch) * disc.normal
    run = run_along(bone, origin, disc.axis, (-1.2 * disc.length, 1.2 * disc.length), frame)
    if run is None or run[1] - run[0] < 0.5 * disc.length:
        return 0.0, disc.length / 2
    front = max(run[0], -0.75 * disc.length)
    back = min(run[1], (0.5 + _BEHIND) * disc.length)
    return (front + back) / 2, (back - front) / 2


def _rim_line(along: NDArray[np.float64], away: NDArray[np.float64], pixel: float) -> tuple[float, float] | None:
    """Return offset and slope of the line through the rims of a hollow endplate.

    Every three points, of every second one, give a candidate; the one that most points agree with (a square loss,
    cut off) is refined on those. So a Schmorl node over a third of the endplate does not turn the line.

    Args:
        along: Places, -1 at the front and 1 at the back of the body.
        away: Distance of the bone from the disc's axis.
        pixel: Side of a pixel in the unit of ``away``.

    Returns:
        None when under ``_SURE`` of the points agree on any line: the edge is too ragged to be an endplate.
    """
    terms = np.stack([np.ones_like(along), along, 1.0 - along**2], axis=1)
    triples = _triples(len(along))
    triples = triples[along[triples[:, 2]] - along[triples[:, 0]] > _SPREAD]
    fits = np.linalg.solve(terms[triples], away[triples][..., None])[..., 0]
    fits = fits[(fits[:, 2] > -_CONVEX * pixel) & (fits[:, 2] < _DEEPEST * pixel)]
    if len(fits) == 0:
        slope = robust_slope(along, away)
        return float(np.median(away - slope * along)), slope
    rest = away - fits @ terms.T
    near = _AGREE * pixel
    loss = np.minimum(rest, near) ** 2
    loss = np.where(rest < 0, np.minimum(-rest, _PROUD * near) ** 2, loss)
    best = int(np.argmin(loss.sum(axis=1)))
    agrees = np.abs(rest[best]) <= near
    if agrees.mean() < _SURE:
        return None
    if np.ptp(along[agrees]) < _SPREAD:
        return float(fits[best, 0]), float(fits[best, 1])
    refined = np.linalg.lstsq(terms[agrees], away[agrees], rcond=None)[0]
    if refined[2] < -_CONVEX * pixel:
        refined = fits[best]
    return float(refined[0]), float(refined[1])


@cache
def _triples(count: int) -> NDArray[np.intp]:
    """Return all ways to choose three of every second point, (n, 3)."""
    return np.array(list(combinations(range(0, count, 2), 3)), dtype=np.intp)


def robust_slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the median slope over all pairs of points (Theil-Sen)."""
    first, second = np.triu_indices(len(x), k=1)
    apart = x[second] != x[first]
    first, second = first[apart], second[apart]
    return float(np.median((y[second] - y[first]) / (x[second] - x[first])))
