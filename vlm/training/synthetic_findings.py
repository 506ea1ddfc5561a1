"""Made-up but plausible findings to learn report language from; never shown to anyone as a reading.

Some discs are normal, some drawn by prevalence (``prevalence.yaml``), the rest with every step equally likely, so
that unremarkable levels, rare grades, odd combinations, wide prediction sets and not-assessable grades are all
practised.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from anatomy import CONDITIONS, SCALES, Condition, Protocol, Side
from grading.types import Burden, Findings, Grade, GradeStatus
from segmentation.types import Level, Measurement

UNIFORM_SHARE = 0.4
"""Share of the discs that are not drawn as normal whose grades are drawn evenly over all steps."""

MEASURED = {
    Condition.SPINAL_CANAL_STENOSIS: ("canal_ap_diameter", (6.0, 19.0)),
    Condition.DISC_NARROWING: ("disc_height", (2.5, 14.5)),
    Condition.SPONDYLOLISTHESIS: ("listhesis", (0.2, 12.0)),
}
"""Measurements that a grade may rest on, with the range in mm that values are drawn from for practice."""

SCALE_OF_PATIENT = "as_status"
"""Sacroiliitis is graded once for the patient, and by ``as_stage`` for each joint."""

_NOT_ASSESSABLE_SHARE = {Condition.SPINAL_CANAL_STENOSIS: 0.3, Condition.SPONDYLOLISTHESIS: 0.08}
_CATEGORIES = ("none", "mild", "moderate", "marked")
_DISC_KEY = "pfirrmann"


@dataclass(frozen=True)
class Practice:
    """How findings vary from one made-up study to the next.

    Attributes:
        set_share: Share of grades whose prediction set holds more than one step.
        has_measurements: False draws a study without known pixel spacing.
        normal_share: Share of discs with every grade at its normal step.
    """

    set_share: float
    has_measurements: bool
    normal_share: float


@cache
def prevalence() -> dict[str, Any]:
    """Return the content of ``prevalence.yaml``."""
    file = Path(__file__).parent / "prevalence.yaml"
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return table


def draw_findings(
    rng: np.random.Generator, protocol: Protocol, *, levels: tuple[str, ...] | None = None
) -> Findings:
    """Draw the findings of one made-up study.

    Args:
        rng: Source of chance; the same state gives the same findings.
        protocol: Levels and conditions of the study.
        levels: Levels of the study; None draws how many there are, from the lowest upward.
    """
    first = int(rng.integers(0, max(1, len(protocol.levels) - protocol.min_levels)))
    names = protocol.levels[first:] if levels is None else levels
    practice = Practice(
        set_share=float(rng.choice([0.0, 0.3, 0.6])),
        has_measurements=bool(rng.random() < 0.7),
        normal_share=float(rng.choice([0.0, 0.2, 0.7], p=[0.4, 0.4, 0.2])),
    )
    doubt = "numbering is uncertain" if rng.random() < 0.1 else None
    grades: list[Grade] = []
    measurements: list[Measurement] = []
    for name in names:
        _add_level(rng, name, protocol.conditions, practice, grades, measurements)
    if Condition.SACROILIITIS in protocol.conditions:
        of_patient = (f"g{len(grades) + 1}", None, None, Condition.SACROILIITIS, ())
        grades.append(_grade(rng, *of_patient, None, practice, scale=SCALE_OF_PATIENT))
    return Findings(
        study_key="synthetic",
        protocol=protocol.name,
        sequences=("sagittal_t2", "sagittal_t1") if rng.random() < 0.5 else ("sagittal_t2",),
        levels=tuple(_level(name, index, doubt) for index, name in enumerate(names)),
        measurements=tuple(measurements),
        grades=tuple(grades),
        burden=_burden(rng),
    )


def widen_sets(findings: Findings, rng: np.random.Generator) -> Findings:
    """Return findings in which some grades have a prediction set of several steps around their step."""
    share = float(rng.choice([0.0, 0.3, 0.6]))
    return replace(findings, grades=tuple(_widened(grade, rng, share) for grade in findings.grades))


def _widened(grade: Grade, rng: np.random.Generator, share: float) -> Grade:
    if grade.grade is None or rng.random() >= share:
        return grade
    steps = SCALES[grade.scale].grades
    chosen = _widen(rng, steps.index(grade.grade), len(steps))
    return replace(grade, prediction_set=tuple(steps[index] for index in chosen))


def _add_level(
    rng: np.random.Generator,
    level: str,
    conditions: tuple[Condition, ...],
    practice: Practice,
    grades: list[Grade],
    measurements: list[Measurement],
) -> None:
    """Append the grades and measurements of one level."""
    is_normal = bool(rng.random() < practice.normal_share)
    is_uniform = not is_normal and bool(rng.random() < UNIFORM_SHARE)
    disc = int(rng.choice(5, p=_shares(_row(_DISC_KEY, level))))
    for condition in conditions:
        for side in (Side.LEFT, Side.RIGHT) if CONDITIONS[condition].is_sided else (None,):
            ids = _measure(rng, condition, level, practice, measurements)
            odds = None if is_uniform else _odds(condition, level, disc)
            if is_normal:
                odds = [float(not step.is_abnormal) for step in SCALES[scale_at_level(condition)].steps]
            widened = replace(practice, set_share=0.0) if is_normal else practice
            grades.append(_grade(rng, f"g{len(grades) + 1}", level, side, condition, ids, odds, widened))


def _odds(condition: Condition, level: str, disc: int) -> list[float] | None:
    """Return how often each step occurs at a disc of Pfirrmann grade ``disc`` (0 to 4), None where unknown."""
    table = prevalence()
    if condition is Condition.DISC_DEGENERATION:
        return [1.0 if step == disc else 0.0 for step in range(5)]
    if condition is Condition.MODIC:
        return [float(count) for count in table["modic_by_pfirrmann"][disc]]
    if condition is Condition.SPINAL_CANAL_STENOSIS:
        return _row("rsna", level)
    shares = table["present_by_pfirrmann"].get(condition.value)
    return None if shares is None else [1.0 - shares[disc], shares[disc]]


def _row(scale: str, level: str) -> list[float]:
    """Return the counts of a level; levels further up take those of the highest level that is known."""
    rows = prevalence()[f"{scale}_by_level"]
    return [float(count) for count in rows.get(level, next(iter(rows.values())))]


def _shares(counts: list[float]) -> list[float]:
    return [count / sum(counts) for count in counts]


def scale_at_level(condition: Condition) -> str:
    """Return the scale that a condition of one level is reported on."""
    info = CONDITIONS[condition]
    return next(name for name in info.scales if name not in info.checks and name != SCALE_OF_PATIENT)


def _grade(
    rng: np.random.Generator,
    grade_id: str,
    level: str | None,
    side: Side | None,
    condition: Condition,
    measurement_ids: tuple[str, ...],
    odds: list[float] | None,
    practice: Practice,
    *,
    scale: str | None = None,
) -> Grade:
    scale = scale or scale_at_level(condition)
    steps = SCALES[scale].grades
    if rng.random() < _NOT_ASSESSABLE_SHARE.get(condition, 0.03):
        status, reason = GradeStatus.NOT_ASSESSABLE, "pixel spacing unknown"
        return Grade(grade_id, level, side, condition, scale, None, {}, (), status, reason, None)
    chosen = int(rng.choice(len(steps), p=None if odds is None else _shares(odds)))
    step_set = _widen(rng, chosen, len(steps)) if rng.random() < practice.set_share else [chosen]
    return Grade(
        id=grade_id,
        level=level,
        side=side,
        condition=condition,
        scale=scale,
        grade=steps[chosen],
        probabilities={},
        prediction_set=tuple(steps[index] for index in step_set),
        status=GradeStatus.GRADED,
        reason=None,
        evidence=None,
        measurement_ids=measurement_ids,
    )


def _widen(rng: np.random.Generator, chosen: int, count: int) -> list[int]:
    """Return a contiguous run of 2 or 3 steps around the chosen one."""
    length = min(count, int(rng.choice([2, 3], p=[0.75, 0.25])))
    start = int(np.clip(chosen - rng.integers(0, length), 0, count - length))
    return list(range(start, start + length))


def _measure(
    rng: np.random.Generator,
    condition: Condition,
    level: str,
    practice: Practice,
    measurements: list[Measurement],
) -> tuple[str, ...]:
    """Append the measurement a grade rests on, when it has one; return its id."""
    if condition not in MEASURED or not practice.has_measurements or rng.random() < 0.15:
        return ()
    name, (low, high) = MEASURED[condition]
    value = float(np.round(rng.uniform(low, high), 2))
    item = Measurement(f"m{len(measurements) + 1}", name, level, None, value, "mm", "drawn", None, "S1", 0)
    measurements.append(item)
    return (item.id,)


def _level(name: str, index: int, doubt: str | None) -> Level:
    y = 20.0 + 40.0 * index
    return Level(name, "S1", 0, (50.0, y), (70.0, y), None, 0.0, 40.0, 0.5 if doubt else 0.98, doubt)


def _burden(rng: np.random.Generator) -> Burden:
    if rng.random() < 0.05:
        return Burden(score=None, category=None, terms=(), formula="drawn")
    score = float(np.round(rng.uniform(0, 100), 1))
    return Burden(score=score, category=_CATEGORIES[min(3, int(score // 25))], terms=(), formula="drawn")
