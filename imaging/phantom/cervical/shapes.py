"""Cervical bodies and discs: bodies with uncinate processes at the sides of their upper endplate, discs between.

Local axes are those of ``Frame``: p to the front, q up, t to the patient's right, mm from the centre.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.shapes import Frame, Values, bowl, outline_excess, slipped_excess

_WAIST_MM = 0.9
_LIP_MM = 0.8  # the front of the lower endplate hangs down; own choice
_TAPER = 0.14  # a body is wider at the top: 23.2 against 19.9 mm (Eur J Anat 2020)
_UNCUS_FROM = 0.66  # share of the half width at which the uncinate process starts to rise


@dataclass(frozen=True)
class NeckBody:
    """A vertebral body.

    Attributes:
        name: Such as ``C5``.
        label: Its number in a label map.
        frame: Centre and tilt.
        depth: AP length of the endplates, mm.
        width: Left to right at the bottom, mm.
        height: At the centre, rim to rim, mm.
        wedge: Angle between the endplates, radians, positive when taller in front.
        bowl_top: Depth of the upper endplate's bowl, mm.
        bowl_bottom: Depth of the lower endplate's bowl, mm.
        uncus: Height of its uncinate processes, mm.
        bevel: How far its lower endplate rises at the sides, above the processes of the body below, mm.
        spurs: Osteophytes at the front of the (upper, lower) endplate, mm.
        hollow: How much the back is drawn in at the midline, mm.
    """

    name: str
    label: int
    frame: Frame
    depth: float
    width: float
    height: float
    wedge: float
    bowl_top: float
    bowl_bottom: float
    uncus: float
    bevel: float
    spurs: tuple[float, float]
    hollow: float = 0.4

    @property
    def back(self) -> float:
        """Return p of the back wall at the midline."""
        return -self.depth / 2 + self.hollow

    def top(self, p: Values, t: Values) -> Values:
        """Return q of the upper endplate, uncinate processes included."""
        slope = np.float32(np.tan(self.wedge / 2))
        backward = np.clip(0.75 - p / self.depth, 0.0, 1.0)  # the processes are lower in front
        rise = np.float32(self.uncus) * self._side(t, 1.0 / (1.0 - _TAPER)) * backward
        return np.float32(self.height / 2) + slope * p - np.float32(self.bowl_top) * bowl(self, p, t) + rise

    def bottom(self, p: Values, t: Values) -> Values:
        """Return q of the lower endplate."""
        slope = np.float32(np.tan(self.wedge / 2))
        lip = np.float32(_LIP_MM) * np.clip(4 * p / self.depth - 1.0, 0.0, 1.0) ** 2
        rise = np.float32(self.bevel) * self._side(t, 1.0)
        return (
            -np.float32(self.height / 2) - slope * p + np.float32(self.bowl_bottom) * bowl(self, p, t) + rise - lip
        )

    def _side(self, t: Values, widen: float) -> Values:
        reach = np.abs(t) / np.float32(widen * self.width / 2)
        rise = np.clip((reach - _UNCUS_FROM) / (1.0 - _UNCUS_FROM), 0.0, 1.0)
        return np.asarray(rise * np.sqrt(rise))

    def excess(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm beyond the outline, waist and spurs included; negative inside."""
        height = 2 * q / np.float32(self.height)
        waist = np.float32(_WAIST_MM) * np.clip(1.0 - height**2, 0.0, 1.0)
        narrower = 1.0 - np.float32(_TAPER / 2) * (1.0 + np.clip(height, -1.0, 1.0))
        excess = waist + outline_excess(
            p, t * narrower, half_depth=self.depth / 2, half_width=self.width / 2, hollow=self.hollow
        )
        if max(self.spurs) > 0:
            edge = np.clip((np.abs(height) - 0.45) / 0.55, 0.0, 1.0) ** 2
            size = np.where(height > 0, np.float32(self.spurs[0]), np.float32(self.spurs[1]))
            excess = excess - size * edge * np.clip(2 * p / self.depth, 0.0, 1.0)
        return excess

    def inside(self, p: Values, q: Values, t: Values, *, grow: float = 0.0) -> NDArray[np.bool_]:
        """Return where a point lies in the body, grown by some mm on all faces."""
        inside: NDArray[np.bool_] = (
            (q <= self.top(p, t) + grow) & (q >= self.bottom(p, t) - grow) & (self.excess(p, q, t) <= grow)
        )
        return inside

    def corner(self, *, upper: bool) -> tuple[float, float]:
        """Return (y, z) of the back corner of an endplate in the mid-sagittal plane, RAS+ mm."""
        q = float(np.tan(self.wedge / 2)) * self.back + self.height / 2
        _, y, z = self.frame.world(self.back, q if upper else -q)
        return y, z


@dataclass(frozen=True)
class NeckDisc:
    """A disc inside the outline of its neighbours; what passes it into the canal is painted there.

    Attributes:
        name: Such as ``C5-C6``.
        label: Its number in a label map.
        frame: Centre between the endplates, mean tilt.
        depth: AP length, mm.
        width: Left to right, mm.
        height: Rim to rim at the centre, mm.
        wedge: Angle between the endplates, radians.
        slip: Forward offset of the body above, mm.
        rise: How far its sides rise beside the body above, mm.
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
    rise: float
    hollow: float = 0.4

    @property
    def back(self) -> float:
        """Return p of its back edge at the midline."""
        return -self.depth / 2 + self.hollow

    def excess(self, p: Values, q: Values, t: Values) -> Values:
        """Return mm beyond the outline, which leans forward with a slip; negative inside."""
        return slipped_excess(self, p, q, t)

    def half(self, p: Values) -> Values:
        """Return half the height at p."""
        return np.float32(self.height / 2) + np.float32(np.tan(self.wedge / 2)) * p

    def inside(self, p: Values, q: Values, t: Values) -> NDArray[np.bool_]:
        """Return where a point lies in the disc; endplates' bowls count, bodies are painted over it."""
        excess = self.excess(p, q, t)
        deeper = 2.5 * np.clip(-excess / 3.0, 0.0, 1.0)
        side = np.clip((np.abs(t) / np.float32(self.width / 2) - 0.6) / 0.4, 0.0, 1.0)
        half = np.maximum(self.half(p), 0.3)
        inside: NDArray[np.bool_] = (excess <= 0) & (q <= half + deeper + self.rise * side) & (q >= -half - deeper)
        return inside
