"""Where muscles and walls of the trunk lie at each height; mm, own choice to look like lumbar MRI."""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.lumbar.place import Spine
from imaging.phantom.shapes import Values

_FASCIA_BEHIND_MM = 43.0  # behind the canal
_SPREAD_MM = 38.0  # over which the back bridges the curves of the spine


@dataclass(frozen=True)
class Section:
    """A muscle across: middle and half sizes at L1 and at S1, x to the side, y from the canal to the front, mm."""

    x: tuple[float, float]
    half_x: tuple[float, float]
    front: tuple[float, float]
    back: tuple[float, float] | None  # None: up to the fascia
    top: str
    bottom: str


_SECTIONS = {
    "erector": Section((42.0, 38.0), (28.0, 20.0), (2.0, -3.0), None, "T8", "S3"),
    "multifidus": Section((13.0, 17.0), (11.0, 15.0), (-8.0, -5.0), None, "T8", "S4"),
    "quadratus": Section((60.0, 66.0), (17.0, 22.0), (14.0, 14.0), (-4.0, -2.0), "T12", "L5"),
    "psoas": Section((24.0, 43.0), (6.0, 20.0), (26.0, 44.0), (10.0, 0.0), "T12", "S2"),
}


class TrunkLines:
    """Heights, fascia and muscle sections of one spine; x is counted from the patient's middle to the side."""

    def __init__(self, spine: Spine) -> None:
        self._spine = spine
        heights = np.arange(-200.0, 420.0, 2.0)
        y = spine.curve.at_height(heights)
        y = np.minimum(y, y.mean() + 12.0)
        width = np.exp(-0.5 * (np.arange(-60, 61) * 2.0 / _SPREAD_MM) ** 2)
        self._heights = heights
        self._back = np.convolve(np.pad(y, 60, mode="edge"), width / width.sum(), mode="valid")

    def canal(self, z: Values) -> Values:
        """Return y of the canal."""
        return self._spine.curve.at_height(z)

    def body(self, z: Values) -> Values:
        """Return y of the middle of the bodies."""
        return self.canal(z) + np.float32(9.0 + self._spine.body("L3").depth / 2)

    def front(self, z: Values) -> Values:
        """Return y of the front of the bodies."""
        return self.canal(z) + np.float32(9.0 + self._spine.body("L3").depth)

    def fascia(self, z: Values) -> Values:
        """Return y of the fascia behind the back muscles."""
        return np.interp(z, self._heights, self._back).astype(np.float32) - np.float32(_FASCIA_BEHIND_MM)

    def growth(self, z: Values) -> Values:
        """Return 0 at L1 and above, 1 at S1 and below."""
        top, low = self._spine.body("L1").frame.z, self._spine.body("S1").frame.z
        return np.clip((top - z) / (top - low), 0.0, 1.0)

    def span(self, name: str) -> tuple[float, float]:
        """Return from where to where a muscle runs (foot, head), z in mm."""
        row = _SECTIONS[name]
        return self._spine.body(row.bottom).frame.z, self._spine.body(row.top).frame.z + 40.0 * (row.top == "T8")

    def reach(self, name: str) -> tuple[float, float]:
        """Return the least and greatest x of a muscle."""
        row = _SECTIONS[name]
        pairs = list(zip(row.x, row.half_x, strict=True))
        return min(x - half for x, half in pairs), max(x + half for x, half in pairs)

    def section(self, name: str, z: Values) -> tuple[Values, Values, Values, Values]:
        """Return x, y of the middle and both half sizes of a muscle at a height."""
        row, share, canal = _SECTIONS[name], self.growth(z), self.canal(z)
        front = canal + _between(row.front, share)
        back = self.fascia(z) + np.float32(2.0) if row.back is None else canal + _between(row.back, share)
        half = np.maximum((front - back) / 2, 4.0)
        return _between(row.x, share), front - half, _between(row.half_x, share), half


def _between(pair: tuple[float, float], share: Values) -> Values:
    return np.float32(pair[0]) + np.float32(pair[1] - pair[0]) * share
