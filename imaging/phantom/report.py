"""The reference report of a phantom: its truth in plain sentences (``configs/phantom/report.yaml``).

A separate, small text so that the language of ``reporting`` can be tested against something it did not write.
"""

from functools import cache
from typing import Any

from anatomy import Condition
from imaging.phantom.tables import read_yaml
from imaging.phantom.types import Phantom, TruthGrade
from runtime.paths import configs_dir


def reference_report(phantom: Phantom) -> str:
    """Return the report as Markdown: technique, findings level by level, impression."""
    words = _words()
    findings = [_level_text(phantom, level.name) for level in phantom.levels]
    lines = [
        f"# {words['title'].format(name=phantom.name)}",
        f"{words['notice']} ({words['version']})",
        "## Technique",
        words["technique"],
        "## Findings",
        *findings,
        "## Impression",
        *_impression(phantom),
    ]
    return "\n\n".join(lines) + "\n"


@cache
def _words() -> dict[str, Any]:
    return read_yaml(configs_dir() / "phantom" / "report.yaml")


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
