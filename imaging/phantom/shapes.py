"""Analytic shapes of a spine: frames in space, vertebral bodies, discs and tubes.

A frame's local axes are p (to the front along the endplates), q (up along the body) and t (to the patient's
right), in mm from its centre. Tilt is positive when the body leans forward, roll when it leans to the patient's
right, yaw when its front is turned to the patient's right.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32] | NDArray[np.float64]
"""Coordinates or distances in mm; shapes broadcast."""

_POWER = 2.7  # of the superellipse that outlines bodies and discs: boxier than an ellipse
_WAIST_MM = 1.3  # how much a body is drawn in at mid-height
_LIP_MM = 2.4  # how far from the endplate a bony lip reaches; own choice


@dataclass(frozen=True)
class Frame:
    """A place and a posture in space.

    Attributes:
        x: Centre, RAS+ mm.
        y: Centre, RAS+ mm.
        z: Centre, RAS+ mm.
        tilt: Radians, positive when leaning forward.
        roll: Radians, positive when leaning to the patient's right.
        yaw: Radians, positive when the front is turned to the patient's right.
    """

    x: float
    y: float
    z: float
    tilt: float
    roll: float = 0.0
    yaw: float = 0.0

    @cached_property
    def axes(self) -> NDArray[np.float64]:
        """Return (3, 3): the unit vectors of p, q and t as rows, in RAS+."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        forward, up, right = np.array([0.0, cos, -sin]), np.array([0.0, sin, cos]), np.array([1.0, 0.0, 0.0])
        up, right = (
            up * np.cos(self.roll) + right * np.sin(self.roll),
            right * np.cos(self.roll) - up * np.sin(self.roll),
        )
        forward, right = (
            forward * np.cos(self.yaw) + right * np.sin(self.yaw),
            right * np.cos(self.yaw) - forward * np.sin(self.yaw),
        )
        return np.array([forward, up, right])

    def local(self, x: Values, y: Values, z: Values) -> tuple[Values, Values, Values]:
        """Return (p, q, t) of world points; each spans only the voxel axes that it depends on."""
        steps = (z - np.float32(self.z), y - np.float32(self.y), x - np.float32(self.x))
        p, q, t = (_along(axis[::-1], steps) for axis in self.axes)
        return p, q, t

    def world(self, p: float, q: float, t: float = 0.0) -> tuple[float, float, float]:
        """Return (x, y, z) in RAS+ mm of a local point."""
        (px, py, pz), (qx, qy, qz), (tx, ty, tz) = self._rows
        return (
            self.x + p * px + q * qx + t * tx,
            self.y + p * py + q * qy + t * ty,
            self.z + p * pz + q * qz + t * tz,
        )

    @cached_property
    def _rows(self) -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(float(value) for value in axis) for axis in self.axes)


def _along(axis: NDArray[np.float64], steps: tuple[Values, ...]) -> Values:
    """Return the sum of axis * step over the steps that count."""
    parts = [step * np.float32(share) for share, step in zip(axis, steps, strict=True) if abs(share) > 1e-7]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def tube_inside(
    point: tuple[Values, Values, Values],
    ends: tuple[tuple[float, float, float], tuple[float, float, float]],
    radii: tuple[float, float],
) -> NDArray[np.bool_]:
    """Return where points lie in a straight tube with round ends, whose radius goes from one end to the other.

    Args:
        point: Three coordinates of the same frame as the ends, mm.
        ends: Middle of both ends, mm.
        radii: At both ends, mm.
    """
    start, end = np.array(ends[0], dtype=np.float32), np.array(ends[1], dtype=np.float32)
    line = end - start
    length = float(line @ line) + 1e-9
    away = [axis - np.float32(value) for axis, value in zip(point, start, strict=True)]
    share = sum((step * np.float32(part / length) for step, part in zip(away, line, strict=True)), np.float32(0))
    share = np.clip(share, 0.0, 1.0)
    square = sum(
        ((step - share * np.float32(part)) ** 2 for step, part in zip(away, line, strict=True)), np.float32(0)
    )
    radius = np.float32(radii[0]) + np.float32(radii[1] - radii[0]) * share
    inside: NDArray[np.bool_] = square <= radius * radius
    return inside


def outline_excess(p: Values, t: Values, *, half_depth: float, half_width: float, hollow: float) -> Values:
    """Return how far a point lies beyond the outline of a body or disc, along its ray from the centre.

    Args:
        p: Towards the front, mm.
        t: To the right, mm.
        half_depth: Half the AP length, mm.
        half_width: Half the width, mm.
        hollow: How much the back is drawn in at the midline, mm.

    Returns:
        Millimetres, negative inside.
    """
    radius = np.sqrt(p * p + t * t) + np.float32(1e-3)
    power = (np.abs(p) / half_depth) ** _POWER + (np.abs(t) / half_width) ** _POWER + np.float32(1e-9)
    excess = radius - radius / power ** np.float32(1.0 / _POWER)
    back = np.clip(-p / half_depth, 0.0, 1.0)
    return excess + np.float32(hollow) * back * np.exp(-((t / np.float32(0.45 * half_width)) ** 2))


class Sized(Protocol):
    """What has the outline of a body: AP length, width and the hollow of its back, mm."""

    @property
    def depth(self) -> float:
        """AP length."""

    @property
    def width(self) -> float:
        """Left to right."""

    @property
    def hollow(self) -> float:
        """How much the back is drawn in at the midline."""


class Slipped(Sized, Protocol):
    """A disc, whose outline leans forward where the body above has slipped."""

    @property
    def height(self) -> float:
        """Rim to rim at the centre, mm."""

    @property
    def slip(self) -> float:
        """Forward offset of the body above, mm."""


def bowl(shape: Sized, p: Values, t: Values) -> Values:
    """Return the hollow of an endplate, 1 in its middle and 0 at its rim."""
    return np.clip(1.0 - (2 * p / shape.depth) ** 2 - (2 * t / shape.width) ** 2, 0.0, 1.0)


def slipped_excess(disc: Slipped, p: Values, q: Values, t: Values) -> Values:
    """Return mm beyond a disc's undisturbed outline, which leans forward with a slip; negative inside."""
    lean = np.float32(disc.slip) * np.clip(q / max(disc.height, 1.0), -0.5, 0.5)
    return outline_excess(p - lean, t, half_depth=disc.depth / 2, half_width=disc.width / 2, hollow=disc.hollow)


@dataclass(frozen=True)
class Body:
    """A vertebral body, or one segment of the sacrum.

    Attributes:
        name: Such as ``L4`` or ``S1``.
        label: Its number in a label map.
        frame: Centre and tilt.
        depth: AP length of the endplates, mm.
        width: Left to right, mm.
        height: At the centre, rim to rim, mm.
        wedge: Angle between the endplates, radians, positive when taller in front.
        concavity_top: Depth of the upper endplate's bowl, mm.
        concavity_bottom: Depth of the lower endplate's bowl, mm.
        hollow: How much the back is drawn in at the midline, mm.
        lip_top: How far the rim of the upper endplate stands out in front and at the sides (osteophyte), mm.
        lip_bottom: The same of the lower endplate.
    """

    name: str
    label: int
    frame: Frame
    depth: float
    width: float
    height: float
    wedge: float
    concavity_top: float
    concavity_bottom: float
    hollow: float = 1.2
    lip_top: float = 0.0
    lip_bottom: float = 0.0

    def top(self, p: Values, t: Values) -> Values:
        """Return q of the upper endplate."""
        slope = np.float32(np.tan(self.wedge / 2))
        return np.float32(self.height / 2) + slope * p - np.float32(self.concavity_top) * bowl(self, p, t)

    def bottom(self, p: Values, t: Values) -> Values:
        """Return q of the lower endplate."""
        slope = np.float32(np.tan(self.wedge / 2))
        return -np.float32(self.height / 2) - slope * p + np.float32(self.concavity_bottom) * bowl(self, p, t)

    def excess(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm beyond the outline, the waist included; negative inside."""
        waist = np.float32(_WAIST_MM) * np.clip(1.0 - (2 * q / self.height) ** 2, 0.0, 1.0)
        return waist + outline_excess(
            p, t, half_depth=self.depth / 2, half_width=self.width / 2, hollow=self.hollow
        )

    def inside(self, p: Values, q: Values, t: Values, *, grow: float = 0.0) -> NDArray[np.bool_]:
        """Return where a point lies in the body, grown by some mm on all faces."""
        inside: NDArray[np.bool_] = self.beyond(p, q, t) <= grow
        return inside

    def beyond(self, p: Values, q: Values, t: Values) -> Values:
        """Return by how many mm a point lies beyond the nearest face; negative inside."""
        top, bottom, excess = self.top(p, t), self.bottom(p, t), self.excess(p, q, t)
        if self.lip_top or self.lip_bottom:
            front = np.clip(p / np.float32(0.5 * self.depth) + 0.35, 0.0, 1.0)
            upper = np.float32(self.lip_top) * np.exp(-np.abs(top - q) / np.float32(_LIP_MM))
            lower = np.float32(self.lip_bottom) * np.exp(-np.abs(q - bottom) / np.float32(_LIP_MM))
            excess = excess - front * (upper + lower)
        return np.maximum(np.maximum(q - top, bottom - q), excess)

    def corner(self, *, upper: bool, front: bool = False) -> tuple[float, float, float]:
        """Return (x, y, z) of a corner of an endplate in the body's mid-sagittal plane, RAS+ mm."""
        p = self.depth / 2 if front else -self.depth / 2 + self.hollow
        q = float(np.tan(self.wedge / 2)) * p + self.height / 2
        return self.frame.world(p, q if upper else -q)


@dataclass(frozen=True)
class Bulges:
    """What of a disc passes its outline, mm.

    Attributes:
        diffuse: All round, fullest at the back.
        focal: At one place of the back.
        focal_t: That place, mm to the right of the midline.
        focal_spread: How wide it is, mm.
        lateral: Into the (left, right) foramen.
        lateral_t: How far from the midline the foramina lie, mm.
    """

    diffuse: float
    focal: float
    focal_t: float
    focal_spread: float
    lateral: tuple[float, float]
    lateral_t: float


@dataclass(frozen=True)
class Disc:
    """A disc between two bodies.

    Attributes:
        name: Such as ``L4-L5``.
        label: Its number in a label map.
        frame: Centre between the endplates, mean tilt.
        depth: AP length, mm.
        width: Left to right, mm.
        height: Rim to rim at the centre, mm.
        wedge: Angle between the endplates, radians.
        slip: Forward offset of the body above, mm.
        bulges: What passes the outline.
        hollow: How much the back is drawn in at the midline, mm.
        side_wedge: Angle between the endplates from the front, radians, positive when taller on the right.
    """

    name: str
    label: int
    frame: Frame
    depth: float
    width: float
    height: float
    wedge: float
    slip: float
    bulges: Bulges
    hollow: float = 1.2
    side_wedge: float = 0.0

    def excess(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm beyond the undisturbed outline, which leans forward with a slip; negative inside."""
        return slipped_excess(self, p, q, t)

    def extension(self, p: Values, t: Values) -> Values:
        """Return by how many mm the disc passes its outline in the direction of a point."""
        bulges = self.bulges
        forward, side = p / (self.depth / 2), t / (self.width / 2)
        back = 0.5 - 0.5 * forward / (np.sqrt(forward**2 + side**2) + np.float32(1e-6))
        behind = np.clip(-forward * 4, 0.0, 1.0)
        extent = bulges.diffuse * (0.45 + 0.55 * back)
        extent = extent + bulges.focal * behind * np.exp(-(((t - bulges.focal_t) / bulges.focal_spread) ** 2))
        for amount, sign in zip(bulges.lateral, (-1.0, 1.0), strict=True):
            if amount:
                extent = extent + amount * behind * np.exp(-(((t - sign * bulges.lateral_t) / 4.0) ** 2))
        return np.asarray(extent)

    def inside(self, p: Values, q: Values, t: Values) -> NDArray[np.bool_]:
        """Return where a point lies in the disc; the endplates' bowls count, bodies are painted over it."""
        return self.inside_at(self.excess(p, q, t), self.extension(p, t), p, q, t)

    def inside_at(self, excess: Values, extent: Values, p: Values, q: Values, t: Values) -> NDArray[np.bool_]:
        """Return ``inside`` where ``excess`` and ``extension`` of the points are known."""
        half = self.height / 2 + np.float32(np.tan(self.wedge / 2)) * p
        if self.side_wedge:
            half = np.maximum(half + np.float32(np.tan(self.side_wedge / 2)) * t, np.float32(0.3))
        deeper = 3.0 * np.clip(-excess / 4.0, 0.0, 1.0)
        rounding = np.sqrt(np.clip(1.0 - 0.8 * np.clip(excess / (extent + 1e-3), 0.0, 1.0) ** 2, 0.0, 1.0))
        dome = 1.0 + 0.15 * np.clip(extent - 2.0, 0.0, 3.0)
        inside: NDArray[np.bool_] = (excess <= extent) & (np.abs(q) <= half * rounding * dome + deeper)
        return inside

    def margin(self, t: float) -> float:
        """Return p of the disc's back edge, bulges included, at t mm right of the midline (q = 0)."""
        p = np.arange(-self.depth, 0.0, 0.05)
        inside = self.excess(p, np.zeros_like(p), np.full_like(p, t)) <= self.extension(p, np.full_like(p, t))
        return float(p[np.argmax(inside)]) if inside.any() else 0.0
