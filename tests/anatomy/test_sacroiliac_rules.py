"""SPARCC and ASAS on plain tables, by hand."""

from anatomy.sacroiliac import SparccWindow, is_asas_positive, sparcc_window

NONE = [False] * 4
UPPER = [True, False, False, False]
LOWER = [False, True, False, False]


def test_sparcc_takes_the_best_six_slices_in_a_row() -> None:
    points = [0, 1, 2, 12, 12, 12, 12, 12, 12, 3]
    assert sparcc_window(points, range(10)) == SparccWindow(72, 3, 6)


def test_sparcc_starts_on_a_slice_of_the_lined_joint_and_takes_the_first_of_equals() -> None:
    points = [5, 1, 1, 1, 1, 1, 1, 1, 0]
    assert sparcc_window(points, range(1, 9)) == SparccWindow(6, 1, 6)


def test_sparcc_of_a_short_stack_counts_what_there_is() -> None:
    assert sparcc_window([0, 4, 4, 0], [1, 2]) == SparccWindow(8, 1, 2)
    assert sparcc_window([4, 4], []) == SparccWindow(0, 0, 0)


def test_oedema_counts_on_two_consecutive_slices_of_one_quadrant() -> None:
    quiet = [False] * 4
    assert is_asas_positive([NONE, UPPER, UPPER, NONE], quiet)
    assert not is_asas_positive([UPPER, NONE, UPPER, NONE], quiet)
    assert not is_asas_positive([NONE, UPPER, LOWER, NONE], quiet)


def test_several_lesions_on_one_slice_are_enough() -> None:
    assert is_asas_positive([NONE, UPPER, NONE], [False, True, False])
    assert not is_asas_positive([NONE, NONE, NONE], [False, True, False])
    assert not is_asas_positive([], [])
