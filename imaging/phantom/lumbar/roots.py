"""Nerve roots: the cauda equina inside the sac, and the painting of those outside it (``courses.py``).

Inside the sac the roots lie at the back (the patient is supine); where the sac is narrowed they have to share what
is left, so that they crowd. Outside it bone and disc cover a root where they take its place.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.lumbar.facets import foramen_w
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.sac import CanalView, disc_sample
from imaging.phantom.shapes import tube_inside
from imaging.phantom.tissues import Palette

_ROOTS = 26
_ROOT_RADIUS_MM = 0.65  # own choice
_CROWDED_FROM_MM = 13.0  # free height of the sac under which its roots spread over all of it; own choice


def paint_foramina(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint the fat of the foramina."""
    for disc in spine.discs:
        above, _ = spine.around(disc)
        pedicle = foramen_w(spine.pedicle_t[above.name])
        x, y, z = disc.frame.world(-disc.depth / 2 - 2.0, 4.0)
        view = canvas.view(((x - 34, y - 22, z - 30), (x + 34, y + 22, z + 30)))
        if view is None:
            continue
        p, q, t = above.frame.local(view.x, view.y, view.z)
        side, height = np.abs(t), q + above.height / 2
        back = -above.depth / 2 - 14.0
        room = (side > pedicle - 5) & (side < pedicle + 9) & (p > back) & (p < -above.depth / 2 + 8)
        view.paint(room & (height < 0.62 * above.height) & (height > -14.0), palette.number("fat"))


def paint_roots(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint the roots outside the sac."""
    tissue = palette.number("root_sheath")
    for disc in spine.discs:
        for course in spine.roots[disc.name]:
            for (start, first), (end, last) in pairwise(course):
                low = [min(pair) - 3.0 for pair in zip(start, end, strict=True)]
                high = [max(pair) + 3.0 for pair in zip(start, end, strict=True)]
                view = canvas.view(((low[0], low[1], low[2]), (high[0], high[1], high[2])))
                if view is not None:
                    view.paint(tube_inside((view.x, view.y, view.z), (start, end), (first, last)), tissue)


def paint_cauda(inside: CanalView, spine: Spine, palette: Palette, sac: NDArray[np.bool_]) -> None:
    """Paint the roots inside the sac, fewer further down."""
    where = np.nonzero(sac)
    if not len(where[0]):
        return
    curve = spine.curve
    index = np.broadcast_to(inside.index, sac.shape)[where]
    d, t = (np.broadcast_to(values, sac.shape)[where] for values in (inside.d, inside.t))
    start = spine.conus + 40
    back, front = _room(spine)
    free = np.maximum(front - back - 1.6, 0.5)
    # In an open sac the roots lie in its back half; in a narrow one they take all of it.
    spread = 0.52 + 0.48 * np.clip((_CROWDED_FROM_MM - (front - back)) / 5.0, 0.0, 1.0)
    below = np.clip((start - np.arange(len(curve.node))) / 120.0, 0.0, 1.0)
    is_root = np.zeros(index.shape, dtype=bool)
    rng = np.random.default_rng((spine.plan.seed, 3))
    for number in range(_ROOTS):
        side = -1.0 if number % 2 else 1.0
        lateral, depth = rng.uniform(0.06, 0.86), rng.uniform(0.0, 1.0)
        wave, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 2 * np.pi)
        # Further to the side the sac is less deep.
        arch = np.sqrt(1.0 - 0.75 * lateral**2)
        t0 = side * curve.sac_half_width * lateral * (0.35 + 0.65 * below) * 0.92
        middle = (back + front) / 2
        d0 = back + 0.8 + free * spread * depth
        d0 = middle + (d0 - middle) * arch + wave * np.sin(curve.node + phase) * np.minimum(free / 10.0, 1.0)
        ends = int(np.searchsorted(curve.node, 3.0 + (number // 2) * 0.55))
        square = (t - t0[index]) ** 2 + (d - d0[index]) ** 2
        is_root |= (square <= _ROOT_RADIUS_MM**2) & (index > ends) & (index < start)
    inside.view.tissue[tuple(axis[is_root] for axis in where)] = palette.number("root")


def _room(spine: Spine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return d of the back and of the front of the sac in its midline, for every sample of the curve."""
    half = spine.curve.sac_half_ap
    back, front = -half.copy(), half.copy()
    samples = np.arange(len(half))
    for disc in spine.discs:
        along = (samples - disc_sample(spine, disc)) * 0.5
        push = spine.flavum[disc.name] * np.exp(-((along / 7.0) ** 2))
        stands_out = max(-disc.margin(0.0) - disc.depth / 2 + disc.hollow - 1.2, 0.0)
        dent = stands_out * np.exp(-((along / (disc.height / 2 + 4.0)) ** 2))
        back, front = np.maximum(back, push - spine.plan.sac_ap / 2), np.minimum(front, half - dent)
    return back, np.maximum(front, back + 1.0)
