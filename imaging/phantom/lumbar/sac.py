"""Inside the bony canal: epidural fat, ligaments, thecal sac with CSF and cord; the roots are in ``roots.py``.

The label ``spinal canal`` (100) is the thecal sac, as in SPIDER's masks, which follow the bright sac on T2. The
sac yields: bone, thickened ligament, roots outside it and, painted later, the discs take from it what they need.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.curve import STEP_MM
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.shapes import Disc, Values
from imaging.phantom.tissues import Palette

CANAL_LABEL = 100
_FLAVUM_HALF_LENGTH_MM = 9.0
_DURA_MM = 0.6  # the dark line around the sac; the dura itself is thinner, its chemical shift is not modelled here
_LEAN_MM = 3.0  # how far a leaning disc's plane strays along the canal, at the sides of the sac
_PRESS_MM = 7.0  # along the canal, over which a thick ligament fades; own choice


@dataclass(frozen=True)
class CanalView:
    """A view with canal coordinates: nearest sample, d to the front, t to the right."""

    view: View
    index: NDArray[np.intp]
    d: NDArray[np.float32]
    t: NDArray[np.float32]

    def near(self, sample: int, reach_mm: float) -> "CanalView | None":
        """Return the part within some mm along the canal of a sample; None when there is none."""
        close = np.abs(self.index - sample) * STEP_MM <= reach_mm
        if not close.any():
            return None
        window = tuple(_span(close, axis) for axis in range(3))
        x, y, z, d, t = (
            _cut(values, window) for values in (self.view.x, self.view.y, self.view.z, self.d, self.t)
        )
        view = View(x, y, z, self.view.tissue[window], self.view.label[window])
        return CanalView(view, _cut(self.index, window), d, t)


def _span(mask: NDArray[np.bool_], axis: int) -> slice:
    if mask.shape[axis] == 1:
        return slice(None)
    found = np.nonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))[0]
    return slice(int(found[0]), int(found[-1]) + 1)


def _cut(values: NDArray[Any], window: tuple[slice, ...]) -> NDArray[Any]:
    return values[
        tuple(part if size > 1 else slice(None) for part, size in zip(window, values.shape, strict=True))
    ]


def canal_view(canvas: Canvas, spine: Spine) -> CanalView | None:
    """Return the part of a canvas that the canal may take; None when it lies outside."""
    curve = spine.curve
    wide = float(curve.bony_half_width.max()) + 0.5
    low = (float(curve.x.min()) - wide, float(curve.y.min()) - 58.0, float(curve.z.min()) - 5.0)
    high = (float(curve.x.max()) + wide, float(curve.y.max()) + 16.0, float(curve.z.max()) + 5.0)
    view = canvas.view((low, high))
    if view is None:
        return None
    index, d = curve.coordinates(view.y, view.z)
    t = view.x - curve.x.astype(np.float32)[index] if np.ptp(curve.x) > 1e-3 else view.x - np.float32(curve.x[0])
    return CanalView(view, index, d, np.asarray(t, dtype=np.float32))


def paint_canal_fat(inside: CanalView, spine: Spine, palette: Palette) -> None:
    """Fill the bony canal with epidural fat: thin in front, a pad behind the sac at each disc."""
    curve, index = spine.curve, inside.index
    half = spine.plan.sac_ap / 2
    front = inside.d < half + 6.0
    narrowing = 1.0 - 0.45 * np.clip(-inside.d / (half + 4.0), 0.0, 1.0) ** 2
    wide = np.abs(inside.t) < curve.bony_half_width[index] * narrowing
    back = inside.d > -(half + curve.back_gap[index] - 0.30 * np.abs(inside.t))
    inside.view.paint(front & wide & back, palette.number("fat"))


def paint_interspinous(inside: CanalView, spine: Spine, palette: Palette) -> None:
    """Paint ligament and fat between the spinous processes, before the processes themselves."""
    behind = -inside.d - spine.plan.sac_ap / 2
    node = spine.curve.node[inside.index]
    # The processes of the sacrum are short: what lies between them ends sooner.
    reach = np.interp(node, [4.0, 8.0], [8.0, 36.0])
    upper = node > 4.0
    between = (behind > 2.0) & (behind < reach) & (np.abs(inside.t) < 4.5) & upper
    inside.view.paint(between, palette.number("interspinous"))
    strap = (behind >= reach - 2.0) & (behind < reach + 0.5) & (np.abs(inside.t) < 3.0) & upper
    inside.view.paint(strap, palette.number("ligament"))


def paint_flava(inside: CanalView, spine: Spine, palette: Palette) -> None:
    """Paint the ligamenta flava between the laminae: two leaves from the midline to the facets, not over bone."""
    half = spine.plan.sac_ap / 2
    for disc in spine.discs:
        part = inside.near(disc_sample(spine, disc), _FLAVUM_HALF_LENGTH_MM + _LEAN_MM)
        if part is None:
            continue
        wide = max(joint.w for joint in spine.joints[disc.name]) - 2.0
        leaf = half + 3.8 - 0.42 * np.abs(part.t)
        there = (np.abs(_along(part, spine, disc)) < _FLAVUM_HALF_LENGTH_MM) & (np.abs(part.t) < wide)
        between = (part.d < -leaf) & (part.d > -leaf - spine.plan.disc(disc.name).flavum)
        part.view.paint(there & between & (part.view.label == 0), palette.number("ligament"))


def flavum_push(spine: Spine, disc: Disc, along: Values, t: Values) -> Values:
    """Return mm by which a thickened ligamentum flavum pushes the back of the sac forwards, most at the sides."""
    fade = np.exp(-((along / np.float32(_PRESS_MM)) ** 2))
    return np.float32(spine.flavum[disc.name]) * fade * (1.0 + np.float32(0.04) * np.abs(t))


def _along(inside: CanalView, spine: Spine, disc: Disc) -> NDArray[np.float32]:
    """Return mm along the canal from a disc's plane, positive to the head."""
    at = disc_sample(spine, disc)
    lean = np.float32(np.tan(disc.frame.roll))
    along = ((inside.index - at) * np.float32(STEP_MM)).astype(np.float32)
    return np.asarray(along + inside.t * lean if lean else along, dtype=np.float32)


def disc_sample(spine: Spine, disc: Disc) -> int:
    """Return the sample of the curve behind a disc."""
    _, y, z = disc.frame.world(-disc.depth / 2, 0.0)
    return spine.curve.nearest(y, z)


def paint_sac(inside: CanalView, spine: Spine, palette: Palette) -> NDArray[np.bool_]:
    """Paint dura, sac and cord; return where the sac is."""
    curve, index, view = spine.curve, inside.index, inside.view
    half_ap = curve.sac_half_ap[index].astype(np.float32)
    half_width = curve.sac_half_width[index].astype(np.float32)
    # The back of the sac is narrower than its front, as the laminae form a gable.
    gable = 1.0 - np.float32(0.25) * np.clip(-inside.d / (half_ap + np.float32(0.1)), 0.0, 1.0)
    across = inside.t / (half_width * gable + np.float32(1e-3))
    radius = (inside.d / (half_ap + np.float32(1e-3))) ** 2 + across**2
    free = (half_ap > 1.0) & (view.label == 0)
    for tissue in ("ligament", "root_sheath"):
        free = free & (view.tissue != palette.number(tissue))
    within = free & (radius <= 1.0)
    dura = free & (radius <= (1.0 + np.float32(_DURA_MM) / (half_ap + np.float32(1e-3))) ** 2)
    view.paint(dura & ~within, palette.number("dura"))
    view.paint(within, palette.number("csf"), CANAL_LABEL)
    _paint_pressure(inside, spine, palette)
    sac: NDArray[np.bool_] = view.tissue == palette.number("csf")
    _paint_cord(inside, spine, palette, sac)
    return sac


def _paint_pressure(inside: CanalView, spine: Spine, palette: Palette) -> None:
    """Let thickened ligaments press into the sac from behind."""
    half = np.float32(spine.plan.sac_ap / 2)
    for disc in spine.discs:
        part = inside.near(disc_sample(spine, disc), 2.5 * _PRESS_MM + _LEAN_MM)
        if part is None or spine.flavum[disc.name] < 0.05:
            continue
        pressed = part.d < flavum_push(spine, disc, _along(part, spine, disc), part.t) - half
        pressed = pressed & (part.view.label == CANAL_LABEL)
        part.view.paint(pressed, palette.number("ligament"), 0)


def _paint_cord(inside: CanalView, spine: Spine, palette: Palette, sac: NDArray[np.bool_]) -> None:
    size = spine.tables.canal["cord"]
    above = (inside.index - spine.conus) * 0.5
    share = np.clip(above / 38.0, 0.0, 1.0) ** 0.6
    centre = -0.10 * spine.plan.sac_ap * (1.0 - 0.6 * share)
    ap, width = size["ap"] / 2 * share + 1e-3, size["width"] / 2 * share + 1e-3
    cord = (above > 0) & (((inside.d - centre) / ap) ** 2 + (inside.t / width) ** 2 <= 1.0)
    inside.view.paint(sac & cord, palette.number("cord"), CANAL_LABEL)
