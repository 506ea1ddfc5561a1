"""The order of painting: what lies deeper is painted later and covers what was there."""

from imaging.phantom.canvas import Canvas
from imaging.phantom.lumbar.bones import paint_bodies, paint_posterior_elements
from imaging.phantom.lumbar.discs import paint_discs, paint_endplates
from imaging.phantom.lumbar.marrow import paint_marrow
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.roots import paint_cauda, paint_foramina, paint_roots
from imaging.phantom.lumbar.sac import canal_view, paint_canal_fat, paint_flava, paint_interspinous, paint_sac
from imaging.phantom.lumbar.trunk import paint_trunk
from imaging.phantom.tissues import Palette


def paint_spine(
    canvas: Canvas, spine: Spine, palette: Palette, *, with_trunk: bool, with_canal: bool = True
) -> None:
    """Paint everything in order; later paint covers earlier paint.

    Args:
        canvas: To paint on.
        spine: What to paint.
        palette: Tissue numbers; ``add_disc_tissues`` has been called.
        with_trunk: False leaves soft tissue away, for measuring.
        with_canal: False leaves sac, ligaments and the fat around them away, for planes that do not meet them.
    """
    inside = canal_view(canvas, spine) if with_canal else None
    if with_trunk:
        paint_trunk(canvas, spine, palette)
        if inside is not None:
            paint_interspinous(inside, spine, palette)
    paint_foramina(canvas, spine, palette)
    if inside is not None:
        paint_canal_fat(inside, spine, palette)
    paint_roots(canvas, spine, palette)
    paint_posterior_elements(canvas, spine, palette)
    if inside is not None:
        paint_flava(inside, spine, palette)
        sac = paint_sac(inside, spine, palette)
        paint_cauda(inside, spine, palette, sac)
    paint_discs(canvas, spine, palette)
    paint_bodies(canvas, spine, palette)
    paint_endplates(canvas, spine, palette)
    paint_marrow(canvas, spine, palette)
