"""What the chatbot reaches on the questions, and that the scoring catches wrong answers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.chat import check_statements, score_half, score_question, share_of, summarise
from reporting.stored import read_findings
from tests.vlm.chat.questions import Question, load_questions
from tests.vlm.chat.readings import make_reading
from vlm.chat import Answer, Conversation, converse

FROZEN_RIGHT = 129


@pytest.fixture(scope="module")
def frozen() -> dict[str, Any]:
    return summarise(score_half("frozen"))


def test_frozen_half_is_as_right_as_it_was(frozen: dict[str, Any]) -> None:
    assert frozen["right"]["total"] == 133
    assert frozen["right"]["count"] >= FROZEN_RIGHT
    assert frozen["right"]["count"] / frozen["right"]["total"] >= 0.95


def test_injections_and_what_is_out_of_scope_are_all_refused(frozen: dict[str, Any]) -> None:
    assert frozen["refused"]["count"] == frozen["refused"]["total"] == 31


def test_no_statement_is_unsupported(frozen: dict[str, Any]) -> None:
    assert frozen["statements"] > 100
    assert frozen["unsupported"]["count"] == 0


def test_development_half_is_right() -> None:
    scores = score_half("development")
    assert [score.id for score in scores if score.faults or score.unsupported] == []


def _instead(change: Callable[[Answer], Answer]) -> Callable[..., Conversation]:
    """Return the chatbot with its last answer changed."""

    def answer_with(reading: dict[str, Any], text: str, earlier: Conversation) -> Conversation:
        turn = converse(reading, text, earlier).turns[-1]
        return earlier.then(text, change(turn.answer))

    return answer_with


def _question(name: str) -> Question:
    return next(item for half in ("development",) for item in load_questions(half) if item.id == name)


@pytest.mark.parametrize(
    ("name", "change", "fault"),
    [
        ("q002", lambda a: replace(a, text=a.text.replace("L4-L5", "L3-L4", 1)), "lacks L4-L5 disc_herniation"),
        ("q002", lambda a: replace(a, text=f"{a.text} L1-L2: Disc herniation."), "also says L1-L2"),
        ("q002", lambda a: replace(a, finding_ids=()), "does not cite L4-L5 disc_herniation"),
        ("q020", lambda a: replace(a, text=a.text.replace("IV", "III")), "lacks L5-S1 disc_degeneration"),
        ("q006", lambda a: replace(a, text=a.text.replace("left", "right")), "lacks L3-L4 left"),
        (
            "q021",
            lambda a: replace(a, text=a.text.replace("Possible d", "D")),
            "lacks L2-L3 disc_bulging possible",
        ),
        ("q214", lambda a: replace(a, refused=False), "not refused"),
        ("q214", lambda a: replace(a, refusal="treatment"), "refused as treatment"),
    ],
)
def test_a_wrong_answer_is_not_right(name: str, change: Callable[[Answer], Answer], fault: str) -> None:
    question = _question(name)
    assert score_question(question).faults == ()
    assert any(fault in item for item in score_question(question, _instead(change)).faults)


@pytest.mark.parametrize(
    "text",
    [
        "L4-L5: Moderate spinal canal stenosis.",
        "L4-L5: canal AP diameter 9.9 mm.",
        "L1-L2: Disc herniation.",
        "L4-L5: No disc herniation.",
        "L4-L5: Possible annular tear.",
        "Not assessable: disc bulge at L4-L5.",
        "L5-S1: Severe left neural foraminal narrowing.",
    ],
)
def test_an_unsupported_statement_is_seen(text: str) -> None:
    assert check_statements(Answer(text), read_findings(make_reading("degenerate"))) == (1, [text])


def test_general_knowledge_is_no_statement_on_the_reading() -> None:
    passage = "A severe stenosis at L1-L2 is rare."
    answer = Answer(passage, passages=(passage,))
    assert check_statements(answer, read_findings(make_reading("degenerate"))) == (0, [])


def test_exact_interval() -> None:
    """Clopper and Pearson by hand: none of 10 has an upper limit of 1 - 0.025 ** (1 / 10)."""
    share = share_of([False] * 10)
    assert share.low == 0.0
    assert share.high == pytest.approx(1 - 0.025**0.1)
    assert share_of([True] * 10).low == pytest.approx(0.025**0.1)
