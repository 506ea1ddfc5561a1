"""Values as int16: without loss where they are whole and fit, else within half a step; the first window."""

from dataclasses import replace

import numpy as np
import pytest

from service.viewing.values import first_window, store_values
from tests.service.viewing.made import made_reading


@pytest.mark.parametrize(("low", "high"), [(0, 1897), (-1024, 3071), (0, 65_535), (40_000, 60_000)])
def test_whole_values_that_fit_are_kept(low: int, high: int) -> None:
    array = np.linspace(low, high, 60).round().astype(np.float32).reshape(5, 4, 3)
    stored = store_values(array)
    assert stored.array.dtype == np.int16
    assert stored.slope == 1.0
    assert np.array_equal(stored.array.astype(np.float64) + stored.intercept, array)


def test_whole_values_within_int16_are_stored_as_they_are() -> None:
    stored = store_values(np.array([[[3.0, 900.0]]], dtype=np.float32))
    assert stored.intercept == 0.0
    assert stored.array.ravel().tolist() == [3, 900]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_other_values_come_back_within_half_a_step(scale: float) -> None:
    array = (np.random.default_rng(0).normal(0, scale, (8, 7, 6))).astype(np.float32)
    stored = store_values(array)
    back = stored.array * stored.slope + stored.intercept
    assert np.abs(back - array).max() <= 0.51 * stored.slope


def test_a_flat_picture_keeps_its_value() -> None:
    stored = store_values(np.full((2, 2, 1), 0.25, dtype=np.float32))
    assert np.allclose(stored.array * stored.slope + stored.intercept, 0.25)


def test_the_window_is_the_headers_where_it_shows_anything() -> None:
    series = made_reading().study.series[0]
    assert first_window(series) == (200.0, 300.0)
    away = replace(series, header={"window_centre": 90_000.0, "window_width": 10.0})
    centre, width = first_window(away)
    assert 60 <= centre - width / 2 < centre + width / 2 <= 381
    assert first_window(replace(series, header={"window_centre": "200", "window_width": 300.0})) == (centre, width)
