"""Vertebrae and sacrum: bodies, pedicles, articular processes, laminae, spinous and transverse processes.

Every bone is painted twice: grown by the thickness of its cortex, which gives no signal, then its marrow. Sizes of
the posterior elements are own choice, to look like a lumbar MRI, except the pedicles: L5 pedicle height 12.9 mm
(Cook & Baker, IJSS 2021;15:1072).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Box
from imaging.phantom.place import SACRUM_LABEL, Spine
from imaging.phantom.shapes import Body, Disc, Values
from imaging.phantom.tissues import Palette

_CORTEX_MM = 0.7
_PEDICLE_HALF_HEIGHT_MM = 6.5

Inside = Callable[[Values, Values, Values, float], NDArray[np.bool_]]
"""Where local (p, q, t) lies inside a bone grown by some mm."""


@dataclass(frozen=True)
class Arch:
    """Where the posterior elements of a vertebra lie in its own frame, mm.

    Attributes:
        height: Of the body.
        pedicle_t: Distance of the pedicles from the midline.
        wall_p: The back of the body.
        lamina_p: The front of the laminae at the midline.
        facet_p: Front of the (left, right) superior articular process.
        below_p: Front of the superior articular process of the vertebra below, (left, right).
        spinous: Length of the spinous process.
        droop: How steeply it falls.
    """

    height: float
    pedicle_t: float
    wall_p: float
    lamina_p: float
    facet_p: tuple[float, float]
    below_p: tuple[float, float]
    spinous: float
    droop: float


def paint_posterior_elements(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint arches and processes of all vertebrae."""
    vertebrae = [body for body in spine.bodies if body.label != SACRUM_LABEL]
    for index, body in enumerate(vertebrae):
        arch = arch_of(spine, body, index)
        for inside in (_spinous(arch), _laminae(arch), _transverse(arch), _articular(arch), _pedicles(arch)):
            _paint_bone(canvas, body, inside, palette, reach=62.0)
    for segment in spine.bodies:
        if segment.label == SACRUM_LABEL:
            _paint_bone(canvas, segment, _sacral_back(segment, spine), palette, reach=62.0)


def paint_bodies(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint all vertebral bodies and the sacrum with its wings; they cover discs and the front of the sac."""
    for body in spine.bodies:
        if body.label == SACRUM_LABEL:
            _paint_bone(canvas, body, _sacral_wing(body), palette, reach=70.0)
        _paint_bone(canvas, body, _block(body), palette, reach=40.0)
        if body.label != SACRUM_LABEL:
            _paint_vein(canvas, body, palette)


def arch_of(spine: Spine, body: Body, index: int) -> Arch:
    """Return the posterior elements of a vertebra; ``index`` counts from L5 upwards."""
    pedicle = spine.pedicle_t[body.name]
    is_thoracic = body.name.startswith("T")
    above = spine.discs[index + 1] if index + 1 < len(spine.discs) else None
    sac = spine.plan.sac_ap
    return Arch(
        height=body.height,
        pedicle_t=pedicle,
        wall_p=-body.depth / 2 + body.hollow,
        lamina_p=-body.depth / 2 - sac - 3.2,
        facet_p=(-body.depth / 2 - 7.0,) * 2 if above is None else _facets(spine, body, above, pedicle),
        below_p=_facets(spine, body, spine.discs[index], pedicle),
        spinous=24.0 if is_thoracic else 29.0,
        droop=0.75 if is_thoracic else 0.32,
    )


def foramen_t(pedicle_t: float) -> float:
    """Return how far from the midline a foramen is measured, mm."""
    return pedicle_t - 1.0


def _facets(spine: Spine, body: Body, disc: Disc, pedicle_t: float) -> tuple[float, float]:
    """Return p, in a body's frame, of the front of the facets beside a disc, (left, right).

    The facet stands behind the disc's edge by the drawn width of the foramen.
    """
    widths = spine.plan.disc(disc.name).foramen_width
    fronts = []
    for width, sign in zip(widths, (-1.0, 1.0), strict=True):
        margin = disc.margin(sign * foramen_t(pedicle_t))
        x, y, z = disc.frame.world(margin - width, 0.0)
        p, _, _ = body.frame.local(np.array([x]), np.array([y]), np.array([z]))
        fronts.append(float(p[0]))
    return fronts[0], fronts[1]


def _paint_bone(canvas: Canvas, body: Body, inside: Inside, palette: Palette, *, reach: float) -> None:
    view = canvas.view(_around(body, reach))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    view.paint(inside(p, q, t, _CORTEX_MM), palette.number("cortex"), body.label)
    view.paint(inside(p, q, t, 0.0), palette.number(_marrow(body)), body.label)


def _marrow(body: Body) -> str:
    return f"marrow_{body.name}"


def _around(body: Body, reach: float) -> Box:
    frame = body.frame
    return (
        (frame.x - reach, frame.y - reach, frame.z - reach),
        (frame.x + reach, frame.y + reach, frame.z + reach),
    )


def _block(body: Body) -> Inside:
    return lambda p, q, t, grow: body.inside(p, q, t, grow=grow)


def _paint_vein(canvas: Canvas, body: Body, palette: Palette) -> None:
    """Paint the basivertebral vein, a bright wedge in the middle of the back wall."""
    view = canvas.view(_around(body, 25.0))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    depth = p + body.depth / 2 - body.hollow - 1.4
    vein = (depth > -0.6) & (depth < 7.0) & (np.abs(q) < 2.2 * (1 - depth / 7.5)) & (np.abs(t) < 5.0)
    view.paint(vein, palette.number("vein"))


def _near(values: Values, middle: Values | float, half: float, grow: float) -> NDArray[np.bool_]:
    near: NDArray[np.bool_] = np.abs(values - middle) <= half + grow
    return near


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
        upper = _near(p, facet - 3.5, 3.5, grow) & (q >= -2.0 - grow) & (q <= arch.height / 2 + 9.0 + grow)
        pars = _near(p, (facet + below) / 2 - 5.0, 3.5, grow) & _near(q, -1.0, 8.0, grow)
        lower = _near(p, below - 11.0, 2.8, grow) & (q <= 1.0) & (q >= -arch.height / 2 - 13.0 - grow)
        found: NDArray[np.bool_] = column & (upper | pars | (lower & (p < below - 7.4 + grow)))
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
        half = 7.0 + 0.10 * np.clip(behind, 0.0, 30.0)
        corner = 2.5 * np.clip((behind - arch.spinous + 5.0) / 5.0, 0.0, 1.0) ** 2
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
        found: NDArray[np.bool_] = (
            (np.abs(t) > 11.0)
            & (side <= 1.0 + grow / 40)
            & (np.abs(q) <= half + grow)
            & (p <= 0.36 * body.depth - 0.1 * np.abs(t) + grow)
            & (p >= -0.75 * body.depth - 4.0 - grow)
            & ~((np.abs(t) < 17.0) & (p < -body.depth / 2 + 3.0))
        )
        return found

    return inside


def _sacral_back(body: Body, spine: Spine) -> Inside:
    """The roof of the sacral canal with its median crest."""
    roof = -body.depth / 2 - spine.plan.sac_ap - 6.0

    def inside(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        plate = _near(p, roof + 0.25 * np.abs(t), 2.2, grow) & (np.abs(t) <= 20.0 + grow)
        crest = (p < roof) & (p > roof - 9.0 - grow) & (np.abs(t) <= 2.6 + grow) & _near(q, -1.0, 6.5, grow)
        found: NDArray[np.bool_] = (plate & _near(q, 0.0, body.height / 2 - 1.5, grow)) | crest
        return found

    return inside
