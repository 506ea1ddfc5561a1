"""A canal as a curve seen from the side, foot first, and the coordinates that go with it.

Canal coordinates of a point: the index of the nearest sample in the side view (``STEP_MM`` apart, upwards with the
index), and d, the distance from the curve in that view, positive to the front.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from imaging.phantom.shapes import Values

STEP_MM = 0.5

Samples = NDArray[np.float64]
"""One value for each sample of the curve."""


@dataclass(frozen=True)
class SideCurve:
    """The middle of a canal; a region adds the sizes along it.

    Attributes:
        x: Samples of the midline, RAS+ mm.
        y: Samples, RAS+ mm.
        z: Samples, RAS+ mm.
        normal_y: Forward unit normal.
        normal_z: Forward unit normal.
        tree: Finds the nearest sample of (y, z).
    """

    x: Samples
    y: Samples
    z: Samples
    normal_y: Samples
    normal_z: Samples
    tree: cKDTree = field(repr=False)

    def coordinates(self, y: Values, z: Values) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Return the nearest sample and the signed distance d (mm, positive to the front) of world points."""
        yy, zz = np.broadcast_arrays(y, z)
        points = np.column_stack([yy.ravel(), zz.ravel()])
        _, index = self.tree.query(points)
        index = np.asarray(index).reshape(yy.shape)
        d = (yy - self.y[index]) * self.normal_y[index] + (zz - self.z[index]) * self.normal_z[index]
        return index, d.astype(np.float32)

    def at_height(self, z: Values) -> NDArray[np.float32]:
        """Return y of the curve at a height z; past its ends the end's y."""
        return np.interp(z, self.z, self.y).astype(np.float32)

    def nearest(self, y: float, z: float) -> int:
        """Return the sample nearest to a point."""
        return int(self.tree.query([y, z])[1])
