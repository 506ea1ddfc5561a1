"""Boxes around what is painted, given in the frame of a body or disc."""

from typing import NamedTuple

from imaging.phantom.grid import Box
from imaging.phantom.shapes import Frame


class Extent(NamedTuple):
    """A box around a bone in a frame: from and to, mm."""

    p_from: float
    p_to: float
    q_from: float
    q_to: float
    t_from: float
    t_to: float


def box_around(frame: Frame, extent: Extent) -> Box:
    """Return the world box around an extent."""
    corners = [
        frame.world(p, q, t)
        for p in (extent.p_from, extent.p_to)
        for q in (extent.q_from, extent.q_to)
        for t in (extent.t_from, extent.t_to)
    ]
    x, y, z = zip(*corners, strict=True)
    return (min(x), min(y), min(z)), (max(x), max(y), max(z))
