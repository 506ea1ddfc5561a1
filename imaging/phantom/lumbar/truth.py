"""The truth of a phantom: measured on its geometry, graded by named rules. What was drawn is not looked at.

Every length is counted on a fine plane painted by the same shapes as the image, or between corners of bodies.
Three things have no length and are read from the tissue: the nucleus' T2, the kind of marrow and a pit's depth.
"""

from dataclasses import replace

from anatomy import Condition, Side, load_protocol
from imaging.phantom.lumbar.details import describe
from imaging.phantom.lumbar.measure import measure_axial, measure_canal_ap, measure_disc_height, measure_foramen
from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.rules import (
    bartynski_step,
    grade_canal,
    grade_endplate,
    grade_foramen,
    grade_listhesis,
    grade_modic,
    grade_narrowing,
    grade_outline,
    grade_pfirrmann,
    grade_recess,
    lee_step,
    meyerding_step,
)
from imaging.phantom.lumbar.shape import (
    Herniation,
    measure_cobb,
    measure_height_ratio,
    measure_herniation,
    measure_listhesis,
    measure_lordosis,
)
from imaging.phantom.scene import Truth
from imaging.phantom.shapes import Disc
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthGrade, TruthLevel, TruthMeasurement

Row = tuple[str, Side | None, float, str, str]
"""Name, side, value, unit and method of a measurement."""

_SIDES = (Side.LEFT, Side.RIGHT)
_OFF_MIDLINE_MM = 1.0


def measure_truth(spine: Spine, palette: Palette, *, protocol: str = "lumbar") -> Truth:
    """Measure and grade every level of a protocol, cranial to caudal.

    Args:
        spine: Placed spine.
        palette: Tissues, those of the discs included.
        protocol: Decides which levels are reported.
    """
    reported = [name for name in load_protocol(protocol).levels if name in spine.tables.discs]
    levels, measurements, grades = [], [], []
    herniations: dict[str, Herniation] = {}
    for name in reported:
        disc = spine.disc(name)
        levels.append(_locate(disc))
        near = spine.near(disc)
        found = _measure_level(near, disc, palette)
        if grade_outline(disc, spine.tables.rules).herniation[0] == "present":
            herniations[name] = measure_herniation(near, disc, palette)
            found += _rows(name, _herniation_rows(herniations[name]))
        measurements += found
        grades += _grade_level(spine, disc, palette, found)
    measurements += _posture(spine)
    return Truth(
        tuple(levels), tuple(measurements), tuple(grades), details=describe(spine, herniations, measurements)
    )


def _locate(disc: Disc) -> TruthLevel:
    frame = disc.frame
    return TruthLevel(disc.name, (frame.x, frame.y, frame.z), frame.world(disc.margin(0.0), 0.0))


def _rows(level: str, rows: list[Row]) -> list[TruthMeasurement]:
    return [
        TruthMeasurement(name, level, side, float(value), unit, method) for name, side, value, unit, method in rows
    ]


def _measure_level(spine: Spine, disc: Disc, palette: Palette) -> list[TruthMeasurement]:
    slip, percent = measure_listhesis(spine, disc)
    axial = measure_axial(spine, disc, palette)
    rules = spine.tables.rules
    rows: list[Row] = [
        (
            "disc_height",
            None,
            measure_disc_height(spine, disc, palette),
            "mm",
            "mean of the middle third, mid-sagittal",
        ),
        (
            "canal_ap_diameter",
            None,
            measure_canal_ap(spine, disc, palette),
            "mm",
            "least across the disc, mid-sagittal",
        ),
        ("dural_sac_area", None, axial.sac_area_mm2, "mm2", "in the plane of the disc"),
        (
            "csf_share",
            None,
            axial.csf_share,
            "1",
            "of the sac in the plane of the disc; the rest is roots",
        ),
        ("ligamentum_flavum_thickness", None, axial.flavum_mm, "mm", "greatest, 4 mm beside the midline"),
        ("listhesis", None, slip, "mm", "between the posterior corners, along the endplate below"),
        ("listhesis_percent", None, percent, "1", "listhesis over the endplate below"),
    ]
    if slip >= rules["listhesis"]["present_from"]:
        rows.append(("meyerding_step", None, meyerding_step(percent, rules), "1", rules["meyerding"]["version"]))
    for side in _SIDES:
        foramen, recess = measure_foramen(spine, disc, palette, side), axial.recess_mm[side]
        lee = lee_step(foramen.contacts, foramen.root_share, rules)
        pinch = bartynski_step(recess, rules)
        rows += [
            ("foraminal_width", side, foramen.width_mm, "mm", "disc edge to facet, plane of the pedicles"),
            ("foraminal_height", side, foramen.height_mm, "mm", "pedicle to pedicle, plane of the pedicles"),
            ("foraminal_lee_step", side, lee, "1", rules["lee"]["version"]),
            ("lateral_recess_height", side, recess, "mm", "disc edge to articular process, plane of the disc"),
            ("lateral_recess_bartynski_step", side, pinch, "1", rules["bartynski"]["version"]),
        ]
    return _rows(disc.name, rows)


def _herniation_rows(found: Herniation) -> list[Row]:
    plane = "sagittal plane of its highest point"
    return [
        ("herniation_depth", None, found.depth, "mm", f"behind the disc's outline, {plane}"),
        ("herniation_base", None, found.base, "mm", f"head to foot at the outline, {plane}"),
        ("herniation_height", None, found.widest, "mm", f"greatest head to foot, {plane}"),
        ("herniation_past_above", None, found.above, "mm", f"past the disc space to the head, {plane}"),
        ("herniation_past_below", None, found.below, "mm", f"past the disc space to the feet, {plane}"),
    ]


def _posture(spine: Spine) -> list[TruthMeasurement]:
    """Measure the whole spine; ``level`` names the end vertebrae, or the vertebra."""
    cobb, upper, lower = measure_cobb(spine)
    found = [
        *_rows("L1-S1", [("lordosis", None, measure_lordosis(spine), "deg", "upper endplates, side view")]),
        *_rows(
            f"{upper}-{lower}",
            [("cobb_angle", None, cobb, "deg", "greatest between endplates, front view; positive = convex right")],
        ),
    ]
    for body in reversed(spine.vertebrae):
        if body.name in ("T11", "T12", "L1", "L2", "L3", "L4", "L5"):
            ratio = measure_height_ratio(body)
            found += _rows(body.name, [("vertebral_height_ratio", None, ratio, "1", "front over back, midline")])
    return found


def _grade_level(spine: Spine, disc: Disc, palette: Palette, found: list[TruthMeasurement]) -> list[TruthGrade]:
    value = {(item.name, item.side): item.value for item in found}
    rules, plan, row = spine.tables.rules, spine.plan.disc(disc.name), spine.tables.discs[disc.name]
    if plan.is_rudimentary:
        row = replace(row, lower=None, upper=None)  # no range is published for it
    height = value["disc_height", None]
    loss = 1.0 - height / plan.healthy_height
    outline = grade_outline(disc, rules)
    grades: list[tuple[Condition, str, tuple[str, str], Side | None]] = [
        (Condition.DISC_DEGENERATION, "pfirrmann", grade_pfirrmann(plan.nucleus_t2, loss, rules), None),
        (Condition.DISC_NARROWING, "presence", grade_narrowing(height, loss, row, rules), None),
        (Condition.DISC_BULGING, "presence", outline.bulging, None),
        (Condition.DISC_HERNIATION, "presence", outline.herniation, _focal_side(disc, outline.herniation[0])),
        (Condition.SPINAL_CANAL_STENOSIS, "rsna", grade_canal(value["canal_ap_diameter", None], rules), None),
        (Condition.SPONDYLOLISTHESIS, "presence", grade_listhesis(value["listhesis", None], rules), None),
        (Condition.MODIC, "modic", grade_modic(plan.modic, disc, spine.tables, palette), None),
        (Condition.UPPER_ENDPLATE_CHANGE, "presence", grade_endplate(plan.pit_above, rules), None),
        (Condition.LOWER_ENDPLATE_CHANGE, "presence", grade_endplate(plan.pit_below, rules), None),
    ]
    # The limits of foramen and recess are those of a mobile lumbar level: others are measured, not graded.
    is_mobile = not plan.is_rudimentary
    for side in _SIDES if is_mobile and disc.name in spine.tables.rsna_foramen else ():
        foramen = grade_foramen(value["foraminal_width", side], value["foraminal_height", side], rules)
        grades.append((Condition.NEURAL_FORAMINAL_NARROWING, "rsna", foramen, side))
    for side in _SIDES if is_mobile and disc.name in spine.tables.rsna_subarticular else ():
        recess = grade_recess(value["lateral_recess_height", side], rules)
        grades.append((Condition.SUBARTICULAR_STENOSIS, "rsna", recess, side))
    return [
        TruthGrade(disc.name, side, condition, scale, grade, rule)
        for condition, scale, (grade, rule), side in grades
    ]


def _focal_side(disc: Disc, herniation: str) -> Side | None:
    """Return the side of a herniation off the midline; None for a central one or none."""
    if herniation == "absent" or abs(disc.bulges.focal_t) < _OFF_MIDLINE_MM:
        return None
    return Side.LEFT if disc.bulges.focal_t < 0 else Side.RIGHT
