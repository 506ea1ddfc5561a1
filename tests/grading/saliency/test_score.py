"""The number that heat speaks for."""

import pytest
import torch

from grading.ordinal import OrdinalHead
from grading.saliency.score import grade_score, score_words


def test_two_steps_take_the_logit_of_presence_whatever_was_named() -> None:
    logits = torch.tensor([-1.5])
    assert grade_score(logits, 0, 2) == grade_score(logits, 1, 2) == -1.5


def test_ordered_steps_give_one_map_by_any_cut_and_by_the_expected_step() -> None:
    torch.manual_seed(0)
    head, token = OrdinalHead(8, 5), torch.randn(8, requires_grad=True)
    logits = head(token)
    targets = [grade_score(logits, 2, 5), logits[1], torch.sigmoid(logits).sum()]
    first, *others = (torch.autograd.grad(item, token, retain_graph=True)[0] for item in targets)
    for other in others:
        ratio = other / first
        assert torch.allclose(ratio, ratio[0].expand(8), rtol=1e-4)
        assert ratio[0] > 0


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
        ("III", ("I", "II", "III", "IV", "V"), 4, "score on the scale I to V, higher is worse"),
        ("2", ("0", "1", "2", "3"), 4, "log-odds of 2"),
        ("0", ("0", "1", "2", "3"), 4, "log-odds of any step but 0"),
    ],
)
def test_what_the_score_stands_for(named: str, steps: tuple[str, ...], logits: int, words: str) -> None:
    assert score_words(named, steps, logits) == words
