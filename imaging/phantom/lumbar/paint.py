"""The order of painting: what lies deeper is painted later and covers what was there."""

from imaging.phantom.canvas import Canvas
from imaging.phantom.lumbar.bones import paint_bodies, paint_posterior_elements
from imaging.phantom.lumbar.discs import paint_discs, paint_endplates
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.sac import paint_canal, paint_foramina, paint_interspinous
from imaging.phantom.lumbar.trunk import paint_trunk
from imaging.phantom.tissues import Palette


def paint_spine(canvas: Canvas, spine: Spine, palette: Palette, *, with_trunk: bool) -> None:
    """Paint everything in order; later paint covers earlier paint.

    Args:
        canvas: To paint on.
        spine: What to paint.
        palette: Tissue numbers; ``add_disc_tissues`` has been called.
        with_trunk: False leaves soft tissue away, for measuring.
    """
    if with_trunk:
        paint_trunk(canvas, spine, palette)
        paint_interspinous(canvas, spine, palette)
    paint_foramina(canvas, spine, palette)
    paint_posterior_elements(canvas, spine, palette)
    paint_canal(canvas, spine, palette)
    paint_discs(canvas, spine, palette)
    paint_bodies(canvas, spine, palette)
    paint_endplates(canvas, spine, palette)
