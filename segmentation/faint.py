"""Faint discs: places where the network half sees a disc that its mask leaves out.

The lumbosacral disc is the one most often missed (narrow, dark, at the edge of the field); then the map of disc
probability still rises there. A faint disc is never outlined or measured: it says that a disc may lie here.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.chain import DiscChain
from segmentation.frame import Points, SliceFrame
from segmentation.shapes import build_shape

FAINT = 0.1
"""Disc probability from here on is looked at (on held-out T2 middle slices 18 of 172 had such a place below the
lowest disc; at 0.05 it was 26, at 0.35 14)."""
_LEAST_AREA = 0.004
"""Smaller places, as a share of the squared pitch, are noise (half a per cent of a square pitch is about three
pixels of a 512-pixel slice)."""
_EIGHT = np.ones((3, 3), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class FaintDisc:
    """A place that may be a disc.

    Attributes:
        centre: Centre of gravity, plane.
        posterior: Its end at the canal, plane.
        axis: Unit vector along it, front to back, plane.
        length: Along the axis, plane units.
        probability: Highest disc probability.
    """

    centre: Points
    posterior: Points
    axis: Points
    length: float
    probability: float


def faint_near(
    point: Points, reach: float, chain: DiscChain, probability: NDArray[np.float32], frame: SliceFrame
) -> FaintDisc | None:
    """Return the faint disc nearest to a place, None without one.

    Args:
        point: Expected centre, plane.
        reach: Its centre lies no farther than this from the point, plane units.
        chain: The outlined discs; what touches one of them is part of it.
        probability: Disc probability, (rows, columns).
        frame: The slice's plane.
    """
    window = _window(point, reach, frame, probability.shape)
    labels, count = ndimage.label(probability[window] >= FAINT, structure=_EIGHT)
    corner = np.array([window[1].start, window[0].start])
    for disc in chain.discs:
        x, y = (disc.pixels - corner).T
        inside = (x >= 0) & (y >= 0) & (x < labels.shape[1]) & (y < labels.shape[0])
        for own in np.unique(labels[y[inside], x[inside]]):
            labels[labels == own] = 0
    found = []
    for label in range(1, count + 1):
        rows, columns = np.nonzero(labels == label)
        if len(rows) < 4 or len(rows) * frame.pixel_area < _LEAST_AREA * chain.pitch**2:
            continue
        shape = build_shape(np.stack([columns, rows], axis=1) + corner, probability, frame)
        distance = float(np.linalg.norm(shape.centre - point))
        if distance <= reach:
            highest = float(probability[window][labels == label].max())
            found.append((distance, FaintDisc(shape.centre, shape.posterior, shape.axis, shape.length, highest)))
    return min(found, key=lambda item: item[0])[1] if found else None


def _window(point: Points, reach: float, frame: SliceFrame, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return rows and columns around a place, twice as far as the reach, at least one pixel inside the image."""
    low, high = frame.to_px(point - 2 * reach), frame.to_px(point + 2 * reach)
    first = np.clip(np.floor(low), 0, [shape[1] - 1, shape[0] - 1]).astype(int)
    last = np.clip(np.ceil(high), 0, [shape[1] - 1, shape[0] - 1]).astype(int)
    return slice(int(first[1]), int(last[1]) + 1), slice(int(first[0]), int(last[0]) + 1)
