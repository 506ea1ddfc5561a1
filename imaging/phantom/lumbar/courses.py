"""Where the roots run outside the sac, each named for the disc through whose foramen it leaves."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.lumbar.facets import RECESS_INWARD_MM, Joint
from imaging.phantom.shapes import Body, Disc, Values, tube_inside

RECESS_ROOT_MM = 1.5  # radius in the recess; 3 mm across, as rules.bartynski says
GANGLION_MM = 2.4  # radius in the foramen; own choice
_GANGLION_UP = 0.25  # of the body's height above its lower endplate, under the pedicle; own choice

Course = tuple[tuple[tuple[float, float, float], float], ...]
"""Points (RAS+ mm) of a root and its radius there."""


def root_courses(
    index: int,
    bodies: Sequence[Body],
    discs: Sequence[Disc],
    joints: dict[str, tuple[Joint, Joint]],
    pedicles: dict[str, float],
) -> tuple[Course, Course]:
    """Return the (left, right) root that leaves through the foramen of a disc.

    Behind the disc above it lies in the lateral recess; then it passes the pedicle of its vertebra and leaves.
    """
    disc = discs[index]
    body = next(body for body in bodies if body.name == disc.name.split("-")[0])
    pedicle, wall = pedicles[body.name], -body.depth / 2
    # The lower endplate rises to the back of a wedged body.
    low = -body.height / 2 + float(np.tan(body.wedge / 2)) * body.depth / 2 + _GANGLION_UP * body.height
    courses = []
    for sign in (-1.0, 1.0):
        points = []
        if index + 1 < len(discs):
            above = discs[index + 1]
            w = joints[above.name][0].w - RECESS_INWARD_MM - 1.0
            healthy = -above.depth / 2 + 0.4
            points.append((above.frame.world(healthy - 2.9, 0.0, sign * w), RECESS_ROOT_MM))
        for p, q, w, radius in (
            (wall - 4.0, 0.10 * body.height, pedicle - 5.2, RECESS_ROOT_MM),
            (wall - 3.6, low, pedicle - 1.0, GANGLION_MM),
            (wall - 2.6, low - 3.0, pedicle + 5.0, GANGLION_MM),
            (wall + 7.0, -body.height / 2 - 7.0, pedicle + 17.0, 1.8),
        ):
            points.append((body.frame.world(p, q, sign * w), radius))
        courses.append(tuple(points))
    return courses[0], courses[1]


def course_inside(course: Course, x: Values, y: Values, z: Values) -> NDArray[np.bool_]:
    """Return where world points lie in a root."""
    found = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), dtype=bool)
    for (start, first), (end, last) in pairwise(course):
        found |= tube_inside((x, y, z), (start, end), (first, last))
    return found
