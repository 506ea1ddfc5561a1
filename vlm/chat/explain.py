"""Questions about the reading itself: what a grade means, how sure it is, what is missing, where to look."""

from __future__ import annotations

from collections.abc import Sequence

from anatomy import SCALES
from reporting import Checker, SentenceContext, compose_impression
from reporting.burden import burden_details, burden_limits, burden_name
from reporting.types import VerdictStatus
from vlm.chat.answers import answer_abnormal, answer_conditions, say_doubts
from vlm.chat.facts import Facts, Row, condition_words, ids_of, join_words, quantity_title
from vlm.chat.question import Question
from vlm.chat.safe import safe_rule, safe_series, safe_text
from vlm.chat.say import say_gaps, say_rows, say_values
from vlm.chat.types import Part, PartKind

_FEW = 3
"""Up to so many grades are each explained with their probabilities."""
_CATEGORIES = frozenset({"none", "mild", "moderate", "marked"})


def answer_meaning(question: Question, facts: Facts) -> list[Part]:
    """Explain steps, the grades at a level, the scale of a condition, or how a quantity was measured."""
    if question.steps:
        return _steps_meaning(question.steps, facts)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if question.levels and rows and not question.quantities:
        return _grades_meaning([row for row in rows if row["status"] == "graded"]) or say_rows(rows, facts)
    if question.quantities:
        return _method(question, facts)
    if question.conditions and rows:
        return [_scale_meaning(scale, rows) for scale in dict.fromkeys(row["scale"] for row in rows)]
    return []


def _grades_meaning(rows: Sequence[Row]) -> list[Part]:
    """Return what each grade means, every open step of it."""
    parts = []
    for row in rows:
        for step in row["prediction_set"]:
            parts.append(_step_part(row["scale"], step, ids_of([row]), f"{row['level']} {condition_words(row)}: "))
    return parts


def _steps_meaning(steps: Sequence[tuple[str, str]], facts: Facts) -> list[Part]:
    parts = []
    for scale, step in steps:
        rows = [row for row in facts.grades if (row["scale"], row["grade"]) == (scale, step)]
        cited = rows or facts.select(scales=[scale])
        places = join_words(list(dict.fromkeys(row["level"] or "the study" for row in rows)))
        where = f"In this reading: {places}." if rows else "No level of this reading has it."
        parts += [_step_part(scale, step, ids_of(cited)), Part(where)]
    return parts


def _step_part(scale: str, step: str, ids: tuple[str, ...], head: str = "") -> Part:
    row = SCALES[scale].step(step)
    place = SCALES[scale].grades.index(step) + 1
    order = f", step {place} of {len(SCALES[scale].steps)}" if SCALES[scale].is_ordinal else ""
    words = row.words if head else f"{row.words[0].upper()}{row.words[1:]}"
    text = f"{head}{words} ({SCALES[scale].title} scale{order}): {row.meaning}."
    return Part(text, ids, PartKind.KNOWLEDGE, SCALES[scale].source.rstrip("."))


def _scale_meaning(scale: str, rows: Sequence[Row]) -> Part:
    steps = "; ".join(f"{step.words}: {step.meaning}" for step in SCALES[scale].steps)
    ids = ids_of([row for row in rows if row["scale"] == scale])
    text = f"{SCALES[scale].title} scale. {steps[0].upper()}{steps[1:]}."
    return Part(text, ids, PartKind.KNOWLEDGE, SCALES[scale].source.rstrip("."))


def _method(question: Question, facts: Facts) -> list[Part]:
    rows = facts.measured(question.quantities, question.levels)
    methods = dict.fromkeys((quantity_title(row), str(row["method"]), str(row["unit"])) for row in rows)
    if not methods:
        return [Part("This reading holds no such measurement.")]
    units = {"1": "a ratio", "mm": "in mm", "deg": "in degrees", "%": "in percent"}
    texts = [f"{title} ({units.get(unit, 'in its own unit')}): {safe_text(way)}." for title, way, unit in methods]
    return [Part(" ".join(texts), ids_of(rows)), *say_values(rows)]


def answer_confidence(question: Question, facts: Facts) -> list[Part]:
    """Say calibrated probabilities and prediction sets; without a condition, how sure the level names are."""
    names_grade = bool({"grade", "grades", "finding", "findings"} & set(question.words)) and bool(question.levels)
    if not (question.conditions or question.sides or names_grade):
        return _naming_confidence(question, facts)
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not rows:
        return answer_conditions(question, facts)
    return _said_with_certainty(rows, facts)


def _said_with_certainty(rows: Sequence[Row], facts: Facts) -> list[Part]:
    """Return each grade, followed by its probabilities; then what could not be assessed."""
    parts = []
    for row in rows:
        if row["status"] == "graded":
            parts += [*say_rows([row], facts), Part(_certainty(row), ids_of([row]))]
    return [*parts, *say_gaps([row for row in rows if row["status"] != "graded"])]


def _certainty(row: Row) -> str:
    """Return the probabilities of the open steps of a grade, or the rule that decided."""
    shares = row["probabilities"]
    named = [step for step in SCALES[row["scale"]].grades if step in row["prediction_set"] and step in shares]
    if not named:
        return f"Decided by a rule{_rule(row)}, without a probability."
    texts = ", ".join(f"{step.replace('_', ' or ')} {shares[step]:.2f}" for step in named)
    return f"Probability: {texts}."


def _rule(row: Row) -> str:
    rule = safe_rule(str(row["reason"]))
    return f" {rule}" if rule else ""


def _naming_confidence(question: Question, facts: Facts) -> list[Part]:
    items = [item for item in facts.reading["levels"] if not question.levels or item["name"] in question.levels]
    if not items:
        return [Part("No level of that name was found on these images.")]
    sure = ", ".join(f"{item['name']} {item['confidence']:.2f}" for item in items)
    return [Part(f"Confidence that the level is named right: {sure}."), *say_doubts(items)]


def answer_not_assessed(question: Question, facts: Facts) -> list[Part]:
    """Say what has no grade or value, and why."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    gaps = [row for row in rows if row["status"] != "graded"]
    values = facts.measured(question.quantities or {item["name"] for item in facts.measurements}, question.levels)
    empty = [item for item in values if item["value"] is None] if not question.conditions else []
    if question.quantities and not question.conditions:
        gaps = []
    if not gaps and not empty:
        return [Part("Everything that was asked for has a grade or a value.", ids_of([*rows, *values]))]
    return [*say_gaps(gaps), *_value_gaps(empty)]


def _value_gaps(rows: Sequence[Row]) -> list[Part]:
    parts = []
    for title, reason in dict.fromkeys((quantity_title(row), str(row["reason"])) for row in rows):
        mine = [row for row in rows if (quantity_title(row), row["reason"]) == (title, reason)]
        levels = join_words([str(row["level"]) for row in mine if row["level"] is not None])
        where = f" at {levels}" if levels else ""
        parts.append(Part(f"Not measured: {title}{where}. Reason: {safe_text(reason)}.", ids_of(mine)))
    return parts


def answer_why(question: Question, facts: Facts) -> list[Part]:
    """Say what a grade rests on: its values, its rule, its image, its probabilities; or why there is none."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if question.conditions and not rows:
        return answer_conditions(question, facts)
    graded = [row for row in rows if row["status"] == "graded"]
    if not (question.conditions or question.levels) or not graded:
        return answer_not_assessed(question, facts)
    if len(graded) <= _FEW:
        return [*_said_with_certainty(rows, facts), *_rules(graded), *_places(graded)]
    gaps = say_gaps([row for row in rows if row["status"] != "graded"])
    return [*say_rows(graded, facts), *_rules(graded), *_places(graded), *gaps]


def _rules(rows: Sequence[Row]) -> list[Part]:
    rules = [rule for row in rows if row["reason"] and (rule := safe_rule(str(row["reason"])))]
    return [Part(f"Rule: {join_words(list(dict.fromkeys(rules)))}.", ids_of(rows))] if rules else []


def answer_evidence(question: Question, facts: Facts) -> list[Part]:
    """Say on which series and slice each grade was seen."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    if not question.levels:
        rows = [row for row in rows if row["grade"] is None or _is_open(row)] or rows
    seen = [row for row in rows if row["evidence"] is not None]
    if not seen:
        return [Part("Nothing with evidence on an image was graded there.", ids_of(rows)), *say_gaps(rows)]
    gaps = say_gaps([row for row in rows if row["status"] != "graded"])
    return [*_places(seen), *say_rows(seen, facts), *gaps]


def _is_open(row: Row) -> bool:
    return any(SCALES[row["scale"]].step(step).is_abnormal for step in row["prediction_set"])


def _places(rows: Sequence[Row]) -> list[Part]:
    """Return one sentence a slice; slices count from 1 as viewers do, from 0 in reading.json."""
    parts = []
    for series, k in dict.fromkeys((row["evidence"]["series"], row["evidence"]["slice"]) for row in rows):
        here = [row for row in rows if (row["evidence"]["series"], row["evidence"]["slice"]) == (series, k)]
        named = dict.fromkeys(" ".join(filter(None, (row["level"], row["side"]))) for row in here)
        where = join_words([place for place in named if place])
        head = f"{where}: series" if where else "Series"
        parts.append(Part(f"{head} {safe_series(series)}, slice {k + 1} (reading.json: slice {k}).", ids_of(here)))
    return parts


def answer_burden(facts: Facts) -> list[Part]:
    """Say the burden score and its largest shares."""
    burden = facts.reading["burden"]
    if burden["score"] is None:
        return [Part("There is no burden score.", ids_of(facts.grades))]
    shares = [f"{level} {value:.0f}" for level, value in sorted(facts.points().items(), key=lambda item: -item[1])]
    category = burden["category"] if burden["category"] in _CATEGORIES else None
    details = burden_details(category, burden.get("interval"), burden.get("completeness"))
    text = f"{burden_name(facts.findings.protocol)} {burden['score']:.0f} of 100 ({details})"
    text += f"; points by level: {', '.join(shares)}" if shares else ""
    limits = burden_limits(burden.get("upper_bound"), burden.get("completeness"))
    rule = safe_rule(str(burden["formula"]))
    sentences = [f"{text}.", *([limits] if limits else []), *([f"Formula {rule}."] if rule else [])]
    return [Part(" ".join(sentences), tuple(dict.fromkeys(t["grade"] for t in burden["terms"])))]


def answer_summary(facts: Facts) -> list[Part]:
    """Give the impression of the report, as far as every sentence of it agrees with the findings."""
    checker = Checker(facts.findings)
    parts = []
    for section in facts.reading["report"]["sections"]:
        for sentence in section["sentences"] if section["name"] == "impression" else ():
            verdict = checker.check(sentence["text"], SentenceContext())
            if verdict.status is VerdictStatus.SUPPORTED and verdict.finding_ids:
                parts.append(Part(sentence["text"], tuple(sentence["finding_ids"]), PartKind.FINDING))
    if parts:
        return parts
    written = [item for item in compose_impression(facts.findings) if item.finding_ids]
    grades = {row["id"] for row in facts.grades}
    parts = [
        Part(item.text, tuple(name for name in item.finding_ids if name in grades), PartKind.FINDING)
        for item in written
    ]
    return parts or answer_abnormal(facts)


def answer_coverage(facts: Facts) -> list[Part]:
    """Say which levels were read, and doubts about their names."""
    count = f"{len(facts.levels)} level{'' if len(facts.levels) == 1 else 's'}"
    return [Part(f"{count} read: {join_words(facts.levels)}."), *say_doubts(facts.reading["levels"])]


def answer_sequences(facts: Facts) -> list[Part]:
    """Say which series were read, by what this program made of them; never by their own descriptions."""
    rows = []
    for item in facts.reading["study"]["series"]:
        slices = "one slice" if item["shape"][2] == 1 else f"{item['shape'][2]} slices"
        rows.append(f"{safe_series(item['id'])}: {item['plane']} {item['sequence']}, {slices}")
    count = f"{len(rows)} series" if len(rows) > 1 else "One series"
    return [Part(f"{count} read as {facts.protocol}: {'; '.join(rows)}.")]


def answer_state(facts: Facts) -> list[Part]:
    """Say where the report stands; only a person moves it on."""
    stands = facts.reading["report"]["state"]
    hint = " A radiologist has to read, correct and sign it." if stands == "draft" else ""
    return [Part(f"State of the report: {stands}.{hint}")]


def answer_notices(facts: Facts) -> list[Part]:
    """Say what this program noticed of the run; notices in other words are counted, not repeated."""
    notices = [*facts.reading["notices"], *facts.reading["study"]["notices"]]
    plain = [text for text in notices if safe_text(text) == text]
    said = [Part(f"{len(notices) or 'No'} notice{'' if len(notices) == 1 else 's'} on this reading.")]
    return [*said, *(Part(f"{text.rstrip('.')}.") for text in plain), *say_doubts(facts.reading["levels"])]
