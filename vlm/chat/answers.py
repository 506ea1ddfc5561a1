"""One function a kind of question about findings: each returns the parts of an answer."""

from __future__ import annotations

from collections.abc import Sequence

from anatomy import CONDITIONS, SCALES, Condition
from vlm.chat.facts import Facts, Polarity, Row, ids_of, join_words, polarity, steps_of, weight
from vlm.chat.question import Question
from vlm.chat.safe import safe_text
from vlm.chat.say import say_gaps, say_rows
from vlm.chat.types import Part

_POSITIVE = frozenset({Polarity.PRESENT, Polarity.POSSIBLE})
_DISTANT = "Nothing is known of it from this reading."


def missing_levels(question: Question, facts: Facts) -> tuple[str, ...]:
    """Return the levels that a question names and the reading does not hold."""
    return tuple(level for level in question.levels if level not in facts.levels)


def answer_missing(levels: Sequence[str]) -> list[Part]:
    """Say that levels were not found on the images."""
    verb = "was" if len(levels) == 1 else "were"
    return [Part(f"{join_words(levels)} {verb} not found on these images, so nothing is known there.")]


def answer_levels(question: Question, facts: Facts) -> list[Part]:
    """Say everything that is graded at the levels named."""
    levels = [level for level in question.levels if level in facts.levels]
    parts = []
    for level in levels:
        rows = facts.select(levels=[level])
        parts += say_rows(rows, facts) or [Part(f"Nothing was graded at {level}.")]
        parts += say_doubts([item for item in facts.reading["levels"] if item["name"] == level])
    return parts


def answer_conditions(question: Question, facts: Facts) -> list[Part]:
    """Say how conditions are graded: at the levels named, or wherever they are or cannot be excluded."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return never_graded(question, facts)
    parts = say_rows(rows, facts)
    ungraded = [name for name in question.conditions if not facts.select(conditions=[name])]
    return [*parts, *_ungraded(ungraded)] if not question.levels else parts


def answer_sides(question: Question, facts: Facts) -> list[Part]:
    """Say what is graded on the sides named, of all that has sides."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    sided = [row for row in rows if row["side"] is not None]
    return say_rows(sided, facts) or never_graded(question, facts)


def answer_steps(question: Question, facts: Facts) -> list[Part]:
    """Say at which levels a step was given, then where it cannot be excluded."""
    rows, open_rows = rows_of_steps(question, facts), _open_to_steps(question, facts)
    words = join_words([SCALES[scale].step(step).words for scale, step in question.steps])
    if not rows:
        nowhere = Part(f"No place in this reading has {words} as its grade.")
        return [nowhere, *say_rows(open_rows or _asked_scales(question, facts), facts)]
    return say_rows([*rows, *open_rows], facts)


def answer_count(question: Question, facts: Facts) -> list[Part]:
    """Count levels with a condition, a step or any abnormality; open and unassessed ones are said, not counted."""
    if not (question.conditions or question.steps or question.asks("abnormal", "normal")):
        return [Part(f"{_number(len(facts.levels), 'level')} read: {join_words(facts.levels)}.")]
    if question.asks("normal") and not question.conditions:
        return answer_normal(facts)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if question.steps:
        counted, rows = _surely_of_steps(question, facts), _asked_scales(question, facts)
        shown = [*rows_of_steps(question, facts), *_open_to_steps(question, facts)]
    else:
        counted = [row for row in rows if _is_counted(row)]
        shown = rows if question.conditions else [row for row in rows if polarity(row) in _POSITIVE]
    if not rows:
        return never_graded(question, facts)
    levels = list(dict.fromkeys(str(row["level"]) for row in counted if row["level"] is not None))
    where = f" ({join_words(levels)})" if levels else ""
    return [
        Part(f"Count: {_number(len(levels), 'level')}{where}.", ids_of(counted)),
        *say_rows(shown or rows, facts),
    ]


def answer_worst(question: Question, facts: Facts) -> list[Part]:
    """Name the worst level: by a condition's scale, else by its share of the burden score or its worst grade."""
    if question.conditions:
        return _worst_of_condition(question, facts)
    places = [level for level in question.levels if level in facts.levels] or list(facts.levels)
    points = {level: value for level, value in facts.points().items() if level in places}
    ranked = {level: (value, 0.0) for level, value in points.items()} or _severities(places, facts)
    if not ranked or not _positive_rows(places, facts):
        return [Part("No level has an abnormal grade.", ids_of(facts.select(levels=places)))]
    top = max(ranked.values())
    worst = [level for level in places if ranked.get(level) == top]
    whole = facts.reading["burden"]["score"]
    share = f", with {top[0]:.0f} of {whole:.0f} points of the burden score" if points else ""
    rows = [row for row in facts.select(levels=worst) if polarity(row) in _POSITIVE]
    return [Part(f"Worst level: {join_words(worst)}{share}.", ids_of(rows)), *say_rows(rows, facts)]


def answer_normal(facts: Facts) -> list[Part]:
    """Name the levels without an abnormal grade, and what could not be assessed there."""
    normal = [
        level
        for level in facts.levels
        if not _positive_rows([level], facts)
        and any(row["status"] == "graded" for row in facts.select(levels=[level]))
    ]
    if not normal:
        return [Part("Every level has an abnormal grade or one that cannot be excluded."), *answer_abnormal(facts)]
    rows = facts.select(levels=normal)
    graded = [row for row in rows if row["status"] == "graded"]
    gaps = say_gaps([row for row in rows if row["status"] != "graded"])
    others = [row for row in _positive_rows(facts.levels, facts) if row["level"] not in normal]
    head = Part(f"Nothing abnormal at {join_words(normal)}.", ids_of(graded))
    rest = [Part(f"Not so at {join_words(_levels_of(others))}."), *say_rows(others, facts)] if others else []
    return [head, *gaps, *rest]


def answer_abnormal(facts: Facts) -> list[Part]:
    """Say every abnormal grade, and every one that cannot be excluded, level by level."""
    rows = [row for row in facts.grades if polarity(row) in _POSITIVE]
    if rows:
        return say_rows(rows, facts)
    graded = [row for row in facts.grades if row["status"] == "graded"]
    return [Part("No abnormality among the conditions that were assessed.", ids_of(graded))]


def never_graded(question: Question, facts: Facts) -> list[Part]:
    """Say that a condition is not graded in this reading, at all or at these levels."""
    missing = missing_levels(question, facts)
    if missing:
        return answer_missing(missing)
    rows = facts.select(levels=question.levels, conditions=question.conditions)
    if rows:
        return [Part("It is not graded in those words here."), *say_rows(rows, facts)]
    names = [CONDITIONS[Condition(name)].words for name in question.conditions]
    protocol = facts.protocol
    what = join_words(names) or "anything by side"
    return [Part(f"Not assessed: the {protocol} protocol of this reading does not grade {what}. {_DISTANT}")]


def rows_of_steps(question: Question, facts: Facts) -> list[Row]:
    """Return the grades that were given one of the steps."""
    wanted = set(question.steps)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    return [row for row in rows if (row["scale"], row["grade"]) in wanted]


def _surely_of_steps(question: Question, facts: Facts) -> list[Row]:
    """Return the grades of which no step but those asked for is open."""
    wanted = set(question.steps)
    rows = rows_of_steps(question, facts)
    return [row for row in rows if all((row["scale"], step) in wanted for step in steps_of(row))]


def _open_to_steps(question: Question, facts: Facts) -> list[Row]:
    """Return the grades that were given another step but do not exclude one of those asked for."""
    wanted, given = set(question.steps), ids_of(rows_of_steps(question, facts))
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    return [
        row
        for row in rows
        if row["status"] == "graded"
        and row["id"] not in given
        and any((row["scale"], step) in wanted for step in steps_of(row))
    ]


def _asked_scales(question: Question, facts: Facts) -> list[Row]:
    return facts.select(
        levels=question.levels,
        conditions=question.conditions,
        sides=question.sides,
        scales=[scale for scale, _ in question.steps],
    )


def _worst_of_condition(question: Question, facts: Facts) -> list[Part]:
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return never_graded(question, facts)
    graded = [row for row in rows if row["status"] == "graded"]
    if not graded:
        return answer_conditions(question, facts)
    placed = [row for row in graded if row["level"] is not None] or graded
    top = max(weight(row) for row in placed)
    if top == (0.0, 0.0):
        return [Part("No place has an abnormal grade of it."), *say_rows(graded, facts)]
    worst = [row for row in placed if weight(row) == top]
    places = list(dict.fromkeys(" ".join(filter(None, (row["level"], row["side"]))) for row in worst))
    return [Part(f"Worst: {join_words(places)}.", ids_of(worst)), *say_rows(worst, facts)]


def _severities(levels: Sequence[str], facts: Facts) -> dict[str, tuple[float, float]]:
    """Return level -> its worst grade, then the sum of all, for a reading without points by level."""
    found = {}
    for level in levels:
        weights = [weight(row) for row in facts.select(levels=[level])]
        if weights and max(weights) > (0.0, 0.0):
            found[level] = (max(sure for sure, _ in weights), sum(mean for _, mean in weights))
    return found


def _is_counted(row: Row) -> bool:
    """Return whether a grade is surely what its condition says: a narrow canal (Kang 1) compresses no cord."""
    scale = SCALES[row["scale"]]
    first = scale.present_from
    enough = first is None or all(scale.grades.index(s) >= scale.grades.index(first) for s in steps_of(row))
    return polarity(row) is Polarity.PRESENT and enough


def _positive_rows(levels: Sequence[str], facts: Facts) -> list[Row]:
    return [row for row in facts.select(levels=levels) if polarity(row) in _POSITIVE]


def _ungraded(names: Sequence[str]) -> list[Part]:
    words = join_words([CONDITIONS[Condition(name)].words for name in names])
    return [Part(f"Not graded in this reading: {words}.")] if names else []


def say_doubts(levels: Sequence[Row]) -> list[Part]:
    """Return that the names of levels are in doubt, and why; nothing where they are not."""
    doubted = [item for item in levels if item["doubt"]]
    texts = []
    for reason in dict.fromkeys(str(item["doubt"]) for item in doubted):
        names = [str(item["name"]) for item in doubted if item["doubt"] == reason]
        texts.append(f"{join_words(names)} ({safe_text(reason)})")
    return [Part(f"Level numbering is in doubt: {'; '.join(texts)}.")] if texts else []


def _levels_of(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(str(row["level"]) for row in rows if row["level"] is not None))


def _number(count: int, noun: str) -> str:
    return f"{count or 'no'} {noun}{'' if count == 1 else 's'}"
