"""The shape of one disc: centre, axis from front to back, length, thickness, posterior margin.

All in the slice's plane (``segmentation.frame``). A shape is made from the pixels of a mask; nothing here knows
which level it is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points, SliceFrame, caudal_normal

Pixels = NDArray[np.intp]
"""Pixel indices (x, y) = (column, row), shape (n, 2)."""

_END_SHARE = 0.12
"""Share of the disc's length whose pixels give the height of its posterior end (our choice: steadier than one
extreme pixel, short enough to follow a bulge)."""
_ROUND = 0.7
"""Thickness over length above which a blob's own axis says nothing (a disc cut by the border, say)."""


@dataclass(frozen=True, eq=False)
class DiscShape:
    """One disc candidate.

    Attributes:
        pixels: Its pixels (x, y).
        centre: Centre of gravity, plane.
        axis: Unit vector along the disc, front to back, plane.
        length: Extent along ``axis``, plane units.
        thickness: Area over length, plane units.
        posterior: Its end at the canal, plane.
        probability: Mean disc probability over the pixels.
        touches_border: True when a pixel lies on the image border.
    """

    pixels: Pixels
    centre: Points
    axis: Points
    length: float
    thickness: float
    posterior: Points
    probability: float
    touches_border: bool

    @property
    def normal(self) -> Points:
        """Return the unit vector across the disc, towards the feet."""
        return caudal_normal(self.axis)

    @property
    def is_round(self) -> bool:
        """Return True when the blob is too round to have an axis of its own."""
        return self.thickness > _ROUND * self.length

    @property
    def area(self) -> int:
        """Return the number of pixels."""
        return len(self.pixels)


def build_shape(
    pixels: Pixels,
    probability: NDArray[np.float32],
    frame: SliceFrame,
    *,
    axis: Points | None = None,
) -> DiscShape:
    """Measure the shape of a blob.

    Args:
        pixels: (n, 2) pixel indices (x, y), n at least 1.
        probability: Disc probability of the slice, (rows, columns).
        frame: The slice's plane.
        axis: Direction to use instead of the blob's own principal axis, front to back.
    """
    points = frame.to_plane(pixels)
    centre = points.mean(axis=0)
    if axis is None:
        axis = _principal_axis(points - centre)
    along = (points - centre) @ axis
    low, high = np.percentile(along, [1.0, 99.0])
    length = float(high - low + frame.pixel_side)
    end = along >= high - _END_SHARE * length
    across = (points[end] - centre) @ caudal_normal(axis)
    posterior = centre + axis * (high + frame.pixel_side / 2) + caudal_normal(axis) * across.mean()
    rows, columns = probability.shape
    x, y = pixels[:, 0], pixels[:, 1]
    return DiscShape(
        pixels=pixels,
        centre=centre,
        axis=axis,
        length=length,
        thickness=float(len(pixels) * frame.pixel_area / length),
        posterior=posterior,
        probability=float(probability[y, x].mean()),
        touches_border=bool((x.min() == 0) or (y.min() == 0) or (x.max() == columns - 1) or (y.max() == rows - 1)),
    )


def _principal_axis(offsets: Points) -> Points:
    """Return the direction of largest spread, pointing to larger x (to the back)."""
    if len(offsets) < 3:
        return np.array([1.0, 0.0])
    _, vectors = np.linalg.eigh(offsets.T @ offsets)
    axis: Points = vectors[:, -1]
    return axis if axis[0] >= 0 else -axis
