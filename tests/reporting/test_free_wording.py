"""Free wording by construction (``free_wording.py``): each true sentence is supported and no flip of one is."""

from random import Random

import pytest

from anatomy import Condition
from reporting import Checker, SentenceContext
from reporting.types import VerdictStatus
from tests.reporting.free_wording import (
    DIAMETERS,
    WORLD,
    diameter_sentences,
    flips,
    holds,
    sentences,
    true_statements,
    world,
)

TRUE_SAMPLE, FLIP_SAMPLE = 60, 120
"""Sentences per condition that are checked each time; the slow tests check all."""
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


def true_texts(condition: Condition) -> list[str]:
    stated = [item for item in true_statements() if item.condition is condition]
    return [text for statement in stated for text in sentences(statement)]


def flipped_texts(condition: Condition) -> list[str]:
    stated = [item for item in true_statements() if item.condition is condition]
    changed = dict.fromkeys(item for statement in stated for item in flips(statement) if not holds(item))
    return [text for statement in changed for text in sentences(statement)]


def sample(texts: list[str], size: int) -> list[str]:
    return Random(1).sample(texts, min(size, len(texts)))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_true_sentences_are_supported(checker: Checker, condition: Condition) -> None:
    texts = sample(true_texts(condition), TRUE_SAMPLE)
    assert [text for text in texts if not is_supported(checker, text)] == []


@pytest.mark.parametrize("condition", CONDITIONS)
def test_no_flip_of_a_true_sentence_is_supported(checker: Checker, condition: Condition) -> None:
    texts = sample(flipped_texts(condition), FLIP_SAMPLE)
    assert [text for text in texts if is_supported(checker, text)] == []


@pytest.mark.slow
def test_all_true_sentences_are_supported_and_no_flip_is(checker: Checker) -> None:
    """Slow: 17,676 sentences."""
    right = [text for condition in CONDITIONS for text in true_texts(condition)]
    wrong = [text for condition in CONDITIONS for text in flipped_texts(condition)]
    assert (len(right), len(wrong)) == (4319, 13357)
    assert [text for text in right if not is_supported(checker, text)] == []
    assert [text for text in wrong if is_supported(checker, text)] == []


@pytest.mark.parametrize("level", sorted(DIAMETERS))
def test_diameters_hold_and_others_do_not(checker: Checker, level: str) -> None:
    right, wrong = DIAMETERS[level], [value for name, value in DIAMETERS.items() if name != level]
    assert [text for text in diameter_sentences(level, right) if not is_supported(checker, text)] == []
    assert not any(is_supported(checker, text) for value in wrong for text in diameter_sentences(level, value))
