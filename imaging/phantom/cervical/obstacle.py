"""What pushes into the dural tube at a disc: disc and spurs from the front, the ligamentum flavum from behind.

Given in canal coordinates: ``along``, mm along the canal from the disc's middle, positive to the head, and t, mm
to the patient's right of the midline.
"""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.cervical.plan import DiscPlan
from imaging.phantom.shapes import Values

_FLAVUM_HALF_LENGTH_MM = 4.5
_EDGE_MM = 1.0  # how far a bulge without spurs overhangs the endplates


@dataclass(frozen=True)
class Obstacle:
    """The obstacle of one level.

    Attributes:
        level: Such as ``C5-C6``.
        sample: Where the disc's back lies on the canal's curve.
        half_height: Half the height of the disc, mm.
        plan: What was drawn.
    """

    level: str
    sample: int
    half_height: float
    plan: DiscPlan

    @property
    def reach(self) -> float:
        """Return how far along the canal it can be felt, mm."""
        plan = self.plan
        return self.half_height + _EDGE_MM + max(plan.osteophyte, plan.focal_reach + abs(plan.focal_shift)) + 3.0

    @property
    def focal_half_height(self) -> float:
        """Return half the height of the herniation, mm: that of its disc, or more for an extrusion."""
        return max(self.half_height, 1.0) + self.plan.focal_reach

    def from_front(self, along: Values, t: Values) -> Values:
        """Return by how many mm disc and spurs pass the back of the bodies."""
        plan = self.plan
        half = self.half_height + _EDGE_MM + plan.osteophyte
        extent = (
            plan.bulge * np.exp(-((along / half) ** 4)) * (1.0 - 0.25 * np.clip(np.abs(t) / 9.0, 0.0, 1.0) ** 2)
        )
        if plan.focal:
            tall = self.focal_half_height
            lobe = np.exp(
                -(((along - plan.focal_shift) / tall) ** 4) - ((t - plan.focal_t) / plan.focal_spread) ** 4
            )
            extent = extent + plan.focal * lobe
        return np.asarray(extent)

    def from_behind(self, along: Values) -> Values:
        """Return by how many mm the ligamentum flavum pushes in."""
        return np.asarray(self.plan.flavum * np.exp(-((along / _FLAVUM_HALF_LENGTH_MM) ** 2)))
