"""The skull base over the spine: C1 around the dens, clivus, occiput, brain stem, cerebellum and its tonsils.

Sizes are own choice, to look like a cervical MRI; nothing here carries truth. All in the frame of C2, whose body
ends above at ``top``.
"""

import numpy as np
from numpy.typing import NDArray

from anatomy import vertebra_label
from imaging.phantom.canvas import Canvas, View
from imaging.phantom.cervical.arch import Extent
from imaging.phantom.cervical.bones import box_around, paint_bone
from imaging.phantom.cervical.place import FORAMEN_MAGNUM_MM, Neck
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette

_C1_MARROW = "marrow_C2"


def paint_atlas(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint C1: front arch before the dens, lateral masses, back arch behind the canal."""
    c2 = neck.bodies[0]
    top, label = c2.height / 2, vertebra_label("C1")

    def front_arch(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        middle = 9.2 - t * t / 42.0
        return np.asarray(((p - middle) / (2.9 + grow)) ** 2 + ((q - top - 8.5) / (5.2 + grow)) ** 2 <= 1.0) & (
            np.abs(t) < 15.0
        )

    def masses(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        across = (np.abs(t) - 16.0) / (6.5 + grow)
        up = (q - top - 8.0 - 0.25 * (np.abs(t) - 16.0)) / (7.5 + grow)
        return np.asarray(across**4 + ((p + 2.0) / (8.0 + grow)) ** 2 + up**4 <= 1.0)

    def back_arch(p: Values, q: Values, t: Values, grow: float) -> NDArray[np.bool_]:
        middle = -27.5 + t * t / 24.0
        return np.asarray(((p - middle) / (2.8 + grow)) ** 2 + ((q - top - 7.0) / (4.2 + grow)) ** 2 <= 1.0) & (
            np.abs(t) < 23.0
        )

    boxes = (
        (masses, Extent(-11, 7, top - 2, top + 18, 24)),
        (back_arch, Extent(-32, 0, top + 2, top + 12, 23)),
        (front_arch, Extent(0, 13, top + 2, top + 15, 15)),
    )
    for inside, extent in boxes:
        paint_bone(canvas, c2.frame, inside, extent, palette, marrow=_C1_MARROW, label=label)


def paint_cranium(canvas: Canvas, neck: Neck, palette: Palette) -> None:
    """Paint skull and brain, before the bones of the spine."""
    c2 = neck.bodies[0]
    top = c2.height / 2 + FORAMEN_MAGNUM_MM
    view = canvas.view(box_around(c2.frame, Extent(-110, 60, top - 16, top + 70, 85)))
    if view is None:
        return
    p, q, t = c2.frame.local(view.x, view.y, view.z)
    up = q - top
    skull = _skull(p, up, t, 0.0)
    view.paint(skull, palette.number("cortex"))
    view.paint(_skull(p, up, t, -1.6) & ~_skull(p, up, t, -5.0), palette.number(_C1_MARROW))
    clivus = (np.abs(p - 9.0 - 0.62 * up) < 7.0) & (up > 2.0) & (np.abs(t) < 16.0)
    view.paint(clivus, palette.number("cortex"))
    core = (np.abs(p - 9.0 - 0.62 * up) < 5.8) & (up > 3.6) & (np.abs(t) < 14.5)
    view.paint(core, palette.number(_C1_MARROW))
    cavity = _skull(p, up, t, -6.5) & (p < 2.5 + 0.62 * up)
    # The foramen magnum opens the floor.
    opening = ((p + 18.5) / (13.0 + 0.2 * up)) ** 2 + (t / 14.0) ** 2 <= 1.0
    cavity |= opening & (up > -8.0) & (up < 14.0)
    view.paint(cavity, palette.number("csf"))
    _paint_brain(view, (p, up, t), cavity, neck, palette)


def _skull(p: Values, up: Values, t: Values, grow: float) -> NDArray[np.bool_]:
    """Return where a point lies in the skull's bowl, its floor flattened around the foramen magnum."""
    along, across, high = (p + 34.0) / (80.0 + grow), t / (70.0 + grow), (up - 62.0) / (68.0 + grow)
    inside: NDArray[np.bool_] = along**2 + across**2 + high**2 <= 1.0
    return inside


def _paint_brain(
    view: View, local: tuple[Values, Values, Values], cavity: NDArray[np.bool_], neck: Neck, palette: Palette
) -> None:
    """Fill the cavity with brain but for the cisterns; brain stem in front, cerebellum behind, tonsils below."""
    p, up, t = local
    side = np.abs(t)
    brain, stem, csf = (palette.number(name) for name in ("cerebellum", "cord_white", "csf"))
    cerebellum = ((p + 50.0) / 36.0) ** 2 + ((up - 29.0) / 28.0) ** 2 + (t / 58.0) ** 2 <= 1.0
    view.paint(cavity & cerebellum, brain)
    # Folia fan out from the roof of the fourth ventricle.
    fan = np.hypot(p + 26.0, up - 30.0)
    folds = (np.sin(30.0 * np.arctan2(up - 30.0, p + 26.0) + 0.25 * fan) > 0.93) & (fan > 16.0)
    view.paint(cavity & cerebellum & folds, palette.number("cord_grey"))
    low = -neck.plan.tonsil
    tonsil = ((p + 28.5) / 5.5) ** 2 + ((up - low - 10.0) / 10.5) ** 2 + ((side - 7.5) / 6.5) ** 2 <= 1.0
    view.paint(cavity & tonsil, brain)
    cerebrum = (up > 51.0 - 0.1 * (p + 40.0)) & _skull(p, up, t, -9.0)
    view.paint(cavity & cerebrum, brain)
    grown = np.minimum(np.maximum(up, 0.0), 30.0)
    middle = -16.5 + 0.10 * np.minimum(np.maximum(up, 0.0), 60.0)
    medulla = ((p - middle) / (5.0 + 0.06 * grown)) ** 2 + (t / (6.4 + 0.10 * grown)) ** 2 <= 1.0
    view.paint(cavity & medulla & (up < 50.0), stem)
    pons = ((p + 6.5) / 12.5) ** 2 + ((up - 33.0) / 15.0) ** 2 + (t / 17.0) ** 2 <= 1.0
    midbrain = ((p + 9.0) / 9.5) ** 2 + ((up - 52.0) / 12.0) ** 2 + (t / 16.0) ** 2 <= 1.0
    view.paint(cavity & (pons | midbrain), stem)
    ventricle = (np.abs(p + 21.5) < 3.6 - 0.24 * np.abs(up - 31.0)) & (side < 7.0)
    view.paint(cavity & ventricle, csf)
