"""The words of a lumbar phantom's reference report (``configs/phantom/report_lumbar.yaml``)."""

from functools import cache, partial
from typing import Any

from anatomy import Condition
from imaging.phantom.report import ReportParts, asked_lines, level_sentences, numbered
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.types import Phantom, TruthGrade


def report_parts(phantom: Phantom) -> ReportParts:
    """Return technique, findings of the whole spine and level by level, and impression."""
    whole = _whole_spine(phantom)
    levels = tuple(_level_text(phantom, level.name) for level in phantom.levels)
    return ReportParts(
        _words()["technique"], (*([" ".join(whole)] if whole else []), *levels), _impression(phantom)
    )


@cache
def _words() -> dict[str, Any]:
    return read_yaml(phantom_file("report_lumbar"))


def _whole_spine(phantom: Phantom) -> list[str]:
    """Return sentences about posture, numbering and vertebrae; none where all is usual."""
    words, details = _words()["spine"], phantom.details
    sentences = []
    curve = next(item for item in phantom.measurements if item.name == "cobb_angle")
    if abs(curve.value) >= words["scoliosis_from"]:
        upper, lower = curve.level.split("-")
        side = "right" if curve.value > 0 else "left"
        sentences.append(
            words["scoliosis"].format(cobb=f"{abs(curve.value):.0f}", upper=upper, lower=lower, side=side)
        )
    if details["numbering"]["is_transitional"]:
        sentences.append(words[details["numbering"]["junction"]])
    for row in details["fractures"]:
        percent = f"{100 * row['height_ratio']:.0f}"
        sentences.append(words["fracture"].format(vertebra=row["vertebra"], percent=percent))
    for row in details["haemangiomas"]:
        sentences.append(
            words["haemangioma"].format(vertebra=row["vertebra"], diameter=f"{row['diameter_mm']:.0f}")
        )
    return sentences


def _level_text(phantom: Phantom, level: str) -> str:
    words = _words()
    sentences = level_sentences(phantom, level, words["findings"], partial(_values, phantom))
    if sentences:
        return f"{level}: {' '.join(sentences)}"
    # Foramina and recesses of the thoracic levels are not graded: nothing is said of them.
    return str(words["normal_thoracic" if level.startswith("T") else "normal"].format(level=level))


def _values(phantom: Phantom, grade: TruthGrade) -> dict[str, str]:
    """Return what the sentences may fill in; a position starts with a capital, as sentences do."""
    words = _words()
    slip = phantom.measurement("listhesis", grade.level)
    values = {
        "level": grade.level,
        "side": "" if grade.side is None else grade.side.value,
        "grade": grade.grade.capitalize(),
        "direction": words["direction"]["forward" if slip >= 0 else "backward"],
        "listhesis": f"{abs(slip):.1f}",
        "disc_height": f"{phantom.measurement('disc_height', grade.level):.1f}",
        "canal_ap_diameter": f"{phantom.measurement('canal_ap_diameter', grade.level):.1f}",
    }
    if grade.condition is Condition.SUBARTICULAR_STENOSIS:
        values["recess"] = f"{phantom.measurement('lateral_recess_height', grade.level, grade.side):.1f}"
    return values | _herniation_values(phantom, grade.level)


def _herniation_values(phantom: Phantom, level: str) -> dict[str, str]:
    """Return kind, position and migration of a level's herniation; nothing where there is none."""
    words = _words()
    for row in phantom.details["herniations"]:
        if row["level"] == level:
            move = "" if row["migration"] is None else words["migration"][row["migration"]]
            return {
                "kind": row["kind"],
                "position": words["position"][row["place"]].format(side=(row["side"] or "").capitalize()),
                "migration": move.format(mm=f"{row['migration_mm']:.0f}"),
            }
    return {}


def _impression(phantom: Phantom) -> tuple[str, ...]:
    """Return numbered lines: stenoses, worst first, then herniations, slips, severe foramina and recesses."""
    table = _words()["impression"]
    asked = (
        ("stenosis", Condition.SPINAL_CANAL_STENOSIS, "severe"),
        ("stenosis", Condition.SPINAL_CANAL_STENOSIS, "moderate"),
        ("herniation", Condition.DISC_HERNIATION, "present"),
        ("slip", Condition.SPONDYLOLISTHESIS, "present"),
        ("foramen", Condition.NEURAL_FORAMINAL_NARROWING, "severe"),
        ("subarticular", Condition.SUBARTICULAR_STENOSIS, "severe"),
    )
    lines = asked_lines(phantom, table, asked, partial(_values, phantom))
    whole = [line for line in _whole_spine(phantom) if "haemangioma" not in line]
    return numbered([*lines, *whole] or [table["none"]])
