"""Paint the lesions of a joint: oedema, fat, sclerosis and backfill of the marrow, erosions and bridges.

A lesion is an ellipsoid on the joint's surface, flattened to the bone's side, with a ragged edge. Deeper tissue is
painted first: sclerosis, fat and oedema lie in the marrow, then erosions break the bone plate, then bridges cross
the joint.
"""

import numpy as np

from anatomy import Side
from imaging.phantom.canvas import View
from imaging.phantom.sacroiliac.bones import ILIUM, JOINT, SACRUM
from imaging.phantom.sacroiliac.pelvis import JOINT_FOOT_MM, JOINT_HEAD_MM, Mask, Pelvis, sign
from imaging.phantom.sacroiliac.plan import Bone, JointPlan, Lesion, LesionKind
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette

_ORDER = (
    LesionKind.SCLEROSIS,
    LesionKind.FAT,
    LesionKind.OEDEMA,
    LesionKind.BACKFILL,
    LesionKind.EROSION,
    LesionKind.BRIDGE,
)
_CORE = 0.55  # share of an oedema that is fully bright; the rest fades


def paint_lesions(view: View, pelvis: Pelvis, palette: Palette) -> None:
    """Paint all lesions of both joints."""
    p, q, t = pelvis.frame.local(view.x, view.y, view.z)
    depth = pelvis.depth(p, q, t)
    for side in (Side.LEFT, Side.RIGHT):
        joint = pelvis.joint(side)
        here = (t * sign(side)) > 0
        if joint.has_vascular_signal:
            _paint_vessel(view, pelvis, palette, here, p, q, depth)
        for kind in _ORDER:
            for lesion in (item for item in joint.lesions if item.kind is kind):
                reach = here & _ellipsoid(pelvis, lesion, joint, p, q, depth)
                _PAINTERS[kind](view, palette, side, lesion, reach, depth)


def _ellipsoid(pelvis: Pelvis, lesion: Lesion, joint: JointPlan, p: Values, q: Values, depth: Values) -> Mask:
    """Return where the lesion is, both bones alike."""
    return _level(pelvis, lesion, joint, p, q, depth) <= 1.0


def _level(pelvis: Pelvis, lesion: Lesion, joint: JointPlan, p: Values, q: Values, depth: Values) -> Values:
    """Return the squared distance from a lesion's middle in its radii; its edge waves by a tenth."""
    scale = pelvis.plan.scale
    along = (pelvis.along(q) - lesion.along) * np.float32(
        0.5 * (JOINT_HEAD_MM - JOINT_FOOT_MM) * scale / lesion.along_mm
    )
    through = (pelvis.through(p, q) - lesion.through) * np.float32(11.0 * scale / lesion.through_mm)
    deep = np.clip(np.abs(depth) - np.float32(joint.width / 2), 0.0, None) / np.float32(lesion.depth_mm)
    wave = 1.0 + 0.10 * np.sin(q * 0.55 + lesion.phase) * np.sin(np.abs(depth) * 0.7 + 2 * lesion.phase)
    level: Values = (along**2 + through**2 + deep**2) * wave
    return level


def _in_marrow(view: View, palette: Palette, side: Side, bone: Bone) -> Mask:
    """Return the marrow of a bone beside the joint, whatever it has become; cortex stays."""
    label = SACRUM if bone is Bone.SACRUM else ILIUM[side]
    inside: Mask = (view.label == label) & (view.tissue != palette.number("cortex"))
    return inside


def _paint_oedema(view: View, palette: Palette, side: Side, lesion: Lesion, reach: Mask, depth: Values) -> None:
    marrow = reach & _in_marrow(view, palette, side, lesion.bone)
    view.paint(marrow, palette.number("oedema_mild"))
    name = "oedema_intense" if lesion.is_intense else "oedema"
    core = marrow & (np.abs(depth) < _CORE * lesion.depth_mm + 1.5)
    view.paint(core, palette.number(name))


def _paint_fat(view: View, palette: Palette, side: Side, lesion: Lesion, reach: Mask, depth: Values) -> None:
    view.paint(reach & _in_marrow(view, palette, side, lesion.bone), palette.number("fat_metaplasia"))


def _paint_sclerosis(view: View, palette: Palette, side: Side, lesion: Lesion, reach: Mask, depth: Values) -> None:
    view.paint(reach & _in_marrow(view, palette, side, lesion.bone), palette.number("sclerosis"))


def _paint_erosion(view: View, palette: Palette, side: Side, lesion: Lesion, reach: Mask, depth: Values) -> None:
    """Break the plate and fill the hole with what fills the joint."""
    label = SACRUM if lesion.bone is Bone.SACRUM else ILIUM[side]
    view.paint(reach & (view.label == label), palette.number("erosion"), JOINT[side])


def _paint_backfill(view: View, palette: Palette, side: Side, lesion: Lesion, reach: Mask, depth: Values) -> None:
    """Fill a former excavation with fat, framed by a dark line where the plate has moved to."""
    label = SACRUM if lesion.bone is Bone.SACRUM else ILIUM[side]
    bone = reach & (view.label == label)
    view.paint(bone, palette.number("cortex"))
    view.paint(bone & (np.abs(depth) < lesion.depth_mm - 0.4), palette.number("backfill"))


def _paint_bridge(view: View, palette: Palette, side: Side, lesion: Lesion, reach: Mask, depth: Values) -> None:
    """Replace joint and plates by marrow of the bone on either side."""
    near = np.abs(depth) < 3.5
    plate = (
        (view.tissue == palette.number("cortex")) & near & ((view.label == SACRUM) | (view.label == ILIUM[side]))
    )
    crossing = reach & near & ((view.label == JOINT[side]) | plate)
    view.paint(crossing & (depth < 0), palette.number("bridge"), SACRUM)
    view.paint(crossing & (depth >= 0), palette.number("bridge"), ILIUM[side])


def _paint_vessel(
    view: View, pelvis: Pelvis, palette: Palette, here: Mask, p: Values, q: Values, depth: Values
) -> None:
    """Paint a vessel in the ligamentous part, bright on STIR beside the joint: a distractor."""
    behind = pelvis.is_ligamentous(p, q)
    thread: Mask = (np.sin(q / 4.0) * 2.0 - depth) ** 2 < 1.3
    view.paint(here & behind & thread & (view.label == 0) & (q > 0) & (q < 26), palette.number("vein"))


_PAINTERS = {
    LesionKind.SCLEROSIS: _paint_sclerosis,
    LesionKind.FAT: _paint_fat,
    LesionKind.OEDEMA: _paint_oedema,
    LesionKind.BACKFILL: _paint_backfill,
    LesionKind.EROSION: _paint_erosion,
    LesionKind.BRIDGE: _paint_bridge,
}
