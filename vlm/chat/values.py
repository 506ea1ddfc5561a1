"""Questions about measured values."""

from __future__ import annotations

from dataclasses import replace

from anatomy import Condition
from vlm.chat.facts import Facts, Row, ids_of, join_words, quantity_title
from vlm.chat.question import Question
from vlm.chat.safe import safe_text
from vlm.chat.say import say_rows, say_values
from vlm.chat.types import Part

_CANAL = Condition.SPINAL_CANAL_STENOSIS.value


def answer_quantities(question: Question, facts: Facts) -> list[Part]:
    """Say measured values at the levels named, or everywhere; the smallest or largest when asked for."""
    rows = facts.measured(question.quantities, question.levels)
    rows = [row for row in rows if row["side"] is None or not question.sides or row["side"] in question.sides]
    if not rows:
        return [Part(f"That was not measured in this reading{_at(question)}.")]
    known = [row for row in rows if row["value"] is not None]
    if known and question.asks("smallest", "largest"):
        pick = min if question.asks("smallest") else max
        return say_values([row for row in known if row["value"] == pick(item["value"] for item in known)])
    if not known and not question.levels:
        title = join_words(list(dict.fromkeys(quantity_title(row) for row in rows)))
        reason = join_words(list(dict.fromkeys(safe_text(str(row["reason"])) for row in rows)))
        return [Part(f"{title}: not assessable at any level ({reason}).", ids_of(rows))]
    return (
        _with_grades(say_values(rows), say_rows(_resting(rows, facts), facts))
        if question.levels
        else say_values(rows)
    )


def _with_grades(said: list[Part], graded: list[Part]) -> list[Part]:
    """Return values and the grades that go with them; a value that a grade's sentence says is not said again."""
    parts = []
    for value in said:
        number = value.text.partition(": ")[2].rstrip(".")
        place = value.text.partition(":")[0]
        if any(number in part.text and part.text.startswith(place) for part in graded):
            parts.append(replace(value, text=""))
        else:
            parts.append(value)
    return [*parts, *graded]


def answer_all_values(facts: Facts) -> list[Part]:
    """Say every value that was measured."""
    return say_values([row for row in facts.measurements if row["value"] is not None])


def _resting(rows: list[Row], facts: Facts) -> list[Row]:
    """Return the grades that values belong to: that rest on them, or of the canal where its diameter is said."""
    ids = {item["id"] for item in rows}
    canals = {item["level"] for item in rows if item["name"] == "canal_ap_diameter"}
    return [
        row
        for row in facts.grades
        if row["status"] == "graded"
        and (ids & set(row["measurements"]) or (row["condition"] == _CANAL and row["level"] in canals))
    ]


def _at(question: Question) -> str:
    return f" at {join_words(question.levels)}" if question.levels else ""
