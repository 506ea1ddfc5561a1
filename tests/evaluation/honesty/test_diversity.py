"""Variety of reports by hand: distinct texts, copies, Self-CIDEr between its ends."""

import numpy as np
import pytest

from evaluation.honesty.diversity import copied_share, distinct_findings, self_cider, unique_ratio
from evaluation.honesty.texts import likeness, template_of

WORDS = [f"word{letter} thing{letter} bone{letter} note{letter} mark{letter}" for letter in "abcdef"]


def test_case_and_gaps_make_no_other_text() -> None:
    assert unique_ratio(["A bulge.", "a  bulge.", "No bulge.", "A slip."]) == 0.75
    assert copied_share(["A bulge.", "No bulge."], ["a bulge."]) == 0.5


def test_a_template_masks_values_but_not_levels() -> None:
    assert template_of("Canal 9.8 mm at L4-L5.") == template_of("canal 12.1 mm at L4-L5.")
    assert template_of("Bulge at L4-L5.") != template_of("Bulge at L3-L4.")


def test_self_cider_is_zero_for_one_report_and_one_for_unlike_ones() -> None:
    assert self_cider(["the same report."] * 5, WORDS) == pytest.approx(0.0, abs=1e-6)
    assert self_cider(WORDS, WORDS) == pytest.approx(1.0)
    assert self_cider(WORDS[:1], WORDS) is None


def test_self_cider_by_hand_of_two_pairs() -> None:
    # two kinds of report, two of each: eigenvalues 2, 2, 0, 0; -log(1/2) / log(4) = 0.5
    assert self_cider([WORDS[0], WORDS[0], WORDS[1], WORDS[1]], WORDS) == pytest.approx(0.5)


def test_self_cider_draws_with_a_fixed_seed() -> None:
    texts = [f"{WORDS[index % 6]} case{index}" for index in range(260)]
    assert self_cider(texts, texts) == self_cider(texts, texts)


def test_likeness_agrees_with_pycocoevalcap_without_its_length_penalty() -> None:
    from pycocoevalcap.cider.cider import Cider

    texts = [
        "disc bulge at l4-l5 with severe stenosis",
        "severe disc bulge at l3-l4 with no stenosis",
        "no slip at l5-s1 and no fracture of l1",
    ]
    kernel = likeness(texts, texts)
    _, scores = Cider().compute_score(
        dict(enumerate([[text] for text in texts])), dict(enumerate([[texts[0]]] * 3))
    )
    assert np.argsort(scores).tolist() == np.argsort(kernel[0]).tolist()
    assert scores[0] == pytest.approx(10.0 * kernel[0, 0])
    assert np.allclose(kernel, kernel.T)


def test_distinct_findings_count_facts_not_words() -> None:
    texts = ["Disc bulge at L4-L5.", "L4/5: the disc bulges.", "Disc bulge at L5-S1."]
    assert distinct_findings(texts) == pytest.approx(2 / 3)
    assert distinct_findings(["Hello."]) is None
