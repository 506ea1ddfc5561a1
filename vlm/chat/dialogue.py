"""From a question to the one function that answers it, or to a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anatomy import CONDITIONS
from vlm.chat import answers, explain, values
from vlm.chat.facts import Facts
from vlm.chat.lexicon import load_lexicon
from vlm.chat.question import MAX_CHARACTERS, Question, understand
from vlm.chat.types import Answer

_CONDITION_OF_QUANTITY = {"canal_ap_diameter": "spinal_canal_stenosis"}
_QUANTITIES_OF_CONDITION = {
    "spondylolisthesis": ("listhesis", "listhesis_percent"),
    "spinal_canal_stenosis": ("canal_ap_diameter",),
    "disc_narrowing": ("disc_height",),
}


def answer_question(reading: Mapping[str, Any], question: str) -> Answer:
    """Answer a question from a reading; the same question gets the same answer.

    Args:
        reading: Content of a reading.json, validated (``pipeline.load_reading``).
        question: One question in English.

    Returns:
        The answer with the ids of the findings it rests on, or a refusal of one sentence.
    """
    lexicon = load_lexicon()
    if not question.strip():
        return Answer(lexicon.sentences["empty"], refused=True)
    if len(question) > MAX_CHARACTERS:
        return Answer(lexicon.sentences["too_long"], refused=True)
    facts = Facts(reading)
    asked = understand(question, facts.scales)
    if asked.refusals:
        return Answer(lexicon.refusals[asked.refusals[0]], refused=True)
    if asked.unknown:
        words = ", ".join(f"“{word}”" for word in asked.unknown[:5])
        return Answer(lexicon.sentences["unknown"].format(words=f"{words} not understood"), refused=True)
    answer = _route(_complete(asked), facts)
    if answer is None:
        return Answer(lexicon.sentences["empty"], refused=True)
    return answer


def _complete(question: Question) -> Question:
    """Add what a question implies: how much slip asks for a value, a named step for its condition's levels."""
    if question.asks("measure", "smallest", "largest") and not question.quantities:
        implied = [name for asked in question.conditions for name in _QUANTITIES_OF_CONDITION.get(asked, ())]
        if implied:
            return replace(question, quantities=tuple(dict.fromkeys(implied)), conditions=())
    if question.quantities and not question.asks("measure", "smallest", "largest") and not question.conditions:
        conditions = [
            _CONDITION_OF_QUANTITY[name] for name in question.quantities if name in _CONDITION_OF_QUANTITY
        ]
        return replace(question, conditions=tuple(conditions))
    return question


def _route(question: Question, facts: Facts) -> Answer | None:
    """Return the answer of the first kind of question that fits; None when nothing is asked for."""
    missing = answers.missing_levels(question, facts)
    if missing and len(missing) == len(question.levels):
        return answers.answer_missing(missing)
    if question.asks("meaning") or _only_step(question):
        meaning = explain.answer_meaning(question, facts)
        if meaning is not None:
            return meaning
    if question.asks("not_assessed", "why"):
        return _why(question, facts)
    if question.asks("confidence"):
        return explain.answer_confidence(question, facts)
    if question.asks("evidence"):
        return explain.answer_evidence(question, facts)
    if question.asks("count") and not question.quantities:
        return answers.answer_count(question, facts)
    if question.quantities and not question.asks("worst"):
        return _quantity(question, facts)
    return _about_findings(question, facts)


def _about_findings(question: Question, facts: Facts) -> Answer | None:
    """Answer what is found where."""
    if question.asks("worst"):
        return answers.answer_worst(question, facts)
    if question.steps:
        return answers.answer_steps(question, facts)
    if question.asks("burden") and not question.levels and not question.conditions:
        return explain.answer_burden(facts)
    if question.conditions:
        return answers.answer_conditions(question, facts)
    if question.asks("side") or question.sides:
        sided = tuple(name.value for name, info in CONDITIONS.items() if info.is_sided)
        graded = tuple(name for name in sided if facts.select(conditions=[name]))
        return answers.answer_conditions(replace(question, conditions=graded or sided), facts)
    if question.asks("coverage"):
        return explain.answer_coverage(facts)
    if question.levels:
        return answers.answer_levels(question, facts)
    if question.asks("sequences"):
        return explain.answer_sequences(facts)
    if question.asks("summary"):
        return explain.answer_summary(facts) or answers.answer_abnormal(facts)
    if question.asks("normal"):
        return answers.answer_normal(facts)
    if question.asks("abnormal", "presence", "which_levels", "grade"):
        return answers.answer_abnormal(facts)
    return None


def _why(question: Question, facts: Facts) -> Answer:
    """Say why something has no grade; for a grade, what it rests on."""
    rows = facts.select(levels=question.levels, conditions=question.conditions, sides=question.sides)
    is_named = bool(question.conditions)
    if is_named and not rows:
        return answers.answer_conditions(question, facts)
    if question.asks("why") and is_named and any(row["status"] == "graded" for row in rows):
        said = answers.answer_conditions(question, facts)
        rules = sorted({str(row["reason"]) for row in rows if row["status"] == "graded" and row["reason"]})
        if rules:
            return replace(said, text=f"{said.text} Rule: {', '.join(rules)}.")
        return said
    return explain.answer_not_assessed(question, facts)


def _quantity(question: Question, facts: Facts) -> Answer:
    """Say a value; for a quantity that a question names bare (``the canal``), its grade too."""
    said = values.answer_quantities(question, facts)
    if not question.conditions or question.levels:
        return said
    graded = answers.answer_conditions(question, facts)
    return Answer(f"{graded.text} {said.text}", tuple(dict.fromkeys((*graded.finding_ids, *said.finding_ids))))


def _only_step(question: Question) -> bool:
    """Return whether a step of a scale is all that a question names (``what is Modic type 2?``)."""
    others = question.levels or question.conditions or question.quantities
    return bool(question.steps) and not others and not question.intents - {"grade", "presence"}
