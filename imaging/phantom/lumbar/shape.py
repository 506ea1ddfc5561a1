"""The shape of a spine and of its herniations, measured on the placed bodies and on a fine plane."""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.lumbar.measure import paint_patch
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.shapes import Body, Disc
from imaging.phantom.tissues import Palette

_STEP_MM = 0.2
_BEYOND_MM = 0.6  # behind the outline, where the base of a herniation is measured
_SCOLIOSIS_BODIES = ("T10", "T11", "T12", "L1", "L2", "L3", "L4", "L5")


@dataclass(frozen=True)
class Herniation:
    """A herniation in the sagittal plane of its highest point, mm.

    Attributes:
        depth: Behind the outline of the disc.
        base: Its height at the outline, head to foot.
        widest: Its greatest height behind the outline.
        above: How far it reaches past the upper edge of the disc space.
        below: The same past the lower edge.
    """

    depth: float
    base: float
    widest: float
    above: float
    below: float


def measure_herniation(spine: Spine, disc: Disc, palette: Palette) -> Herniation:
    """Measure what of a disc lies behind its outline, in the sagittal plane of the planned herniation."""
    t = disc.bulges.focal_t
    forward, up, _ = disc.frame.axes
    p = np.arange(-disc.depth, 0.0, 0.05)
    outline = float(p[np.argmax(disc.excess(p, np.zeros_like(p), np.full_like(p, t)) <= 0.0)])
    back, foot, step = outline - 14.0, -26.0, _STEP_MM
    origin = disc.frame.world(back, foot, t)
    count = round((14.0 - _BEYOND_MM) / step) + 1
    patch = paint_patch(spine, palette, origin, (forward, step, count), (up, step, int(52.0 / step)))
    inside = patch.label == disc.label
    if not inside.any():
        return Herniation(0.0, 0.0, 0.0, 0.0, 0.0)
    heights = inside.sum(axis=1) * step
    rows = np.nonzero(inside.any(axis=0))[0] * step + foot
    first = int(np.argmax(heights > 0))
    return Herniation(
        depth=outline - (back + first * step),
        base=float(heights[-1]),
        widest=float(heights.max()),
        above=float(rows.max()) - disc.height / 2,
        below=-float(rows.min()) - disc.height / 2,
    )


def measure_listhesis(spine: Spine, disc: Disc) -> tuple[float, float]:
    """Return the slip in mm and as a share of the endplate below; positive = the upper body stands in front."""
    above, below = spine.around(disc)
    upper, lower = above.corner(upper=False), below.corner(upper=True)
    tilt = below.frame.tilt - below.wedge / 2
    slip = (upper[1] - lower[1]) * float(np.cos(tilt)) - (upper[2] - lower[2]) * float(np.sin(tilt))
    return slip, slip / below.depth


def measure_lordosis(spine: Spine) -> float:
    """Return the angle in degrees between the upper endplates of L1 and S1 in the side view."""
    angles = []
    for body in (spine.body("L1"), spine.body("S1")):
        back, front = np.array(body.corner(upper=True)), np.array(body.corner(upper=True, front=True))
        angles.append(np.degrees(np.arctan2(front[2] - back[2], front[1] - back[1])))
    return float(angles[0] - angles[1])


def measure_cobb(spine: Spine) -> tuple[float, str, str]:
    """Return the Cobb angle in degrees (positive: the bulge looks to the patient's right) and its end vertebrae.

    The greatest angle between the upper endplate of one body and the lower endplate of one below it, as they are
    seen from the front. Source: Cobb's method (general knowledge).
    """
    best, ends = 0.0, ("L1", "L5")
    for high, upper_name in enumerate(_SCOLIOSIS_BODIES):
        for lower_name in _SCOLIOSIS_BODIES[high + 1 :]:
            upper, lower = spine.body(upper_name), spine.body(lower_name)
            angle = _endplate_slope(lower, upper=False) - _endplate_slope(upper, upper=True)
            if abs(angle) > abs(best):
                best, ends = angle, (upper_name, lower_name)
    return -best, *ends


def _endplate_slope(body: Body, *, upper: bool) -> float:
    """Return how much an endplate rises to the patient's right, degrees."""
    half = body.width / 2
    q = body.height / 2 if upper else -body.height / 2
    left, right = body.frame.world(0.0, q, -half), body.frame.world(0.0, q, half)
    return float(np.degrees(np.arctan2(right[2] - left[2], right[0] - left[0])))


def measure_height_ratio(body: Body) -> float:
    """Return the height of a body in front over that at its back."""
    front, back = (
        np.linalg.norm(np.subtract(body.corner(upper=True, front=at), body.corner(upper=False, front=at)))
        for at in (True, False)
    )
    return float(front / back)
