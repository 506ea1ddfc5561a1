"""Soft tissues of neck, face and upper chest: skin, fat, muscles, airway, gullet, vessels. Painted first.

Depths are own choice, to look like a cervical MRI; nothing here carries truth. Heights are told from ``level``:
0 at the top of T1, 1 at the top of C2's body.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.cervical.place import Neck
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette

# level: distance of the skin behind the canal and in front of it, half width, mm.
_OUTLINE = (
    (-1.3, 78.0, 110.0, 185.0),
    (-0.55, 76.0, 74.0, 170.0),
    (-0.2, 72.0, 60.0, 118.0),
    (0.1, 66.0, 59.0, 72.0),
    (0.4, 60.0, 62.0, 60.0),
    (0.7, 57.0, 66.0, 60.0),
    (0.85, 56.0, 84.0, 63.0),
    (0.97, 56.0, 104.0, 66.0),
    (1.2, 60.0, 108.0, 72.0),
    (1.6, 74.0, 112.0, 78.0),
)
_SKIN_MM = 1.8
_BRIDGE_MM = 26.0  # own choice


@dataclass(frozen=True)
class _Stage:
    """The whole canvas with what every painter needs.

    Attributes:
        view: A part of the canvas.
        level: Height of each sample.
        x: To the patient's right of the spine, mm.
        fore: In front of the canal's middle, mm.
        smooth: The same with the canal straightened, as skin and nape bridge its curve.
    """

    view: View
    level: NDArray[np.float32]
    x: Values
    fore: Values
    smooth: Values


def paint_soft_tissues(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint everything around the spine on a canvas."""
    deep = _SKIN_MM + neck.plan.neck_fat
    everything = _stage(canvas, neck, -3.0, 3.0)
    if everything is None:
        return
    everything.view.paint(_outline(everything, 0.0), palette.number("skin"))
    everything.view.paint(_outline(everything, _SKIN_MM), palette.number("fat"))
    inner = _outline(everything, deep)
    everything.view.paint(inner, palette.number("visceral"))
    _paint_neck_muscles(everything, neck, inner, palette)
    for low, high, paint in (
        (-3.0, -0.1, _paint_lungs),
        (0.6, 1.75, _paint_face),
        (-3.0, 1.65, _paint_airway),
        (-0.4, 1.35, _paint_vessels),
    ):
        stage = _stage(canvas, neck, low, high)
        if stage is not None:
            paint(stage, neck, palette)


def _stage(canvas: Canvas, neck: Neck, low: float, high: float) -> _Stage | None:
    """Return the part of a canvas between two levels; None where it has none of it."""
    top = neck.bodies[0].frame.z + neck.bodies[0].height / 2
    view = canvas.view(((-300.0, -300.0, low * top), (300.0, 300.0, high * top)))
    if view is None:
        return None
    level = (view.z / np.float32(top)).astype(np.float32)
    side, fore = view.x - neck.curve.midline_at(view.z), view.y - neck.curve.at_height(view.z)
    return _Stage(view, level, side, fore, view.y - _bridged(neck, view.z))


def _bridged(neck: Neck, z: Values) -> NDArray[np.float32]:
    """Return y of the canal at a height, smoothed over some vertebrae."""
    heights = np.arange(-220.0, 260.0, 2.0)
    smooth = gaussian_filter1d(neck.curve.at_height(heights).astype(np.float64), _BRIDGE_MM / 2.0, mode="nearest")
    return np.asarray(np.interp(z, heights, smooth), dtype=np.float32)


def _at(level: Values, table: tuple[tuple[float, ...], ...], column: int) -> NDArray[np.float32]:
    rows = np.array(table)
    return np.asarray(np.interp(level, rows[:, 0], rows[:, column]), dtype=np.float32)


def _outline(stage: _Stage, inset: float) -> NDArray[np.bool_]:
    """Return where a point lies inside the skin, moved in by some mm."""
    back, front = -_at(stage.level, _OUTLINE, 1) + inset, _at(stage.level, _OUTLINE, 2) - inset
    half = (front - back) / 2
    along = ((stage.smooth - (front + back) / 2) / half) ** 2
    across = (stage.x / (_at(stage.level, _OUTLINE, 3) - np.float32(inset))) ** 2
    inside: NDArray[np.bool_] = across * across + along <= 1.0
    return inside


def _between(stage: _Stage, low: float, high: float) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (stage.level > low) & (stage.level < high)
    return found


def _paint_lungs(stage: _Stage, neck: Neck, palette: Palette) -> None:
    """Paint the apices of the lungs beside the upper thoracic spine, in a thin wall of muscle."""
    rise = np.clip((-0.12 - stage.level) / 0.6, 0.0, 1.0)
    for sign in (-1.0, 1.0):
        for grow, tissue in ((5.0, "neck_muscle"), (0.0, "air")):
            size = 1e-3 + (52.0 + grow) * np.sqrt(rise)
            lung = ((stage.x - sign * 58.0) / size) ** 2 + ((stage.fore - 22.0) / (1.05 * size)) ** 2 <= 1.0
            stage.view.paint(lung & (rise > 0), palette.number(tissue))


def _paint_neck_muscles(stage: _Stage, neck: Neck, inner: NDArray[np.bool_], palette: Palette) -> None:
    """Fill the nape with muscle, cut by seams of fat; then the muscles beside the spine."""
    view, muscle, fat = stage.view, palette.number("neck_muscle"), palette.number("fat")
    skin = _at(stage.level, _OUTLINE, 1) - neck.plan.neck_fat
    side = np.abs(stage.x)
    wide = 0.86 * _at(stage.level, _OUTLINE, 3)
    view.paint(inner & (stage.fore < 17.0 - 0.28 * side) & (side < wide), muscle)
    middle, half = -(skin + 16.0) / 2, np.maximum((skin - 16.0) / 2, 6.0)
    for rx, share, thick in ((11.5, 0.52, 0.035), (24.0, 0.86, 0.016)):
        along = (stage.smooth - middle - (1.0 - share) * 0.6 * half) / (share * half)
        ring = np.hypot((side - 0.86 * rx) / rx, along)
        view.paint(inner & (np.abs(ring - 1.0) < thick) & (side > 2.0), palette.number("visceral"))
    deep = ((side - 9.0) / 7.5) ** 2 + ((stage.smooth - middle - 0.55 * half) / 7.5) ** 2 <= 1.0
    view.paint(deep & (stage.level < 1.05), palette.number("multifidus"))
    seam = np.abs(side - 38.0 - 0.35 * (stage.fore + 20.0) + 0.004 * stage.fore**2) < 0.5
    view.paint(inner & seam & (stage.fore < 6.0), palette.number("visceral"))
    climb = np.clip(stage.level, 0.0, 1.15)
    turn = (34.0 + 14.0 * climb, 32.0 - 36.0 * climb)  # the sternomastoid turns to the back as it rises
    part = _between(stage, -0.15, 1.5)
    view.paint(_ellipse(stage, side, 30.0, 6.0, 9.0, 8.0) & (stage.level < 0.95), muscle)
    view.paint(_ellipse(stage, side, turn[0], turn[1], 15.0, 9.2) & part, fat)
    view.paint(_ellipse(stage, side, turn[0], turn[1], 14.2, 8.4) & part, muscle)
    nape = (side < 1.3) & (stage.fore < -24.0) & (stage.smooth > 2.0 - skin) & (stage.level < 1.2)
    view.paint(nape, palette.number("ligament"))
    reach = np.interp(stage.level, [-0.1, 0.25, 0.95, 1.1], [48.0, 33.0, 30.0, 6.0]).astype(np.float32)
    between = (side < 4.2) & (stage.fore < -8.0) & (stage.fore > -reach)
    view.paint(between, palette.number("interspinous"))


def _ellipse(
    stage: _Stage, x: Values, x0: Values | float, fore: Values | float, rx: Values | float, ry: Values | float
) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = ((x - x0) / rx) ** 2 + ((stage.fore - fore) / ry) ** 2 <= 1.0
    return inside


def _ball(
    stage: _Stage, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Return where a point lies in a ball given by (side, fore, level) and its radii."""
    side = np.abs(stage.x) if centre[0] else stage.x
    inside: NDArray[np.bool_] = ((side - centre[0]) / radii[0]) ** 2 + (
        (stage.fore - centre[1]) / radii[1]
    ) ** 2 + ((stage.level - centre[2]) / radii[2]) ** 2 <= 1.0
    return inside


def _paint_face(stage: _Stage, neck: Neck, palette: Palette) -> None:
    """Paint tongue, floor of the mouth, lower jaw, palate and nose in front of the pharynx."""
    view = stage.view
    front = _at(stage.level, _OUTLINE, 2)
    inner = _outline(stage, _SKIN_MM + neck.plan.neck_fat)
    view.paint(inner & _ball(stage, (0.0, 58.0, 1.06), (52.0, 50.0, 0.34)), palette.number("gland"))
    view.paint(inner & _ball(stage, (0.0, 64.0, 0.84), (24.0, 28.0, 0.10)), palette.number("neck_muscle"))
    view.paint(inner & _ball(stage, (0.0, 62.0, 1.00), (24.0, 33.0, 0.145)), palette.number("neck_muscle"))
    view.paint(inner & _ball(stage, (0.0, 72.0, 1.145), (22.0, 22.0, 0.012)), palette.number("air"))
    # Hard palate with the soft palate hanging behind it, the nose above.
    view.paint(inner & _ball(stage, (0.0, 78.0, 1.30), (14.0, 36.0, 0.13)), palette.number("mucosa"))
    view.paint(inner & _ball(stage, (7.5, 74.0, 1.30), (2.6, 30.0, 0.10)), palette.number("air"))
    view.paint(inner & _ball(stage, (0.0, 76.0, 1.175), (24.0, 26.0, 0.016)), palette.number("cortex"))
    view.paint(inner & _ball(stage, (0.0, 76.0, 1.175), (23.0, 24.5, 0.006)), palette.number("marrow"))
    view.paint(inner & _ball(stage, (0.0, 42.0, 1.13), (9.0, 13.0, 0.035)), palette.number("neck_muscle"))
    bow = front - 16.0 - (stage.x / 7.2) ** 2
    low = 0.85 + 0.0016 * np.abs(stage.x)
    for inset, tissue in ((0.0, "cortex"), (1.6, "marrow")):
        thick = (6.4 - inset) * np.sqrt(
            np.clip(1.0 - ((stage.level - low - 0.10) / (0.115 - inset / 95)) ** 2, 0, 1)
        )
        view.paint(inner & (np.abs(stage.fore - bow) < thick) & (np.abs(stage.x) < 55.0), palette.number(tissue))
    view.paint(inner & _ball(stage, (50.0, 22.0, 1.05), (11.0, 16.0, 0.24)), palette.number("gland"))
    view.paint(inner & _ball(stage, (24.0, 45.0, 0.78), (10.0, 12.0, 0.09)), palette.number("gland"))


# level: prevertebral tissue, half width and half depth of the airway, mm; own choice.
_AIRWAY = (
    (-1.5, 11.5, 8.5, 8.5),
    (0.30, 11.5, 7.5, 8.0),
    (0.36, 11.0, 6.5, 8.0),
    (0.42, 10.0, 1.6, 7.5),
    (0.47, 8.0, 5.0, 6.5),
    (0.56, 5.0, 9.0, 6.0),
    (0.75, 3.5, 12.0, 6.5),
    (0.95, 3.2, 11.0, 4.5),
    (1.10, 3.4, 12.0, 5.5),
    (1.35, 6.0, 12.0, 8.5),
    (1.52, 11.0, 6.0, 4.0),
    (1.60, 14.0, 0.1, 0.1),
)


def _paint_airway(stage: _Stage, neck: Neck, palette: Palette) -> None:
    """Paint prevertebral muscle, gullet, pharynx, larynx and windpipe in front of the bodies."""
    view = stage.view
    wall = _front_of_bodies(stage, neck)
    soft, wide, deep = (_at(stage.level, _AIRWAY, column) for column in (1, 2, 3))
    view.paint(
        (np.abs(stage.x) < 8.0) & (stage.fore > wall - 6.0) & (stage.fore < wall + 2.2), palette.number("ligament")
    )
    view.paint(_ellipse(stage, np.abs(stage.x), 9.0, wall + 1.0, 7.5, 3.6), palette.number("neck_muscle"))
    middle = wall + soft + deep
    side, is_low = np.abs(stage.x), stage.level < 0.5
    body = ((side / (wide + 5.0)) ** 2 + ((stage.fore - middle) / (deep + 4.0)) ** 2 <= 1.0) & (stage.level < 1.55)
    view.paint(body, palette.number("mucosa"))
    gullet = wall + 5.5
    for rx, ry, tissue in ((8.0, 4.0, "neck_muscle"), (4.5, 1.8, "mucosa")):
        view.paint(_ellipse(stage, stage.x, -2.5, gullet, rx, ry) & is_low, palette.number(tissue))
    _paint_larynx(stage, middle, palette)
    ring = (stage.x / (wide + 1.8)) ** 2 + ((stage.fore - middle) / (deep + 1.8)) ** 2 <= 1.0
    view.paint(ring & (stage.level < 0.34), palette.number("cartilage"))
    air = (stage.x / wide) ** 2 + ((stage.fore - middle) / deep) ** 2 <= 1.0
    view.paint(air & (wide > 0.2), palette.number("air"))
    lid = np.abs(stage.fore - middle - 1.5 - 45.0 * (stage.level - 0.66)) < 1.1
    view.paint(lid & _between(stage, 0.52, 0.77) & (side < 8.0), palette.number("cartilage"))


def _front_of_bodies(stage: _Stage, neck: Neck) -> NDArray[np.float32]:
    """Return how far the front of the bodies lies before the canal's middle at each height, mm."""
    c2 = neck.bodies[0]
    points = [c2.frame.world(12.5, c2.height / 2 + 9.0)] + [b.frame.world(b.depth / 2, 0.0) for b in neck.bodies]
    z = np.array([point[2] for point in points])[::-1]
    y = np.array([point[1] for point in points])[::-1]
    fore = y - neck.curve.at_height(z)
    return np.interp(stage.view.z, z, fore).astype(np.float32)


def _paint_larynx(stage: _Stage, middle: NDArray[np.float32], palette: Palette) -> None:
    """Paint the thyroid cartilage around the voice box, the hyoid above it and the thyroid gland below."""
    view = stage.view
    swell = np.sqrt(np.clip(1.0 - ((stage.level - 0.43) / 0.17) ** 2, 0.0, 1.0)) + 1e-3
    radius = np.hypot(stage.x / (18.0 * swell), (stage.fore - middle - 2.0) / (13.0 * swell))
    view.paint(radius <= 1.0, palette.number("neck_muscle"))
    shield = (np.abs(radius - 0.9) < 0.07) & (stage.fore > middle - 4.0)
    view.paint(shield, palette.number("cartilage"))
    view.paint(_ball(stage, (0.0, 54.0, 0.70), (18.0, 4.5, 0.035)), palette.number("cortex"))
    view.paint(_ball(stage, (0.0, 54.0, 0.70), (17.0, 3.3, 0.022)), palette.number("marrow"))
    lobe = np.sqrt(np.clip(1.0 - ((stage.level - 0.14) / 0.19) ** 2, 0.0, 1.0)) + 1e-3
    thyroid = ((np.abs(stage.x) - 15.0) / (8.0 * lobe)) ** 2 + ((stage.fore - middle) / (10.0 * lobe)) ** 2 <= 1.0
    view.paint(thyroid, palette.number("gland"))
    straps = np.abs(np.hypot(stage.x / 24.0, (stage.fore - middle + 2.0) / 15.5) - 1.0) < 0.09
    view.paint(straps & (stage.fore > middle + 4.0) & _between(stage, -0.2, 0.66), palette.number("neck_muscle"))


def _paint_vessels(stage: _Stage, neck: Neck, palette: Palette) -> None:
    """Paint carotid arteries and jugular veins; flowing blood gives no signal on spin echo."""
    view = stage.view
    part = _between(stage, -0.35, 1.3)
    side = np.abs(stage.x)
    view.paint(_ellipse(stage, side, 28.0, 24.0, 4.2, 4.2) & part, palette.number("cortex"))
    view.paint(_ellipse(stage, side, 28.0, 24.0, 3.4, 3.4) & part, palette.number("vessel"))
    right = np.where(stage.x > 0, 1.15, 0.9)  # the right jugular vein is the larger one more often
    view.paint(_ellipse(stage, side, 36.5, 20.0, 5.4 * right, 4.2 * right) & part, palette.number("vessel"))
