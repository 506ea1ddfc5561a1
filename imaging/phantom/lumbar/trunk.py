"""Soft tissues around the spine: skin, fat, muscles, vessels, abdomen, iliac wings. Painted first.

Left and right differ: the aorta lies to the patient's left (x < 0), the vena cava and the liver to the right.
Depths are own choice, to look like a lumbar MRI; nothing here carries truth.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.trunk_lines import TrunkLines
from imaging.phantom.shapes import Values, tube_inside
from imaging.phantom.tissues import Palette

_HALF_WIDTH_MM = 168.0
_FRONT_MM = 150.0
_WALL_MM = 11.0  # muscle of the side and front of the belly
_FAR = 400.0
_TISSUES = {"erector": "back_muscle", "multifidus": "back_multifidus", "quadratus": "muscle", "psoas": "muscle"}
_LEFT_ILIUM, _RIGHT_ILIUM = 51, 52


def paint_trunk(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint everything around the spine on a canvas."""
    view = canvas.whole()
    lines = TrunkLines(spine)
    fascia = lines.fascia(view.z)
    fat = spine.plan.back_fat
    view.paint(_outline(view, fascia - fat - 2.5, 0.0), palette.number("skin"))
    view.paint(_outline(view, fascia - fat, 2.5), palette.number("fat"))
    view.paint(_outline(view, fascia, 19.0), palette.number("muscle"))
    view.paint(_outline(view, fascia + 1.5, 19.0 + _WALL_MM), palette.number("fat"))
    _paint_abdomen(canvas, spine, palette, lines)
    _paint_muscles(canvas, lines, palette)
    _paint_vessels(canvas, spine, palette, lines)
    _paint_ilia(canvas, spine, palette, lines)


def _outline(view: View, back: Values, inset: float) -> NDArray[np.bool_]:
    """Return where a point lies in the trunk, its back at ``back`` and the other sides moved in by ``inset``."""
    front = np.float32(_FRONT_MM - inset)
    middle, half = (front + back) / 2, (front - back) / 2
    across, along = np.abs(view.x / np.float32(_HALF_WIDTH_MM - inset)), np.abs((view.y - middle) / half)
    inside: NDArray[np.bool_] = across * across * np.sqrt(across) + along * along * np.sqrt(along) <= 1.0
    return inside


def _paint_muscles(canvas: Canvas, lines: TrunkLines, palette: Palette) -> None:
    """Paint erector spinae, multifidus, quadratus lumborum and psoas of both sides."""
    for name in _TISSUES:
        tissue = palette.number(_TISSUES[name])
        foot, head = lines.span(name)
        for sign in (-1.0, 1.0):
            low, high = sorted(sign * x for x in lines.reach(name))
            view = canvas.view(((low, -_FAR, foot), (high, _FAR, head)))
            if view is None:
                continue
            x, y, half_x, half_y = lines.section(name, view.z)
            across, along = (view.x * np.float32(sign) - x) / half_x, (view.y - y) / half_y
            square = across * across + along * along
            inside = square * np.sqrt(np.sqrt(square)) + 0.6 * across * across * along * along <= 1.0
            view.paint(inside & (view.z >= foot) & (view.z <= head), tissue)


def _paint_vessels(canvas: Canvas, spine: Spine, palette: Palette, lines: TrunkLines) -> None:
    """Paint aorta (left) and vena cava (right) in front of the bodies, and below L4 the iliac vessels."""
    split = spine.body("L4").frame.z - 12.0
    s1 = spine.body("S1").frame
    for x, out, half_x, half_y in ((-9.0, 9.0, 9.0, 8.5), (12.0, 7.5, 11.0, 7.5)):
        view = canvas.view(((x - half_x, -_FAR, split), (x + half_x, _FAR, _FAR)))
        if view is not None:
            y = lines.front(view.z) + np.float32(out)
            square = ((view.x - np.float32(x)) / half_x) ** 2 + ((view.y - y) / half_y) ** 2
            view.paint(square <= 1.0, palette.number("cortex"))
            view.paint(square <= 0.8, palette.number("vessel"))
        start = (x, float(lines.front(np.array([split]))[0]) + out, split + 2.0)
        for sign in (-1.0, 1.0):
            end = (sign * 34.0, s1.y + 24.0 + 0.4 * out, s1.z - 14.0)
            _paint_tube(canvas, (start, end), (0.7 * half_y, 5.0), palette.number("vessel"))


def _paint_tube(
    canvas: Canvas,
    ends: tuple[tuple[float, float, float], tuple[float, float, float]],
    radii: tuple[float, float],
    tissue: int,
) -> None:
    low = [min(pair) - max(radii) for pair in zip(*ends, strict=True)]
    high = [max(pair) + max(radii) for pair in zip(*ends, strict=True)]
    view = canvas.view(((low[0], low[1], low[2]), (high[0], high[1], high[2])))
    if view is not None:
        view.paint(tube_inside((view.x, view.y, view.z), ends, radii), tissue)


def _paint_ilia(canvas: Canvas, spine: Spine, palette: Palette, lines: TrunkLines) -> None:
    """Paint the iliac wings beside L5 and the sacrum: oblique plates under a crest, muscle on both faces."""
    crest = spine.body("L4").frame.z - 14.0
    for sign, label in ((-1.0, _LEFT_ILIUM), (1.0, _RIGHT_ILIUM)):
        low, high = sorted((sign * 38.0, sign * 128.0))
        view = canvas.view(((low, -_FAR, -_FAR), (high, _FAR, crest + 2.0)))
        if view is None:
            continue
        side, ahead = view.x * np.float32(sign), view.y - lines.canal(view.z)
        # Along the plate from its back, near the sacrum, to its front; u across it, positive outside.
        along = (side - 46.0) * np.float32(0.62) + (ahead + 22.0) * np.float32(0.78)
        u = (side - 46.0) * np.float32(0.78) - (ahead + 22.0) * np.float32(0.62)
        u = u + 6.0 - 0.004 * (along - 45.0) ** 2
        roof = crest - 0.012 * (along - 38.0) ** 2
        within = (along > 0.0) & (along < 95.0)
        thick = 5.5 + 2.5 * np.clip((view.z - roof + 14.0) / 14.0, 0.0, 1.0)
        glutei = within & (u > 0.0) & (u < 26.0) & (view.z < roof - 12.0)
        iliacus = within & (u < 0.0) & (u > -13.0) & (view.z < roof - 16.0) & (along > 22.0)
        view.paint(glutei | iliacus, palette.number("muscle"))
        bone = within & (np.abs(u) < thick) & (view.z < roof)
        view.paint(bone, palette.number("cortex"), label)
        marrow = bone & (np.abs(u) < thick - 1.2) & (view.z < roof - 1.2) & (along > 1.2) & (along < 93.8)
        view.paint(marrow, palette.number("marrow_S1"), label)


def _paint_abdomen(canvas: Canvas, spine: Spine, palette: Palette, lines: TrunkLines) -> None:
    """Paint the abdominal cavity with bowel, liver (right) and kidneys in front of the spine."""
    view = canvas.whole()
    back = lines.front(view.z) + np.float32(15.0)
    back = back - np.float32(0.0045) * np.minimum(np.abs(view.x), 90.0) ** 2
    inner = (view.y > back) & (view.tissue == palette.number("fat")) & _outline(view, back - 60.0, 31.0)
    view.paint(inner, palette.number("visceral"))
    rng = np.random.default_rng((spine.plan.seed, 2))
    visceral = palette.number("visceral")
    for _ in range(150):
        centre = rng.uniform((-95.0, 30.0, -100.0), (95.0, 135.0, 240.0))
        radii = rng.uniform((6.0, 4.0, 5.0), (20.0, 13.0, 20.0))
        tissue = palette.number(str(rng.choice(["bowel", "bowel", "organ", "fat", "muscle"])))
        _paint_ellipsoid(canvas, centre.tolist(), radii.tolist(), tissue, over=visceral)
    l2, organ = spine.body("L2").frame, palette.number("organ")
    for sign, drop in ((-1.0, 0.0), (1.0, 14.0)):
        _paint_ellipsoid(canvas, (sign * 66.0, l2.y + 4.0, l2.z - drop), (26.0, 24.0, 52.0), organ)
        _paint_ellipsoid(canvas, (sign * 60.0, l2.y + 6.0, l2.z - drop), (12.0, 8.0, 22.0), palette.number("fat"))
    liver = (85.0, 70.0, l2.z + 75.0)
    _paint_ellipsoid(canvas, liver, (75.0, 70.0, 75.0), organ, over=visceral)


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
