"""Discs: nucleus, border and annulus of their own; the tissues of one patient."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.shapes import NeckDisc
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette, Tissue, load_tissues


def add_tissues(palette: Palette, neck: Neck) -> None:
    """Give every disc its own nucleus, border zone and annulus, and every vertebra its own marrow."""
    _, grades = load_tissues()
    for disc in neck.discs:
        plan = neck.plan.disc(disc.name)
        row = grades[plan.pfirrmann]
        for zone, share in (("nucleus", 1.0), ("border", 0.5), ("annulus", 0.0)):
            t2 = share * plan.nucleus_t2 + (1.0 - share) * row.annulus_t2
            # The annulus holds less water that can be seen; the share is own choice.
            density = row.pd * (0.72 + 0.28 * share)
            palette.add(f"{zone}_{disc.name}", Tissue(t1=row.t1, t2=t2, pd=density, texture=0.05))
    marrow = palette.tissue("marrow")
    rng = np.random.default_rng((neck.plan.seed, 14))
    fatty = (neck.plan.age_years - 50) / 100.0  # marrow turns to fat with age; own choice of slope
    for body in neck.bodies:
        shift = float(np.clip(rng.normal(fatty, 0.08), -0.3, 0.4))
        fraction = float(np.clip(marrow.fat_fraction * (1.0 + shift), 0.05, 0.8))
        palette.add(f"marrow_{body.name}", replace(marrow, fat_fraction=fraction))


def paint_discs(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint all discs; bodies painted afterwards cut them at their endplates."""
    for disc in neck.discs:
        x, y, z = disc.frame.x, disc.frame.y, disc.frame.z
        view = canvas.view(((x - 16, y - 12, z - 12), (x + 16, y + 12, z + 12)))
        if view is None:
            continue
        p, q, t = disc.frame.local(view.x, view.y, view.z)
        inside = disc.inside(p, q, t)
        view.paint(inside, palette.number(f"annulus_{disc.name}"), disc.label)
        for zone, size in (("border", 0.82), ("nucleus", 0.66)):
            view.paint(inside & _core(disc, p, q, t, size), palette.number(f"{zone}_{disc.name}"), disc.label)
        if neck.plan.disc(disc.name).pfirrmann == "II":
            cleft = _core(disc, p, q, t, 0.5) & (np.abs(q) < 0.5)
            view.paint(inside & cleft, palette.number(f"border_{disc.name}"), disc.label)
        # The front and back of the annulus run into the longitudinal ligaments.
        rim = inside & (disc.excess(p, q, t) > -0.8)
        view.paint(rim, palette.number("ligament"), disc.label)


def _core(disc: NeckDisc, p: Values, q: Values, t: Values, size: float) -> NDArray[np.bool_]:
    """Return where a point lies in the disc's core of some share of its size."""
    a, w = size * disc.depth / 2, size * disc.width / 2
    high = 0.5 * disc.height + 1.2 * size
    core = np.abs((p + 0.4) / a) ** 2.5 + np.abs(t / w) ** 2.5 + np.abs(q / high) ** 2.5
    return np.asarray(core <= 1.0)
