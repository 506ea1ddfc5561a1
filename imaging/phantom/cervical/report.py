"""The words of a cervical phantom's reference report (``configs/phantom/report_cervical.yaml``)."""

from functools import cache, partial
from typing import Any

from anatomy import Condition
from imaging.phantom.cervical.tables import load_tables
from imaging.phantom.report import ReportParts, asked_lines, level_sentences, numbered
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.types import Phantom, TruthGrade

_STRAIGHT_DEG = 4.0  # either way; own choice


def report_parts(phantom: Phantom) -> ReportParts:
    """Return technique, alignment and findings level by level, and impression."""
    levels = (_level_text(phantom, level.name) for level in phantom.levels)
    return ReportParts(_words()["technique"], (_alignment(phantom), *levels), _impression(phantom))


@cache
def _words() -> dict[str, Any]:
    return read_yaml(phantom_file("report_cervical"))


def _alignment(phantom: Phantom) -> str:
    angle = float(phantom.details["c2_c7_lordosis_deg"])
    kind = "straight" if abs(angle) < _STRAIGHT_DEG else "lordosis" if angle > 0 else "kyphosis"
    return str(_words()["alignment"][kind].format(angle=f"{abs(angle):.0f}"))


def _level_text(phantom: Phantom, level: str) -> str:
    words = _words()
    sentences = level_sentences(phantom, level, words["findings"], partial(_values, phantom))
    return f"{level}: {' '.join(sentences)}" if sentences else str(words["normal"].format(level=level))


def _values(phantom: Phantom, grade: TruthGrade) -> dict[str, str]:
    """Return what the sentences may fill in; a position starts with a capital, as sentences do."""
    words = _words()
    slip = phantom.measurement("listhesis", grade.level)
    tall = phantom.measurement("herniation_height_ratio", grade.level)
    limit = load_tables().rules["outline"]["extrusion_ratio"]
    return {
        "level": grade.level,
        "side": "" if grade.side is None else grade.side.value,
        "grade": grade.grade.capitalize(),
        "position": words["position"]["none" if grade.side is None else grade.side.value],
        "direction": words["direction"]["forward" if slip >= 0 else "backward"],
        "herniation": words["herniation"]["extrusion" if tall > limit else "protrusion"],
        "listhesis": f"{abs(slip):.1f}",
        "disc_height": f"{phantom.measurement('disc_height', grade.level):.1f}",
        "canal_ap_diameter": f"{phantom.measurement('canal_ap_diameter', grade.level):.1f}",
    }


def _impression(phantom: Phantom) -> tuple[str, ...]:
    """Return numbered lines: compression and stenosis, worst first, then herniations, slips, severe foramina."""
    table = _words()["impression"]
    asked = (
        ("compression", Condition.CORD_COMPRESSION, "3"),
        ("compression", Condition.CORD_COMPRESSION, "2"),
        ("stenosis", Condition.SPINAL_CANAL_STENOSIS, "severe"),
        ("stenosis", Condition.SPINAL_CANAL_STENOSIS, "moderate"),
        ("herniation", Condition.DISC_HERNIATION, "present"),
        ("slip", Condition.SPONDYLOLISTHESIS, "present"),
        ("foramen", Condition.NEURAL_FORAMINAL_NARROWING, "severe"),
    )
    lines = asked_lines(phantom, table, asked, partial(_values, phantom))
    return numbered(lines or [table["none"]])
