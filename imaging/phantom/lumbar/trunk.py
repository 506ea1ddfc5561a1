"""Soft tissues around the spine: skin, fat, muscles, vessels, abdomen. Painted first; left and right differ.

Depths are own choice, to look like a lumbar MRI; nothing here carries truth. The aorta lies to the patient's left
(x < 0), the inferior vena cava and the liver to the right.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette

_HALF_WIDTH_MM = 170.0
_FRONT_MM = 150.0
_FASCIA_MM = 50.0  # behind the canal


def paint_trunk(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint everything around the spine on a canvas."""
    view = canvas.whole()
    back = _back(spine, view.z)
    fat = spine.plan.back_fat
    view.paint(_outline(view, back - _FASCIA_MM - fat - 2.5, 0.0), palette.number("skin"))
    view.paint(_outline(view, back - _FASCIA_MM - fat, 2.5), palette.number("fat"))
    view.paint(_outline(view, back - _FASCIA_MM, 18.0), palette.number("ligament"))
    inner = _outline(view, back - _FASCIA_MM + 1.5, 20.0)
    view.paint(inner, palette.number("fat"))
    _paint_abdomen(canvas, spine, palette, inner)
    _paint_back_muscles(view, spine, palette, back)
    _paint_psoas_and_vessels(view, spine, palette)


def _back(spine: Spine, z: Values) -> Values:
    """Return y of the canal at a height, smoothed so that skin and fascia bridge the lordosis."""
    heights = np.arange(-200.0, 420.0, 2.0)
    y = spine.curve.at_height(heights)
    y = np.minimum(y, y.mean() + 12.0)
    width = np.exp(-0.5 * (np.arange(-60, 61) * 2.0 / 38.0) ** 2)
    padded = np.pad(y, 60, mode="edge")
    smooth = np.convolve(padded, width / width.sum(), mode="valid")
    return np.interp(z, heights, smooth).astype(np.float32)


def _outline(view: View, back: Values, inset: float) -> NDArray[np.bool_]:
    """Return where a point lies in the trunk, its back at ``back`` and the other sides moved in by ``inset``."""
    front = np.float32(_FRONT_MM - inset)
    middle, half = (front + back) / 2, (front - back) / 2
    across = np.abs(view.x / np.float32(_HALF_WIDTH_MM - inset)) ** np.float32(2.6)
    along = np.abs((view.y - middle) / half) ** np.float32(2.6)
    inside: NDArray[np.bool_] = across + along <= 1.0
    return inside


def _ellipse(view: View, x: float, y: Values, rx: float, ry: Values | float) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((view.x - np.float32(x)) / rx) ** 2 + ((view.y - y) / ry) ** 2 <= 1.0
    return inside


def _paint_back_muscles(view: View, spine: Spine, palette: Palette, back: Values) -> None:
    """Paint multifidus and erector spinae on both sides, between laminae and fascia."""
    canal = spine.curve.at_height(view.z)
    middle = (canal - 12.0 + back - _FASCIA_MM + 2.0) / 2
    half = np.maximum((canal - 12.0) - (back - _FASCIA_MM + 2.0), 16.0) / 2
    for sign in (-1.0, 1.0):
        view.paint(_ellipse(view, sign * 36.0, middle - 1.0, 25.0, half), palette.number("muscle"))
        view.paint(_ellipse(view, sign * 14.0, middle, 11.5, half), palette.number("multifidus"))
        view.paint(_ellipse(view, sign * 72.0, canal + 6.0, 22.0, 15.0), palette.number("muscle"))


def _paint_psoas_and_vessels(view: View, spine: Spine, palette: Palette) -> None:
    """Paint psoas, aorta (left) and vena cava (right) along the bodies from T12 to the promontory."""
    depth = spine.body("L3").depth
    body = spine.curve.at_height(view.z) + np.float32(10.0 + depth / 2)
    top, low = spine.body("L1").frame.z, spine.body("S1").frame.z
    growth = np.clip((top - view.z) / (top - low), 0.0, 1.0)
    psoas = (view.z < top) & (view.z > low - 60.0)
    for sign in (-1.0, 1.0):
        x = np.float32(sign) * (spine.body("L3").width / 2 + 4 + 14 * growth)
        shape = ((view.x - x) / (5 + 13 * growth)) ** 2 + ((view.y - body + 3) / (8 + 13 * growth)) ** 2 <= 1
        view.paint(shape & psoas, palette.number("muscle"))
    vessels = view.z > spine.body("L4").frame.z - 8.0
    front = body + np.float32(depth / 2 + 10.0)
    view.paint(_ellipse(view, -11.0, front, 9.5, 9.0) & vessels, palette.number("cortex"))
    view.paint(_ellipse(view, -11.0, front, 8.5, 8.0) & vessels, palette.number("vessel"))
    view.paint(_ellipse(view, 14.0, front - 2.0, 11.0, 8.0) & vessels, palette.number("vessel"))


def _paint_abdomen(canvas: Canvas, spine: Spine, palette: Palette, inner: NDArray[np.bool_]) -> None:
    """Paint the abdominal cavity with bowel, liver (right) and kidneys in front of the spine."""
    view = canvas.whole()
    front = spine.curve.at_height(view.z) + np.float32(10.0 + spine.body("L3").depth + 22.0)
    view.paint(inner & (view.y > front), palette.number("visceral"))
    rng = np.random.default_rng((spine.plan.seed, 2))
    for _ in range(150):
        centre = rng.uniform((-95.0, 30.0, -100.0), (95.0, 135.0, 240.0))
        radii = rng.uniform((6.0, 4.0, 5.0), (20.0, 13.0, 20.0))
        tissue = palette.number(str(rng.choice(["bowel", "bowel", "organ", "fat", "muscle"])))
        _paint_ellipsoid(canvas, centre.tolist(), radii.tolist(), tissue, over=palette.number("visceral"))
    l2, organ = spine.body("L2").frame, palette.number("organ")
    for sign, drop in ((-1.0, 0.0), (1.0, 14.0)):
        _paint_ellipsoid(canvas, (sign * 68.0, l2.y - 2.0, l2.z - drop), (24.0, 22.0, 52.0), organ)
    liver = (85.0, 70.0, l2.z + 75.0)
    _paint_ellipsoid(canvas, liver, (75.0, 70.0, 75.0), organ, over=palette.number("visceral"))


def _paint_ellipsoid(
    canvas: Canvas, centre: Sequence[float], radii: Sequence[float], tissue: int, *, over: int | None = None
) -> None:
    """Paint an ellipsoid; with ``over`` only where that tissue is."""
    low, high = np.subtract(centre, radii), np.add(centre, radii)
    view = canvas.view((tuple(low.tolist()), tuple(high.tolist())))
    if view is None:
        return
    steps = [
        ((axis - np.float32(c)) / np.float32(r)) ** 2
        for axis, c, r in zip((view.x, view.y, view.z), centre, radii, strict=True)
    ]
    mask = steps[0] + steps[1] + steps[2] <= 1.0
    view.paint(mask if over is None else mask & (view.tissue == over), tissue)
