"""Random but valid Findings for tests: levels, grades with prediction sets, values with and without mm."""

from dataclasses import replace
from random import Random

from anatomy import CONDITIONS, SCALES, Condition, Side
from grading.types import Burden, BurdenTerm, Evidence, Findings, Grade, GradeStatus
from segmentation.types import Level, Measurement

LUMBAR = ("T11-T12", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
CERVICAL = ("C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1")
LUMBAR_CONDITIONS = (
    Condition.DISC_DEGENERATION,
    Condition.DISC_NARROWING,
    Condition.DISC_BULGING,
    Condition.DISC_HERNIATION,
    Condition.SPINAL_CANAL_STENOSIS,
    Condition.SPONDYLOLISTHESIS,
    Condition.MODIC,
    Condition.UPPER_ENDPLATE_CHANGE,
    Condition.LOWER_ENDPLATE_CHANGE,
)
SIDED = (Condition.SUBARTICULAR_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING)
VALUES = {
    Condition.SPINAL_CANAL_STENOSIS: ("canal_ap_diameter", 6.0, 18.0),
    Condition.DISC_NARROWING: ("disc_height", 3.0, 13.0),
    Condition.SPONDYLOLISTHESIS: ("listhesis", 3.0, 11.0),
}


def make_grade(
    condition: Condition,
    steps: tuple[str, ...],
    *,
    level: str | None = "L4-L5",
    side: Side | None = None,
    scale: str | None = None,
    grade_id: str = "g1",
    grade: str | None = None,
) -> Grade:
    """Return a graded Grade whose prediction set is ``steps``."""
    name = scale or CONDITIONS[condition].scales[0]
    best = grade or steps[-1]
    chances = dict.fromkeys(SCALES[name].grades, 0.0)
    chances |= {step: 1.0 / len(steps) for step in steps}
    evidence = Evidence("S1", 7, (10.0, 20.0, 90.0, 80.0))
    return Grade(
        grade_id, level, side, condition, name, best, chances, steps, GradeStatus.GRADED, None, evidence, ()
    )


def make_findings(*grades: Grade, measurements: tuple[Measurement, ...] = (), **changes: object) -> Findings:
    """Return Findings of some grades; ids are renumbered g1, g2 ..."""
    numbered = tuple(replace(grade, id=f"g{index}") for index, grade in enumerate(grades, start=1))
    names = dict.fromkeys(grade.level for grade in numbered if grade.level not in {None, "SIJ"})
    levels = tuple(make_level(name, index) for index, name in enumerate(names) if name is not None)
    points = [_points(grade) for grade in numbered]
    terms = tuple(BurdenTerm(grade.id, point) for grade, point in zip(numbered, points, strict=True) if point)
    burden = Burden(min(100.0, sum(points)), "moderate", terms, "test/1")
    base = Findings("study", "lumbar", ("sagittal_t2", "sagittal_t1"), levels, measurements, numbered, burden)
    return replace(base, **changes)  # type: ignore[arg-type]


def make_level(name: str, index: int = 0, doubt: str | None = None) -> Level:
    centre = (100.0, 50.0 + 40.0 * index)
    return Level(name, "S1", 7, centre, (130.0, centre[1]), None, 0.0, 60.0, 0.97, doubt)


def make_measurement(
    name: str, value: float | None, *, level: str = "L4-L5", unit: str = "mm", measurement_id: str = "m1"
) -> Measurement:
    reason = None if value is not None else "pixel spacing unknown"
    return Measurement(measurement_id, name, level, None, value, unit, "made up", reason, "S1", 7)


def random_findings(rng: Random, *, sided: bool = False, levels: tuple[str, ...] = LUMBAR) -> Findings:
    """Return Findings with random grades, sets, values and gaps."""
    chosen = levels[-rng.randint(3, len(levels)) :]
    has_mm = rng.random() < 0.7
    grades: list[Grade] = []
    measurements: list[Measurement] = []
    for level in chosen:
        for condition in LUMBAR_CONDITIONS:
            if condition in VALUES:
                name, low, high = VALUES[condition]
                value = rng.uniform(low, high) if has_mm else None
                number = f"m{len(measurements) + 1}"
                measurements.append(make_measurement(name, value, level=level, measurement_id=number))
            grades.append(random_grade(rng, condition, level, None))
        if sided:
            grades += [random_grade(rng, item, level, side) for item in SIDED for side in Side]
    doubt = "no landmark in view" if rng.random() < 0.2 else None
    findings = make_findings(*grades, measurements=tuple(measurements))
    return replace(findings, levels=tuple(replace(level, doubt=doubt) for level in findings.levels))


def random_grade(
    rng: Random, condition: Condition, level: str | None, side: Side | None, scale: str | None = None
) -> Grade:
    """Return a grade with a contiguous random prediction set, or one that is not assessable."""
    name = scale or CONDITIONS[condition].scales[0]
    if rng.random() < 0.08:
        return Grade(
            "g", level, side, condition, name, None, {}, (), GradeStatus.NOT_ASSESSABLE, "no T1 series", None, ()
        )
    names = SCALES[name].grades
    start = 0 if rng.random() < 0.45 else rng.randrange(len(names))
    width = rng.choice((1, 1, 1, 2, 2, 3))
    steps = names[start : start + width]
    return make_grade(condition, steps, level=level, side=side, scale=name, grade=rng.choice(steps))


def _points(grade: Grade) -> float:
    return 0.0 if grade.grade is None else 10.0 * SCALES[grade.scale].step(grade.grade).weight
