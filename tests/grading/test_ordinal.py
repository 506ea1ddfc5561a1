"""The cumulative-link head is monotone and its probabilities are the formula's."""

import numpy as np
import pytest
import torch

from grading.heads import HeadKind
from grading.ordinal import OrdinalHead, ordinal_log_probabilities
from grading.probabilities import likeliest_step, step_probabilities


def test_cuts_rise_whatever_the_parameters() -> None:
    head = OrdinalHead(4, 5)
    for gap in (-50.0, -3.0, 0.0, 20.0):
        with torch.no_grad():
            head.raw_gaps.fill_(gap)
        assert (head.cuts().diff() > 0).all()


def test_a_higher_score_never_lowers_the_grade() -> None:
    torch.manual_seed(0)
    head = OrdinalHead(1, 5)
    with torch.no_grad():
        head.score.weight.fill_(1.0)
        scores = torch.linspace(-6, 6, 200)[:, None]
        exceed = torch.sigmoid(head(scores))
    assert (exceed.diff(dim=0) > 0).all()
    assert (exceed.diff(dim=1) < 0).all()
    probabilities = step_probabilities(head(scores).detach().double().numpy(), HeadKind.ORDINAL)
    assert (np.diff(likeliest_step(probabilities, HeadKind.ORDINAL)) >= 0).all()
    assert set(likeliest_step(probabilities, HeadKind.ORDINAL)) == {0, 1, 2, 3, 4}


def test_cut_points_find_uneven_steps_within_the_steps_of_a_short_run() -> None:
    torch.manual_seed(0)
    shares = torch.tensor([0.05, 0.45, 0.05, 0.25, 0.2])
    labels = torch.repeat_interleave(torch.arange(5), (400 * shares).int())
    head = OrdinalHead(1, 5)
    optimiser = torch.optim.Adam(head.parameters(), lr=1.5e-3)
    for _ in range(700):
        losses = -ordinal_log_probabilities(head(torch.zeros(len(labels), 1))).gather(1, labels[:, None])
        optimiser.zero_grad()
        losses.mean().backward()
        optimiser.step()
    found = ordinal_log_probabilities(head(torch.zeros(1, 1))).exp()[0]
    torch.testing.assert_close(found, shares, atol=0.03, rtol=0)


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
