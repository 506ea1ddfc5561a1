"""The order in which the skeleton is painted; its truth is counted on the same paint."""

from imaging.phantom.canvas import Canvas
from imaging.phantom.sacroiliac.bones import paint_bones, paint_joints, paint_lumbar
from imaging.phantom.sacroiliac.lesions import paint_lesions
from imaging.phantom.sacroiliac.pelvis import Pelvis
from imaging.phantom.tissues import Palette


def paint_skeleton(canvas: Canvas, pelvis: Pelvis, palette: Palette) -> None:
    """Paint L5, bones, joints and lesions; what is painted later covers what was there."""
    paint_lumbar(canvas, pelvis, palette)
    view = canvas.whole()
    paint_bones(view, pelvis, palette)
    paint_joints(view, pelvis, palette)
    paint_lesions(view, pelvis, palette)
