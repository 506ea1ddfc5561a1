"""The words of a sacroiliac phantom's reference report (``configs/phantom/report_sacroiliac.yaml``)."""

from functools import cache
from typing import Any

from anatomy import Condition, Side
from imaging.phantom.report import ReportParts, numbered
from imaging.phantom.sacroiliac.truth import LEVEL, LEVEL_SCORE
from imaging.phantom.tables import phantom_file, read_yaml
from imaging.phantom.types import Phantom

_TOTAL_SHARE = 0.9  # bridged from here on is called complete; own choice
_HALVES = ("upper", "lower")


def report_parts(phantom: Phantom) -> ReportParts:
    """Return technique, a paragraph for each joint with the score, and the impression."""
    words = _words()
    joints = [_joint_text(phantom, side) for side in (Side.RIGHT, Side.LEFT)]
    score = phantom.measurement(LEVEL_SCORE, LEVEL)
    return ReportParts(
        technique=words["technique"],
        findings=(*joints, words["sparcc"].format(score=round(score))),
        impression=_impression(phantom),
    )


@cache
def _words() -> dict[str, Any]:
    return read_yaml(phantom_file("report_sacroiliac"))


def _joint_text(phantom: Phantom, side: Side) -> str:
    words = _words()
    sentences = [_oedema(phantom, side), *_structure(phantom, side)]
    return str(words["joint"].format(side=side.value.capitalize(), sentences=" ".join(sentences)))


def _oedema(phantom: Phantom, side: Side) -> str:
    words = _words()["oedema"]
    depth = phantom.measurement("oedema_depth", LEVEL, side)
    if depth == 0:
        return str(words["none"])
    rows = [row for row in phantom.details["sparcc"] if row["side"] == side.value]
    bones = [
        bone for bone in ("ilium", "sacrum") if any(row[f"{half}_{bone}"] for row in rows for half in _HALVES)
    ]
    where = _words()["where"]["both" if len(bones) != 1 else bones[0]]
    return str(words["there"].format(where=where, depth=f"{depth:.0f}"))


def _structure(phantom: Phantom, side: Side) -> list[str]:
    """Return sentences on erosion, sclerosis, fat, ankylosis and width, as far as there is something to say."""
    words = _words()
    count = round(phantom.measurement("erosion_count", LEVEL, side))
    said = [
        words["erosion"]["one" if count == 1 else "many"].format(count=count) if count else words["no_erosion"]
    ]
    sclerosis = phantom.measurement("sclerosis_depth", LEVEL, side)
    if sclerosis > 0:
        said.append(words["sclerosis"].format(depth=f"{sclerosis:.0f}"))
    if phantom.measurement("fat_area", LEVEL, side) > 0:
        said.append(words["fat"])
    share = phantom.measurement("bridged_share", LEVEL, side)
    if share > 0:
        said.append(
            words["bridge"]["total" if share >= _TOTAL_SHARE else "partial"].format(share=round(100 * share))
        )
    if share < _TOTAL_SHARE:
        said.append(words["width"].format(width=f"{phantom.measurement('joint_space_width', LEVEL, side):.1f}"))
    return said


def _impression(phantom: Phantom) -> tuple[str, ...]:
    words = _words()["impression"]
    grades = {
        (item.scale, item.side): item.grade for item in phantom.grades if item.condition is Condition.SACROILIITIS
    }
    lines = [words[grades["as_status", None]]]
    for side in (Side.RIGHT, Side.LEFT):
        stage = grades["as_stage", side]
        if stage != "normal":
            lines.append(words["stage"][stage].format(side=side.value.capitalize()))
    return numbered(lines)
