"""The truth of a neck: measured on its geometry, graded by named rules. What was drawn is not looked at.

One thing has no length and is read from the tissue: the nucleus' T2.
"""

from dataclasses import dataclass

from anatomy import Condition, Side, load_protocol
from imaging.phantom.cervical.canal import behind_body
from imaging.phantom.cervical.measure import Canal, Outline, Ruler, Stretch
from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.rules import (
    Graded,
    grade_bulge,
    grade_canal,
    grade_compression,
    grade_foramen,
    grade_herniation,
    grade_kang,
    grade_listhesis,
    grade_narrowing,
    grade_pfirrmann,
)
from imaging.phantom.cervical.shapes import NeckDisc
from imaging.phantom.curve import STEP_MM
from imaging.phantom.scene import Truth
from imaging.phantom.tissues import Palette
from imaging.phantom.types import TruthBox, TruthGrade, TruthLevel, TruthMeasurement

_BOX_MM = 5.0  # how far a detection box reaches beyond the dural tube; own choice
_SIDES = ((Side.LEFT, -1.0), (Side.RIGHT, 1.0))
_CENTRAL_MM = 1.5  # a herniation nearer to the midline has no side


@dataclass(frozen=True)
class _Level:
    """Everything measured at one level, mm and shares."""

    height: float
    canal: Canal
    reference: Canal
    cord_ratio: float
    space_share: float
    areas: tuple[float, float]
    signal: float
    slip: float
    foramina: tuple[float, float]
    outline: Outline


def measure_truth(neck: Neck, palette: Palette, *, protocol: str = "cervical") -> Truth:
    """Measure and grade every level of a protocol, head to foot.

    Args:
        neck: Placed neck.
        palette: Tissues, those of the discs included.
        protocol: Decides which levels are reported.
    """
    ruler = Ruler(neck, palette)
    references = _references(neck, ruler)
    levels, measurements, grades, boxes = [], [], [], []
    for name in load_protocol(protocol).levels:
        disc = neck.disc(name)
        found = _measure_level(neck, ruler, disc, references)
        levels.append(_locate(disc))
        measurements += _measurements(neck, disc, found)
        level_grades = _grade_level(neck, disc, found)
        grades += level_grades
        if any(g.condition is Condition.CORD_COMPRESSION and g.grade == "present" for g in level_grades):
            boxes.append(_box(neck, disc))
    plaque = neck.plan.plaque
    details = {
        "c2_c7_lordosis_deg": round(lordosis_deg(neck), 1),
        "haemangioma": neck.plan.haemangioma or None,
        "cord_plaque": None if plaque is None else plaque.body,
    }
    return Truth(tuple(levels), tuple(measurements), tuple(grades), tuple(boxes), details)


def lordosis_deg(neck: Neck) -> float:
    """Return the angle between the lower endplates of C2 and C7 in degrees, positive = lordosis (Cobb)."""
    c2, c7 = neck.body("C2"), neck.body("C7")
    lower = [body.frame.tilt + body.wedge / 2 for body in (c2, c7)]
    return float((lower[1] - lower[0]) * 180.0 / 3.141592653589793)


def _locate(disc: NeckDisc) -> TruthLevel:
    frame = disc.frame
    return TruthLevel(disc.name, (frame.x, frame.y, frame.z), frame.world(disc.back, 0.0))


def _references(neck: Neck, ruler: Ruler) -> dict[str, Stretch]:
    """Return the canal at the middle of each body."""
    found = {}
    for body in neck.bodies[: len(load_protocol("cervical").levels) + 1]:
        found[body.name] = ruler.stretch(behind_body(neck, body.name), 1.0)
    return found


def _measure_level(neck: Neck, ruler: Ruler, disc: NeckDisc, references: dict[str, Stretch]) -> _Level:
    """Measure a level; tube and cord are compared with the wider of those at the bodies above and below."""
    obstacle = neck.obstacle(disc.name)
    reach = disc.height / 2 + 1.5
    above, below = (references[body.name].lines for body in neck.around(disc))
    beside = [_wider(a, b) for a, b in zip(above, below, strict=True)]
    stretch = ruler.stretch(obstacle.sample, reach)
    here = stretch.lines
    return _Level(
        height=ruler.disc_height(disc),
        canal=here[1],
        reference=beside[1],
        cord_ratio=min(canal.cord_ap / reference.cord_ap for canal, reference in zip(here, beside, strict=True)),
        space_share=here[1].space / beside[1].space,
        areas=ruler.areas(disc),
        signal=stretch.signal,
        slip=ruler.listhesis(disc),
        foramina=(ruler.foramen(disc, -1.0), ruler.foramen(disc, 1.0)),
        outline=ruler.outline(disc, neck.tables.rules["outline"]),
    )


def _wider(one: Canal, other: Canal) -> Canal:
    return Canal(*(max(getattr(one, key), getattr(other, key)) for key in ("tube_ap", "cord_ap", "space")))


def _measurements(neck: Neck, disc: NeckDisc, found: _Level) -> list[TruthMeasurement]:
    _, below = neck.around(disc)
    canal, outline = found.canal, found.outline
    rows: list[tuple[str, Side | None, float, str, str]] = [
        ("disc_height", None, found.height, "mm", "mean of the middle third, mid-sagittal"),
        ("canal_ap_diameter", None, canal.tube_ap, "mm", "dural tube, least across the disc, mid-sagittal"),
        ("cord_ap_diameter", None, canal.cord_ap, "mm", "least across the disc, mid-sagittal"),
        ("subarachnoid_space", None, canal.space, "mm", "dural tube less cord, least across the disc"),
        ("subarachnoid_share", None, found.space_share, "1", "space over that at the middle of the bodies beside"),
        ("cord_compression_ratio", None, found.cord_ratio, "1", "cord AP over that at bodies, least of 3 lines"),
        ("maximum_cord_compression", None, 1.0 - canal.cord_ap / found.reference.cord_ap, "1", "mid-sagittal"),
        ("maximum_canal_compromise", None, 1.0 - canal.tube_ap / found.reference.tube_ap, "1", "dural tube"),
        ("dural_sac_area", None, found.areas[0], "mm2", "across the canal at the disc"),
        ("cord_area", None, found.areas[1], "mm2", "across the canal at the disc"),
        ("cord_signal_area", None, found.signal, "mm2", "raised T2 signal, mid-sagittal"),
        ("listhesis", None, found.slip, "mm", "between the posterior corners, along the endplate below"),
        ("listhesis_percent", None, found.slip / below.depth, "1", "listhesis over the endplate below"),
        ("disc_bulge", None, outline.floor, "mm", "passed over three quarters of the disc's back"),
        ("herniation_size", None, outline.focal, "mm", "beyond the even part of the disc's back"),
        ("herniation_height_ratio", None, outline.height_ratio, "1", "height behind the bodies over the disc's"),
    ]  # fmt: skip
    for (side, _), width in zip(_SIDES, found.foramina, strict=True):
        rows.append(("foraminal_width", side, width, "mm", "uncinate process or disc to facet"))
        rows.append(("foraminal_root_share", side, width / neck.plan.root, "1", "foraminal width over the root's"))
    return [
        TruthMeasurement(name, disc.name, side, float(value), unit, method)
        for name, side, value, unit, method in rows
    ]


def _grade_level(neck: Neck, disc: NeckDisc, found: _Level) -> list[TruthGrade]:
    rules, plan = neck.tables.rules, neck.plan.disc(disc.name)
    loss = 1.0 - found.height / plan.healthy_height
    has_signal = found.signal >= rules["kang"]["signal_area"]
    kang = grade_kang(found.space_share, found.cord_ratio, has_signal, rules)
    outline = found.outline
    narrowing = grade_narrowing(found.height, loss, neck.tables.discs[disc.name], rules)
    herniation = grade_herniation(outline.focal, outline.focal_share, rules)
    rows: list[tuple[Condition, str, Graded, Side | None]] = [
        (Condition.DISC_DEGENERATION, "pfirrmann", grade_pfirrmann(plan.nucleus_t2, loss, rules), None),
        (Condition.DISC_NARROWING, "presence", narrowing, None),
        (Condition.DISC_BULGING, "presence", grade_bulge(outline.floor, rules), None),
        (Condition.DISC_HERNIATION, "presence", herniation, _focal_side(herniation, outline)),
        (Condition.SPINAL_CANAL_STENOSIS, "rsna", grade_canal(found.canal.tube_ap, rules), None),
        (Condition.CORD_COMPRESSION, "presence", grade_compression(kang), None),
        (Condition.CORD_COMPRESSION, "kang", kang, None),
        (Condition.SPONDYLOLISTHESIS, "presence", grade_listhesis(found.slip, rules), None),
    ]
    rows += [
        (Condition.NEURAL_FORAMINAL_NARROWING, "rsna", grade_foramen(width, neck.plan.root, rules), side)
        for (side, _), width in zip(_SIDES, found.foramina, strict=True)
    ]
    return [TruthGrade(disc.name, side, condition, scale, *graded) for condition, scale, graded, side in rows]


def _focal_side(herniation: Graded, outline: Outline) -> Side | None:
    """Return the side of a herniation off the midline; None for a central one or none."""
    if herniation[0] == "absent" or abs(outline.focal_t) < _CENTRAL_MM:
        return None
    return Side.LEFT if outline.focal_t < 0 else Side.RIGHT


def _box(neck: Neck, disc: NeckDisc) -> TruthBox:
    """Return the box around a compressed stretch of cord: the dural tube along the obstacle and a margin."""
    obstacle, curve = neck.obstacle(disc.name), neck.curve
    steps = int(obstacle.reach / STEP_MM)
    near = slice(max(obstacle.sample - steps, 0), obstacle.sample + steps + 1)
    half = float(curve.half_ap[near].max()) + _BOX_MM
    low = (float(curve.x[near].min()) - 9.0, float(curve.y[near].min()) - half, float(curve.z[near].min()))
    high = (float(curve.x[near].max()) + 9.0, float(curve.y[near].max()) + half, float(curve.z[near].max()))
    return TruthBox("cord_compression", disc.name, None, low, high)
