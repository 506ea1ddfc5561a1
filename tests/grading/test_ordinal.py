"""The conditional head ranks its probabilities whatever its weights, and they are the formula's."""

import numpy as np
import pytest
import torch

from grading.heads import HeadKind
from grading.ordinal import OrdinalHead, ordinal_log_probabilities
from grading.probabilities import likeliest_step, step_probabilities


def test_a_fresh_head_gives_every_grade_the_same_probability() -> None:
    found = ordinal_log_probabilities(OrdinalHead(4, 5)(torch.zeros(1, 4))).exp()[0]
    torch.testing.assert_close(found, torch.full((5,), 0.2))


@pytest.mark.parametrize("size", [0.1, 1.0, 30.0, 1000.0])
def test_exceedance_never_rises_with_the_step_whatever_the_weights(size: float) -> None:
    torch.manual_seed(0)
    head = OrdinalHead(8, 5)
    with torch.no_grad():
        head.further.weight.normal_(0, size)
        head.further.bias.normal_(0, size)
        logits = head(torch.randn(500, 8))
    assert torch.isfinite(logits).all()
    assert (logits.diff(dim=1) <= 0).all()
    probabilities = step_probabilities(logits.double().numpy(), HeadKind.ORDINAL)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


def test_exceedance_is_the_product_of_the_answers() -> None:
    torch.manual_seed(0)
    head, token = OrdinalHead(8, 4), torch.randn(3, 8)
    answers = torch.sigmoid(head.further(token))
    torch.testing.assert_close(torch.sigmoid(head(token)), answers.cumprod(dim=1))


def test_neighbouring_steps_may_be_told_by_different_things() -> None:
    """One score with cut points could not fit this: the first feature tells step 0, the second tells step 2."""
    torch.manual_seed(0)
    tokens = torch.randn(600, 2)
    labels = torch.where(tokens[:, 0] < 0, 0, torch.where(tokens[:, 1] < 0, 1, 2))
    head = OrdinalHead(2, 3)
    optimiser = torch.optim.Adam(head.parameters(), lr=0.05)
    for _ in range(200):
        losses = -ordinal_log_probabilities(head(tokens)).gather(1, labels[:, None])
        optimiser.zero_grad()
        losses.mean().backward()
        optimiser.step()
    named = ordinal_log_probabilities(head(tokens)).argmax(dim=1)
    assert float((named == labels).float().mean()) > 0.97


def test_far_answers_leave_gradients_finite() -> None:
    head = OrdinalHead(1, 5)
    with torch.no_grad():
        head.further.weight.fill_(400.0)
    tokens = torch.tensor([[-1.0], [1.0]])
    ordinal_log_probabilities(head(tokens)).gather(1, torch.tensor([[4], [0]])).sum().backward()
    assert head.further.weight.grad is not None
    assert torch.isfinite(head.further.weight.grad).all()


def test_probabilities_by_hand() -> None:
    logits = np.array([[2.0, 0.0, -1.0]])
    s = [1 / (1 + np.exp(-x)) for x in (2.0, 0.0, -1.0)]
    expected = [1 - s[0], s[0] - s[1], s[1] - s[2], s[2]]
    found = step_probabilities(logits, HeadKind.ORDINAL)
    np.testing.assert_allclose(found[0], expected, rtol=1e-12)
    from_torch = ordinal_log_probabilities(torch.tensor(logits)).exp().numpy()
    np.testing.assert_allclose(from_torch[0], expected, rtol=1e-6)
    binary = step_probabilities(np.array([[2.0]]), HeadKind.BINARY)
    np.testing.assert_allclose(binary[0], [1 - s[0], s[0]], rtol=1e-12)
    categories = step_probabilities(np.log([[1.0, 2.0, 5.0, 2.0]]), HeadKind.CATEGORICAL)
    np.testing.assert_allclose(categories[0], [0.1, 0.2, 0.5, 0.2], rtol=1e-12)


def test_ordinal_step_is_the_median() -> None:
    probabilities = np.array([[0.4, 0.05, 0.15, 0.3, 0.1]])
    assert likeliest_step(probabilities, HeadKind.ORDINAL)[0] == 2
    assert likeliest_step(probabilities, HeadKind.CATEGORICAL)[0] == 0


def test_far_logits_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        found = step_probabilities(np.array([[900.0, -900.0]]), HeadKind.ORDINAL)
    np.testing.assert_allclose(found, [[0, 1, 0]])


def test_one_grade_is_no_scale() -> None:
    with pytest.raises(ValueError, match="at least 2 grades"):
        OrdinalHead(4, 1)
