"""Questions about the reading itself: what a grade means, how sure it is, what is missing, where to look."""

from __future__ import annotations

from collections.abc import Sequence

from anatomy import SCALES
from reporting.burden import burden_details, burden_limits
from vlm.chat.answers import answer_conditions
from vlm.chat.facts import Facts, Row, condition_words, ids_of, join_words, quantity_title, say_grade, step_words
from vlm.chat.question import Question
from vlm.chat.types import Answer


def answer_meaning(question: Question, facts: Facts) -> Answer | None:
    """Explain steps, the grades at a level, the scale of a condition, or how a quantity was measured."""
    if question.steps:
        return _steps_meaning(question.steps, facts)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if question.levels and rows and not question.quantities:
        graded = [row for row in rows if row["status"] == "graded"]
        if not graded:
            return answer_conditions(question, facts)
        texts = [
            f"{row['level']} {condition_words(row)}: {_step_meaning(row['scale'], row['grade'])}" for row in graded
        ]
        return Answer(" ".join(texts), ids_of(graded))
    if question.quantities:
        return _method(question, facts)
    if question.conditions and rows:
        texts = [_scale_meaning(scale) for scale in dict.fromkeys(row["scale"] for row in rows)]
        return Answer(" ".join(texts), ids_of(rows))
    return None


def _steps_meaning(steps: Sequence[tuple[str, str]], facts: Facts) -> Answer:
    texts, cited = [], []
    for scale, step in steps:
        rows = [row for row in facts.grades if (row["scale"], row["grade"]) == (scale, step)]
        places = join_words(list(dict.fromkeys(row["level"] or "the study" for row in rows)))
        where = f" Here: {places}." if rows else " No level of this reading has it."
        texts.append(f"{_step_meaning(scale, step)} Source: {SCALES[scale].source.rstrip('.')}.{where}")
        cited += rows or facts.select(scales=[scale])
    return Answer(" ".join(texts), ids_of(cited))


def _step_meaning(scale: str, step: str) -> str:
    row = SCALES[scale].step(step)
    place = SCALES[scale].grades.index(step) + 1
    order = f", step {place} of {len(SCALES[scale].steps)}" if SCALES[scale].is_ordinal else ""
    return f"{row.words[0].upper()}{row.words[1:]} ({SCALES[scale].title} scale{order}): {row.meaning}."


def _scale_meaning(scale: str) -> str:
    steps = "; ".join(f"{step.words}: {step.meaning}" for step in SCALES[scale].steps)
    return f"{SCALES[scale].title} scale. {steps}. Source: {SCALES[scale].source.rstrip('.')}."


def _method(question: Question, facts: Facts) -> Answer:
    rows = facts.measured(question.quantities, question.levels)
    methods = dict.fromkeys((quantity_title(row), str(row["method"]), str(row["unit"])) for row in rows)
    if not methods:
        return Answer("This reading holds no such measurement.")
    units = {"1": "a ratio", "mm": "in mm", "deg": "in degrees", "%": "in percent"}
    texts = [f"{title} ({units.get(unit, unit)}): {method}." for title, method, unit in methods]
    return Answer(" ".join(texts), ids_of(rows))


def answer_confidence(question: Question, facts: Facts) -> Answer:
    """Say calibrated probabilities and prediction sets; without a condition, how sure the level names are."""
    if not question.conditions and not question.sides:
        return _naming_confidence(question, facts)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return answer_conditions(question, facts)
    texts = [f"{row['level'] or 'whole study'} {_certainty(row, facts)}" for row in rows]
    return Answer(f"{'; '.join(texts)}.", ids_of(rows))


def _certainty(row: Row, facts: Facts) -> str:
    if row["status"] != "graded":
        return say_grade(row, facts)
    share = row["probabilities"].get(row["grade"])
    basis = f"by rule {row['reason']}" if share is None else f"probability {share:.2f}"
    return f"{condition_words(row)}: {step_words(row)}, {basis}"


def _naming_confidence(question: Question, facts: Facts) -> Answer:
    items = [item for item in facts.reading["levels"] if not question.levels or item["name"] in question.levels]
    if not items:
        return Answer("No level of that name was found on these images.")
    sure = ", ".join(f"{item['name']} {item['confidence']:.2f}" for item in items)
    rows = facts.select(levels=[item["name"] for item in items]) if question.levels else []
    return Answer(f"Confidence that the level is named right: {sure}.{say_doubts(items)}", ids_of(rows))


def say_doubts(levels: Sequence[Row]) -> str:
    """Return `` In doubt: L4-L5 and L5-S1 (reason).``, or nothing."""
    doubted = [item for item in levels if item["doubt"]]
    reasons = dict.fromkeys(item["doubt"] for item in doubted)
    texts = [
        f"{join_words([i['name'] for i in doubted if i['doubt'] == reason])} ({reason})" for reason in reasons
    ]
    return f" In doubt: {'; '.join(texts)}." if texts else ""


def answer_not_assessed(question: Question, facts: Facts) -> Answer:
    """Say what has no grade or value, and why."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    gaps = [row for row in rows if row["status"] != "graded"]
    values = facts.measured(question.quantities or {item["name"] for item in facts.measurements}, question.levels)
    empty = [item for item in values if item["value"] is None] if not question.conditions else []
    if question.quantities and not question.conditions:
        gaps = []
    if not gaps and not empty:
        return Answer("Everything that was asked for has a grade or a value.", ids_of([*rows, *values]))
    texts = _gap_texts([(condition_words(row), row["level"], row["reason"]) for row in gaps])
    texts += _gap_texts([(quantity_title(item), item["level"], item["reason"]) for item in empty])
    return Answer(f"Not assessable: {'; '.join(texts)}.", ids_of([*gaps, *empty]))


def _gap_texts(gaps: Sequence[tuple[str, str | None, str]]) -> list[str]:
    """Return ``names at levels (reason)``, one text for all names that miss at the same levels for one reason."""
    places: dict[tuple[str, str], list[str]] = {}
    for name, level, reason in gaps:
        found = places.setdefault((name, reason), [])
        if level is not None and level not in found:
            found.append(level)
    names: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for (name, reason), levels in places.items():
        names.setdefault((tuple(levels), reason), []).append(name)
    return [
        f"{join_words(found)}{f' at {join_words(levels)}' if levels else ''} ({reason})"
        for (levels, reason), found in names.items()
    ]


def answer_evidence(question: Question, facts: Facts) -> Answer:
    """Say on which series and slice each grade was seen."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    seen = [row for row in rows if row["evidence"] is not None]
    if not seen:
        return Answer("Nothing with evidence on an image was graded there.", ids_of(rows))
    texts = []
    for series, k in dict.fromkeys((row["evidence"]["series"], row["evidence"]["slice"]) for row in seen):
        here = [row for row in seen if (row["evidence"]["series"], row["evidence"]["slice"]) == (series, k)]
        names = dict.fromkeys(f"{row['level'] or 'whole study'} {condition_words(row)}" for row in here)
        texts.append(f"series {series}, slice {k + 1}: {join_words(list(names))}")
    return Answer(f"{'; '.join(texts)}.", ids_of(seen))


def answer_burden(facts: Facts) -> Answer:
    """Say the burden score and its largest shares."""
    burden = facts.reading["burden"]
    if burden["score"] is None:
        return Answer("There is no burden score: nothing was graded.", ids_of(facts.grades))
    points = facts.points()
    shares = [f"{level} {value:.0f}" for level, value in sorted(points.items(), key=lambda item: -item[1])]
    details = burden_details(burden["category"], burden.get("interval"), burden.get("completeness"))
    text = f"Degeneration burden score {burden['score']:.0f} of 100 ({details})"
    text += f"; points by level: {', '.join(shares)}" if shares else ""
    limits = burden_limits(burden.get("upper_bound"), burden.get("completeness"))
    sentences = [f"{text}.", *([limits] if limits else []), f"Formula {burden['formula']}."]
    return Answer(" ".join(sentences), tuple(dict.fromkeys(t["grade"] for t in burden["terms"])))


def answer_summary(facts: Facts) -> Answer | None:
    """Give the impression of the report, sentence by sentence; None when there is no impression."""
    sections = [part for part in facts.reading["report"]["sections"] if part["name"] == "impression"]
    sentences = [sentence for part in sections for sentence in part["sentences"]]
    if not sentences:
        return None
    ids = dict.fromkeys(name for sentence in sentences for name in sentence["finding_ids"])
    return Answer(" ".join(sentence["text"] for sentence in sentences), tuple(ids))


def answer_coverage(facts: Facts) -> Answer:
    """Say which levels were read, and doubts about their names."""
    text = f"{len(facts.levels)} levels were read: {join_words(facts.levels)}."
    return Answer(text + say_doubts(facts.reading["levels"]))


def answer_sequences(facts: Facts) -> Answer:
    """Say which series were read."""
    study = facts.reading["study"]
    rows = [
        f"{item['id']}: {(item['role'] or item['plane']).replace('_', ' ')}, {item['shape'][2]} slices"
        if item["shape"][2] != 1
        else f"{item['id']}: {(item['role'] or item['plane']).replace('_', ' ')}, one slice"
        for item in study["series"]
    ]
    return Answer(f"Read as {study['protocol']}: {'; '.join(rows)}.")
