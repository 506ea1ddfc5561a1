"""Height of a disc and of the vertebral bodies beside it, from their masks.

Definition, kept the same everywhere: in the frame of the disc (axis from front to back by its principal
direction, height at right angles), the mean height over a window of the axis is the mask's area there over the
window's width. Windows: front, middle and rear third, the outermost 8 % at either end left out because the
annulus is rounded there. The height index is disc height over vertebral height, both along the same line
direction: a stretched pixel stretches both alike, so the index needs no pixel spacing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.frame import Points, SliceFrame
from segmentation.shapes import DiscShape, build_shape

_ENDS = 0.08
_THIRDS = {"anterior": (_ENDS, 1 / 3), "middle": (1 / 3, 2 / 3), "posterior": (2 / 3, 1 - _ENDS)}

Line = tuple[tuple[float, float], tuple[float, float]]
"""Two end points (x, y) in pixels of the original slice."""


@dataclass(frozen=True)
class HeightMeasure:
    """A height in plane units with the line that shows it."""

    value: float
    line_px: Line


def disc_shape(labels: NDArray[np.uint8], label: int, frame: SliceFrame) -> DiscShape | None:
    """Return the shape of a numbered disc of a label slice (rows, columns), None when it has under 8 pixels."""
    rows, columns = np.nonzero(labels == label)
    if len(rows) < 8:
        return None
    pixels = np.stack([columns, rows], axis=1).astype(np.intp)
    return build_shape(pixels, (labels == label).astype(np.float32), frame)


def measure_heights(disc: DiscShape, frame: SliceFrame) -> dict[str, HeightMeasure]:
    """Return the mean heights of the front, middle and rear window of a disc."""
    return {name: _window_height(disc, window, frame) for name, window in _THIRDS.items()}


def measure_body_height(labels: NDArray[np.uint8], label: int, disc: DiscShape, frame: SliceFrame) -> float | None:
    """Return the height of a vertebral body along a neighbouring disc's normal, under the disc's middle third.

    Returns:
        Plane units; None when the body does not lie across the whole window.
    """
    rows, columns = np.nonzero(labels == label)
    if len(rows) == 0:
        return None
    points = frame.to_plane(np.stack([columns, rows], axis=1))
    along = (points - disc.centre) @ disc.axis
    half = disc.length / 6
    inside = np.abs(along) <= half
    if inside.sum() < 8 or np.ptp(along[inside]) < 1.6 * half:
        return None
    return float(inside.sum() * frame.pixel_area / (2 * half))


def _window_height(disc: DiscShape, window: tuple[float, float], frame: SliceFrame) -> HeightMeasure:
    points = frame.to_plane(disc.pixels)
    along = (points - disc.centre) @ disc.axis
    low, high = np.percentile(along, [1.0, 99.0])
    first, last = (low + share * (high - low) for share in window)
    inside = (along >= first) & (along <= last)
    value = float(inside.sum() * frame.pixel_area / (last - first))
    middle = disc.centre + disc.axis * (first + last) / 2
    if inside.any():
        across = (points[inside] - disc.centre) @ disc.normal
        middle = middle + disc.normal * across.mean()
    return HeightMeasure(
        value, line_between(middle - disc.normal * value / 2, middle + disc.normal * value / 2, frame)
    )


def line_between(first: Points, second: Points, frame: SliceFrame) -> Line:
    """Return two plane points as a line in pixels."""
    a, b = frame.to_px(first), frame.to_px(second)
    return (float(a[0]), float(a[1])), (float(b[0]), float(b[1]))
