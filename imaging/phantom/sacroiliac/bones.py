"""Sacrum, ilia, L5 and what runs through the sacrum; then the joints between the bones."""

import numpy as np

from anatomy import Side
from imaging.phantom.canvas import Canvas, View
from imaging.phantom.sacroiliac.pelvis import Mask, Pelvis, sign
from imaging.phantom.shapes import Body, Frame, Values
from imaging.phantom.tissues import Palette

SACRUM, ILIUM = 50, {Side.LEFT: 51, Side.RIGHT: 52}
JOINT = {Side.LEFT: 53, Side.RIGHT: 54}
L5, L5_S1, CANAL = 1, 201, 100

_CORTEX_MM = 0.8
_PLATE_MM = 0.9  # the subchondral bone plates
_CARTILAGE_MM = 0.5  # of joint space counted to each cartilage; what is left between them shows as a thin line


def paint_bones(view: View, pelvis: Pelvis, palette: Palette) -> None:
    """Paint the bones with their cortex, the sacral canal and the foramina."""
    p, q, t = pelvis.frame.local(view.x, view.y, view.z)
    depth = pelvis.depth(p, q, t)
    for side in (Side.LEFT, Side.RIGHT):
        here = (t * sign(side)) > 0
        gap = pelvis.half_gap(p, q, pelvis.joint(side).width)
        outer = here & (depth >= gap) & pelvis.ilium(p, q, t, 0.0)
        view.paint(outer, palette.number("cortex"), ILIUM[side])
        marrow = here & (depth >= gap + _PLATE_MM) & pelvis.ilium(p, q, t, -_CORTEX_MM)
        view.paint(marrow, palette.number("marrow_ilium"), ILIUM[side])
        sacrum = here & (depth <= -gap) & pelvis.sacrum(p, q, t, 0.0)
        view.paint(sacrum, palette.number("cortex"), SACRUM)
        inner = here & (depth <= -gap - _PLATE_MM) & pelvis.sacrum(p, q, t, -_CORTEX_MM)
        view.paint(inner, palette.number("marrow_sacrum"), SACRUM)
    _paint_disc_rests(view, palette, p, q, t)
    _paint_foramina(view, pelvis, palette, p, q, t)
    _paint_canal(view, pelvis, palette, p, q, t)


def paint_joints(view: View, pelvis: Pelvis, palette: Palette) -> None:
    """Paint cartilage and joint space, and fat with ligaments where the joint is a ligamentous one."""
    p, q, t = pelvis.frame.local(view.x, view.y, view.z)
    depth = pelvis.depth(p, q, t)
    cartilaginous, ligamentous = pelvis.is_cartilaginous(p, q), pelvis.is_ligamentous(p, q)
    for side in (Side.LEFT, Side.RIGHT):
        here = (t * sign(side)) > 0
        width = pelvis.joint(side).width
        between = here & (np.abs(depth) < pelvis.half_gap(p, q, width))
        view.paint(between & ligamentous, palette.number("fat"))
        strands = np.sin(q / 2.3 + depth * 0.9 + p * 0.35) > 0.45
        view.paint(between & ligamentous & strands, palette.number("ligament"))
        space = here & (np.abs(depth) < width / 2) & cartilaginous
        view.paint(space, palette.number("sij_cartilage"), JOINT[side])
        view.paint(space & (np.abs(depth) < width / 2 - _CARTILAGE_MM), palette.number("sij_space"), JOINT[side])


def paint_lumbar(canvas: Canvas, pelvis: Pelvis, palette: Palette) -> None:
    """Paint L5 and the disc below it, which stand on the sacrum and lean back out of its plane."""
    disc, body = _lumbar(pelvis)
    for shape, tissues in ((disc, ("annulus_rest", "nucleus_rest")), (body, ("cortex", "marrow_sacrum"))):
        reach = 32.0
        frame = shape.frame
        low = (frame.x - reach, frame.y - reach, frame.z - reach)
        view = canvas.view((low, (frame.x + reach, frame.y + reach, frame.z + reach)))
        if view is None:
            continue
        p, q, t = frame.local(view.x, view.y, view.z)
        view.paint(shape.inside(p, q, t), palette.number(tissues[0]), shape.label)
        view.paint(shape.inside(p, q, t, grow=-_CORTEX_MM), palette.number(tissues[1]), shape.label)


def _lumbar(pelvis: Pelvis) -> tuple[Body, Body]:
    scale, turn = pelvis.plan.scale, np.radians(pelvis.tables.sacrum["endplate_turn"])
    tilt = pelvis.plan.tilt - turn
    end = Frame(*pelvis.frame.world(-2.0 * scale, 32.0 * scale), float(tilt))
    disc_frame = Frame(*end.world(0.0, 5.0 * scale), float(tilt - np.radians(7.0)))
    top = disc_frame.world(0.0, 5.0 * scale)
    body_frame = Frame(
        *Frame(*top, float(tilt - np.radians(14.0))).world(0.0, 14.0 * scale), float(tilt - np.radians(17.0))
    )
    disc = Body(
        "L5-S1", L5_S1, disc_frame, 33.0 * scale, 46.0 * scale, 10.0 * scale, float(np.radians(13.0)), -1.0, -1.0
    )
    body = Body("L5", L5, body_frame, 35.0 * scale, 45.0 * scale, 27.5 * scale, float(np.radians(6.0)), 1.2, 1.2)
    return disc, body


def _paint_disc_rests(view: View, palette: Palette, p: Values, q: Values, t: Values) -> None:
    """Paint what is left of the discs between the sacral segments."""
    for middle, half in ((2.0, 1.6), (-21.0, 1.1), (-38.0, 0.8)):
        rest = (np.abs(q - middle + 0.08 * p) < half) & (np.abs(t) < 15.0) & (p > -7.0)
        view.paint(rest & (view.label == SACRUM), palette.number("annulus_rest"), SACRUM)


def _paint_foramina(view: View, pelvis: Pelvis, palette: Palette, p: Values, q: Values, t: Values) -> None:
    openings, roots = pelvis.foramina(p, q, t)
    bone = view.label == SACRUM
    view.paint(openings & bone, palette.number("fat"), 0)
    view.paint(roots & openings & bone & (view.label == 0), palette.number("root"), 0)
    view.paint(roots & openings & (view.tissue == palette.number("fat")), palette.number("root"), 0)


def _paint_canal(view: View, pelvis: Pelvis, palette: Palette, p: Values, q: Values, t: Values) -> None:
    """Paint the sacral canal: fat with the end of the thecal sac down to S2 and roots beyond."""
    scale = pelvis.plan.scale
    shrink = np.interp(q / scale, [-70.0, -20.0, 35.0], [3.0, 7.0, 11.5])
    ring: Mask = (t / shrink) ** 2 + ((p / scale + 16.0) / (0.62 * shrink)) ** 2 <= 1.0
    ring &= (q < 34.0 * scale) & (q > -68.0 * scale)
    view.paint(ring, palette.number("fat"), 0)
    narrow = np.interp(q / scale, [-16.0, 10.0, 35.0], [0.5, 5.5, 8.0])
    sac: Mask = (t / narrow) ** 2 + ((p / scale + 16.0) / (0.6 * narrow)) ** 2 <= 1.0
    sac &= (q > -16.0 * scale) & ring
    view.paint(sac, palette.number("csf"), CANAL)
    for number in range(8):
        side = -1.0 if number % 2 else 1.0
        where = side * (1.2 + 1.1 * (number // 2)) * (1.0 + 0.01 * (20.0 - q))
        thread: Mask = (t - where) ** 2 + (p / scale + 16.0 - 0.5 * (number % 3)) ** 2 <= 0.8
        view.paint(thread & ring, palette.number("root"))
