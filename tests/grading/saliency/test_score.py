"""The number that heat speaks for."""

import pytest
import torch

from grading.saliency.score import grade_score, score_words


def test_two_steps_take_the_logit_of_presence_whatever_was_named() -> None:
    logits = torch.tensor([-1.5])
    assert grade_score(logits, 0, 2) == grade_score(logits, 1, 2) == -1.5


def test_ordered_steps_take_the_logit_of_at_least_the_named_step() -> None:
    logits = torch.tensor([2.0, 0.5, -1.0, -3.0])
    assert [float(grade_score(logits, named, 5)) for named in range(5)] == [2.0, 2.0, 0.5, -1.0, -3.0]


def test_categories_take_log_odds() -> None:
    logits = torch.tensor([0.3, -0.2, 1.1, 0.0])
    chance = logits.softmax(0)
    assert grade_score(logits, 2, 4) == pytest.approx(float(torch.log(chance[2] / (1 - chance[2]))), abs=1e-6)
    assert grade_score(logits, 0, 4) == pytest.approx(float(torch.log((1 - chance[0]) / chance[0])), abs=1e-6)


def test_logits_of_no_head() -> None:
    with pytest.raises(ValueError, match=r"logits: expected \(4,\) or \(5,\), got \(3,\)"):
        grade_score(torch.zeros(3), 0, 5)


@pytest.mark.parametrize(
    ("named", "steps", "logits", "words"),
    [
        ("absent", ("absent", "present"), 1, "log-odds of present"),
        ("III", ("I", "II", "III", "IV", "V"), 4, "log-odds of III or worse"),
        ("I", ("I", "II", "III", "IV", "V"), 4, "log-odds of worse than I"),
        ("2", ("0", "1", "2", "3"), 4, "log-odds of 2"),
        ("0", ("0", "1", "2", "3"), 4, "log-odds of any step but 0"),
    ],
)
def test_what_the_score_stands_for(named: str, steps: tuple[str, ...], logits: int, words: str) -> None:
    assert score_words(named, steps, logits) == words
