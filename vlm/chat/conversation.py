"""Follow-up questions: what ``and on the right?`` or ``why?`` means after the questions before it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from anatomy import CONDITIONS, DISC_LEVELS, SCALES, Condition, Side
from vlm.chat.facts import Facts, Polarity, Row, polarity
from vlm.chat.question import Question
from vlm.chat.types import Part, PartKind, Topic

_LEADS = re.compile(
    r"^(and|or|but|so|then|also|what about|how about|what of|same for|likewise|a|an|the other|as for)\b"
)
_POINTS_BACK = frozenset(
    ("it", "its", "that", "this", "there", "they", "them", "those", "these", "same", "such", "here", "one", "ones")
)
_CHANGES = ("changed", "change_new", "change_worse", "change_better", "change_resolved", "change_same")
_WHOLE = frozenset(
    (
        "worst",
        "count",
        "summary",
        "coverage",
        "sequences",
        "burden",
        "abnormal",
        "normal",
        "notices",
        "which_levels",
    )
) | {"not_assessed", *_CHANGES}
"""Intents that make sense of the whole reading; without a word that points back they start a new topic."""
_BARE = frozenset(
    ("why", "confidence", "evidence", "measure", "meaning", "side", "grade", "presence", "smallest", "largest")
)
"""Intents that, alone, are about what was said last."""
_ABOUT = (*_CHANGES, "measure", "smallest", "largest", "confidence", "evidence", "why")
"""Intents that go on when only the place changes."""
_SHORT = 4
_OTHER = re.compile(
    r"\b(the )?(other|opposite|contralateral) (side|one|joint|foramen|recess)\b|\bcontralateral\w*\b"
)
_STEP = re.compile(
    r"\b(?:level|disc|segment|one) (?:just |directly )?(?P<after>below|above|under|underneath|over)\b"
    r"|\b(?P<before>next|lower|upper|previous|neighbouring) (?:level|disc|segment)\b(?: (?P<way>down|up))?"
    r"|\bone (?:level )?(?P<simple>lower|higher|up|down|below|above)\b"
)
_UP = frozenset({"above", "over", "upper", "previous", "higher", "up"})
_EXTREME = re.compile(
    r"\b(?:the )?(?P<end>lowest|bottom|last|lowermost|top|uppermost|topmost|first) (?:level|disc|segment)\b"
)


def name_places(text: str, topic: Topic, facts: Facts) -> str:
    """Return a question with ``the level below``, ``the lowest disc`` and ``the other side`` named.

    Args:
        text: As typed.
        topic: Of the conversation before it.
        facts: Of the reading.
    """
    discs = [level for level in facts.levels if level in DISC_LEVELS]

    def end(match: re.Match[str]) -> str:
        is_top = match["end"] in {"top", "uppermost", "topmost", "first"}
        return match[0] if not discs else discs[0] if is_top else discs[-1]

    def step(match: re.Match[str]) -> str:
        word = match["after"] or match["way"] or match["before"] or match["simple"]
        return _neighbour(topic.levels, -1 if word in _UP else 1) or match[0]

    named = _EXTREME.sub(end, text.lower()) if _EXTREME.search(text.lower()) else text
    if topic.levels and not re.search(r"\b(worst|most)\b", named.lower()):
        named = _STEP.sub(step, named) if _STEP.search(named.lower()) else named
    if len(topic.sides) == 1 and _OTHER.search(named.lower()):
        other = "right" if topic.sides[0] is Side.LEFT else "left"
        named = _OTHER.sub(f"on the {other}", named.lower())
    return named


def _neighbour(levels: Sequence[str], step: int) -> str | None:
    known = [DISC_LEVELS.index(level) for level in levels if level in DISC_LEVELS]
    if not known:
        return None
    place = (max(known) if step > 0 else min(known)) + step
    return DISC_LEVELS[place] if 0 <= place < len(DISC_LEVELS) else None


def continue_topic(question: Question, topic: Topic, text: str) -> Question:
    """Return a question with what it leaves unsaid taken from the topic before it."""
    if topic == Topic() or question.refusals:
        return question
    is_lead = _LEADS.match(text.strip().lower()) is not None
    points_back = is_lead or bool(_POINTS_BACK & set(question.words))
    has_what = bool(question.conditions or question.quantities or question.steps)
    is_short = len(question.words) <= _SHORT
    if has_what:
        return _with_place(question, topic) if (points_back or is_short) and not question.levels else question
    if question.levels or question.sides:
        is_bare = not question.intents & (_WHOLE - {"which_levels", "normal"})
        return _with_what(question, topic) if (is_lead or is_short) and is_bare else question
    if question.asks("coverage") and points_back:
        return replace(question, levels=topic.levels)
    if question.asks("worst") and points_back and "level" not in question.words:
        return replace(question, conditions=topic.conditions)
    if is_short and question.intents == {"which_levels"}:
        return _with_all(question, topic)
    names_whole = bool(question.intents & _WHOLE) and not points_back
    if names_whole or not (points_back or question.intents & _BARE):
        return question
    return _with_all(question, topic)


def _with_place(question: Question, topic: Topic) -> Question:
    """Return another condition at the same place; a paired one keeps the side only when it is pointed at."""
    if question.intents & (_WHOLE - {"not_assessed", "abnormal", "normal"}) and "there" not in question.words:
        return question
    return replace(question, levels=topic.levels)


def _with_what(question: Question, topic: Topic) -> Question:
    """Return the same condition at another place or on another side."""
    carried = frozenset(intent for intent in _ABOUT if intent in topic.intents)
    return replace(
        question,
        levels=question.levels or topic.levels,
        sides=question.sides or topic.sides,
        conditions=topic.conditions,
        quantities=topic.quantities,
        intents=question.intents | carried,
    )


def _with_all(question: Question, topic: Topic) -> Question:
    """Return the same condition at the same place; ``what else`` leaves the condition behind."""
    is_else = "else" in question.words
    conditions = () if is_else else topic.conditions
    is_about = bool(conditions) and question.asks("count", "evidence", "confidence", "why")
    quantities = () if is_about or is_else else topic.quantities
    return replace(
        question,
        levels=topic.levels if not question.asks("count") else (),
        sides=topic.sides,
        conditions=conditions or _conditions_of(quantities),
        quantities=quantities if question.asks("measure", "smallest", "largest", "meaning", "why") else (),
    )


def _conditions_of(quantities: Sequence[str]) -> tuple[str, ...]:
    known = {"canal_ap_diameter": Condition.SPINAL_CANAL_STENOSIS, "listhesis": Condition.SPONDYLOLISTHESIS}
    known["disc_height"] = Condition.DISC_NARROWING
    return tuple(known[name].value for name in quantities if name in known)


def topic_after(question: Question, parts: Sequence[Part], facts: Facts) -> Topic:
    """Return what the conversation is about after an answer: what was asked, where the answer found it."""
    levels = question.levels
    if not levels:
        stated = {name for part in parts if part.kind is PartKind.FINDING for name in part.ids}
        found = [row for row in facts.grades if row["id"] in stated and _is_there(row)]
        named = tuple(dict.fromkeys(str(row["level"]) for row in found if row["level"] is not None))
        levels = named if len(named) == 1 else ()
    conditions = question.conditions or tuple(
        name.value
        for name, info in CONDITIONS.items()
        if any(scale in info.scales and scale in SCALES for scale, _ in question.steps)
    )
    return Topic(levels, conditions, question.sides, question.quantities, question.intents)


def _is_there(row: Row) -> bool:
    return polarity(row) is Polarity.PRESENT
