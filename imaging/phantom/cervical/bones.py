"""Paint vertebrae: every bone twice, whole as cortex, which gives no signal, then its smaller marrow."""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.cervical.arch import Extent, Inside, arch_parts, build_arch, uncus_part
from imaging.phantom.cervical.place import DENS_MM, Neck
from imaging.phantom.cervical.shapes import NeckBody
from imaging.phantom.grid import Box
from imaging.phantom.shapes import Frame, Values
from imaging.phantom.tissues import Palette

_CORTEX_MM = 0.6
_REACH = Extent(-60.0, 16.0, -48.0, 32.0, 36.0)  # of a vertebra with all its processes


def paint_posterior_elements(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint arches and processes of C2 to T4, from below upwards: an upper spinous process covers the lower."""
    for body in reversed(neck.bodies):
        if canvas.view(box_around(body.frame, _REACH)) is None:
            continue
        for inside, extent in arch_parts(build_arch(neck, body)):
            paint_bone(canvas, body.frame, inside, extent, palette, marrow=marrow_of(body), label=body.label)


def paint_bodies(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint all bodies with their uncinate processes and what grew behind those; they cover discs."""
    for index, body in enumerate(neck.bodies):
        if canvas.view(box_around(body.frame, _REACH)) is None:
            continue
        half, up = body.depth / 2 + 5, body.height / 2 + 3 + abs(body.wedge) * body.depth / 4
        extent = Extent(-half, half, -up, up + body.uncus, 0.6 * body.width + 3)
        paint_bone(canvas, body.frame, _block(body), extent, palette, marrow=marrow_of(body), label=body.label)
        if body.uncus:
            uncus, around = uncus_part(build_arch(neck, body), neck.plan.discs[index - 1].uncus)
            paint_bone(canvas, body.frame, uncus, around, palette, marrow=marrow_of(body), label=body.label)
        _paint_vein(canvas, body, palette)
        if body.name == neck.plan.haemangioma:
            _paint_haemangioma(canvas, body, palette)
    paint_dens(canvas, neck, palette)


def paint_dens(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint the dens on the body of C2; a remnant of its joint stays dark across its base."""
    c2 = neck.bodies[0]
    base, top = c2.height / 2, c2.height / 2 + DENS_MM

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        neck_in = 0.9 * np.clip(1.0 - ((q - base - 3.0) / 4.0) ** 2, 0.0, 1.0)
        cap = np.sqrt(np.clip((top + grow - q) / 6.0, 0.0, 1.0))
        radius = (5.3 - neck_in) * cap + grow
        found: NDArray[np.bool_] = (np.hypot(p + 1.0, t) <= radius) & (q >= base - 4.0) & (q <= top + grow)
        return found

    extent = Extent(-8, 6, base - 5, top + 2, 7)
    paint_bone(canvas, c2.frame, inside, extent, palette, marrow=marrow_of(c2), label=c2.label)
    view = canvas.view(box_around(c2.frame, extent))
    if view is not None:
        p, q, t = c2.frame.local(view.x, view.y, view.z)
        scar = (np.abs(q - base + 1.0) < 0.7) & (np.hypot(p + 1.0, t) < 4.5)
        view.paint(scar, palette.number("cortex"))


def paint_bone(
    canvas: Canvas,
    frame: Frame,
    inside: Inside,
    extent: Extent,
    palette: Palette,
    *,
    marrow: str,
    label: int | None,
) -> None:
    """Paint one bone in a frame.

    Args:
        canvas: To paint on.
        frame: Of the bone.
        inside: Its shape.
        extent: A box around it.
        palette: Tissues.
        marrow: Name of its marrow.
        label: Number for the label map; None leaves the label as it is.
    """
    view = canvas.view(box_around(frame, extent))
    if view is None:
        return
    p, q, t = frame.local(view.x, view.y, view.z)
    view.paint(inside(p, q, t, 0.0), palette.number("cortex"), label)
    view.paint(inside(p, q, t, -_CORTEX_MM), palette.number(marrow), label)


def box_around(frame: Frame, extent: Extent) -> Box:
    """Return the world box around an extent."""
    corners = [
        frame.world(p, q, t)
        for p in (extent.p_from, extent.p_to)
        for q in (extent.q_from, extent.q_to)
        for t in (-extent.t_to, extent.t_to)
    ]
    x, y, z = zip(*corners, strict=True)
    return (min(x), min(y), min(z)), (max(x), max(y), max(z))


def marrow_of(body: NeckBody) -> str:
    """Return the name of a body's marrow."""
    return f"marrow_{body.name}"


def _block(body: NeckBody) -> Inside:
    return lambda p, q, t, grow: body.inside(p, q, t, grow=grow)


def _paint_vein(canvas: Canvas, body: NeckBody, palette: Palette) -> None:
    """Paint the basivertebral vein, a small wedge in the middle of the back wall."""
    view = canvas.view(box_around(body.frame, Extent(body.back - 1, body.back + 6, -2, 2, 4)))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    depth = p - body.back - 0.8
    vein = (depth > 0) & (depth < 3.5) & (np.abs(q) < 0.9 * (1 - depth / 5.0)) & (np.abs(t) < 2.5)
    view.paint(vein & (view.label == body.label), palette.number("vein"))


def _paint_haemangioma(canvas: Canvas, body: NeckBody, palette: Palette) -> None:
    """Paint a round bright lesion in the marrow, a little off the middle."""
    radius = 0.3 * body.height
    view = canvas.view(box_around(body.frame, Extent(-radius, radius + 2, -radius, radius, radius + 4)))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    inside = (p - 1.5) ** 2 + q**2 + (t - 3.0) ** 2 <= radius**2
    view.paint(inside & (view.label == body.label), palette.number("haemangioma"))
