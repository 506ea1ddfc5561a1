"""Inside the bony canal: epidural fat, ligaments, thecal sac with CSF, cord and roots; and the foramina.

The label ``spinal canal`` (100) is the thecal sac, as in SPIDER's masks, which follow the bright sac on T2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.lumbar.arch import foramen_t
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.shapes import Disc
from imaging.phantom.tissues import Palette

CANAL_LABEL = 100
_FLAVUM_HALF_LENGTH_MM = 9.0
_ROOTS = 18
_ROOT_RADIUS_MM = 0.62  # own choice


@dataclass(frozen=True)
class _CanalView:
    """A view with canal coordinates: nearest sample, d to the front, t to the right."""

    view: View
    index: NDArray[np.intp]
    d: NDArray[np.float32]
    t: NDArray[np.float32]


def paint_canal(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint canal and interspinous tissue, before discs and bodies cover what lies in front."""
    inside = _canal_view(canvas, spine)
    if inside is None:
        return
    _paint_fat_and_ligaments(inside, spine, palette)
    _paint_flava(inside, spine, palette)
    _paint_sac(inside, spine, palette)


def paint_interspinous(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint ligament and fat between the spinous processes, before the processes themselves."""
    inside = _canal_view(canvas, spine)
    if inside is None:
        return
    behind = -inside.d - spine.plan.sac_ap / 2
    node = spine.curve.node[inside.index]
    # The processes of the sacrum are short: what lies between them ends sooner.
    reach = np.interp(node, [4.0, 8.0], [8.0, 36.0])
    upper = node > 4.0
    between = (behind > 2.0) & (behind < reach) & (np.abs(inside.t) < 4.5) & upper
    inside.view.paint(between, palette.number("interspinous"))
    strap = (behind >= reach - 2.0) & (behind < reach + 0.5) & (np.abs(inside.t) < 3.0) & upper
    inside.view.paint(strap, palette.number("ligament"))


def paint_foramina(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint the fat of the foramina with the exiting root under the pedicle of the vertebra above."""
    for disc in spine.discs:
        above, _ = spine.around(disc)
        pedicle = foramen_t(spine.pedicle_t[above.name])
        x, y, z = disc.frame.world(-disc.depth / 2 - 2.0, 4.0)
        view = canvas.view(((x - 34, y - 22, z - 26), (x + 34, y + 22, z + 26)))
        if view is None:
            continue
        p, q, t = above.frame.local(view.x, view.y, view.z)
        side = np.abs(t)
        back = -above.depth / 2 - 14.0
        room = (side > pedicle - 5) & (side < pedicle + 9) & (p > back) & (p < -above.depth / 2 + 8)
        height = q + above.height / 2
        view.paint(room & (height < 0.62 * above.height) & (height > -14.0), palette.number("fat"))
        middle_p = -above.depth / 2 - 2.0
        root = ((p - middle_p) / 2.6) ** 2 + ((height - 7.0 + 0.35 * (side - pedicle)) / 3.2) ** 2 <= 1
        view.paint(room & root, palette.number("root_sheath"))


def _canal_view(canvas: Canvas, spine: Spine) -> _CanalView | None:
    curve = spine.curve
    low = (-20.0, float(curve.y.min()) - 58.0, float(curve.z.min()) - 5.0)
    high = (20.0, float(curve.y.max()) + 16.0, float(curve.z.max()) + 5.0)
    view = canvas.view((low, high))
    if view is None:
        return None
    index, d = curve.coordinates(view.y, view.z)
    sway = np.interp(curve.z, *_sway_of(spine))[index]
    return _CanalView(view, index, d, (view.x - sway).astype(np.float32))


def _sway_of(spine: Spine) -> tuple[list[float], list[float]]:
    return [body.frame.z for body in spine.bodies], [body.frame.x for body in spine.bodies]


def _paint_fat_and_ligaments(inside: _CanalView, spine: Spine, palette: Palette) -> None:
    """Fill the bony canal with epidural fat: thin in front, a pad behind the sac at each disc."""
    curve, index = spine.curve, inside.index
    half = spine.plan.sac_ap / 2
    front = inside.d < half + 6.0
    narrowing = 1.0 - 0.45 * np.clip(-inside.d / (half + 4.0), 0.0, 1.0) ** 2
    wide = np.abs(inside.t) < curve.bony_half_width[index] * narrowing
    back = inside.d > -(half + curve.back_gap[index] - 0.30 * np.abs(inside.t))
    inside.view.paint(front & wide & back, palette.number("fat"))


def _paint_flava(inside: _CanalView, spine: Spine, palette: Palette) -> None:
    """Paint the ligamenta flava between the laminae: two leaves that meet behind the fat pad."""
    half = spine.plan.sac_ap / 2
    for disc in spine.discs:
        along = _along(inside, spine, disc)
        leaf = half + 4.5 - 0.42 * np.abs(inside.t)
        there = (np.abs(along) < _FLAVUM_HALF_LENGTH_MM) & (np.abs(inside.t) < 12.0)
        between = (inside.d < -leaf) & (inside.d > -leaf - 3.0)
        inside.view.paint(there & between, palette.number("ligament"))


def flavum_front(
    spine: Spine, disc: Disc, along: NDArray[np.float32], t: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return d of the front of a thickened ligamentum flavum, which pushes into the sac from behind."""
    push = spine.flavum[disc.name] * np.exp(-((along / 7.0) ** 2)) * (1.0 + 0.02 * np.abs(t))
    return np.asarray(-spine.plan.sac_ap / 2 + push, dtype=np.float32)


def _along(inside: _CanalView, spine: Spine, disc: Disc) -> NDArray[np.float32]:
    """Return mm along the canal from a disc's middle, positive to the head."""
    _, y, z = disc.frame.world(-disc.depth / 2, 0.0)
    step = float(np.hypot(spine.curve.y[1] - spine.curve.y[0], spine.curve.z[1] - spine.curve.z[0]))
    return ((inside.index - spine.curve.nearest(y, z)) * step).astype(np.float32)


def _paint_sac(inside: _CanalView, spine: Spine, palette: Palette) -> None:
    """Paint the sac less what thickened ligaments take, its cord down to the conus and its roots."""
    curve, index, view = spine.curve, inside.index, inside.view
    half_ap, half_width = curve.sac_half_ap[index], curve.sac_half_width[index]
    # The back of the sac is narrower than its front, as the laminae form a gable.
    gable = 1.0 - 0.25 * np.clip(-inside.d / (half_ap + 0.1), 0.0, 1.0)
    across = inside.t / (half_width * gable + 1e-3)
    sac = (half_ap > 1.0) & ((inside.d / (half_ap + 1e-3)) ** 2 + across**2 <= 1.0)
    pressed = np.zeros(sac.shape, dtype=bool)
    for disc in spine.discs:
        if spine.flavum[disc.name] > 0.05:
            pressed |= inside.d < flavum_front(spine, disc, _along(inside, spine, disc), inside.t)
    view.paint(sac & pressed, palette.number("ligament"))
    sac &= ~pressed
    view.paint(sac, palette.number("csf"), CANAL_LABEL)
    _paint_cord(inside, spine, palette, sac)
    _paint_roots(inside, spine, palette, sac)


def conus_sample(spine: Spine) -> int:
    """Return the sample of the curve where the cord ends."""
    body = spine.body("L1")
    pitch = body.height + 9.0
    _, y, z = body.frame.world(-body.depth / 2, -spine.plan.conus * pitch)
    return spine.curve.nearest(y, z)


def _paint_cord(inside: _CanalView, spine: Spine, palette: Palette, sac: NDArray[np.bool_]) -> None:
    size = spine.tables.canal["cord"]
    above = (inside.index - conus_sample(spine)) * 0.5
    share = np.clip(above / 38.0, 0.0, 1.0) ** 0.6
    centre = -0.10 * spine.plan.sac_ap * (1.0 - 0.6 * share)
    ap, width = size["ap"] / 2 * share + 1e-3, size["width"] / 2 * share + 1e-3
    cord = (above > 0) & (((inside.d - centre) / ap) ** 2 + (inside.t / width) ** 2 <= 1.0)
    inside.view.paint(sac & cord, palette.number("cord"), CANAL_LABEL)


def _paint_roots(inside: _CanalView, spine: Spine, palette: Palette, sac: NDArray[np.bool_]) -> None:
    """Paint the cauda equina: fine roots that lie in the back half of the sac (supine), fewer further down."""
    where = np.nonzero(sac)
    if not len(where[0]):
        return
    index = np.broadcast_to(inside.index, sac.shape)[where]
    d, t = (np.broadcast_to(values, sac.shape)[where] for values in (inside.d, inside.t))
    start = conus_sample(spine) + 40
    below = np.clip((start - index) / 120.0, 0.0, 1.0)
    node = spine.curve.node[index]
    half_ap, half_width = spine.plan.sac_ap / 2, spine.curve.sac_half_width[index]
    is_root = np.zeros(index.shape, dtype=bool)
    rng = np.random.default_rng((spine.plan.seed, 3))
    for number in range(_ROOTS):
        side = -1.0 if number % 2 else 1.0
        lateral, depth = rng.uniform(0.08, 0.78), rng.uniform(0.30, 0.85)
        wave, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 2 * np.pi)
        t0 = side * half_width * lateral * (0.35 + 0.65 * below)
        d0 = -half_ap * depth * (0.3 + 0.7 * below) * np.sqrt(1.0 - 0.6 * lateral**2) + wave * np.sin(node + phase)
        thread = (t - t0) ** 2 + (d - d0) ** 2 <= _ROOT_RADIUS_MM**2
        is_root |= thread & (node > 3.0 + (number // 2) * 0.55) & (index < start)
    inside.view.tissue[tuple(axis[is_root] for axis in where)] = palette.number("root")
