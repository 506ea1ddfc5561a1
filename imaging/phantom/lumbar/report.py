"""The words of a lumbar phantom's reference report (``configs/phantom/report_lumbar.yaml``)."""

from functools import cache
from typing import Any

from anatomy import Condition
from imaging.phantom.report import ReportParts
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.types import Phantom, TruthGrade


def report_parts(phantom: Phantom) -> ReportParts:
    """Return technique, findings level by level, and impression."""
    findings = tuple(_level_text(phantom, level.name) for level in phantom.levels)
    return ReportParts(_words()["technique"], findings, tuple(_impression(phantom)))


@cache
def _words() -> dict[str, Any]:
    return read_yaml(phantom_file("report_lumbar"))


def _level_text(phantom: Phantom, level: str) -> str:
    words = _words()
    sentences = [
        words["findings"][grade.condition.value][grade.grade].format(**_values(phantom, grade))
        for grade in phantom.grades
        if grade.level == level and grade.grade in words["findings"].get(grade.condition.value, {})
    ]
    return f"{level}: {' '.join(sentences)}" if sentences else str(words["normal"].format(level=level))


def _values(phantom: Phantom, grade: TruthGrade) -> dict[str, str]:
    """Return what the sentences may fill in; a position starts with a capital, as sentences do."""
    words = _words()
    slip = phantom.measurement("listhesis", grade.level)
    return {
        "level": grade.level,
        "side": "" if grade.side is None else grade.side.value,
        "grade": grade.grade.capitalize(),
        "position": words["position"]["none" if grade.side is None else grade.side.value],
        "direction": words["direction"]["forward" if slip >= 0 else "backward"],
        "listhesis": f"{abs(slip):.1f}",
        "disc_height": f"{phantom.measurement('disc_height', grade.level):.1f}",
        "canal_ap_diameter": f"{phantom.measurement('canal_ap_diameter', grade.level):.1f}",
    }


def _impression(phantom: Phantom) -> list[str]:
    """Return numbered lines: stenoses, worst first, then herniations, slips and severe foramina."""
    table = _words()["impression"]
    asked = (
        ("stenosis", Condition.SPINAL_CANAL_STENOSIS, "severe"),
        ("stenosis", Condition.SPINAL_CANAL_STENOSIS, "moderate"),
        ("herniation", Condition.DISC_HERNIATION, "present"),
        ("slip", Condition.SPONDYLOLISTHESIS, "present"),
        ("foramen", Condition.NEURAL_FORAMINAL_NARROWING, "severe"),
    )
    lines = [
        table[key].format(**_values(phantom, grade))
        for key, condition, step in asked
        for grade in phantom.grades
        if grade.condition is condition and grade.grade == step
    ]
    return [f"{number}. {line}" for number, line in enumerate(lines or [table["none"]], start=1)]
