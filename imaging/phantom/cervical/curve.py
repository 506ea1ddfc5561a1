"""The dural tube as a curve in the sagittal plane, from T4 up to the medulla, with its sizes along it.

Canal coordinates of a point: the index of the nearest sample (0.5 mm apart, upwards with the index), d, the
distance from the curve, positive to the front, and t, the distance from the midline, positive to the right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial import cKDTree

from imaging.phantom.curve import STEP_MM, Samples, SideCurve
from imaging.phantom.shapes import Values


@dataclass(frozen=True)
class Node:
    """A point of the curve with the sizes there, mm."""

    x: float
    y: float
    z: float
    half_ap: float
    half_width: float
    bony_half_width: float
    cord_half_ap: float
    cord_half_width: float


@dataclass(frozen=True)
class CanalCurve(SideCurve):
    """The middle of the dural tube, foot first.

    Attributes:
        half_ap: Half the AP diameter of the dural tube, mm.
        half_width: Half its width, mm.
        bony_half_width: Half the distance between the pedicles, mm.
        cord_half_ap: Half the AP diameter of the healthy cord, mm.
        cord_half_width: Half its width, mm.
    """

    half_ap: Samples
    half_width: Samples
    bony_half_width: Samples
    cord_half_ap: Samples
    cord_half_width: Samples

    def midline_at(self, z: Values) -> NDArray[np.float32]:
        """Return x of the midline at a height z."""
        return np.interp(z, self.z, self.x).astype(np.float32)

    def world(self, sample: int, d: float, t: float = 0.0) -> tuple[float, float, float]:
        """Return (x, y, z) in RAS+ mm of a point given in canal coordinates."""
        return (
            float(self.x[sample]) + t,
            float(self.y[sample] + d * self.normal_y[sample]),
            float(self.z[sample] + d * self.normal_z[sample]),
        )


def build_curve(nodes: list[Node]) -> CanalCurve:
    """Build the curve through its nodes, given from foot to head; sizes go smoothly and never overshoot."""
    points = np.array([[node.y, node.z] for node in nodes])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    spline = CubicSpline(length, points)
    along = np.arange(0.0, length[-1], STEP_MM)
    position, tangent = spline(along), spline(along, 1)
    tangent /= np.hypot(*tangent.T)[:, None]

    def spread(name: str) -> Samples:
        return np.asarray(PchipInterpolator(length, [getattr(node, name) for node in nodes])(along))

    return CanalCurve(
        x=spread("x"),
        y=position[:, 0],
        z=position[:, 1],
        normal_y=tangent[:, 1],
        normal_z=-tangent[:, 0],
        half_ap=spread("half_ap"),
        half_width=spread("half_width"),
        bony_half_width=spread("bony_half_width"),
        cord_half_ap=spread("cord_half_ap"),
        cord_half_width=spread("cord_half_width"),
        tree=cKDTree(position),
    )
