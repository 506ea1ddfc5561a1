"""Free wording by construction (``free_wording.py``): each true sentence is supported and no flip of one is."""

import pytest

from anatomy import Condition
from reporting import Checker, SentenceContext
from reporting.types import VerdictStatus
from tests.reporting.free_wording import (
    DIAMETERS,
    WORLD,
    Statement,
    diameter_sentences,
    flips,
    holds,
    sentences,
    true_statements,
    world,
)

CONDITIONS = sorted({condition for condition, _, _ in WORLD}, key=lambda item: item.value)


@pytest.fixture(scope="module")
def checker() -> Checker:
    return Checker(world())


def is_supported(checker: Checker, text: str) -> bool:
    return checker.check(text, SentenceContext()).status is VerdictStatus.SUPPORTED


def test_the_set_is_large_and_its_truth_does_not_come_from_a_parser() -> None:
    stated = list(true_statements())
    assert all(holds(statement) for statement in stated)
    assert {statement.condition for statement in stated} == set(CONDITIONS)
    assert len({text for statement in stated for text in sentences(statement)}) > 1000


@pytest.mark.parametrize("condition", CONDITIONS)
def test_true_sentences_are_supported(checker: Checker, condition: Condition) -> None:
    stated = [item for item in true_statements() if item.condition is condition]
    texts = [text for statement in stated for text in sentences(statement)]
    assert [text for text in texts if not is_supported(checker, text)] == []


@pytest.mark.parametrize("condition", CONDITIONS)
def test_no_flip_of_a_true_sentence_is_supported(checker: Checker, condition: Condition) -> None:
    changed: set[Statement] = set()
    for statement in true_statements():
        if statement.condition is condition:
            changed |= {item for item in flips(statement) if not holds(item)}
    texts = [text for statement in changed for text in sentences(statement)]
    assert len(texts) >= 50
    assert [text for text in texts if is_supported(checker, text)] == []


@pytest.mark.parametrize("level", sorted(DIAMETERS))
def test_diameters_hold_and_others_do_not(checker: Checker, level: str) -> None:
    right, wrong = DIAMETERS[level], [value for name, value in DIAMETERS.items() if name != level]
    assert [text for text in diameter_sentences(level, right) if not is_supported(checker, text)] == []
    assert not any(is_supported(checker, text) for value in wrong for text in diameter_sentences(level, value))
