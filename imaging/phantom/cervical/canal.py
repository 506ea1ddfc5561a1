"""Inside the bony canal: epidural tissue, ligaments, dural tube, cord, roots, what pushes in; and the foramina.

The label ``spinal canal`` (100) is the dural tube without the cord, ``spinal cord`` (101) the cord.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.cervical.arch import FORAMEN_T_MM
from imaging.phantom.cervical.obstacle import Obstacle
from imaging.phantom.cervical.place import Neck
from imaging.phantom.curve import STEP_MM
from imaging.phantom.tissues import Palette

CANAL_LABEL = 100
CORD_LABEL = 101

_TUBE_POWER = 2.15  # of the superellipse that outlines the dural tube: boxier than an ellipse
_FILM_MM = 0.15  # CSF that stays between a pressed cord and what presses it
_OBSTACLE_HALF_WIDTH_MM = 9.5
_FLAVUM_HALF_LENGTH_MM = 6.5
_OPEN_ABOVE = 16  # samples below the foramen magnum from which the canal widens into the cistern

Field = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class _Box:
    """The part of a canvas around the canal, with canal coordinates of every sample.

    Attributes:
        view: The canvas' part.
        index: Nearest sample of the curve.
        d: To the front, mm.
        t: To the patient's right, mm.
        front: d of what bounds the dural tube in front.
        back: d of what bounds it behind.
    """

    view: View
    index: NDArray[np.intp]
    d: NDArray[np.float32]
    t: NDArray[np.float32]
    front: Field
    back: Field


def paint_canal(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint the canal, before discs and bodies cover what lies in front."""
    box = _canal_box(canvas, neck)
    if box is None:
        return
    _paint_epidural(box, neck, palette)
    _paint_flava(box, neck, palette)
    tube = _paint_tube(box, neck, palette)
    _paint_rootlets(box, neck, palette)
    _paint_cord(box, neck, palette, tube)
    for obstacle in neck.obstacles:
        _paint_obstacle(box, neck, obstacle, palette)


def _canal_box(canvas: Canvas, neck: Neck) -> _Box | None:
    curve = neck.curve
    low = (-18.0 - abs(neck.plan.sway), float(curve.y.min()) - 18.0, float(curve.z.min()))
    high = (18.0 + abs(neck.plan.sway), float(curve.y.max()) + 18.0, float(curve.z[neck.foramen_magnum]) + 4.0)
    view = canvas.view((low, high))
    if view is None:
        return None
    index, d = curve.coordinates(view.y, view.z)
    t = (view.x - curve.x[index]).astype(np.float32)
    front = np.broadcast_to(curve.half_ap[index].astype(np.float32), view.tissue.shape).copy()
    back = (-curve.half_ap[index]).astype(np.float32)
    gap = neck.tables.canal["anterior_gap"]
    box = _Box(view, index, d, t, front, back)
    for obstacle in neck.obstacles:
        part = _around(box, obstacle, obstacle.reach)
        if part is None:
            continue
        along = _along(part.index, obstacle)
        part.back[...] += obstacle.from_behind(along).astype(np.float32)
        if max(obstacle.plan.bulge - gap, obstacle.plan.focal) > 0:
            push = np.maximum(obstacle.from_front(along, part.t) - gap, 0.0)
            np.minimum(part.front, curve.half_ap[part.index] - push, out=part.front, casting="same_kind")
    return box


def _part(box: _Box, near: NDArray[np.bool_]) -> _Box | None:
    """Return the part of a box that spans where a mask over ``index`` is set; None where it is nowhere."""
    where = np.nonzero(near)
    if not len(where[0]):
        return None
    cut = tuple(
        slice(int(axis.min()), int(axis.max()) + 1) if size > 1 else slice(None)
        for axis, size in zip(where, near.shape, strict=True)
    )

    def take(values: NDArray[Any]) -> NDArray[Any]:
        return values[tuple(c if size > 1 else slice(None) for c, size in zip(cut, values.shape, strict=True))]

    view = box.view
    small = View(take(view.x), take(view.y), take(view.z), take(view.tissue), take(view.label))
    return _Box(small, take(box.index), take(box.d), take(box.t), take(box.front), take(box.back))


def _around(box: _Box, obstacle: Obstacle, reach: float) -> _Box | None:
    """Return the part of a box within some mm of an obstacle along the canal."""
    return _part(box, np.abs(_along(box.index, obstacle)) < reach)


def _along(index: NDArray[np.intp], obstacle: Obstacle) -> NDArray[np.float32]:
    return ((index - obstacle.sample) * STEP_MM).astype(np.float32)


def _paint_epidural(box: _Box, neck: Neck, palette: Palette) -> None:
    """Fill the bony canal: veins and fat at the sides in front, fat behind, the ligament on the bodies."""
    curve, index, d, t = neck.curve, box.index, box.d, box.t
    half, gap = curve.half_ap[index], neck.tables.canal["anterior_gap"]
    wide = np.abs(t) < curve.bony_half_width[index]
    back = d > -(half + 1.2 - 0.032 * t * t)
    room = (d < half + gap + 3.0) & wide & back & (index < neck.foramen_magnum - _OPEN_ABOVE)
    box.view.paint(room, palette.number("fat"))
    box.view.paint(room & (np.abs(t) > 4.0), palette.number("visceral"))
    box.view.paint(room & (d > half + gap - 0.7) & (np.abs(t) < 6.0), palette.number("ligament"))


def _paint_flava(box: _Box, neck: Neck, palette: Palette) -> None:
    """Paint the ligamenta flava between the laminae, thicker where they push in."""
    for obstacle in neck.obstacles:
        part = _around(box, obstacle, _FLAVUM_HALF_LENGTH_MM + 3.0)
        if part is None:
            continue
        along = _along(part.index, obstacle) + 3.0  # the gap between laminae lies below the disc
        there = (np.abs(along) < _FLAVUM_HALF_LENGTH_MM) & (np.abs(part.t) < 10.0)
        leaf = neck.curve.half_ap[part.index] + 1.5 - 0.032 * part.t**2
        between = (part.d < -leaf + 1.0) & (part.d > -leaf - 1.8)
        part.view.paint(there & between, palette.number("ligament"))


def _paint_tube(box: _Box, neck: Neck, palette: Palette) -> NDArray[np.bool_]:
    """Paint the dural tube with CSF and return where it is."""
    curve, index = neck.curve, box.index
    across = np.abs(box.t) / curve.half_width[index]
    # The back is narrower than the front, as the laminae form a gable.
    across = across * (1.0 + 0.18 * np.clip(-box.d / curve.half_ap[index], 0.0, 1.0))
    tube = (np.abs(box.d) / curve.half_ap[index]) ** _TUBE_POWER + across**_TUBE_POWER <= 1.0
    pressed = tube & (box.d < box.back)
    tube &= (box.d <= box.front) & (box.d >= box.back) & (index > 0) & (index <= neck.foramen_magnum)
    box.view.paint(pressed, palette.number("ligament"))
    box.view.paint(tube, palette.number("csf"), CANAL_LABEL)
    return np.asarray(tube)


def _paint_cord(box: _Box, neck: Neck, palette: Palette, tube: NDArray[np.bool_]) -> None:
    """Paint the cord: white matter, the grey butterfly, and raised signal where it was pressed."""
    cord, index = neck.cord, box.index
    v = (box.d - cord.centre[index]) / cord.half_ap[index]
    u = box.t / cord.half_width[index]
    free = (box.d < box.front - _FILM_MM) & (box.d > box.back + _FILM_MM)
    inside = tube & free & (v**2 + np.abs(u) ** 2.2 <= 1.0)
    box.view.paint(inside, palette.number("cord_white"), CORD_LABEL)
    box.view.paint(inside & _is_grey(u, v), palette.number("cord_grey"), CORD_LABEL)
    for obstacle in neck.obstacles:
        length = obstacle.plan.myelopathy
        if length:
            along = _along(index, obstacle)
            lesion = (2 * along / length) ** 2 + (v / 0.72) ** 2 + (u / 0.62) ** 2 <= 1.0
            box.view.paint(inside & lesion, palette.number("cord_oedema"), CORD_LABEL)
    plaque = neck.plan.plaque
    if plaque is not None:
        along = (index - behind_body(neck, plaque.body)) * STEP_MM
        lesion = (2 * along / plaque.length) ** 2 + ((v + 0.3) / 0.42) ** 2 + ((u - plaque.u) / 0.36) ** 2 <= 1.0
        box.view.paint(inside & lesion, palette.number("cord_oedema"), CORD_LABEL)


def behind_body(neck: Neck, name: str) -> int:
    """Return the sample of the canal's curve behind the middle of a body."""
    body = neck.body(name)
    _, y, z = body.frame.world(body.back, 0.0)
    return neck.curve.nearest(y, z)


def _is_grey(u: Field, v: Field) -> NDArray[np.bool_]:
    """Return where the grey matter lies in a cord of unit half axes: two horns a side and the bar between them."""
    side = np.abs(u)
    front_horn = ((side - 0.30) / 0.15) ** 2 + ((v - 0.20) / 0.34) ** 2 <= 1.0
    middle = 0.27 - 0.16 * np.minimum(np.maximum(v, -1.0), 0.0)
    back_horn = (np.abs(side - middle) < 0.075) & (v < 0.1) & (v > -0.78)
    bar = (side < 0.32) & (np.abs(v - 0.02) < 0.10)
    return np.asarray(front_horn | back_horn | bar)


def _paint_rootlets(box: _Box, neck: Neck, palette: Palette) -> None:
    """Paint the front and back rootlets that cross the CSF to each foramen."""
    cord = neck.cord
    for obstacle in neck.obstacles:
        part = _around(box, obstacle, 6.0)
        if part is None:
            continue
        along = _along(part.index, obstacle) - 1.0
        start = 0.75 * cord.half_width[part.index]
        share = np.clip((np.abs(part.t) - start) / 5.0, 0.0, 1.0)
        is_free = (part.view.label == CANAL_LABEL) & (np.abs(along + 2.0 * share) < 2.2) & (np.abs(part.t) > start)
        for level in (0.55, -0.45):
            middle = level * cord.half_ap[part.index] + cord.centre[part.index] + (0.5 - level) * 2.0 * share
            part.view.paint(is_free & (np.abs(part.d - middle) < 0.45), palette.number("root"))


def _paint_obstacle(whole: _Box, neck: Neck, obstacle: Obstacle, palette: Palette) -> None:
    """Paint disc, spurs or a lifted ligament between the back of the bodies and the dural tube."""
    box = _around(whole, obstacle, obstacle.reach)
    if box is None:
        return
    along = _along(box.index, obstacle)
    disc, plan = neck.disc(obstacle.level), obstacle.plan
    above, below = neck.around(disc)
    wall = neck.curve.half_ap[box.index] + neck.tables.canal["anterior_gap"]
    extent = obstacle.from_front(along, box.t)
    there = (box.d >= wall - extent) & (box.d <= wall + 3.0) & (extent > 0.15)
    there &= (np.abs(box.t) < _OBSTACLE_HALF_WIDTH_MM) & (np.abs(along) < obstacle.reach)
    focal = (np.abs(box.t - plan.focal_t) < plan.focal_spread) & (
        np.abs(along - plan.focal_shift) < obstacle.focal_half_height
    )
    is_disc = (np.abs(along) <= obstacle.half_height + 0.3) | (focal if plan.focal else False)
    box.view.paint(there & is_disc, palette.number(f"annulus_{disc.name}"), disc.label)
    beyond = there & ~is_disc
    if not plan.osteophyte:
        box.view.paint(beyond, palette.number("ligament"))
        return
    for body, is_above in ((above, along > 0), (below, along < 0)):
        box.view.paint(beyond & is_above, palette.number("cortex"), body.label)
        core = (box.d >= wall - extent + 0.6) & (np.abs(along) > obstacle.half_height + 0.9)
        box.view.paint(beyond & is_above & core, palette.number(f"marrow_{body.name}"), body.label)


def paint_foramina(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint the fat of the foramina with the exiting roots, before the bones around them."""
    for disc in neck.discs:
        _, below = neck.around(disc)
        x, y, z = below.frame.world(below.back - 2.0, below.height / 2 + 3.0)
        view = canvas.view(((x - 26, y - 12, z - 16), (x + 26, y + 16, z + 16)))
        if view is None:
            continue
        p, q, t = below.frame.local(view.x, view.y, view.z)
        side, height = np.abs(t), q - below.height / 2
        # Foramina run to the front and the side.
        middle = below.back - 2.0 + 0.45 * np.clip(side - FORAMEN_T_MM, -4.0, 12.0)
        room = (side > 8.0) & (side < 22.0) & (np.abs(p - middle) < 4.2) & (np.abs(height - 4.0) < 7.5)
        view.paint(room, palette.number("fat"))
        radius = neck.plan.root / 2 * (1.0 + 0.25 * np.exp(-(((side - 15.0) / 3.0) ** 2)))
        sink = height - 2.6 + 0.2 * (side - FORAMEN_T_MM)
        root = np.hypot(p - middle, sink) <= radius
        view.paint(root & (side > 7.5) & (side < 30.0), palette.number("root_sheath"))
