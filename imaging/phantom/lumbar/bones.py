"""Vertebrae and sacrum: bodies, pedicles, articular processes, laminae, spinous and transverse processes.

Every bone is painted twice: whole as cortex, which gives no signal, then its marrow, smaller by the cortex. Sizes
of the posterior elements are own choice, to look like a lumbar MRI, except the pedicles: L5 pedicle height 12.9 mm
(Cook & Baker, IJSS 2021;15:1072).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.lumbar.arch import Arch
from imaging.phantom.lumbar.boxes import Extent, box_around
from imaging.phantom.lumbar.facets import Joint
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.sacrum import SACRUM_LABEL
from imaging.phantom.shapes import Body, Disc, Values, tube_inside
from imaging.phantom.tissues import Palette

_CORTEX_MM = 0.7
_ENDPLATE_MM = 0.5
_PEDICLE_HALF_HEIGHT_MM = 6.5
_PARS_MM = (3.6, 4.2)  # radius at the pedicle and at the inferior process

Inside = Callable[[Values, Values, Values, float], NDArray[np.bool_]]
"""Where local (p, q, t) lies inside a bone grown by some mm; a negative growth leaves the cortex out."""


def paint_posterior_elements(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint arches and processes of all vertebrae, then their facets."""
    for body in spine.vertebrae:
        for inside, extent in _arch_parts(spine.arches[body.name]):
            _paint_bone(canvas, body, inside, palette, extent)
    for segment in spine.bodies:
        if segment.label == SACRUM_LABEL:
            roof = -segment.depth / 2 - spine.plan.sac_ap - 6.0
            half = segment.height / 2 + 2
            extent = Extent(roof - 14, roof + 10, -half, half, -23, 23)
            _paint_bone(canvas, segment, _sacral_back(segment, roof), palette, extent)
    for disc in spine.discs:
        for joint in spine.joints[disc.name]:
            _paint_joint(canvas, disc, joint, spine.around(disc), palette)


def _arch_parts(arch: Arch) -> tuple[tuple[Inside, Extent], ...]:
    """Return the posterior elements, each with a box around it, in the order of painting."""
    height, front, wide = arch.height, arch.lamina_p, arch.pedicle_t
    tip = -0.32 * height - arch.droop * (arch.spinous + 3) - 12
    low, high = -wide - 6, wide + 6
    far = wide + arch.transverse + 3
    half = arch.transverse_half + 1
    return (
        (_spinous(arch), Extent(front - arch.spinous - 5, front + 1, tip, 0.2 * height, -7, 7)),
        (_laminae(arch), Extent(front - 0.15 * height - 8, front + 0.4 * wide + 8, -0.7 * height, 4, low, high)),
        (
            _transverse(arch),
            Extent(arch.wall_p - 16, arch.wall_p, 0.15 * height - half, 0.15 * height + half, -far, far),
        ),
        *((_pars(ends), _around_tube(ends, max(_PARS_MM))) for ends in arch.bridges),
        (_pedicles(arch), Extent(arch.back_p - 2, arch.wall_p + 6, -6, 0.17 * height + 9, low, high)),
    )


def _paint_joint(canvas: Canvas, disc: Disc, joint: Joint, around: tuple[Body, Body], palette: Palette) -> None:
    """Paint the two processes of a facet joint and what lies between them."""
    above, below = around
    reach = joint.half_disc + 14.5
    sides = sorted((joint.sign * (joint.w - 12), joint.sign * (joint.w + 10)))
    view = canvas.view(box_around(disc.frame, Extent(joint.p - 13, joint.p + 15, -reach, reach, *sides)))
    if view is None:
        return
    point = disc.frame.local(view.x, view.y, view.z)
    for body, parts in ((above, joint.inferior(point, _CORTEX_MM)), (below, joint.superior(point, _CORTEX_MM))):
        view.paint(parts[0], palette.number("cortex"), body.label)
        view.paint(parts[1], palette.number(_marrow(body)), body.label)
    view.paint(joint.cleft(point), palette.number("joint_fluid" if joint.has_fluid else "cartilage"), 0)


def paint_bodies(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint all vertebral bodies and the sacrum with its wings; they cover discs and the front of the sac."""
    for body in spine.bodies:
        if body.label == SACRUM_LABEL:
            tall = 0.7 * body.height
            wing = Extent(-0.8 * body.depth - 6, 0.5 * body.depth, -tall, tall, -56, 56)
            _paint_bone(canvas, body, _sacral_wing(body), palette, wing)
        _paint_block(canvas, body, palette)
        if body.label != SACRUM_LABEL:
            _paint_vein(canvas, body, palette)


def _paint_block(canvas: Canvas, body: Body, palette: Palette) -> None:
    """Paint a body: cortex, then marrow."""
    more = 1.0 + max(body.lip_top, body.lip_bottom)
    half, wide = body.depth / 2 + more, body.width / 2 + more
    up = body.height / 2 + 1 + abs(body.wedge) * body.depth / 4
    view = canvas.view(box_around(body.frame, Extent(-half, half, -up, up, -wide, wide)))
    if view is None:
        return
    beyond = body.beyond(*body.frame.local(view.x, view.y, view.z))
    view.paint(beyond <= 0.0, palette.number("cortex"), body.label)
    view.paint(beyond <= -_ENDPLATE_MM, palette.number(_marrow(body)), body.label)


def _paint_bone(canvas: Canvas, body: Body, inside: Inside, palette: Palette, extent: Extent) -> None:
    view = canvas.view(box_around(body.frame, extent))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    view.paint(inside(p, q, t, 0.0), palette.number("cortex"), body.label)
    view.paint(inside(p, q, t, -_CORTEX_MM), palette.number(_marrow(body)), body.label)


def _marrow(body: Body) -> str:
    return f"marrow_{body.name}"


def _around_tube(ends: tuple[tuple[float, float, float], tuple[float, float, float]], radius: float) -> Extent:
    low = [min(pair) - radius for pair in zip(*ends, strict=True)]
    high = [max(pair) + radius for pair in zip(*ends, strict=True)]
    return Extent(low[0], high[0], low[1], high[1], low[2], high[2])


def _paint_vein(canvas: Canvas, body: Body, palette: Palette) -> None:
    """Paint the basivertebral vein, a bright wedge in the middle of the back wall."""
    view = canvas.view(box_around(body.frame, Extent(-body.depth / 2 - 2, -body.depth / 2 + 12, -3, 3, -6, 6)))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    depth = p + body.depth / 2 - body.hollow - 1.4
    vein = (depth > 0.6) & (depth < 7.5) & (np.abs(q) < 1.5 * (1 - depth / 9.0)) & (np.abs(t) < 5.0)
    view.paint(vein, palette.number("vein"))


def _near(values: Values, middle: Values | float, half: float, grow: float) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(values - middle) <= half + grow
    return near


def _pedicles(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        across = (np.abs(t) - arch.pedicle_t) / (3.4 + grow)
        up = (q - 0.17 * arch.height) / (_PEDICLE_HALF_HEIGHT_MM + grow)
        found: NDArray[np.bool_] = (across**2 + up**2 <= 1.0) & (p <= arch.wall_p + 5) & (p >= arch.back_p - grow)
        return found

    return inside


def _pars(ends: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        return tube_inside((p, q, t), ends, (_PARS_MM[0] + grow, _PARS_MM[1] + grow))

    return inside


def _laminae(arch: Arch) -> Inside:
    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        tip = arch.lamina_p - 3.0 + 0.33 * (q + 0.2 * arch.height)
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
            & (side <= arch.pedicle_t + arch.transverse + grow)
            & _near(p, arch.wall_p - 7.0 - 0.15 * (side - arch.pedicle_t), 2.6, grow)
            & _near(q, 0.15 * arch.height, arch.transverse_half, grow)
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
