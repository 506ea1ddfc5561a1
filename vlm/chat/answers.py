"""One function a kind of question about findings: each returns text and the ids that it rests on."""

from __future__ import annotations

from collections.abc import Sequence

from anatomy import CONDITIONS, SCALES, Condition
from vlm.chat.facts import (
    Facts,
    Polarity,
    Row,
    condition_words,
    ids_of,
    join_words,
    polarity,
    say_grade,
    say_value,
    step_words,
    steps_of,
    weight,
)
from vlm.chat.question import Question
from vlm.chat.types import Answer


def missing_levels(question: Question, facts: Facts) -> tuple[str, ...]:
    """Return the levels that a question names and the reading does not hold."""
    return tuple(level for level in question.levels if level not in facts.levels)


def answer_missing(levels: Sequence[str]) -> Answer:
    """Say that levels were not found on the images."""
    verb = "was" if len(levels) == 1 else "were"
    return Answer(f"{join_words(levels)} {verb} not found on these images, so nothing is known there.")


def answer_levels(question: Question, facts: Facts) -> Answer:
    """Say everything that is graded at the levels named."""
    levels = [level for level in question.levels if level in facts.levels]
    texts = [_overview(facts, level) for level in levels]
    return Answer(" ".join(texts), ids_of(facts.select(levels=levels)))


def answer_conditions(question: Question, facts: Facts) -> Answer:
    """Say how conditions are graded: at the levels named, or wherever they are or cannot be excluded."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return _never_graded(question, facts)
    if question.levels:
        texts = [f"{row['level']}: {say_grade(row, facts)}." for row in rows]
        return Answer(" ".join(texts), ids_of(rows))
    texts = [_across_levels(name, rows, facts) for name in dict.fromkeys(condition_words(row) for row in rows)]
    ungraded = [name for name in question.conditions if not facts.select(conditions=[name])]
    if ungraded:
        names = join_words([CONDITIONS[Condition(name)].words for name in ungraded])
        texts.append(f"Not graded in this reading: {names}.")
    return Answer(" ".join(texts), ids_of(rows))


def answer_steps(question: Question, facts: Facts) -> Answer:
    """Say at which levels a step was given, then where it cannot be excluded."""
    rows = _rows_of_steps(question, facts)
    open_rows = _open_to_steps(question, facts)
    words = join_words([_step_title(scale, step) for scale, step in question.steps])
    texts = [f"{row['level'] or 'the study'}: {say_grade(row, facts)}" for row in (*rows, *open_rows)]
    if not rows:
        asked = facts.select(scales=[scale for scale, _ in question.steps], conditions=question.conditions)
        nowhere = f"No level of this reading has {words}."
        hint = f" Not excluded: {'; '.join(texts)}." if texts else ""
        return Answer(nowhere + hint, ids_of(open_rows or asked))
    return Answer(f"{'; '.join(texts)}.", ids_of([*rows, *open_rows]))


def answer_count(question: Question, facts: Facts) -> Answer:
    """Count levels with a condition, a step or any abnormality; open and unassessed ones are said apart."""
    if not (question.conditions or question.steps or question.asks("abnormal", "normal")):
        return Answer(f"{len(facts.levels)} levels were read: {join_words(facts.levels)}.")
    if question.steps:
        rows = _rows_of_steps(question, facts)
        base = facts.select(scales=[scale for scale, _ in question.steps], conditions=question.conditions)
        what = join_words([_step_title(scale, step) for scale, step in question.steps])
        open_rows = _open_to_steps(question, facts)
        hint = f" Not excluded at {join_words(_levels_of(open_rows))}." if open_rows else ""
        return Answer(_counted(_levels_of(rows), what) + hint, ids_of([*rows, *open_rows] or base))
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return _never_graded(question, facts)
    if question.asks("normal") and not question.conditions:
        return answer_normal(facts)
    names = join_words([CONDITIONS[Condition(name)].words for name in question.conditions]) or "an abnormal grade"
    return Answer(_count_text(rows, names), ids_of(rows))


def answer_worst(question: Question, facts: Facts) -> Answer:
    """Name the worst level: by a condition's own scale, else by its share of the burden score."""
    places = [level for level in question.levels if level in facts.levels]
    if question.conditions:
        return _worst_of_condition(question, facts)
    points = {level: value for level, value in facts.points().items() if not places or level in places}
    if not points:
        return Answer("No level has an abnormal grade.", ids_of(facts.select(levels=places)))
    top = max(points.values())
    worst = [level for level in facts.levels if points.get(level) == top]
    rows = [row for row in facts.select(levels=worst) if weight(row) > 0]
    whole = facts.reading["burden"]["score"]
    details = " ".join(_overview(facts, level) for level in worst)
    share = f"{top:.0f} of {whole:.0f} points of the burden score"
    return Answer(f"{join_words(worst)}, with {share}. {details}", ids_of(rows))


def answer_normal(facts: Facts) -> Answer:
    """Name the levels without an abnormal grade, and what could not be assessed there."""
    normal = [
        level
        for level in facts.levels
        if not any(polarity(row) in _POSITIVE for row in facts.select(levels=[level]))
        and any(row["status"] == "graded" for row in facts.select(levels=[level]))
    ]
    if not normal:
        return Answer("Every level has an abnormal grade or one that cannot be excluded.", ids_of(_open(facts)))
    rows = facts.select(levels=normal)
    gaps = dict.fromkeys(condition_words(row) for row in rows if row["status"] != "graded")
    text = f"No abnormal grade at {join_words(normal)}."
    if gaps:
        text += f" Not assessable there: {join_words(list(gaps))}."
    return Answer(text, ids_of(rows))


def answer_abnormal(facts: Facts) -> Answer:
    """Say every abnormal grade, and every one that cannot be excluded, level by level."""
    rows = _open(facts)
    if not rows:
        return Answer("No condition that was assessed has an abnormal grade.", ids_of(facts.grades))
    texts = []
    for level in dict.fromkeys(row["level"] for row in rows):
        found = [_short(row, facts) for row in rows if row["level"] == level]
        texts.append(f"{level or 'Whole study'}: {'; '.join(found)}.")
    return Answer(" ".join(texts), ids_of(rows))


_POSITIVE = frozenset({Polarity.PRESENT, Polarity.POSSIBLE})


def _open(facts: Facts) -> list[Row]:
    return [row for row in facts.grades if polarity(row) in _POSITIVE]


def _overview(facts: Facts, level: str) -> str:
    """Return one level in a few clauses: what is there, what is open, what is not there, what is unknown."""
    rows = facts.select(levels=[level])
    by_polarity = {kind: [row for row in rows if polarity(row) is kind] for kind in Polarity}
    clauses = [_short(row, facts) for row in rows if polarity(row) in _POSITIVE]
    # A disc's grade is a description of it, so it is said even when it is a normal one.
    absent = by_polarity[Polarity.ABSENT]
    clauses += [_short(row, facts) for row in absent if row["scale"] == "pfirrmann"]
    missing = [condition_words(row) for row in absent if row["scale"] != "pfirrmann"]
    if missing:
        clauses.append(f"no {' or '.join(missing)}")
    for reason in dict.fromkeys(row["reason"] for row in by_polarity[Polarity.NOT_ASSESSABLE]):
        names = [condition_words(row) for row in by_polarity[Polarity.NOT_ASSESSABLE] if row["reason"] == reason]
        clauses.append(f"not assessable: {join_words(names)} ({reason})")
    doubts = [item["doubt"] for item in facts.reading["levels"] if item["name"] == level and item["doubt"]]
    clauses += [f"the level's name is in doubt: {doubt}" for doubt in doubts]
    return f"{level}: {'; '.join(clauses) or 'nothing was graded'}."


def _short(row: Row, facts: Facts) -> str:
    """Return a positive or open finding without the word present."""
    if row["scale"] != "presence":
        return say_grade(row, facts)
    prefix = "possible " if polarity(row) is Polarity.POSSIBLE else ""
    return f"{prefix}{condition_words(row)}"


def _across_levels(name: str, rows: Sequence[Row], facts: Facts) -> str:
    """Return one condition over all levels: where it is, where it is open, absent or unknown."""
    mine = [row for row in rows if condition_words(row) == name]
    parts = []
    for kind in (Polarity.PRESENT, Polarity.POSSIBLE):
        found = [row for row in mine if polarity(row) is kind]
        if not found:
            continue
        places = [_place_with_step(row, facts) for row in found]
        parts.append(f"{'at' if kind is Polarity.PRESENT else 'not excluded at'} {join_words(places)}")
    absent = [row for row in mine if polarity(row) is Polarity.ABSENT]
    if absent:
        parts.append(f"not at {join_words(_levels_of(absent))}" if parts else "at no level that was assessed")
    unknown = [row for row in mine if polarity(row) is Polarity.NOT_ASSESSABLE]
    for reason in dict.fromkeys(row["reason"] for row in unknown):
        places = _levels_of([row for row in unknown if row["reason"] == reason])
        parts.append(f"not assessable at {join_words(places)} ({reason})")
    return f"{name[0].upper()}{name[1:]}: {'; '.join(parts)}."


def _place_with_step(row: Row, facts: Facts) -> str:
    place = row["level"] or "the study"
    if row["scale"] == "presence":
        return str(place)
    values = [say_value(item) for item in facts.values_of(row)]
    return f"{place} ({', '.join([step_words(row), *values])})"


def _levels_of(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row["level"] or "the study" for row in rows))


def _never_graded(question: Question, facts: Facts) -> Answer:
    """Say that a condition is not graded in this reading, at all or at these levels."""
    names = join_words([CONDITIONS[Condition(name)].words for name in question.conditions])
    missing = missing_levels(question, facts)
    if missing:
        return answer_missing(missing)
    protocol = facts.reading["study"]["protocol"]
    return Answer(f"Not assessed: the {protocol} protocol of this reading does not grade {names}.")


def _rows_of_steps(question: Question, facts: Facts) -> list[Row]:
    """Return the grades that were given one of the steps."""
    wanted = set(question.steps)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    return [row for row in rows if (row["scale"], row["grade"]) in wanted]


def _open_to_steps(question: Question, facts: Facts) -> list[Row]:
    """Return the grades that were given another step but do not exclude one of those asked for."""
    wanted = set(question.steps)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    return [
        row
        for row in rows
        if row["status"] == "graded"
        and (row["scale"], row["grade"]) not in wanted
        and any((row["scale"], step) in wanted for step in steps_of(row))
    ]


def _step_title(scale: str, step: str) -> str:
    return SCALES[scale].step(step).words


def _counted(levels: Sequence[str], what: str) -> str:
    noun = "level has" if len(levels) == 1 else "levels have"
    return f"{len(levels) or 'No'} {noun} {what}{f' ({join_words(levels)})' if levels else ''}."


def _count_text(rows: Sequence[Row], names: str) -> str:
    """Return how many levels have it for sure; then where it is open, then where it is unknown throughout."""
    of = {kind: _levels_of([row for row in rows if polarity(row) is kind]) for kind in Polarity}
    present = of[Polarity.PRESENT]
    text = _counted(present, names)
    possible = [level for level in of[Polarity.POSSIBLE] if level not in present]
    if possible:
        text += f" Not excluded at {join_words(possible)}."
    graded = {row["level"] for row in rows if row["status"] == "graded"}
    unknown = [level for level in of[Polarity.NOT_ASSESSABLE] if level not in graded]
    if unknown:
        text += f" Not assessable at {join_words(unknown)}."
    return text


def _worst_of_condition(question: Question, facts: Facts) -> Answer:
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return _never_graded(question, facts)
    graded = [row for row in rows if row["status"] == "graded"]
    if not graded:
        return answer_conditions(question, facts)
    top = max(weight(row) for row in graded)
    if top == 0.0:
        names = join_words([CONDITIONS[Condition(name)].words for name in question.conditions])
        return Answer(f"No level has an abnormal grade of {names}.", ids_of(graded))
    worst = [row for row in graded if weight(row) == top]
    texts = [f"{row['level']}: {say_grade(row, facts)}" for row in worst]
    return Answer(f"{'; '.join(texts)}.", ids_of(worst))
