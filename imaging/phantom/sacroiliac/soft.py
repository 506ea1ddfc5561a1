"""Soft tissues of the pelvis: skin, fat, muscles, vessels and bowel. Painted first; nothing here carries truth.

Places are own choice, to look like coronal-oblique MRI. Left and right differ as bowel and vessels do.
"""

import numpy as np

from imaging.phantom.canvas import View
from imaging.phantom.sacroiliac.pelvis import JOINT_HEAD_MM, Pelvis
from imaging.phantom.shapes import Values
from imaging.phantom.tissues import Palette

_HALF_WIDTH_MM = 172.0
_FRONT_MM = 145.0


def paint_soft_tissue(view: View, pelvis: Pelvis, palette: Palette) -> None:
    """Paint everything around the bones."""
    p, q, t = pelvis.frame.local(view.x, view.y, view.z)
    _paint_outline(view, pelvis, palette)
    _paint_cavity(view, pelvis, palette, p, q, t)
    _paint_gluteals(view, pelvis, palette, p, q, t)
    _paint_inner_muscles(view, pelvis, palette, p, q, t)


def _paint_outline(view: View, pelvis: Pelvis, palette: Palette) -> None:
    """Paint skin and subcutaneous fat; the buttocks stand out behind, more so below."""
    back = -62.0 - 18.0 * np.exp(-(((view.z + 75.0) / 60.0) ** 2)) * np.clip(np.abs(view.x) / 45.0, 0.0, 1.0)
    fat = pelvis.plan.back_fat
    for inset, name in ((0.0, "skin"), (2.5, "fat")):
        behind = back - fat + inset
        front = np.float32(_FRONT_MM - inset)
        middle, half = (front + behind) / 2, (front - behind) / 2
        across = (np.abs(view.x) / np.float32(_HALF_WIDTH_MM + 0.6 * fat - inset)) ** 3
        view.paint(across + (np.abs(view.y - middle) / half) ** 3 <= 1.0, palette.number(name))


def _paint_cavity(view: View, pelvis: Pelvis, palette: Palette, p: Values, q: Values, t: Values) -> None:
    """Paint fat, bowel and iliac vessels between the wings in front of the sacrum."""
    cavity = (np.abs(t) < _wing(pelvis, p, q)) & (p > -5.0)
    view.paint(cavity, palette.number("visceral"))
    rng = np.random.default_rng((pelvis.plan.seed, 32))
    for _ in range(26):
        middle = rng.uniform((22.0, -80.0, -70.0), (60.0, 75.0, 70.0))
        radii = rng.uniform((8.0, 8.0, 8.0), (16.0, 20.0, 20.0))
        loop = (
            ((p - middle[0]) / radii[0]) ** 2
            + ((q - middle[1]) / radii[1]) ** 2
            + ((t - middle[2]) / radii[2]) ** 2
        )
        view.paint((loop <= 1.0) & cavity, palette.number("bowel"))
    for side, shift in ((-1.0, 0.0), (1.0, 3.0)):
        run = side * (34.0 - 0.25 * (q - shift))
        vessel = (t - run) ** 2 + (p - 24.0 + 0.1 * q) ** 2 <= 5.5**2
        view.paint(vessel & (np.abs(q) < 60.0), palette.number("vessel"))


def _wing(pelvis: Pelvis, p: Values, q: Values) -> Values:
    """Return |t| of the inner side of the ilium: the joint, and above it the fossa."""
    return pelvis.surface(p, np.minimum(q, JOINT_HEAD_MM)) + 0.85 * np.clip(q - JOINT_HEAD_MM, 0.0, None)


def _paint_gluteals(view: View, pelvis: Pelvis, palette: Palette, p: Values, q: Values, t: Values) -> None:
    """Paint the gluteal muscles outside the ilium with fat between their layers, and the muscles of the back."""
    side = np.abs(t) - _wing(pelvis, p, q)
    height = 40.0 * np.sqrt(np.clip((80.0 - q) / 90.0, 0.0, 1.0))
    medius = (side > 0.0) & (side < 14.0 + height) & (q > -44.0 - 0.3 * (np.abs(t) - 60.0))
    view.paint(medius, palette.number("muscle"))
    seam = np.abs(side - 14.0 - 0.5 * height - 3.0 * np.sin(q / 17.0)) < 1.0
    view.paint(medius & seam & (q < 60.0), palette.number("fat"))
    # Below the notch: the rotators of the hip and obturator internus.
    low = (np.abs(t) > 52.0 + 0.2 * (q + 60.0)) & (q < -42.0 - 0.3 * (np.abs(t) - 60.0)) & (np.abs(t) < 128.0)
    view.paint(low, palette.number("muscle"))
    planes = np.sin((q + 0.35 * np.abs(t)) / 5.5 + 1.6 * np.sin(t / 24.0)) > 0.985
    view.paint(low & planes, palette.number("fat"))
    _paint_maximus(view, palette, p, q, t)
    spinal = ((np.abs(t) - 22.0) / 20.0) ** 2 + ((p + 42.0) / 16.0) ** 2 <= 1.0
    view.paint(spinal & (q > -45.0), palette.number("multifidus"))


def _paint_maximus(view: View, palette: Palette, p: Values, q: Values, t: Values) -> None:
    """Paint gluteus maximus behind the ilium and below it; bundles run down and outwards."""
    outline = (np.abs((np.abs(t) - 72.0) / 58.0)) ** 2.6 + (np.abs((q + 52.0) / 80.0)) ** 2.6 <= 1.0
    border = 22.0 - 0.9 * np.clip(np.abs(t) - 70.0, 0.0, None)
    behind = p < np.interp(q, [-120.0, -50.0, 0.0, 30.0], [8.0, 4.0, -18.0, -30.0])
    maximus = outline & behind & (q < border) & (p > -75.0)
    view.paint(maximus, palette.number("muscle"))
    bundles = np.sin((0.80 * q + 0.60 * np.abs(t) + 0.3 * p) / 3.3 + 1.8 * np.sin(q / 23.0) + np.sin(t / 9.0))
    view.paint(maximus & (bundles > 0.982), palette.number("fat"))


def _paint_inner_muscles(view: View, pelvis: Pelvis, palette: Palette, p: Values, q: Values, t: Values) -> None:
    """Paint iliacus in the fossa, psoas beside the spine and piriformis below the joint."""
    inner = _wing(pelvis, p, q)
    bulk = 15.0 * np.sqrt(np.clip((80.0 - q) / 40.0, 0.0, 1.0)) * np.clip((q - 20.0) / 12.0, 0.0, 1.0)
    iliacus = (np.abs(t) > inner - bulk) & (np.abs(t) < inner) & (p > -8.0)
    view.paint(iliacus, palette.number("muscle"))
    psoas = ((np.abs(t) - 42.0 - 0.1 * (60.0 - q)) / 15.0) ** 2 + ((p - 12.0) / 18.0) ** 2 <= 1.0
    view.paint(psoas & (q > 30.0), palette.number("muscle"))
    middle = -50.0 - 0.30 * (np.abs(t) - 35.0)
    slim = 11.0 * np.sqrt(np.clip((np.abs(t) - 18.0) / 14.0, 0.0, 1.0))
    piriformis = (np.abs(q - middle) < slim) & (np.abs(t) < 115.0) & (np.abs(p - 2.0) < 16.0)
    view.paint(piriformis, palette.number("muscle"))
