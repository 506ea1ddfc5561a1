"""Analytic shapes of a spine: frames in the sagittal plane, vertebral bodies and discs.

A frame's local axes are p (to the front along the endplates), q (up along the body) and t (to the patient's
right), in mm from its centre. Tilt is positive when the body leans forward.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32] | NDArray[np.float64]
"""Coordinates or distances in mm; shapes broadcast."""

_POWER = 2.7  # of the superellipse that outlines bodies and discs: boxier than an ellipse
_WAIST_MM = 1.3  # how much a body is drawn in at mid-height


@dataclass(frozen=True)
class Frame:
    """A place and a tilt in the sagittal plane.

    Attributes:
        x: Centre, RAS+ mm.
        y: Centre, RAS+ mm.
        z: Centre, RAS+ mm.
        tilt: Radians, positive when leaning forward.
    """

    x: float
    y: float
    z: float
    tilt: float

    def local(self, x: Values, y: Values, z: Values) -> tuple[Values, Values, Values]:
        """Return (p, q, t) of world points."""
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        dy, dz = y - np.float32(self.y), z - np.float32(self.z)
        return dy * cos - dz * sin, dy * sin + dz * cos, x - np.float32(self.x)

    def world(self, p: float, q: float, t: float = 0.0) -> tuple[float, float, float]:
        """Return (x, y, z) in RAS+ mm of a local point."""
        cos, sin = float(np.cos(self.tilt)), float(np.sin(self.tilt))
        return self.x + t, self.y + p * cos + q * sin, self.z - p * sin + q * cos


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

    def top(self, p: Values, t: Values) -> Values:
        """Return q of the upper endplate."""
        slope = np.float32(np.tan(self.wedge / 2))
        return np.float32(self.height / 2) + slope * p - np.float32(self.concavity_top) * self._bowl(p, t)

    def bottom(self, p: Values, t: Values) -> Values:
        """Return q of the lower endplate."""
        slope = np.float32(np.tan(self.wedge / 2))
        return -np.float32(self.height / 2) - slope * p + np.float32(self.concavity_bottom) * self._bowl(p, t)

    def _bowl(self, p: Values, t: Values) -> Values:
        return np.clip(1.0 - (2 * p / self.depth) ** 2 - (2 * t / self.width) ** 2, 0.0, 1.0)

    def excess(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm beyond the outline, the waist included; negative inside."""
        waist = np.float32(_WAIST_MM) * np.clip(1.0 - (2 * q / self.height) ** 2, 0.0, 1.0)
        return waist + outline_excess(
            p, t, half_depth=self.depth / 2, half_width=self.width / 2, hollow=self.hollow
        )

    def inside(self, p: Values, q: Values, t: Values, *, grow: float = 0.0) -> NDArray[np.bool_]:
        """Return where a point lies in the body, grown by some mm on all faces."""
        inside: NDArray[np.bool_] = (
            (q <= self.top(p, t) + grow) & (q >= self.bottom(p, t) - grow) & (self.excess(p, q, t) <= grow)
        )
        return inside

    def posterior_corner(self, *, upper: bool) -> tuple[float, float]:
        """Return (y, z) of the back corner of an endplate in the mid-sagittal plane, RAS+ mm."""
        p = -self.depth / 2 + self.hollow
        q = float(np.tan(self.wedge / 2)) * p + self.height / 2
        _, y, z = self.frame.world(p, q if upper else -q)
        return y, z


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

    def excess(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm beyond the undisturbed outline, which leans forward with a slip; negative inside."""
        lean = np.float32(self.slip) * np.clip(q / max(self.height, 1.0), -0.5, 0.5)
        return outline_excess(
            p - lean, t, half_depth=self.depth / 2, half_width=self.width / 2, hollow=self.hollow
        )

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
        excess, extent = self.excess(p, q, t), self.extension(p, t)
        half = self.height / 2 + np.float32(np.tan(self.wedge / 2)) * p
        bowl = 3.0 * np.clip(-excess / 4.0, 0.0, 1.0)
        rounding = np.sqrt(np.clip(1.0 - 0.8 * np.clip(excess / (extent + 1e-3), 0.0, 1.0) ** 2, 0.0, 1.0))
        dome = 1.0 + 0.15 * np.clip(extent - 2.0, 0.0, 3.0)
        inside: NDArray[np.bool_] = (excess <= extent) & (np.abs(q) <= half * rounding * dome + bowl)
        return inside

    def margin(self, t: float) -> float:
        """Return p of the disc's back edge, bulges included, at t mm right of the midline (q = 0)."""
        p = np.arange(-self.depth, 0.0, 0.05)
        inside = self.excess(p, np.zeros_like(p), np.full_like(p, t)) <= self.extension(p, np.full_like(p, t))
        return float(p[np.argmax(inside)]) if inside.any() else 0.0
