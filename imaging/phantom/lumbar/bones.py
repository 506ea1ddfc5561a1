"""Vertebrae and sacrum: bodies, pedicles, articular processes, laminae, spinous and transverse processes.

Every bone is painted twice: whole as cortex, which gives no signal, then its marrow, smaller by the cortex. Sizes
of the posterior elements are own choice, to look like a lumbar MRI, except the pedicles: L5 pedicle height 12.9 mm
(Cook & Baker, IJSS 2021;15:1072).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Box
from imaging.phantom.lumbar.arch import Arch
from imaging.phantom.lumbar.place import SACRUM_LABEL, Spine
from imaging.phantom.shapes import Body, Values
from imaging.phantom.tissues import Palette

_CORTEX_MM = 0.7
_PEDICLE_HALF_HEIGHT_MM = 6.5

Inside = Callable[[Values, Values, Values, float], NDArray[np.bool_]]
"""Where local (p, q, t) lies inside a bone grown by some mm; a negative growth leaves the cortex out."""


class Extent(NamedTuple):
    """A box around a bone in its body's frame: from and to, mm; t goes to both sides."""

    p_from: float
    p_to: float
    q_from: float
    q_to: float
    t_to: float


def paint_posterior_elements(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint arches and processes of all vertebrae."""
    for body in spine.bodies:
        arch = spine.arches.get(body.name)
        if arch is None or body.label == SACRUM_LABEL:
            continue
        for inside, extent in _arch_parts(arch):
            _paint_bone(canvas, body, inside, palette, extent)
    for segment in spine.bodies:
        if segment.label == SACRUM_LABEL:
            roof = -segment.depth / 2 - spine.plan.sac_ap - 6.0
            extent = Extent(roof - 14, roof + 10, -segment.height / 2 - 2, segment.height / 2 + 2, 23)
            _paint_bone(canvas, segment, _sacral_back(segment, roof), palette, extent)
    arch, s1 = spine.arches["S1"], spine.body("S1")
    extent = Extent(min(arch.facet_p) - 9, max(arch.facet_p) + 2, 0, arch.height / 2 + 12, arch.pedicle_t + 7)
    _paint_bone(canvas, s1, _sacral_facet(arch), palette, extent)


def _arch_parts(arch: Arch) -> tuple[tuple[Inside, Extent], ...]:
    """Return the posterior elements, each with a box around it, in the order of painting."""
    height, front, wide = arch.height, arch.lamina_p, arch.pedicle_t
    facet, below = min(arch.facet_p), min(arch.below_p)
    tip = -0.32 * height - arch.droop * (arch.spinous + 3) - 12
    return (
        (_spinous(arch), Extent(front - arch.spinous - 5, front + 1, tip, 0.2 * height, 7)),
        (_laminae(arch), Extent(front - 0.15 * height - 8, front + 0.4 * wide + 8, -0.7 * height, 4, wide + 6)),
        (_transverse(arch), Extent(arch.wall_p - 16, arch.wall_p, 0, 0.15 * height + 8, wide + 26)),
        (
            _articular(arch),
            Extent(
                min(facet, below) - 16, max(*arch.facet_p, *arch.below_p) + 3,
                -height / 2 - 16, height / 2 + 12, wide + 7,
            ),
        ),
        (_pedicles(arch), Extent(facet - 7, arch.wall_p + 6, -4, 0.17 * height + 9, wide + 6)),
    )  # fmt: skip


def paint_bodies(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint all vertebral bodies and the sacrum with its wings; they cover discs and the front of the sac."""
    for body in spine.bodies:
        if body.label == SACRUM_LABEL:
            wing = Extent(-0.8 * body.depth - 6, 0.5 * body.depth, -0.7 * body.height, 0.7 * body.height, 56)
            _paint_bone(canvas, body, _sacral_wing(body), palette, wing)
        half, up = body.depth / 2 + 3, body.height / 2 + 4 + abs(body.wedge) * body.depth / 4
        _paint_bone(canvas, body, _block(body), palette, Extent(-half, half, -up, up, body.width / 2 + 3))
        if body.label != SACRUM_LABEL:
            _paint_vein(canvas, body, palette)


def _paint_bone(canvas: Canvas, body: Body, inside: Inside, palette: Palette, extent: Extent) -> None:
    view = canvas.view(_around(body, extent))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    view.paint(inside(p, q, t, 0.0), palette.number("cortex"), body.label)
    view.paint(inside(p, q, t, -_CORTEX_MM), palette.number(_marrow(body)), body.label)


def _marrow(body: Body) -> str:
    return f"marrow_{body.name}"


def _around(body: Body, extent: Extent) -> Box:
    """Return the world box around an extent."""
    corners = [
        body.frame.world(p, q, t)
        for p in (extent.p_from, extent.p_to)
        for q in (extent.q_from, extent.q_to)
        for t in (-extent.t_to, extent.t_to)
    ]
    x, y, z = zip(*corners, strict=True)
    return (min(x), min(y), min(z)), (max(x), max(y), max(z))


def _block(body: Body) -> Inside:
    return lambda p, q, t, grow: body.inside(p, q, t, grow=grow)


def _paint_vein(canvas: Canvas, body: Body, palette: Palette) -> None:
    """Paint the basivertebral vein, a bright wedge in the middle of the back wall."""
    view = canvas.view(_around(body, Extent(-body.depth / 2 - 2, -body.depth / 2 + 12, -3, 3, 6)))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    depth = p + body.depth / 2 - body.hollow - 1.4
    vein = (depth > 0.6) & (depth < 7.5) & (np.abs(q) < 1.5 * (1 - depth / 9.0)) & (np.abs(t) < 5.0)
    view.paint(vein, palette.number("vein"))


def _near(values: Values, middle: Values | float, half: float, grow: float) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(values - middle) <= half + grow
    return near


def _oval(
    p: Values, q: Values, centre: tuple[Values | float, float], radii: tuple[float, float], grow: float
) -> NDArray[np.bool_]:
    along = (p - centre[0]) / (radii[0] + grow)
    up = (q - centre[1]) / (radii[1] + grow)
    oval: NDArray[np.bool_] = along**2 + up**2 <= 1.0
    return oval


def _pedicles(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        across = (np.abs(t) - arch.pedicle_t) / (3.4 + grow)
        up = (q - 0.17 * arch.height) / (_PEDICLE_HALF_HEIGHT_MM + grow)
        back = min(*arch.facet_p) - 4.0
        found: NDArray[np.bool_] = (across**2 + up**2 <= 1.0) & (p <= arch.wall_p + 5) & (p >= back - grow)
        return found

    return inside


def _articular(arch: Arch) -> Inside:
    """Superior process in front and up, inferior process behind the next vertebra's superior one and down."""

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        facet = np.where(t < 0, arch.facet_p[0], arch.facet_p[1])
        below = np.where(t < 0, arch.below_p[0], arch.below_p[1])
        column = _near(np.abs(t), arch.pedicle_t, 4.5, grow)
        end = arch.height / 2
        upper = _oval(p, q, (facet - 3.6, end + 1.0), (3.6, 11.0), grow)
        pars = _oval(p + 0.25 * q, q, ((facet + below) / 2 - 5.0, -1.0), (4.0, 13.0), grow)
        lower = _oval(p, q, (below - 11.2, -end - 3.0), (3.2, 13.0), grow)
        found: NDArray[np.bool_] = column & (upper | pars | (lower & (p < below - 7.8 + grow)))
        return found

    return inside


def _sacral_facet(arch: Arch) -> Inside:
    """The superior articular processes of S1, which stand behind the foramina of L5-S1."""

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        facet = np.where(t < 0, arch.facet_p[0], arch.facet_p[1])
        column = _near(np.abs(t), arch.pedicle_t, 4.5, grow)
        found: NDArray[np.bool_] = column & _oval(p, q, (facet - 3.6, arch.height / 2 + 1.0), (3.6, 11.0), grow)
        return found

    return inside


def _laminae(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        tip = arch.lamina_p - 3.0 + 0.18 * (q + 0.2 * arch.height)
        middle = tip + 0.40 * np.abs(t)
        found: NDArray[np.bool_] = (
            _near(p, middle, 2.4, grow)
            & (np.abs(t) <= arch.pedicle_t + 3.0 + grow)
            & (q <= 0.02 * arch.height + grow)
            & (q >= -0.62 * arch.height - grow)
        )
        return found

    return inside


def _spinous(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        behind = arch.lamina_p - 2.0 - p
        middle = -0.32 * arch.height - arch.droop * behind
        half = arch.spinous_half + 0.07 * np.clip(behind, 0.0, 30.0)
        corner = 4.0 * np.clip((behind - arch.spinous + 6.0) / 6.0, 0.0, 1.0) ** 2
        found: NDArray[np.bool_] = (
            (behind >= -1.0)
            & (behind <= arch.spinous + grow)
            & (np.abs(q - middle) <= half - corner + grow)
            & (np.abs(t) <= 2.6 + 0.05 * np.clip(behind, 0, 30) + grow)
        )
        return found

    return inside


def _transverse(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        side = np.abs(t)
        found: NDArray[np.bool_] = (
            (side >= arch.pedicle_t + 2)
            & (side <= arch.pedicle_t + 23 + grow)
            & _near(p, arch.wall_p - 7.0 - 0.15 * (side - arch.pedicle_t), 2.6, grow)
            & _near(q, 0.15 * arch.height, 4.5, grow)
        )
        return found

    return inside


def _sacral_wing(body: Body) -> Inside:
    """The wings: wide plates beside the upper segments, tapering to the sides."""

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        side = np.abs(t) / (body.width / 2 + 24.0)
        half = body.height / 2 + 0.5 - 0.30 * np.clip(np.abs(t) - body.width / 2, 0.0, 30.0)
        # Below the endplate, and lower behind it, where the foramen of L5-S1 lies.
        brim = half + np.tan(body.wedge / 2) * p - 2.0 - 5.0 * np.clip(-(p + 0.4 * body.depth) / 4.0, 0.0, 1.0)
        lid = brim if body.name == "S1" else half
        found: NDArray[np.bool_] = (
            (np.abs(t) > 11.0)
            & (side <= 1.0 + grow / 40)
            & (q <= lid + grow)
            & (q >= -half - grow)
            & (p <= 0.36 * body.depth - 0.1 * np.abs(t) + grow)
            & (p >= -0.75 * body.depth - 4.0 - grow)
            & ~((np.abs(t) < 14.0) & (p < -body.depth / 2 + 3.0))
        )
        return found

    return inside


def _sacral_back(body: Body, roof: float) -> Inside:
    """The roof of the sacral canal with its median crest."""

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        plate = _near(p, roof + 0.25 * np.abs(t), 2.2, grow) & (np.abs(t) <= 20.0 + grow)
        ridge = 6.0 - 0.02 * q * q
        crest = (p < roof) & (p > roof - ridge - grow) & (np.abs(t) <= 2.6 + grow)
        crest &= _near(q, 0.0, body.height / 2 + 1.5, grow)
        found: NDArray[np.bool_] = (plate & _near(q, 0.0, body.height / 2 + 1.5, grow)) | crest
        return found

    return inside
