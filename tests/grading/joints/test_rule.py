"""The ASAS rule and the SPARCC score on probabilities of made-up slices."""

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from grading.joints.rule import apply_rules, load_sacroiliac_rules

SLICES = np.arange(3, 11)


def seen(*rows: tuple[int, str]) -> NDArray[np.float64]:
    """Return probabilities (8, 8): 0.1, but 0.9 for (slice, item) and for crossing the joint on slices 4 to 9."""
    items = ("upper_ilium", "lower_ilium", "lower_sacrum", "upper_sacrum", "intense", "deep", "several", "joint")
    table = np.full((len(SLICES), len(items)), 0.1)
    table[1:7, items.index("joint")] = 0.9
    for k, item in rows:
        table[k - SLICES[0], items.index(item)] = 0.9
    return table


def test_two_consecutive_slices_make_a_joint_positive() -> None:
    result = apply_rules(
        {Side.LEFT: (SLICES, seen((5, "upper_ilium"), (6, "upper_ilium"))), Side.RIGHT: (SLICES, seen())}
    )
    assert result.positive == {Side.LEFT: True, Side.RIGHT: False}
    assert result.is_positive
    assert result.sparcc == 2
    assert result.slices == (4, 5, 6, 7, 8, 9)


def test_one_slice_is_not_enough_without_a_second_lesion() -> None:
    one = seen((5, "upper_ilium"), (7, "upper_ilium"))
    assert not apply_rules({Side.LEFT: (SLICES, one)}).is_positive
    assert apply_rules({Side.LEFT: (SLICES, seen((5, "upper_ilium"), (5, "several")))}).is_positive


def test_intense_and_deep_count_beside_oedema_only() -> None:
    alone = seen((5, "intense"), (5, "deep"))
    assert apply_rules({Side.LEFT: (SLICES, alone)}).sparcc == 0
    beside = seen((5, "intense"), (5, "deep"), (5, "lower_sacrum"))
    assert apply_rules({Side.LEFT: (SLICES, beside)}).sparcc == 3


def test_slices_read_at_a_stride_are_neighbours() -> None:
    table = seen((5, "upper_ilium"), (6, "upper_ilium"))
    assert apply_rules({Side.LEFT: (2 * SLICES, table)}).is_positive


def test_the_table_names_versions() -> None:
    rules = load_sacroiliac_rules()
    assert rules.asas_id == "asas_2009_two_slices/1"
    assert 0 < rules.seen_from < 1
    assert rules.sparcc_slices == 6
