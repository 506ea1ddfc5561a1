"""What changes the marrow of a body and carries no grade: haemangiomas and the oedema of a fracture."""

import numpy as np

from imaging.phantom.canvas import Canvas
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.shapes import Body
from imaging.phantom.tissues import Palette

_OEDEMA_MM = 7.0  # under the broken endplate; own choice


def paint_marrow(canvas: Canvas, spine: Spine, palette: Palette) -> None:
    """Paint haemangiomas and fracture oedema over the marrow."""
    for body in spine.vertebrae:
        plan = spine.plan.body(body.name)
        if plan.haemangioma:
            _paint_haemangioma(canvas, body, plan.haemangioma, spine.plan.seed, palette)
        if plan.collapse:
            _paint_fracture(canvas, body, palette)


def _paint_haemangioma(canvas: Canvas, body: Body, radius: float, seed: int, palette: Palette) -> None:
    rng = np.random.default_rng((seed, 7))
    centre = (rng.uniform(-0.2, 0.2) * body.depth, rng.uniform(-0.15, 0.15) * body.height, rng.uniform(-6.0, 6.0))
    x, y, z = body.frame.world(*centre)
    view = canvas.view(((x - radius, y - radius, z - radius), (x + radius, y + radius, z + radius)))
    if view is None:
        return
    distance = (view.x - np.float32(x)) ** 2 + (view.y - np.float32(y)) ** 2 + (view.z - np.float32(z)) ** 2
    marrow = view.tissue == palette.number(f"marrow_{body.name}")
    view.paint((distance <= radius * radius) & marrow, palette.number("haemangioma"))


def _paint_fracture(canvas: Canvas, body: Body, palette: Palette) -> None:
    """Paint a band of oedema under the upper endplate."""
    x, y, z = body.frame.world(0.0, body.height / 2)
    reach = body.width / 2 + 4
    view = canvas.view(((x - reach, y - reach, z - 22), (x + reach, y + reach, z + 22)))
    if view is None:
        return
    p, q, t = body.frame.local(view.x, view.y, view.z)
    deep = body.top(p, t) - q
    band = (deep > 0.5) & (deep < _OEDEMA_MM + 2.0 * np.cos(p / 7.0)) & body.inside(p, q, t, grow=-0.7)
    marrow = view.tissue == palette.number(f"marrow_{body.name}")
    view.paint(band & marrow, palette.number("modic_1"))
