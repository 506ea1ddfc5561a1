"""From a question to the one function that answers it, or to a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anatomy import SIJ
from vlm.chat import answers, compare, explain, terms, values
from vlm.chat.checked import give_answer
from vlm.chat.conversation import continue_topic, name_places, topic_after
from vlm.chat.facts import Facts
from vlm.chat.guard import find_refusal
from vlm.chat.lexicon import load_lexicon
from vlm.chat.question import MAX_CHARACTERS, Question, understand
from vlm.chat.types import Answer, Conversation, Part, Topic

_CONDITION_OF_QUANTITY = {"canal_ap_diameter": "spinal_canal_stenosis"}
_QUANTITIES_OF_CONDITION = {
    "spondylolisthesis": ("listhesis", "listhesis_percent"),
    "spinal_canal_stenosis": ("canal_ap_diameter",),
    "disc_narrowing": ("disc_height",),
}
_CHANGES = ("changed", "change_new", "change_worse", "change_better", "change_resolved", "change_same")
_SURE_CHANGES = ("changed", "change_new", "change_resolved", "change_same")
_SEQUENCES = frozenset({"T1", "T2"})
"""Names that a weighting of images shares with a vertebra."""
_NO_PRIOR = "This reading holds no earlier study, so there is no comparison."


def answer_question(reading: Mapping[str, Any], question: str, earlier: Conversation | None = None) -> Answer:
    """Answer a question from a reading; the same question gets the same answer.

    Args:
        reading: Content of a reading.json, validated (``pipeline.load_reading``).
        question: One question in English.
        earlier: The conversation on the same reading before it; None for a first question.

    Returns:
        The answer with the ids of the findings it rests on, or a refusal of one sentence.
    """
    lexicon = load_lexicon()
    if not question.strip():
        return _refuse("empty", lexicon.sentences["empty"])
    if len(question) > MAX_CHARACTERS:
        return _refuse("too_long", lexicon.sentences["too_long"])
    refused = find_refusal(question)
    if refused is not None:
        return _refuse(refused.topic, refused.answer)
    facts = Facts(reading)
    topic = Topic() if earlier is None else earlier.topic
    named = name_places(question, topic, facts)
    asked = understand(named, facts.scales)
    known = _knowledge(named, asked)
    if known:
        return give_answer(known, facts, replace(topic, intents=asked.intents))
    if asked.refusals:
        return _refuse(asked.refusals[0], lexicon.refusals[asked.refusals[0]])
    if asked.unknown and not asked.levels and terms.asks_for_knowledge(named):
        found = terms.say_entries(terms.find_entries(named))
        if found:
            return give_answer(found, facts, replace(topic, intents=asked.intents))
    if asked.unknown:
        words = ", ".join(f"“{word}”" for word in asked.unknown[:5])
        return _refuse("unknown", lexicon.sentences["unknown"].format(words=f"{words} not understood"))
    return _answer(_complete(continue_topic(asked, topic, named), facts), named, facts)


def converse(reading: Mapping[str, Any], question: str, earlier: Conversation) -> Conversation:
    """Return a conversation with one more question answered; the answer is that of its last turn."""
    return earlier.then(question, answer_question(reading, question, earlier))


def _refuse(topic: str, sentence: str) -> Answer:
    return Answer(sentence, refused=True, refusal=topic)


def _knowledge(text: str, asked: Question) -> list[Part]:
    """Return the entries of general knowledge that a question asks for by name, and nothing else."""
    is_place = bool(asked.levels) and not set(asked.vertebrae) <= _SEQUENCES
    if asked.steps or (asked.levels and (is_place or not asked.vertebrae)) or asked.sides:
        return []
    if not terms.asks_for_knowledge(text):
        return []
    entries = terms.named_entries(text)
    if not entries or (asked.asks("burden") and not asked.asks("meaning")):
        return []
    asks_scale = asked.asks("meaning") and bool(asked.conditions) and "pfirrmann" in asked.words
    return [] if asks_scale and asked.asks("grade") else terms.say_entries(entries[:2])


def _answer(question: Question, text: str, facts: Facts) -> Answer:
    lexicon = load_lexicon()
    if _asks_change(question):
        if not compare.has_comparison(facts):
            return _refuse("no_prior", _NO_PRIOR)
        parts = compare.answer_comparison(question, facts)
        return give_answer(parts, facts, topic_after(question, parts, facts))
    parts = _route(question, facts)
    if not parts and terms.asks_for_knowledge(text):
        parts = terms.say_entries(terms.find_entries(text))
    if not parts:
        return _refuse("empty", lexicon.sentences["empty"])
    return give_answer(parts, facts, topic_after(question, parts, facts))


def _asks_change(question: Question) -> bool:
    """Return whether a question is about change; ``worse`` and ``better`` alone compare places, not times."""
    compares_places = len(question.levels) > 1 or len(question.sides) > 1
    return question.asks(*_SURE_CHANGES) or (
        question.asks("change_worse", "change_better") and not compares_places
    )


def _complete(question: Question, facts: Facts) -> Question:
    """Add what a question implies: how much slip asks for a value, a named step for its condition's levels."""
    if question.conditions == ("sacroiliitis",) and question.levels:
        return replace(question, levels=())
    is_grade_of_disc = "disc" in question.words and "grade" in question.words and bool(question.levels)
    if is_grade_of_disc and not (question.conditions or question.quantities):
        return replace(question, conditions=("disc_degeneration",))
    names_disc = bool({"disc", "discs"} & set(question.words))
    if question.asks("smallest", "largest") and names_disc and not (question.conditions or question.quantities):
        return replace(question, quantities=("disc_height",))
    if question.asks("measure", "smallest", "largest") and not question.quantities:
        implied = [name for asked in question.conditions for name in _QUANTITIES_OF_CONDITION.get(asked, ())]
        if implied:
            measured = [name for name in implied if facts.measured([name])] or implied
            return replace(question, quantities=tuple(dict.fromkeys(measured)), conditions=())
    if question.quantities and not question.asks("measure", "smallest", "largest") and not question.conditions:
        if question.asks(*_CHANGES):
            return question
        conditions = [
            _CONDITION_OF_QUANTITY[name] for name in question.quantities if name in _CONDITION_OF_QUANTITY
        ]
        return replace(question, conditions=tuple(conditions))
    return question


def _route(question: Question, facts: Facts) -> list[Part]:
    """Return the parts of the first kind of question that fits; none when nothing is asked for."""
    missing = answers.missing_levels(question, facts)
    if missing and len(missing) == len(question.levels):
        return answers.answer_missing(missing)
    if question.asks("meaning") or _only_step(question):
        meaning = explain.answer_meaning(question, facts)
        if meaning:
            return meaning
    if question.asks("state"):
        return explain.answer_state(facts)
    if question.asks("notices"):
        return explain.answer_notices(facts)
    if question.asks("why"):
        return explain.answer_why(question, facts)
    if question.asks("not_assessed"):
        return explain.answer_not_assessed(question, facts)
    if question.asks("confidence"):
        return explain.answer_confidence(question, facts)
    if question.asks("sequences") and not (question.conditions or question.levels):
        return explain.answer_sequences(facts)
    if question.asks("evidence"):
        return explain.answer_evidence(question, facts)
    if question.asks("count") and not question.quantities:
        return answers.answer_count(question, facts)
    if question.quantities and not question.asks("worst"):
        return _quantity(question, facts)
    return _about_findings(question, facts)


def _about_findings(question: Question, facts: Facts) -> list[Part]:
    """Answer what is found where."""
    if question.asks("worst", "change_worse", "change_better"):
        return answers.answer_worst(_with_joints(question, facts), facts)
    if question.steps:
        return answers.answer_steps(question, facts)
    if question.asks("burden") and not question.levels and not question.conditions:
        return explain.answer_burden(facts)
    if question.conditions:
        return answers.answer_conditions(question, facts)
    if question.asks("side") or question.sides:
        return answers.answer_sides(question, facts)
    if question.asks("coverage"):
        return explain.answer_coverage(facts)
    if question.levels:
        return answers.answer_levels(question, facts)
    if question.asks("summary"):
        return explain.answer_summary(facts)
    if question.asks("normal"):
        return answers.answer_normal(facts)
    if question.asks("measure"):
        return values.answer_all_values(facts)
    if question.asks("abnormal", "presence", "which_levels", "grade"):
        return answers.answer_abnormal(facts)
    return []


def _with_joints(question: Question, facts: Facts) -> Question:
    """Return a question on sacroiliac joints as one on their condition: they have sides, not levels."""
    if facts.levels == (SIJ,) and not question.conditions:
        return replace(question, conditions=("sacroiliitis",))
    return question


def _quantity(question: Question, facts: Facts) -> list[Part]:
    """Say a value; for a quantity that a question names bare (``the canal``), its grade too."""
    if question.levels or not question.conditions or question.asks("measure", "smallest", "largest"):
        return values.answer_quantities(question, facts)
    return [*answers.answer_conditions(question, facts), *values.answer_quantities(question, facts)]


def _only_step(question: Question) -> bool:
    """Return whether a step of a scale is all that a question names (``what is Modic type 2?``)."""
    others = question.levels or question.conditions or question.quantities
    is_numbered = any(scale in {"pfirrmann", "modic", "kang"} for scale, _ in question.steps)
    return is_numbered and not others and not question.intents - {"grade", "presence"}
