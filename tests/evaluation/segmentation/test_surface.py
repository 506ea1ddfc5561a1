"""Distances between surfaces by hand, and against an exact distance transform."""

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, distance_transform_edt

from evaluation.segmentation.surface import (
    ABSENT_FROM_BOTH,
    ABSENT_FROM_PREDICTION,
    ABSENT_FROM_REFERENCE,
    NO_SPACING,
    compare_surfaces,
)


def box(first: tuple[int, int, int], last: tuple[int, int, int], size: int = 24) -> np.ndarray:
    mask = np.zeros((size, size, size), dtype=bool)
    mask[tuple(slice(low, high) for low, high in zip(first, last, strict=True))] = True
    return mask


@pytest.mark.parametrize(("axis", "step"), [(0, 0.5), (1, 1.0), (2, 4.0)])
def test_a_shift_along_an_axis_is_its_spacing(axis: int, step: float) -> None:
    mask = box((6, 6, 6), (12, 12, 12))
    found = compare_surfaces(np.roll(mask, 1, axis), mask, (0.5, 1.0, 4.0), tolerance_mm=100)
    assert found.hd95_mm == pytest.approx(step)
    assert found.surface_dice == 1.0


def test_hd95_is_the_percentile_of_an_exact_distance_transform() -> None:
    rng = np.random.default_rng(3)
    left, right = (binary_erosion(rng.random((20, 20, 12)) < 0.97) for _ in range(2))
    spacing = (0.7, 0.9, 3.0)
    edges = [np.pad(mask, 1) & ~binary_erosion(np.pad(mask, 1)) for mask in (left, right)]
    away = [distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    expected = max(np.percentile(away[1][edges[0]], 95), np.percentile(away[0][edges[1]], 95))
    found = compare_surfaces(left, right, spacing, tolerance_mm=1.0)
    assert found.hd95_mm == pytest.approx(expected, abs=1e-4)


def test_surface_dice_by_the_area_of_a_moved_face() -> None:
    # One face of a 10 mm cube moves by 2 mm; four of its six faces keep, the moved pair and rims do not.
    truth, told = box((4, 4, 4), (14, 14, 14)), box((4, 4, 4), (14, 14, 16))
    strict = compare_surfaces(told, truth, (1.0, 1.0, 1.0), tolerance_mm=1.0).surface_dice
    loose = compare_surfaces(told, truth, (1.0, 1.0, 1.0), tolerance_mm=2.0).surface_dice
    assert strict is not None
    assert 0.7 < strict < 0.9
    assert loose == 1.0


def test_it_does_not_matter_which_is_the_prediction() -> None:
    left, right = box((4, 4, 4), (12, 12, 12)), box((5, 4, 6), (13, 15, 12))
    both = [compare_surfaces(a, b, (1.0, 2.0, 3.0), tolerance_mm=1.5) for a, b in ((left, right), (right, left))]
    assert both[0].hd95_mm == pytest.approx(both[1].hd95_mm)
    assert both[0].surface_dice == pytest.approx(both[1].surface_dice)


def test_a_slice_is_a_plane_and_a_volume_of_one_slice_is_too() -> None:
    mask = np.zeros((30, 30), dtype=bool)
    mask[10:20, 10:20] = True
    flat = compare_surfaces(np.roll(mask, 3, 1), mask, (0.5, 0.5), tolerance_mm=1.0)
    slab = compare_surfaces(np.roll(mask, 3, 1)[..., None], mask[..., None], (0.5, 0.5, 4.0), tolerance_mm=1.0)
    assert flat.hd95_mm == slab.hd95_mm == pytest.approx(1.5)
    assert flat.surface_dice == pytest.approx(slab.surface_dice)


def test_what_cannot_be_measured_has_a_reason() -> None:
    empty, full = np.zeros((4, 4), dtype=bool), np.ones((4, 4), dtype=bool)
    assert compare_surfaces(empty, empty, (1.0, 1.0), tolerance_mm=1).reason == ABSENT_FROM_BOTH
    lost = compare_surfaces(empty, full, (1.0, 1.0), tolerance_mm=1)
    assert (lost.hd95_mm, lost.surface_dice, lost.reason) == (None, 0.0, ABSENT_FROM_PREDICTION)
    made_up = compare_surfaces(full, empty, (1.0, 1.0), tolerance_mm=1)
    assert (made_up.hd95_mm, made_up.surface_dice, made_up.reason) == (None, 0.0, ABSENT_FROM_REFERENCE)
    assert compare_surfaces(full, full, None, tolerance_mm=1).reason == NO_SPACING
