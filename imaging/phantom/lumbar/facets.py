"""Facet joints: in front and outside the superior process of the vertebra below, behind it that of the one above.

Everything is in the frame of the disc between them. A side is described once, with w counted from the midline to
the patient's side. Across the joint runs u (positive to the back and midline, where the inferior process lies),
along it v (positive to the back and outside). Spurs stand on the superior process and narrow recess and foramen.
Sizes are own choice, to look like a lumbar MRI; the angles are in ``configs/phantom/lumbar.yaml``.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.lumbar.plan import DiscPlan
from imaging.phantom.lumbar.tables import Tables
from imaging.phantom.shapes import Disc, Values
from imaging.phantom.tables import by_level

RECESS_INWARD_MM = 5.5  # from the plane of the foramen to the middle of the lateral recess
_SUPERIOR_MM = (3.4, 7.2)  # half thickness, half length of its section
_INFERIOR_MM = (3.6, 5.7)
_INFERIOR_OUT_MM = 1.0  # along the joint, to the outside
_BEND = 0.022  # 1/mm: the superior surface is hollow
_GAP_MM = 1.7
_FLUID_GAP_MM = 3.2
_THORACIC = 0.7
_FARTHEST_MM = 6.5  # of the superior process behind the disc
_NEAREST_MM = 4.2

Point = tuple[Values, Values, Values]
"""p, q and t in the frame of a disc, mm."""


@dataclass(frozen=True)
class Spur:
    """An osteophyte: centre (p, q, w) and radii in the frame of the disc, mm."""

    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


@dataclass(frozen=True)
class Joint:
    """One facet joint.

    Attributes:
        sign: -1 left, 1 right.
        p: Middle of the joint, mm.
        w: Its distance from the midline, mm.
        angle: To the sagittal plane, radians.
        size: Against a usual joint.
        gap: Between the bones, mm.
        half_disc: Half the height of the disc at its back, mm.
        has_fluid: True for an effusion.
        spurs: On the superior process.
    """

    sign: float
    p: float
    w: float
    angle: float
    size: float
    gap: float
    half_disc: float
    has_fluid: bool
    spurs: tuple[Spur, ...] = ()

    def superior(self, point: Point, cortex: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where the superior process lies, and where its marrow under so much cortex."""
        _, q, _ = point
        u, v = self._across(point)
        thick, long = (self.size * half for half in _SUPERIOR_MM)
        off = u + np.float32(self.gap / 2 + thick)
        bone, marrow = _shell(_rounded(off, thick, v, long, q + 3.8, self.half_disc + 8.1), thick, cortex)
        for spur in self.spurs:
            more, core = _shell(_ellipsoid(self._side(point), spur), spur.radii[0], cortex)
            bone, marrow = bone | more, marrow | core
        return bone, marrow

    def inferior(self, point: Point, cortex: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return where the inferior process lies, and where its marrow under so much cortex."""
        _, q, _ = point
        u, v = self._across(point)
        thick, long = (self.size * half for half in _INFERIOR_MM)
        off = u - np.float32(self.gap / 2 + thick)
        return _shell(
            _rounded(off, thick, v - np.float32(_INFERIOR_OUT_MM), long, q - 2.5, self.half_disc + 11.5),
            thick,
            cortex,
        )

    def cleft(self, point: Point) -> NDArray[np.bool_]:
        """Return where cartilage or fluid lies between the bones."""
        _, q, _ = point
        u, v = self._across(point)
        inside: NDArray[np.bool_] = (
            _rounded(u, self.gap / 2 + 0.4, v, 0.92 * self.size * _INFERIOR_MM[1], q, self.half_disc + 6.0) <= 1.0
        )
        return inside

    def _side(self, point: Point) -> Point:
        p, q, t = point
        return p, q, t * np.float32(self.sign)

    def _across(self, point: Point) -> tuple[Values, Values]:
        p, _, w = self._side(point)
        cos, sin = np.float32(np.cos(self.angle)), np.float32(np.sin(self.angle))
        dp, dw = p - np.float32(self.p), w - np.float32(self.w)
        v = dw * sin - dp * cos
        return -dp * sin - dw * cos - np.float32(_BEND) * v * v, v

    @property
    def back(self) -> tuple[float, float]:
        """Return (p, w) of the middle of the inferior process, mm."""
        out = self.gap / 2 + self.size * _INFERIOR_MM[0]
        return self.p - out * float(np.sin(self.angle)), self.w - out * float(np.cos(self.angle))


def _rounded(u: Values, ru: float, v: Values, rv: float, q: Values, rq: float) -> Values:
    """Return a field that is 1 on the surface of a flat, boxy lens and less inside."""
    long, high = (v / np.float32(rv)) ** 2, (q / np.float32(rq)) ** 2
    return (u / np.float32(ru)) ** 2 + long * long + high * high


def _ellipsoid(side: Point, spur: Spur) -> Values:
    """Return a field that is 1 on the surface of a spur and less inside."""
    p, q, w = (
        ((axis - np.float32(middle)) / np.float32(radius)) ** 2
        for axis, middle, radius in zip(side, spur.centre, spur.radii, strict=True)
    )
    return p + q + w


def _shell(field: Values, radius: float, cortex: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where a field is inside, and inside by the cortex across the radius, mm."""
    return field <= 1.0, field <= (1.0 - cortex / radius) ** 2


def foramen_w(pedicle_t: float) -> float:
    """Return how far from the midline a foramen is measured, mm."""
    return pedicle_t - 1.0


def build_joints(disc: Disc, plan: DiscPlan, tables: Tables, middle_w: float) -> tuple[Joint, Joint]:
    """Return the (left, right) facet joint of a level.

    The superior process stands so far behind the disc that recess and foramen have about their drawn sizes; what
    is narrower than that is made by spurs.

    Args:
        disc: The placed disc.
        plan: What was drawn.
        tables: Angles of the joints.
        middle_w: Where the foramen is measured, mm from the midline.
    """
    names = list(tables.discs)
    angle = float(np.radians(by_level(tables.facets["angle"], names)[names.index(disc.name)]))
    joints = []
    for index, sign in enumerate((-1.0, 1.0)):
        fluid = plan.facet_fluid[index]
        joint = Joint(
            sign=sign,
            p=0.0,
            w=middle_w,
            angle=angle + plan.facet_turn[index],
            size=plan.facet_size * (_THORACIC if disc.name.startswith("T") else 1.0),
            gap=_FLUID_GAP_MM if fluid else _GAP_MM,
            half_disc=max(disc.height / 2 - float(np.tan(disc.wedge / 2)) * disc.depth / 2, 0.5),
            has_fluid=fluid,
        )
        asked = max(plan.foramen_width[index], plan.recess[index])
        behind = float(np.clip(asked, _NEAREST_MM, _FARTHEST_MM))
        front = disc.margin(sign * middle_w) - behind
        joint = replace(joint, p=front - _front(joint, middle_w))
        spurs = (
            _recess_spur(disc, joint, plan.recess[index]),
            _foramen_spur(disc, joint, plan.foramen_width[index]),
        )
        joints.append(replace(joint, spurs=tuple(spur for spur in spurs if spur is not None)))
    return joints[0], joints[1]


def _front(joint: Joint, w: float) -> float:
    """Return p of the front of the superior process at w mm from the midline, in the plane of the disc."""
    p = np.arange(-20.0, 20.0, 0.05)
    inside, _ = joint.superior((p, np.zeros_like(p), np.full_like(p, joint.sign * w)), 0.0)
    return float(p[inside].max()) if inside.any() else joint.p


def _recess_spur(disc: Disc, joint: Joint, height: float) -> Spur | None:
    """Return the spur that leaves a recess its drawn height; None where it is open."""
    if height >= 5.0:
        return None
    w = joint.w - RECESS_INWARD_MM
    front = disc.margin(joint.sign * w) - height
    thick = max(0.5 * (front - joint.p) + 1.0, 2.5)
    return Spur((front - thick, 0.0, w + 0.5), (thick, joint.half_disc + 5.0, 3.2))


def _foramen_spur(disc: Disc, joint: Joint, width: float) -> Spur | None:
    """Return the spur that leaves a foramen its drawn width; None where it is open."""
    if width >= 3.5:
        return None
    front = disc.margin(joint.sign * joint.w) - width
    thick = max(0.5 * (front - joint.p) + 1.0, 2.5)
    return Spur((front - thick, 2.0, joint.w), (thick, joint.half_disc + 11.0, 4.0))
