"""A placed pelvis: the frame of the sacrum, the two joints as surfaces, and the outlines of the bones.

The sacrum's frame has p to its front, q up along the back of S1 to S3 and t to the patient's right, in mm from the
middle of S2. A joint is the surface |t| = surface(p, q); ``depth`` is the distance from it, negative in the sacrum
and positive in the ilium. Shapes are own choice, to look like coronal-oblique MRI, except where the tables name a
source. All outlines take ``grow`` in mm: the marrow is the bone grown by minus its cortex.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from imaging.phantom.sacroiliac.plan import JointPlan, PelvisPlan
from imaging.phantom.sacroiliac.tables import Tables
from imaging.phantom.shapes import Frame, Values

Mask = NDArray[np.bool_]

JOINT_FOOT_MM, JOINT_HEAD_MM = -32.0, 28.0
"""Ends of the cartilaginous joint along q at mean size."""

_HALF_THROUGH_MM = 11.0
_CROSS_TOP_MM = 32.0  # q of the S1 endplate's middle
_FORAMINA = ((8.0, 25.0), (-14.0, 22.0), (-33.0, 18.0), (-49.0, 15.0))  # q, t of the sacral foramina


@dataclass(frozen=True)
class Pelvis:
    """A placed pelvis.

    Attributes:
        plan: What was drawn.
        tables: What it was drawn from.
        frame: Of the sacrum; its middle is the world's origin.
    """

    plan: PelvisPlan
    tables: Tables
    frame: Frame

    def joint(self, side: Side) -> JointPlan:
        """Return the joint of a side."""
        return self.plan.joints[0 if side is Side.LEFT else 1]

    def surface(self, p: Values, q: Values) -> Values:
        """Return |t| of the middle of the joint space; it waves a little, as joints do."""
        plan = self.plan
        wave = 2.2 * np.sin(q / 10.0 + 0.6) + 0.8 * np.sin(p / 6.0)
        return plan.half_distance + plan.slope_forward * p + plan.slope_up * q + wave

    def depth(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm from the joint's middle, along its normal: negative in the sacrum, positive in the ilium."""
        stretch = np.sqrt(1.0 + self.plan.slope_forward**2 + self.plan.slope_up**2)
        return (np.abs(t) - self.surface(p, q)) / np.float32(stretch)

    def along(self, q: Values) -> Values:
        """Return the place along the joint, -1 at its foot and 1 at its head."""
        scale = self.plan.scale
        return (q / scale - (JOINT_HEAD_MM + JOINT_FOOT_MM) / 2) / ((JOINT_HEAD_MM - JOINT_FOOT_MM) / 2)

    def through(self, p: Values, q: Values) -> Values:
        """Return the place through the cartilaginous joint, -1 at its back and 1 at its front.

        The auricular surface is an arm up and back at S1 and an arm down and back along S2 and S3: its middle lies
        furthest forward between them.
        """
        scale = self.plan.scale
        middle = -2.5 - 8.0 * (q / scale / 30.0) ** 2
        return (p / scale - middle) / _HALF_THROUGH_MM

    def is_cartilaginous(self, p: Values, q: Values) -> Mask:
        """Return where the joint is lined with cartilage: an ear-shaped patch."""
        inside: Mask = np.abs(self.along(q)) ** 4 + np.abs(self.through(p, q)) ** 4 <= 1.0
        return inside

    def is_ligamentous(self, p: Values, q: Values) -> Mask:
        """Return where ligaments and fat bridge the gap behind and above the cartilage."""
        inside: Mask = (self.through(p, q) < 0.0) & ~self.is_cartilaginous(p, q)
        return inside & (q > -30.0 * self.plan.scale) & (p > -44.0 * self.plan.scale)

    def half_gap(self, p: Values, q: Values, width: float) -> Values:
        """Return half the distance of the bones, mm: the joint's width, and more where ligaments bridge it."""
        behind = np.clip(-self.through(p, q) - 0.9, 0.0, 2.2) * _HALF_THROUGH_MM
        return np.float32(width / 2) + np.float32(0.22) * behind

    def sacrum(self, p: Values, q: Values, t: Values, grow: float) -> Mask:
        """Return where the sacrum is, but for what the joints cut off at its sides."""
        scale = self.plan.scale
        side = np.abs(t) / scale
        ps, qs = p / scale, q / scale
        front = 15.0 - 7.0 * np.sin(np.pi * np.clip((_CROSS_TOP_MM - qs) / 115.0, 0.0, 1.0))
        front = front - 0.05 * np.clip(side - 24.0, 0.0, None)
        back = -27.0 + 0.22 * np.clip(-15.0 - qs, 0.0, 60.0) + 2.0 * np.sin(qs / 6.5) + 0.7 * np.cos(t / 9.0)
        turn = np.float32(np.tan(np.radians(self.tables.sacrum["endplate_turn"])))
        top = np.where(
            side < 23.0,
            _CROSS_TOP_MM + turn * ps,
            30.5 - 5.0 * np.sin(np.pi * np.clip((side - 21.0) / 44.0, 0.0, 1.0)),
        )
        taper = 35.0 - 0.52 * np.clip(-30.0 - qs, 0.0, 60.0) + 1.3 * np.sin(qs / 4.0) + 200.0 * (qs > -30.0)
        inside: Mask = ((ps <= front + grow) & (ps >= back - grow) & (qs <= top + grow) & (qs >= -76.0 - grow)) & (
            side <= taper + grow
        )
        return inside

    def ilium(self, p: Values, q: Values, t: Values, grow: float) -> Mask:
        """Return where an ilium is, but for what the joint cuts off at its inner side."""
        scale = self.plan.scale
        ps, qs, side = p / scale, q / scale, np.abs(t) / scale
        inner = self.surface(p, np.minimum(q, JOINT_HEAD_MM * scale)) / scale
        inner = inner + 0.85 * np.clip(qs - JOINT_HEAD_MM, 0.0, None)
        thick = np.interp(qs, [-48.0, -40.0, -20.0, 15.0, 40.0, 80.0], [2.0, 13.0, 20.0, 21.0, 13.0, 10.0])
        thick = thick * (1.0 - 0.25 * np.clip((-20.0 - ps) / 25.0, 0.0, 1.0))
        foot = -44.0 + 0.9 * np.clip(ps - 12.0, 0.0, None)
        crest = 84.0 - 0.010 * (ps - 10.0) ** 2
        inside: Mask = (
            (side >= inner - 10.0) & (side <= inner + thick + grow) & (qs >= foot - grow) & (qs <= crest + grow)
        ) & (ps >= -46.0 - grow)
        # Above the joint nothing cuts the inner side: the iliac fossa.
        inside &= (qs < JOINT_HEAD_MM) | (side >= inner - grow)
        return inside

    def foramina(self, p: Values, q: Values, t: Values) -> tuple[Mask, Mask]:
        """Return where the sacral foramina are, and the roots in them."""
        scale = self.plan.scale
        ps, qs, side = p / scale, q / scale, np.abs(t) / scale
        openings = np.zeros(np.broadcast_shapes(p.shape, q.shape, t.shape), dtype=bool)
        roots = openings.copy()
        for middle_q, middle_t in _FORAMINA:
            # They run outwards and down towards the front.
            dq, dt = qs - middle_q + 0.25 * ps, side - middle_t - 0.25 * ps
            square = dq**2 + dt**2
            openings |= (square <= 5.2**2) & (ps > -24.0)
            roots |= (square <= 2.6**2) & (ps > -14.0)
        return openings, roots


def place_pelvis(plan: PelvisPlan, tables: Tables) -> Pelvis:
    """Lay a plan into the world."""
    return Pelvis(plan, tables, Frame(0.0, 0.0, 0.0, plan.tilt))


def sign(side: Side) -> float:
    """Return the sign of t on a side: left is negative."""
    return -1.0 if side is Side.LEFT else 1.0
