"""Average precision of boxes, by hand and against pycocotools' own summary."""

import contextlib
import io
import math

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from evaluation.detection import ImageBoxes, average_precision, precision_intervals
from evaluation.detection.precision import _found, _reference

BOX = (10.0, 10.0, 30.0, 20.0)
NEAR = (10.0, 10.0, 30.0, 23.0)  # overlap 200 / 260 = 0.77
FAR = (50.0, 50.0, 60.0, 60.0)


def test_perfect_boxes_score_one_and_missed_ones_nought() -> None:
    images = [ImageBoxes(1, (BOX,), (BOX,), (0.9,)), ImageBoxes(2, (FAR,), (FAR,), (0.8,))]
    assert average_precision(images) == pytest.approx({"map50": 1.0, "map50_95": 1.0})
    assert average_precision([ImageBoxes(1, (BOX,), (), ())]) == {"map50": 0.0, "map50_95": 0.0}
    assert average_precision([ImageBoxes(1, (BOX,), (FAR,), (0.9,))])["map50"] == pytest.approx(0.0)


def test_a_loose_box_counts_at_small_overlaps_only() -> None:
    figures = average_precision([ImageBoxes(1, (BOX,), (NEAR,), (0.9,))])
    assert figures["map50"] == pytest.approx(1.0)
    assert figures["map50_95"] == pytest.approx(0.6)  # found at 0.5 to 0.75: six of ten overlaps


def test_a_false_box_ranked_first_halves_the_precision() -> None:
    images = [ImageBoxes(1, (), (FAR,), (0.95,)), ImageBoxes(2, (BOX,), (BOX,), (0.5,))]
    assert average_precision(images)["map50"] == pytest.approx(0.5, abs=0.01)
    ranked_last = [ImageBoxes(1, (), (FAR,), (0.1,)), images[1]]
    assert average_precision(ranked_last)["map50"] == pytest.approx(1.0)


def test_without_any_box_there_is_no_figure() -> None:
    assert math.isnan(average_precision([ImageBoxes(1, (), (FAR,), (0.9,))])["map50"])


def test_intervals_are_over_patients() -> None:
    images = [ImageBoxes(n, (BOX,), (BOX,) if n % 2 else (FAR,), (0.9,)) for n in range(10)]
    figures = precision_intervals(images, resamples=60)["map50"]
    assert figures["low"] < figures["value"] < figures["high"]


def test_every_found_box_has_a_score() -> None:
    with pytest.raises(ValueError, match="expected a score each, got 1 and 0"):
        ImageBoxes(1, (), (BOX,), ())


def test_the_figures_are_those_of_pycocotools() -> None:
    rng = np.random.default_rng(1)
    images = [_drawn(number, rng) for number in range(40)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = _reference(images)
        truth.createIndex()
        judged = COCOeval(truth, truth.loadRes(_found(images)), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    figures = average_precision(images)
    assert figures["map50"] == pytest.approx(float(judged.stats[1]), abs=1e-9)
    assert figures["map50_95"] == pytest.approx(float(judged.stats[0]), abs=1e-9)


def _drawn(number: int, rng: np.random.Generator) -> ImageBoxes:
    truth, found, scores = [], [], []
    for _ in range(rng.integers(0, 4)):
        x, y, width, height = rng.uniform([0, 0, 10, 10], [200, 200, 60, 60])
        truth.append((x, y, x + width, y + height))
        if rng.random() < 0.8:
            dx, dy = rng.normal(0, 4, 2)
            found.append((x + dx, y + dy, x + dx + width, y + dy + height))
            scores.append(float(np.round(rng.random(), 1)))  # with ties
    for _ in range(rng.integers(0, 3)):
        x, y = rng.uniform(0, 200, 2)
        found.append((x, y, x + 20, y + 20))
        scores.append(float(np.round(0.7 * rng.random(), 1)))
    return ImageBoxes(number, tuple(truth), tuple(found), tuple(scores))
