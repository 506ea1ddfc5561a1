"""The question set itself: enough of them, split in halves, and what they expect is what the readings hold."""

from collections import Counter
from typing import Any

import pytest

from anatomy import SCALES, Condition
from tests.vlm.chat.questions import HALVES, ExpectedFact, Question, load_questions
from tests.vlm.chat.readings import finding_id, make_reading, reading_names

QUESTIONS = [question for half in HALVES for question in load_questions(half)]


def test_there_are_enough_of_every_kind_in_both_halves() -> None:
    assert len(QUESTIONS) >= 160
    assert len({question.id for question in QUESTIONS}) == len(QUESTIONS)
    assert {question.reading for question in QUESTIONS} == set(reading_names())
    kinds = [Counter(question.kind for question in load_questions(half)) for half in HALVES]
    assert kinds[0].keys() == kinds[1].keys()
    assert all(abs(kinds[0][kind] - kinds[1][kind]) <= 1 for kind in kinds[0])


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_expected_facts_are_those_of_the_reading(question: Question) -> None:
    reading = make_reading(question.reading)
    rows = {row["id"]: row for row in (*reading["grades"], *reading["measurements"])}
    assert question.refusals or question.facts or question.says or question.values or question.never
    for fact in question.facts:
        assert expected_of(rows[finding_id(reading, fact.key)]) == fact
    for key, value in question.values:
        assert rows[finding_id(reading, key)]["value"] == float(value.split()[0])
    for key in question.cites:
        assert finding_id(reading, key) in rows


def expected_of(row: dict[str, Any]) -> ExpectedFact:
    """Return what an answer must say of a grade, from its prediction set alone."""
    scale = SCALES[row["scale"]]
    steps = [step for step in scale.steps if step.grade in row["prediction_set"]]
    abnormal = [step for step in steps if step.is_abnormal]
    if not steps:
        state, named = "unknown", []
    elif row["scale"] == "pfirrmann":
        state, named = "present", steps
    else:
        state = "absent" if not abnormal else "present" if abnormal == steps else "possible"
        named = [] if len(scale.steps) == 2 else abnormal
    text = "|".join(step.grade for step in named) or None
    return ExpectedFact(row["level"], row["side"], Condition(row["condition"]), text, state)
