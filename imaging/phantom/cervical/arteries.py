"""The vertebral arteries, through the rings of the transverse processes: flow voids on spin echo."""

import numpy as np

from imaging.phantom.canvas import Canvas
from imaging.phantom.cervical.arch import ARTERY_T_MM, build_arch
from imaging.phantom.cervical.arch import artery_p as place_in
from imaging.phantom.cervical.place import Neck
from imaging.phantom.tissues import Palette

# Radius of the left and right artery; the left is the larger one more often. Own choice.
_RADII_MM = (2.1, 1.8)


def paint_arteries(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint both arteries from T1 up to C2, in fat."""
    names = ("C2", "C3", "C4", "C5", "C6", "C7")
    bodies = [neck.body(name) for name in reversed(names)]
    points = np.array([body.frame.world(place_in(build_arch(neck, body)), 0.0) for body in bodies])
    low, high = points.min(axis=0), points.max(axis=0)
    view = canvas.view(((low[0] - 22, low[1] - 6, low[2] - 8), (high[0] + 22, high[1] + 6, high[2] + 6)))
    if view is None:
        return
    y = np.interp(view.z, points[:, 2], points[:, 1]).astype(np.float32)
    x = np.interp(view.z, points[:, 2], points[:, 0]).astype(np.float32)
    for sign, radius in zip((-1.0, 1.0), _RADII_MM, strict=True):
        distance = np.hypot(view.x - x - sign * ARTERY_T_MM, view.y - y)
        view.paint(distance <= 3.0, palette.number("fat"))
        view.paint(distance <= radius, palette.number("vessel"))
