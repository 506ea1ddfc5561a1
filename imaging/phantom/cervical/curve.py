"""The dural tube as a curve in the sagittal plane, from T4 up to the medulla, with its sizes along it.

Canal coordinates of a point: the index of the nearest sample (0.5 mm apart, upwards with the index), d, the
distance from the curve, positive to the front, and t, the distance from the midline, positive to the right.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator
from scipy.spatial import cKDTree

from imaging.phantom.shapes import Values

STEP_MM = 0.5

Samples = NDArray[np.float64]
"""One value for each sample of the curve."""


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
class CanalCurve:
    """The middle of the dural tube, foot first.

    Attributes:
        x: Samples of the midline, RAS+ mm.
        y: Samples, RAS+ mm.
        z: Samples, RAS+ mm.
        normal_y: Forward unit normal.
        normal_z: Forward unit normal.
        half_ap: Half the AP diameter of the dural tube, mm.
        half_width: Half its width, mm.
        bony_half_width: Half the distance between the pedicles, mm.
        cord_half_ap: Half the AP diameter of the healthy cord, mm.
        cord_half_width: Half its width, mm.
    """

    x: Samples
    y: Samples
    z: Samples
    normal_y: Samples
    normal_z: Samples
    half_ap: Samples
    half_width: Samples
    bony_half_width: Samples
    cord_half_ap: Samples
    cord_half_width: Samples
    _tree: cKDTree = field(repr=False)

    def coordinates(self, y: Values, z: Values) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the nearest sample and the signed distance d (mm, positive to the front) of world points."""
        yy, zz = np.broadcast_arrays(y, z)
        points = np.column_stack([yy.ravel(), zz.ravel()])
        _, index = self._tree.query(points)
        index = np.asarray(index).reshape(yy.shape)
        d = (yy - self.y[index]) * self.normal_y[index] + (zz - self.z[index]) * self.normal_z[index]
        return index, d.astype(np.float32)

    def at_height(self, z: Values) -> NDArray[np.float32]:
        """Return y of the curve at a height z; past its ends the end's y."""
        return np.interp(z, self.z, self.y).astype(np.float32)

    def midline_at(self, z: Values) -> NDArray[np.float32]:
        """Return x of the midline at a height z."""
        return np.interp(z, self.z, self.x).astype(np.float32)

    def nearest(self, y: float, z: float) -> int:
        """Return the sample nearest to a point."""
        return int(self._tree.query([y, z])[1])

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
        _tree=cKDTree(position),
    )
