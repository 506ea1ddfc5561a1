"""Discs and the endplates beside them: nucleus, annulus, bulges, herniations, gas, pits and Modic change."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas, View
from imaging.phantom.lumbar.boxes import Extent, box_around
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.plan import LUMBARISED, DiscPlan
from imaging.phantom.shapes import Body, Disc, Values, tube_inside
from imaging.phantom.tissues import Palette, Tissue, load_tissues

_MODIC_DEPTH_MM = 7.5
_STREAKS_FULL = 0.20  # fat fraction that streaks alone can show; own choice
# Fat of marrow: 27-32 % in the twenties (SD 6-8), more with age (Baum, Front Endocrinol 2018); own slope
_MARROW_FAT_A_YEAR = 0.004
_MARROW_FAT_SD = 0.07


def add_disc_tissues(palette: Palette, spine: Spine) -> None:
    """Give every disc its own nucleus, border zones and annulus, and every body its own marrow."""
    _, grades = load_tissues()
    for disc in spine.discs:
        plan = spine.plan.disc(disc.name)
        row = grades[plan.pfirrmann]
        for zone, share in (("nucleus", 1.0), ("border", 0.5), ("annulus", 0.0)):
            t2 = share * plan.nucleus_t2 + (1.0 - share) * row.annulus_t2
            # The annulus holds less water that can be seen; the share is own choice.
            density = row.pd * (0.72 + 0.28 * share)
            palette.add(f"{zone}_{disc.name}", Tissue(t1=row.t1, t2=t2, pd=density, texture=0.07))
    marrow = palette.tissue("marrow")
    rng = np.random.default_rng((spine.plan.seed, 4))
    # Marrow turns to fat with age around the mean of all adults (Ruschke 2021: 36.8 %, 4 to 82); slope own choice.
    mean = marrow.fat_fraction + 0.003 * (spine.plan.age_years - 50) + rng.normal(0.0, 0.05)
    for body in spine.bodies:
        share = float(np.clip(mean + rng.normal(0.0, 0.02), 0.12, 0.7))
        palette.add(f"marrow_{body.name}", replace(marrow, fat_fraction=share))
    _add_back_muscles(palette, spine.plan.muscle_fat)
    if spine.plan.numbering == LUMBARISED:
        s1_s2 = grades["II"]
        palette.add("disc_S1-S2", Tissue(t1=s1_s2.t1, t2=0.6 * s1_s2.nucleus_t2, pd=s1_s2.pd, texture=0.07))


def _add_back_muscles(palette: Palette, fat: float) -> None:
    """Give the patient's back muscles their fat: in streaks first, what is more all through."""
    for name, share in (("muscle", fat), ("multifidus", min(1.3 * fat, 0.7))):  # the multifidus wastes first
        tissue = replace(
            palette.tissue(name),
            fat=min(share / _STREAKS_FULL, 1.0),
            fat_fraction=max(share - _STREAKS_FULL, 0.0),
        )
        palette.add(f"back_{name}", tissue)


def paint_discs(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint all discs; bodies painted afterwards cut them at their endplates."""
    for disc in spine.discs:
        view = _view(canvas, disc, spine.plan.disc(disc.name))
        if view is None:
            continue
        p, q, t = disc.frame.local(view.x, view.y, view.z)
        excess, extent = disc.excess(p, q, t), disc.extension(p, t)
        inside = disc.inside_at(excess, extent, p, q, t)
        view.paint(inside, palette.number(f"annulus_{disc.name}"), disc.label)
        flat = _flat_core(disc, p, t)
        for zone, size in (("border", 0.80), ("nucleus", 0.66)):
            core = _core(disc, flat, q, size)
            view.paint(inside & core, palette.number(f"{zone}_{disc.name}"), disc.label)
        if spine.plan.disc(disc.name).pfirrmann == "II":
            cleft = _core(disc, flat, q, 0.5) & (np.abs(q) < 0.7)
            view.paint(inside & cleft, palette.number(f"border_{disc.name}"), disc.label)
        view.paint(inside & (excess > extent - 0.9), palette.number("ligament"), disc.label)
        _paint_details(view, disc, spine, (p, q, t), palette)
    if spine.plan.numbering == LUMBARISED and any(body.name == "S1" for body in spine.bodies[1:]):
        _paint_sacral_disc(canvas, spine, palette)


def _paint_details(
    view: View, disc: Disc, spine: Spine, local: tuple[Values, Values, Values], palette: Palette
) -> None:
    """Paint an extrusion behind the disc, gas or a fissure inside it."""
    p, q, t = local
    plan = spine.plan.disc(disc.name)
    if plan.is_extruded:
        view.paint(extruded(disc, plan, local), palette.number(f"border_{disc.name}"), disc.label)
    if plan.has_vacuum:
        cleft = _core(disc, _flat_core(disc, p, t), q, 0.7) & (np.abs(q + 0.4 * np.sin(p / 5.0)) < 0.55)
        view.paint(cleft & (view.label == disc.label), palette.number("air"))
    if plan.has_fissure:
        centre = disc.margin(plan.focal_t) + 2.6
        spot = (p - centre) ** 2 + (1.4 * q) ** 2 + (0.5 * (t - plan.focal_t)) ** 2 <= 1.5**2
        view.paint(spot & (view.label == disc.label), palette.number("fissure"))


def extruded(disc: Disc, plan: DiscPlan, local: tuple[Values, Values, Values]) -> NDArray[np.bool_]:
    """Return where extruded material lies: a drop that hangs from the herniation past the disc's level."""
    radius = min(0.5 * disc.bulges.focal + 1.0, 4.0)
    back = -disc.depth / 2 + disc.hollow
    reach = plan.migration - np.sign(plan.migration) * radius + np.sign(plan.migration) * disc.height / 2
    start = (back - 0.6 * radius, 0.0, plan.focal_t)
    end = (back - radius - 0.3, float(reach), plan.focal_t)
    return tube_inside(local, (start, end), (0.85 * radius, radius))


def _paint_sacral_disc(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint the disc under a lumbarised S1: it has no number of its own in a label map."""
    if not {"S1", "S2"} <= {body.name for body in spine.bodies}:
        return  # measured on a neighbourhood without it
    s1, s2 = spine.body("S1"), spine.body("S2")
    x, y, z = s1.frame.world(0.0, -s1.height / 2 - 3.0)
    view = canvas.view(((x - 26, y - 24, z - 18), (x + 26, y + 24, z + 18)))
    if view is None:
        return
    p, q, t = s1.frame.local(view.x, view.y, view.z)
    _, q2, _ = s2.frame.local(view.x, view.y, view.z)
    between = (q < -s1.height / 2 + 1.0) & (q2 > s2.height / 2 - 1.0)
    outline = np.abs(p / (0.46 * s1.depth)) ** 2.5 + np.abs(t / (0.45 * s1.width)) ** 2.5
    view.paint(between & (outline <= 1.0), palette.number("ligament"))
    view.paint(between & (outline <= 0.6), palette.number("disc_S1-S2"))


def _flat_core(disc: Disc, p: Values, t: Values) -> Values:
    """Return a field that is 1 at the outline of the disc and falls to its core, a little to the back."""
    along, across = np.abs((p + 1.5) / np.float32(disc.depth / 2)), np.abs(t / np.float32(disc.width / 2))
    return np.asarray(along * along * np.sqrt(along) + across * across * np.sqrt(across))


def _core(disc: Disc, flat: Values, q: Values, size: float) -> NDArray[np.bool_]:
    """Return where a point lies in the disc's core of some share of its size."""
    up = np.abs(q) / np.float32(0.5 * disc.height + 2.2 * size)
    core: NDArray[np.bool_] = flat * np.float32(size**-2.5) + up * up * np.sqrt(up) <= 1.0
    return core


def paint_endplates(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint Modic change in the marrow beside the discs, and pits in the endplates, last of all."""
    for disc in spine.discs:
        above, below = spine.around(disc)
        plan = spine.plan.disc(disc.name)
        for body, is_above, pit in ((above, True, plan.pit_above), (below, False, plan.pit_below)):
            if not (plan.modic or pit):
                continue
            view = _view(canvas, disc, plan)
            if view is None:
                continue
            p, q, t = body.frame.local(view.x, view.y, view.z)
            into = q - body.bottom(p, t) if is_above else body.top(p, t) - q
            if plan.modic:
                _paint_modic(view, body, (p, q, t), into, plan, palette)
            if pit:
                _paint_pit(view, body, disc, (p, t), into, pit, palette)


def _paint_modic(
    view: View, body: Body, local: tuple[Values, Values, Values], into: Values, plan: DiscPlan, palette: Palette
) -> None:
    """Paint a band of changed marrow, deepest at a place of its own along the endplate."""
    p, q, t = local
    # The nucleus' T2 is drawn for each disc: its digits place the band without another draw.
    place = (plan.nucleus_t2 * 7.3) % 1.0 - 0.5
    hill = np.exp(-(((p - place * body.depth) / (0.42 * body.depth)) ** 2) - (t / (0.42 * body.width)) ** 2)
    depth = _MODIC_DEPTH_MM * (0.25 + 0.85 * hill + 0.12 * np.cos(p / 4.0) * np.cos(t / 5.0))
    band = (into > 0) & (into < depth) & body.inside(p, q, t, grow=-0.5) & (view.label == body.label)
    view.paint(band, palette.number(f"modic_{plan.modic}"))


def _paint_pit(
    view: View, body: Body, disc: Disc, place: tuple[Values, Values], into: Values, depth: float, palette: Palette
) -> None:
    """Let the disc sink into an endplate: an irregular pit with a thin dark rim."""
    p, t = place
    # Clear of the middle third, where the height is measured; in front or at the back.
    centre = (-0.27 if round(depth * 1000) % 3 else 0.27) * body.depth
    edge = 1.0 + 0.18 * np.cos(1.7 * p + depth) * np.cos(0.8 * t)
    for grow, tissue, label in ((0.6, "cortex", None), (0.0, f"border_{disc.name}", disc.label)):
        shape = ((p - centre) / (4.2 + grow)) ** 2 + (t / (9.0 + grow)) ** 2
        shape = shape + (into / (depth * edge + grow)) ** 2
        inside = (shape <= 1.0) & (into > -1.0) & (view.label == body.label)
        view.paint(inside, palette.number(tissue), label)


def _view(canvas: Canvas, disc: Disc, plan: DiscPlan) -> View | None:
    """Return the part of a canvas that a disc, its bulges and its endplates may take."""
    out = disc.bulges.diffuse + 2.0
    back = disc.depth / 2 + disc.bulges.diffuse + disc.bulges.focal + 6.0
    up = disc.height / 2 + max(12.0, abs(plan.migration) + 5.0)
    wide = disc.width / 2 + out
    return canvas.view(box_around(disc.frame, Extent(-back, disc.depth / 2 + out, -up, up, -wide, wide)))
