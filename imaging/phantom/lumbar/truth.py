"""The truth of a phantom: measured on its geometry, graded by named rules. What was drawn is not looked at.

Every length is counted on a fine patch painted by the same shapes as the image, laid along the disc or the canal.
Three things have no length and are read from the tissue: the nucleus' T2, the kind of marrow and a pit's depth.
"""

import numpy as np
from numpy.typing import NDArray

from anatomy import Condition, Side, load_protocol
from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.lumbar.arch import foramen_t
from imaging.phantom.lumbar.paint import paint_spine
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.rules import (
    grade_canal,
    grade_endplate,
    grade_foramen,
    grade_listhesis,
    grade_modic,
    grade_narrowing,
    grade_outline,
    grade_pfirrmann,
)
from imaging.phantom.lumbar.sac import CANAL_LABEL
from imaging.phantom.scene import Truth
from imaging.phantom.shapes import Disc
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthGrade, TruthLevel, TruthMeasurement

_FINE_MM = 0.1
_TOP_VERTEBRA = 24  # labels 1 to 24 are vertebrae (anatomy/codes.csv)
_SACRUM = 50


def measure_truth(spine: Spine, palette: Palette, *, protocol: str = "lumbar") -> Truth:
    """Measure and grade every level of a protocol, cranial to caudal.

    Args:
        spine: Placed spine.
        palette: Tissues, those of the discs included.
        protocol: Decides which levels are reported.
    """
    reported = [name for name in load_protocol(protocol).levels if name in spine.tables.discs]
    levels, measurements, grades = [], [], []
    for name in reported:
        disc = spine.disc(name)
        levels.append(_locate(disc))
        found = _measure_level(spine, disc, palette)
        measurements += found
        grades += _grade_level(spine, disc, palette, found)
    return Truth(tuple(levels), tuple(measurements), tuple(grades))


def _locate(disc: Disc) -> TruthLevel:
    frame = disc.frame
    return TruthLevel(disc.name, (frame.x, frame.y, frame.z), frame.world(disc.margin(0.0), 0.0))


def _measure_level(spine: Spine, disc: Disc, palette: Palette) -> list[TruthMeasurement]:
    slip, percent = _listhesis(spine, disc)
    rows: list[tuple[str, Side | None, float, str, str]] = [
        ("disc_height", None, _disc_height(spine, disc, palette), "mm", "mean of the middle third, mid-sagittal"),
        ("canal_ap_diameter", None, _canal_ap(spine, disc, palette), "mm", "least across the disc, mid-sagittal"),
        ("dural_sac_area", None, _sac_area(spine, disc, palette), "mm2", "in the plane of the disc"),
        ("listhesis", None, slip, "mm", "between the posterior corners, along the endplate below"),
        ("listhesis_percent", None, percent, "1", "listhesis over the endplate below"),
    ]
    for side in (Side.LEFT, Side.RIGHT):
        width, height = _foramen(spine, disc, palette, side)
        rows.append(("foraminal_width", side, width, "mm", "disc edge to facet, plane of the pedicles"))
        rows.append(("foraminal_height", side, height, "mm", "pedicle to pedicle, plane of the pedicles"))
    return [
        TruthMeasurement(name, disc.name, side, float(value), unit, method)
        for name, side, value, unit, method in rows
    ]


def _grade_level(spine: Spine, disc: Disc, palette: Palette, found: list[TruthMeasurement]) -> list[TruthGrade]:
    value = {(item.name, item.side): item.value for item in found}
    rules, plan = spine.tables.rules, spine.plan.disc(disc.name)
    height = value["disc_height", None]
    loss = 1.0 - height / plan.healthy_height
    grades = [
        (Condition.DISC_DEGENERATION, "pfirrmann", *grade_pfirrmann(plan.nucleus_t2, loss, rules), None),
        (
            Condition.DISC_NARROWING,
            "presence",
            *grade_narrowing(height, loss, spine.tables.discs[disc.name], rules),
            None,
        ),
        (Condition.DISC_BULGING, "presence", *grade_outline(disc, rules).bulging, None),
        (Condition.DISC_HERNIATION, "presence", *grade_outline(disc, rules).herniation, _focal_side(disc, rules)),
        (Condition.SPINAL_CANAL_STENOSIS, "rsna", *grade_canal(value["canal_ap_diameter", None], rules), None),
        (Condition.SPONDYLOLISTHESIS, "presence", *grade_listhesis(value["listhesis", None], rules), None),
        (Condition.MODIC, "modic", *grade_modic(plan.modic, disc, spine.tables, palette), None),
        (Condition.UPPER_ENDPLATE_CHANGE, "presence", *grade_endplate(plan.pit_above, rules), None),
        (Condition.LOWER_ENDPLATE_CHANGE, "presence", *grade_endplate(plan.pit_below, rules), None),
    ]
    # The limits of a foramen are those of the lumbar spine: thoracic foramina are measured, not graded.
    sides = (Side.LEFT, Side.RIGHT) if disc.name in spine.tables.rsna_foramen else ()
    grades += [
        (
            Condition.NEURAL_FORAMINAL_NARROWING,
            "rsna",
            *grade_foramen(value["foraminal_width", side], value["foraminal_height", side], rules),
            side,
        )
        for side in sides
    ]
    return [
        TruthGrade(disc.name, side, condition, scale, grade, rule)
        for condition, scale, grade, rule, side in grades
    ]


def _focal_side(disc: Disc, rules: dict[str, dict[str, float]]) -> Side | None:
    """Return the side of a herniation off the midline; None for a central one or none."""
    if grade_outline(disc, rules).herniation[0] == "absent" or abs(disc.bulges.focal_t) < 1.0:
        return None
    return Side.LEFT if disc.bulges.focal_t < 0 else Side.RIGHT


def _patch(
    spine: Spine,
    palette: Palette,
    origin: tuple[float, float, float],
    along: tuple[NDArray[np.float64], float, int],
    across: tuple[NDArray[np.float64], float, int],
) -> NDArray[np.uint8]:
    """Paint a fine plane and return its labels (steps along, steps across).

    Args:
        spine: What to paint.
        palette: Its tissues.
        origin: World place of the first sample, RAS+ mm.
        along: Unit direction, step in mm and number of samples of the first axis.
        across: The same of the second.
    """
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along[0] * along[1], across[0] * across[1]
    affine[:3, 2] = np.cross(along[0], across[0])
    affine[:3, 3] = origin
    canvas = Canvas(Grid(affine, (along[2], across[2], 1)))
    paint_spine(canvas, spine, palette, with_trunk=False)
    return canvas.labels()[:, :, 0]


def _axes(tilt: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the forward and upward unit vectors of a frame with a tilt."""
    cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
    return np.array([0.0, cos, -sin]), np.array([0.0, sin, cos])


def _disc_height(spine: Spine, disc: Disc, palette: Palette) -> float:
    forward, up = _axes(disc.frame.tilt)
    third, reach = disc.depth / 3, disc.height / 2 + 6.0
    origin = disc.frame.world(-third / 2, -reach)
    labels = _patch(
        spine, palette, origin, (forward, 0.2, int(third / 0.2) + 1), (up, _FINE_MM, int(2 * reach / _FINE_MM))
    )
    return float((labels == disc.label).sum(axis=1).mean() * _FINE_MM)


def _canal_ap(spine: Spine, disc: Disc, palette: Palette) -> float:
    curve = spine.curve
    _, y, z = disc.frame.world(disc.margin(0.0), 0.0)
    sample = curve.nearest(y, z)
    forward = np.array([0.0, curve.normal_y[sample], curve.normal_z[sample]])
    up = np.array([0.0, -curve.normal_z[sample], curve.normal_y[sample]])
    half = disc.height / 2 + 1.0
    middle = np.array([disc.frame.x, curve.y[sample], curve.z[sample]])
    first = middle - 16.0 * forward - half * up
    origin = (float(first[0]), float(first[1]), float(first[2]))
    labels = _patch(
        spine, palette, origin, (forward, _FINE_MM, int(32 / _FINE_MM)), (up, 0.25, int(2 * half / 0.25) + 1)
    )
    return float((labels == CANAL_LABEL).sum(axis=0).min() * _FINE_MM)


def _sac_area(spine: Spine, disc: Disc, palette: Palette) -> float:
    forward, _ = _axes(disc.frame.tilt)
    x, y, z = disc.frame.world(-disc.depth / 2 - 26.0, 0.0, -18.0)
    labels = _patch(spine, palette, (x, y, z), (np.array([1.0, 0.0, 0.0]), 0.2, 180), (forward, 0.2, 180))
    return float((labels == CANAL_LABEL).sum() * 0.2 * 0.2)


def _listhesis(spine: Spine, disc: Disc) -> tuple[float, float]:
    """Return the slip in mm and as a share of the endplate below; positive = the upper body stands in front."""
    above, below = spine.around(disc)
    upper, lower = above.posterior_corner(upper=False), below.posterior_corner(upper=True)
    forward, _ = _axes(below.frame.tilt - below.wedge / 2)
    slip = (upper[0] - lower[0]) * float(forward[1]) + (upper[1] - lower[1]) * float(forward[2])
    return slip, slip / below.depth


def _foramen(spine: Spine, disc: Disc, palette: Palette, side: Side) -> tuple[float, float]:
    """Return width (disc edge to facet) and height (pedicle to pedicle) of a foramen, mm."""
    above, _ = spine.around(disc)
    t = foramen_t(spine.pedicle_t[above.name]) * (-1.0 if side is Side.LEFT else 1.0)
    forward, up = _axes(disc.frame.tilt)
    edge = disc.margin(t)
    lines = _patch(spine, palette, disc.frame.world(edge + 2.0, -1.0, t), (-forward, _FINE_MM, 200), (up, 0.25, 9))
    width = min(_free_run(lines[:, row]) for row in range(lines.shape[1])) * _FINE_MM
    middle = edge - width / 2
    column = _patch(
        spine, palette, disc.frame.world(middle, -30.0, t), (up, _FINE_MM, 600), (forward, _FINE_MM, 1)
    )[:, 0]
    solid = _is_bone(column)
    below_free = np.argmax(solid[300::-1]) if solid[:301].any() else 300
    above_free = np.argmax(solid[300:]) if solid[300:].any() else 300
    return width, float(below_free + above_free) * _FINE_MM


def _is_bone(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    bone: NDArray[np.bool_] = ((labels >= 1) & (labels <= _TOP_VERTEBRA)) | (labels == _SACRUM)
    return bone


def _free_run(line: NDArray[np.uint8]) -> int:
    """Return the number of free samples between disc or body in front and bone behind."""
    taken = line > 0
    start = int(np.argmin(taken))
    behind = taken[start:]
    return int(np.argmax(behind)) if behind.any() else len(behind)
