"""The order of painting: what lies deeper is painted later and covers what was there."""

from imaging.phantom.canvas import Canvas
from imaging.phantom.cervical.arteries import paint_arteries
from imaging.phantom.cervical.bones import paint_bodies, paint_posterior_elements
from imaging.phantom.cervical.canal import paint_canal, paint_foramina
from imaging.phantom.cervical.cranium import paint_atlas, paint_cranium
from imaging.phantom.cervical.discs import paint_discs
from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.soft import paint_soft_tissues
from imaging.phantom.tissues import Palette


def paint_neck(canvas: Canvas, neck: Neck, palette: Palette, *, with_soft: bool) -> None:
    """Paint everything in order; later paint covers earlier paint.

    Args:
        canvas: To paint on.
        neck: What to paint.
        palette: Tissue numbers; ``add_tissues`` has been called.
        with_soft: False leaves soft tissue and head away, for measuring.
    """
    if with_soft:
        paint_soft_tissues(canvas, neck, palette)
        paint_cranium(canvas, neck, palette)
    paint_foramina(canvas, neck, palette)
    paint_posterior_elements(canvas, neck, palette)
    paint_arteries(canvas, neck, palette)
    paint_canal(canvas, neck, palette)
    paint_atlas(canvas, neck, palette)
    paint_discs(canvas, neck, palette)
    paint_bodies(canvas, neck, palette)
