"""Questions about measured values."""

from __future__ import annotations

from vlm.chat.facts import Facts, Row, ids_of, join_words, quantity_title, say_grade, say_value
from vlm.chat.question import Question
from vlm.chat.types import Answer


def answer_quantities(question: Question, facts: Facts) -> Answer:
    """Say measured values at the levels named, or everywhere; the smallest or largest when asked for."""
    rows = facts.measured(question.quantities, question.levels)
    if not rows:
        names = join_words([quantity_title({"name": name, "side": None}) for name in question.quantities])
        return Answer(f"This reading holds no measurement of {names}{_at(question)}.")
    known = [row for row in rows if row["value"] is not None]
    if known and question.asks("smallest", "largest"):
        pick = min if question.asks("smallest") else max
        chosen = [row for row in known if row["value"] == pick(item["value"] for item in known)]
        return Answer(f"{'; '.join(_say_measured(row) for row in chosen)}.", ids_of(chosen))
    if not known and not question.levels:
        title = join_words(list(dict.fromkeys(quantity_title(row) for row in rows)))
        reason = join_words(list(dict.fromkeys(str(row["reason"]) for row in rows)))
        return Answer(f"{title}: not assessable at any level ({reason}).", ids_of(rows))
    resting = [row for row in facts.grades if {item["id"] for item in rows} & set(row["measurements"])]
    said = [_say_measured(row) for row in rows]
    if question.levels:
        said += [f"{row['level']} {say_grade(row, facts)}" for row in resting if row["status"] == "graded"]
        return Answer(f"{'; '.join(said)}.", (*ids_of(rows), *ids_of(resting)))
    return Answer(f"{'; '.join(said)}.", ids_of(rows))


def _at(question: Question) -> str:
    return f" at {join_words(question.levels)}" if question.levels else ""


def _say_measured(row: Row) -> str:
    place = "" if row["level"] is None else f"{row['level']} "
    norm = "" if row["percentile"] is None else f", percentile {row['percentile']:.0f} of the norm"
    return f"{place}{quantity_title(row)}: {say_value(row)}{norm}"
