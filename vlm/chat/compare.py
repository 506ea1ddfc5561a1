"""Questions about change: only what the change table of the reading (``comparison``) holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from anatomy import CONDITIONS, SCALES, Condition
from vlm.chat.facts import UNITS, Facts, Row, join_words, quantity_title
from vlm.chat.question import Question
from vlm.chat.safe import safe_text
from vlm.chat.say import plain_words, say_rows
from vlm.chat.types import Part

_ASKED = {
    "change_new": ("new",),
    "change_worse": ("worse", "new"),
    "change_better": ("better", "resolved"),
    "change_resolved": ("resolved",),
    "change_same": ("unchanged",),
}
_CHANGED = ("new", "worse", "better", "resolved")
_WORDS = {
    "new": "new",
    "worse": "progressed (worse)",
    "better": "improved (better)",
    "resolved": "resolved, no longer seen",
    "unchanged": "unchanged (stable)",
    "increased": "increased beyond the measurement error",
    "decreased": "decreased beyond the measurement error",
    "within_error": "unchanged within the measurement error",
}


def has_comparison(facts: Facts) -> bool:
    """Return whether the reading holds a change table."""
    return bool(facts.reading.get("comparison"))


def answer_comparison(question: Question, facts: Facts) -> list[Part]:
    """Say what changed: at the places and of the conditions named, else all changes of the kind asked for."""
    table = facts.reading["comparison"]
    wanted = _wanted(question)
    grades = [row for row in table["grades"] if _is_about(row, question, facts)]
    is_named = bool(question.conditions or question.levels or question.quantities)
    if not is_named or (not question.conditions and not question.quantities):
        grades = [row for row in grades if row["change"] in (wanted or _CHANGED)]
    elif len(grades) > 1 and not question.levels:
        grades = [row for row in grades if row["change"] in _CHANGED] or grades
    values = _values(question, table["measurements"])
    shown = grades if question.conditions or not question.quantities else []
    parts = [part for row in shown for part in _grade_parts(row, facts)]
    parts += [_value_part(row) for row in values]
    return parts or _none(question, wanted)


def _wanted(question: Question) -> tuple[str, ...]:
    found = [change for intent, changes in _ASKED.items() if question.asks(intent) for change in changes]
    return tuple(dict.fromkeys(found))


def _is_about(row: Mapping[str, Any], question: Question, facts: Facts) -> bool:
    sides = {side.value for side in question.sides}
    return (
        row["scale"] not in CONDITIONS[Condition(row["condition"])].checks
        and (not question.levels or row["level"] in question.levels)
        and (not question.conditions or row["condition"] in question.conditions)
        and (not sides or row["side"] is None or row["side"] in sides)
    )


def _values(question: Question, rows: Sequence[Row]) -> list[Row]:
    if not question.quantities:
        return []
    mine = [row for row in rows if row["name"] in question.quantities]
    return [row for row in mine if not question.levels or row["level"] in question.levels]


def _grade_parts(row: Mapping[str, Any], facts: Facts) -> list[Part]:
    """Return one row: what is there now, in the composer's words, then how that stands to the earlier study."""
    now = [item for item in facts.grades if row["now"] is not None and item["id"] == row["now"]["id"]]
    said = say_rows(now, facts)
    if not said:
        words, side = plain_words(Condition(row["condition"])), f"{row['side']} " if row["side"] else ""
        place = f" at {row['level']}" if row["level"] else ""
        said = [Part(f"Not graded in this reading: {side}{words}{place}.")]
    if row["change"] == "not_comparable":
        reason = safe_text(str(row["reason"])) if row["reason"] else "no reason is given"
        return [*said, Part(f"It cannot be compared with the earlier study ({reason}).", _ids(row))]
    before = _steps(row, "before")
    return [*said, Part(f"Since the earlier study: {_WORDS[row['change']]} (before: {before}).", _ids(row))]


def _steps(row: Mapping[str, Any], when: str) -> str:
    state = row[when]
    if state is None or state["status"] != "graded":
        return "not assessed"
    scale = SCALES[row["scale"]]
    return " or ".join(step.replace("_", " or ") for step in scale.grades if step in state["prediction_set"])


def _value_part(row: Mapping[str, Any]) -> Part:
    place = f"{row['level']}, " if row["level"] else ""
    unit = UNITS.get(row["unit"], "")
    head = f"{place}{quantity_title(row)}"
    if row["change"] == "not_comparable":
        return Part(f"{head}: cannot be compared with the earlier study.", _ids(row))
    before, now = (f"{row[when]['value']:.1f} {unit}".strip() for when in ("before", "now"))
    return Part(f"{head}: {_WORDS[row['change']]}: {before} before, {now} now.", _ids(row))


def _ids(row: Mapping[str, Any]) -> tuple[str, ...]:
    return () if row["now"] is None else (str(row["now"]["id"]),)


def _none(question: Question, wanted: Sequence[str]) -> list[Part]:
    what = join_words([_WORDS[change] for change in wanted]) or "changed"
    where = f" at {join_words(question.levels)}" if question.levels else ""
    return [Part(f"Nothing that was compared is {what}{where}.")]
