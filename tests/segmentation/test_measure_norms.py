"""Norms and lengths along lines: percentiles by hand, runs at sub-pixel ends."""

import importlib.util
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from segmentation.frame import SliceFrame
from segmentation.measure import load_quantities
from segmentation.measure.norms import norms, percentile
from segmentation.profiles import run_along, runs_along
from segmentation.shapes import build_shape
from tests.segmentation.block_spine import BlockSpine, measured


def test_percentiles_follow_the_norm_table() -> None:
    norm = norms()["disc_height", "L4-L5"]
    assert percentile("disc_height", "L4-L5", norm.mean, "mm") == pytest.approx(50.0)
    one_up = percentile("disc_height", "L4-L5", norm.mean + norm.sd, "mm")
    assert one_up == pytest.approx(100 * NormalDist().cdf(1.0))
    assert percentile("disc_height", "T8-T9", 8.0, "mm") is None
    assert percentile("disc_height", "L4-L5", 8.0, "1") is None
    assert percentile("vertebral_height_anterior", "L5", 30.3, "mm") == pytest.approx(50.0)
    assert percentile("vertebral_height_anterior", "L4", 30.3, "mm") is None, "published for L5 only"
    item = measured(BlockSpine())["disc_height", "L4-L5", None]
    assert item.value is not None
    assert item.percentile == percentile("disc_height", "L4-L5", item.value, "mm")


def test_every_norm_names_its_source_and_population() -> None:
    for row in norms().values():
        assert row.source
        assert row.population
        assert row.sd > 0


def test_a_run_ends_where_the_mask_passes_one_half() -> None:
    mask = np.zeros((9, 20), dtype=np.float32)
    mask[:, 5:12] = 1.0
    frame = SliceFrame(0.5, 0.5, is_mm=True)
    run = run_along(mask, np.array([0.0, 2.0]), np.array([1.0, 0.0]), (0.0, 9.5), frame)
    assert run == pytest.approx((2.25, 5.75))
    assert run_along(mask, np.array([0.0, 2.0]), np.array([1.0, 0.0]), (0.0, 1.0), frame) is None


def test_of_two_runs_the_one_nearest_to_the_place_counts() -> None:
    mask = np.zeros((5, 30), dtype=np.float32)
    mask[:, 2:6] = 1.0
    mask[:, 20:26] = 1.0
    frame = SliceFrame.of(None)
    line = (np.array([0.0, 2.0]), np.array([1.0, 0.0]), (0.0, 29.0), frame)
    assert run_along(mask, *line, nearest_to=25.0) == pytest.approx((19.5, 25.5))
    assert run_along(mask, *line, nearest_to=0.0) == pytest.approx((1.5, 5.5))


def test_many_lines_at_once_equal_one_by_one() -> None:
    rng = np.random.default_rng(4)
    mask = (rng.random((40, 50)) > 0.6).astype(np.float32)
    frame = SliceFrame(0.6, 0.9, is_mm=True)
    origins = rng.uniform(2, 20, size=(30, 2))
    direction = np.array([0.8, 0.6])
    together = runs_along(mask, origins, direction, (-5.0, 9.0), frame, nearest_to=2.0)
    for origin, found in zip(origins, together, strict=True):
        alone = run_along(mask, origin, direction, (-5.0, 9.0), frame, nearest_to=2.0)
        assert np.isnan(found[0]) if alone is None else found == pytest.approx(alone)


def test_area_over_length_is_the_thickness() -> None:
    pixels = np.array([[x, y] for x in range(40) for y in range(10, 16)], dtype=np.intp)
    shape = build_shape(pixels, np.ones((30, 60), dtype=np.float32), SliceFrame.of(None))
    assert shape.length == pytest.approx(40.0, abs=1.0)
    assert shape.thickness == pytest.approx(6.0, abs=0.2)


def test_the_page_of_quantities_is_current() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("make_measurements", root / "docs" / "make_measurements.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.FILE.read_text(encoding="utf-8") == page.text()
    assert all(f"`{name}`" in page.text() for name in load_quantities())
