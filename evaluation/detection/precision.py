"""Average precision of boxes, as COCO counts it.

pycocotools matches the boxes of every image once; a resample of images then only sorts and sums the matches, which
tests compare with pycocotools' own summary. ``map50`` counts a box as found from an overlap (IoU) of 0.5,
``map50_95`` is the mean over overlaps of 0.5 to 0.95 in steps of 0.05. One label.
Source: Lin et al., Microsoft COCO, ECCV 2014 (101 points of recall, at most 100 boxes an image).
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import bootstrap_by_patient
from evaluation.detection.boxes import Box, ImageBoxes

_OVERLAPS = 10
_MOST_BOXES = 100
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True)
class Matches:
    """One image after matching.

    Attributes:
        scores: (D,) of the found boxes, falling.
        is_true: (10, D) whether each is matched to a true box at overlaps of 0.5, 0.55, ... 0.95.
        truths: Number of true boxes.
    """

    scores: NDArray[np.float64]
    is_true: NDArray[np.bool_]
    truths: int


def match_boxes(images: Sequence[ImageBoxes]) -> list[Matches]:
    """Match found boxes with true ones, image by image, best score first."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    found = _found(images)
    if not found:
        empty = np.zeros(0)
        return [Matches(empty, np.zeros((_OVERLAPS, 0), dtype=np.bool_), len(image.truth)) for image in images]
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = _reference(images)
        reference.createIndex()
        judged = COCOeval(reference, reference.loadRes(found), "bbox")
        judged.params.maxDets = [_MOST_BOXES]
        judged.params.areaRng, judged.params.areaRngLbl = [judged.params.areaRng[0]], ["all"]
        judged.evaluate()
    by_image = {row["image_id"]: row for row in judged.evalImgs if row is not None}
    return [_of_image(by_image.get(number), image) for number, image in enumerate(images, 1)]


def precision_of(matches: Sequence[Matches]) -> dict[str, float]:
    """Return ``map50`` and ``map50_95`` of matched images; nan where no box is there to be found."""
    truths = sum(item.truths for item in matches)
    if not truths:
        return {"map50": float("nan"), "map50_95": float("nan")}
    scores = np.concatenate([item.scores for item in matches])
    order = np.argsort(-scores, kind="mergesort")
    is_true = np.concatenate([item.is_true for item in matches], axis=1)[:, order]
    areas = [_area_under(row, truths) for row in is_true]
    return {"map50": areas[0], "map50_95": float(np.mean(areas))}


def average_precision(images: Sequence[ImageBoxes]) -> dict[str, float]:
    """Return ``map50`` and ``map50_95``; nan where no box is there to be found."""
    return precision_of(match_boxes(images))


def precision_intervals(images: Sequence[ImageBoxes], *, resamples: int = 300) -> dict[str, dict[str, float]]:
    """Return both figures with 95 % bootstrap intervals over patients."""
    figures, matches = {}, match_boxes(images)
    for name in ("map50", "map50_95"):

        def statistic(rows: NDArray[np.intp], name: str = name) -> float:
            return precision_of([matches[row] for row in rows.tolist()])[name]

        interval = bootstrap_by_patient([image.patient for image in images], statistic, resamples=resamples)
        figures[name] = {"value": interval.value, "low": interval.low, "high": interval.high}
    return figures


def _area_under(is_true: NDArray[np.bool_], truths: int) -> float:
    """Return the mean over 101 recalls of the best precision at that recall or more."""
    hits = np.cumsum(is_true)
    precision = hits / np.arange(1, len(is_true) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(hits / truths, _RECALLS, side="left")
    return float(
        np.where(places < len(best), best[np.minimum(places, len(best) - 1)], 0.0).mean() if len(best) else 0.0
    )


def _of_image(row: dict[str, Any] | None, image: ImageBoxes) -> Matches:
    if row is None:
        return Matches(np.zeros(0), np.zeros((_OVERLAPS, 0), dtype=np.bool_), len(image.truth))
    return Matches(
        np.asarray(row["dtScores"], dtype=np.float64), np.asarray(row["dtMatches"]) > 0, len(image.truth)
    )


def _reference(images: Sequence[ImageBoxes]) -> dict[str, Any]:
    annotations = [
        {"image_id": number, "category_id": 1, "bbox": _bbox(box), "area": _area(box), "iscrowd": 0}
        for number, image in enumerate(images, 1)
        for box in image.truth
    ]
    return {
        "info": {},
        "images": [{"id": number} for number in range(1, len(images) + 1)],
        "categories": [{"id": 1}],
        "annotations": [{"id": number, **row} for number, row in enumerate(annotations, 1)],
    }


def _found(images: Sequence[ImageBoxes]) -> list[dict[str, Any]]:
    return [
        {"image_id": number, "category_id": 1, "bbox": _bbox(box), "score": score}
        for number, image in enumerate(images, 1)
        for box, score in zip(image.found, image.scores, strict=True)
    ]


def _bbox(box: Box) -> list[float]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
