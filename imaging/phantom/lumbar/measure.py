"""Lengths and areas of a level, counted on fine planes painted by the same shapes as the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.lumbar.courses import course_inside
from imaging.phantom.lumbar.facets import RECESS_INWARD_MM
from imaging.phantom.lumbar.paint import paint_spine
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.sac import CANAL_LABEL
from imaging.phantom.shapes import Disc
from imaging.phantom.tissues import Palette

_FINE_MM = 0.1
_AXIAL_MM = 0.2
_SIDE_MM = 0.15
_RECESS_BAND_MM = 1.0  # to both sides of the middle of the recess
_FORAMEN_BAND_MM = 1.0  # to both sides of the disc's plane, and no more than half its half height at the back
_OPEN_MM = 12.0  # a recess without a roof counts as so high
_TOP_VERTEBRA = 24  # labels 1 to 24 are vertebrae (anatomy/codes.csv)
_SACRUM = 50

Axis = tuple[NDArray[np.float64], float, int]
"""Unit direction in RAS+, step in mm and number of samples."""


@dataclass(frozen=True)
class Patch:
    """Labels and tissues of a fine plane, (steps along, steps across)."""

    label: NDArray[np.uint8]
    tissue: NDArray[np.uint8]


@dataclass(frozen=True)
class AxialMeasures:
    """What the plane of a disc shows.

    Attributes:
        sac_area_mm2: Of the thecal sac.
        csf_share: Of it that is CSF, not root or cord.
        recess_mm: Height of the (left, right) lateral recess, disc to articular process or ligament.
        flavum_mm: Greatest thickness of the ligamenta flava, 4 mm beside the midline.
    """

    sac_area_mm2: float
    csf_share: float
    recess_mm: dict[Side, float]
    flavum_mm: float


@dataclass(frozen=True)
class ForamenMeasures:
    """What the sagittal plane of a foramen shows.

    Attributes:
        width_mm: Disc edge to articular process.
        height_mm: Pedicle to pedicle.
        contacts: Where the root touches what is no fat: front, back, above, below.
        root_share: Area of the root against its undisturbed area.
    """

    width_mm: float
    height_mm: float
    contacts: tuple[bool, bool, bool, bool]
    root_share: float


def paint_patch(
    spine: Spine,
    palette: Palette,
    origin: tuple[float, float, float],
    along: Axis,
    across: Axis,
    *,
    with_canal: bool = True,
) -> Patch:
    """Paint a fine plane whose first sample lies at ``origin`` (RAS+ mm)."""
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along[0] * along[1], across[0] * across[1]
    affine[:3, 2] = np.cross(along[0], across[0])
    affine[:3, 3] = origin
    canvas = Canvas(Grid(affine, (along[2], across[2], 1)))
    paint_spine(canvas, spine, palette, with_trunk=False, with_canal=with_canal)
    return Patch(canvas.label[:, :, 0], canvas.tissue[:, :, 0])


def measure_disc_height(spine: Spine, disc: Disc, palette: Palette) -> float:
    """Return the mean height of the middle third of the disc in its mid-sagittal plane, mm."""
    forward, up, _ = disc.frame.axes
    third, reach = disc.depth / 3, disc.height / 2 + 6.0
    origin = disc.frame.world(-third / 2, -reach)
    patch = paint_patch(
        spine, palette, origin, (forward, 0.2, int(third / 0.2) + 1), (up, _FINE_MM, int(2 * reach / _FINE_MM))
    )
    return float((patch.label == disc.label).sum(axis=1).mean() * _FINE_MM)


def measure_canal_ap(spine: Spine, disc: Disc, palette: Palette) -> float:
    """Return the least AP diameter of the sac behind the disc in the middle of the canal, mm."""
    curve = spine.curve
    _, y, z = disc.frame.world(disc.margin(0.0), 0.0)
    sample = curve.nearest(y, z)
    forward = np.array([0.0, curve.normal_y[sample], curve.normal_z[sample]])
    up = np.array([0.0, -curve.normal_z[sample], curve.normal_y[sample]])
    half = disc.height / 2 + 1.0
    middle = np.array([curve.x[sample], curve.y[sample], curve.z[sample]])
    first = middle - 16.0 * forward - half * up
    origin = (float(first[0]), float(first[1]), float(first[2]))
    patch = paint_patch(
        spine, palette, origin, (forward, _FINE_MM, int(32 / _FINE_MM)), (up, 0.25, int(2 * half / 0.25) + 1)
    )
    return float((patch.label == CANAL_LABEL).sum(axis=0).min() * _FINE_MM)


def measure_axial(spine: Spine, disc: Disc, palette: Palette) -> AxialMeasures:
    """Measure sac, recesses and ligaments in the plane of a disc."""
    forward, _, right = disc.frame.axes
    step, first_p, half = _AXIAL_MM, -disc.depth / 2 - 26.0, 18.0
    count = int(2 * half / step)
    patch = paint_patch(
        spine, palette, disc.frame.world(first_p, 0.0, -half), (right, step, count), (forward, step, count)
    )
    sac = patch.label == CANAL_LABEL
    fluid = sac & (patch.tissue == palette.number("csf"))
    ligament = (patch.tissue == palette.number("ligament")) & (patch.label == 0)
    t = -half + step * np.arange(count)
    recess = {}
    for joint, side in zip(spine.joints[disc.name], (Side.LEFT, Side.RIGHT), strict=True):
        middle = joint.sign * (joint.w - RECESS_INWARD_MM)
        band = np.nonzero(np.abs(t - middle) <= _RECESS_BAND_MM)[0]
        recess[side] = min(_open_behind(patch.label[i], ligament[i], disc.label) for i in band) * step
    beside = np.abs(np.abs(t) - 4.0) < 0.6 * step
    # Across the leaf, which runs forward to the sides by 0.42 (sac.paint_flava).
    thick = float(ligament[beside].sum(axis=1).max() * step * np.cos(np.arctan(0.42)))
    return AxialMeasures(
        sac_area_mm2=float(sac.sum() * step * step),
        csf_share=float(fluid.sum() / max(int(sac.sum()), 1)),
        recess_mm=recess,
        flavum_mm=thick,
    )


def _open_behind(label: NDArray[np.uint8], ligament: NDArray[np.bool_], disc_label: int) -> int:
    """Return the number of open samples behind the disc on a line that runs to the front."""
    disc = np.nonzero(label == disc_label)[0]
    if not len(disc):
        return int(_OPEN_MM / _AXIAL_MM)
    behind = slice(int(disc[0]) - 1, None, -1) if disc[0] else slice(0, 0)
    blocked = (is_bone(label) | ligament)[behind]
    free = int(np.argmax(blocked)) if blocked.any() else len(blocked)
    return min(free, int(_OPEN_MM / _AXIAL_MM))


def measure_foramen(spine: Spine, disc: Disc, palette: Palette, side: Side) -> ForamenMeasures:
    """Measure a foramen in the sagittal plane of the pedicles."""
    joint = spine.joints[disc.name][0 if side is Side.LEFT else 1]
    t = joint.sign * joint.w
    forward, up, _ = disc.frame.axes
    edge, step = disc.margin(t), _SIDE_MM
    back, foot = edge - 16.0, -26.0
    columns, rows = int(20.0 / step), int(52.0 / step)
    origin = disc.frame.world(back, foot, t)
    plane: tuple[Axis, Axis] = (forward, step, columns), (up, step, rows)
    patch = paint_patch(spine, palette, origin, *plane, with_canal=False)
    taken = patch.label > 0
    start = int((edge + 2.0 - back) / step)
    reach = min(_FORAMEN_BAND_MM, 0.5 * joint.half_disc)
    level = [int((q - foot) / step) for q in (-reach, reach)]
    width = min(_free_run(taken[start::-1, row]) for row in range(level[0], level[1] + 1)) * step
    column = is_bone(patch.label[int((edge - width / 2 - back) / step)])
    middle = int(-foot / step)
    above, below = (
        int(np.argmax(part)) if part.any() else len(part) for part in (column[middle:], column[middle::-1])
    )
    blocked = taken | (patch.tissue == palette.number("ligament"))
    i, j = np.meshgrid(np.arange(columns) * step, np.arange(rows) * step, indexing="ij")
    x, y, z = (origin[axis] + forward[axis] * i + up[axis] * j for axis in range(3))
    whole = course_inside(spine.roots[disc.name][0 if side is Side.LEFT else 1], x, y, z)
    root = whole & (patch.tissue == palette.number("root_sheath"))
    touching = int(spine.tables.rules["lee"]["contact_mm"] / step)
    return ForamenMeasures(
        width_mm=width,
        height_mm=(above + below) * step,
        contacts=_contacts(root, blocked, touching),
        root_share=float(root.sum() / max(int(whole.sum()), 1)),
    )


def _contacts(root: NDArray[np.bool_], blocked: NDArray[np.bool_], reach: int) -> tuple[bool, bool, bool, bool]:
    """Return whether a root touches something in front, behind, above and below (axes: to the front, up)."""
    if not root.any():
        return True, True, True, True
    i, j = (round(float(values.mean())) for values in np.nonzero(root))
    row, column = np.nonzero(root[:, j])[0], np.nonzero(root[i])[0]
    if not len(row) or not len(column):
        return True, True, True, True
    return (
        bool(blocked[row[-1] + 1 : row[-1] + 1 + reach, j].any()),
        bool(blocked[max(row[0] - reach, 0) : row[0], j].any()),
        bool(blocked[i, column[-1] + 1 : column[-1] + 1 + reach].any()),
        bool(blocked[i, max(column[0] - reach, 0) : column[0]].any()),
    )


def is_bone(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where labels are those of a vertebra or the sacrum."""
    bone: NDArray[np.bool_] = ((labels >= 1) & (labels <= _TOP_VERTEBRA)) | (labels == _SACRUM)
    return bone


def _free_run(taken: NDArray[np.bool_]) -> int:
    """Return the number of free samples between disc or body in front and bone behind."""
    start = int(np.argmin(taken))
    behind = taken[start:]
    return int(np.argmax(behind)) if behind.any() else len(behind)
