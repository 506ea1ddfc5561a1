"""Average precision of boxes, as COCO counts it (pycocotools).

Source: Lin et al., Microsoft COCO, ECCV 2014; ``map50`` counts a box as found from an overlap of 0.5, ``map50_95``
is the mean over overlaps of 0.5 to 0.95 in steps of 0.05. One class.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import bootstrap_by_patient

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels."""


@dataclass(frozen=True)
class ImageBoxes:
    """One image.

    Attributes:
        patient: Whose.
        truth: Boxes that are there.
        found: Boxes that were found.
        scores: Of the found ones.
    """

    patient: int | str
    truth: tuple[Box, ...]
    found: tuple[Box, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.found) != len(self.scores):
            raise ValueError(f"boxes: expected a score each, got {len(self.found)} and {len(self.scores)}")


def average_precision(images: Sequence[ImageBoxes]) -> dict[str, float]:
    """Return ``map50`` and ``map50_95``; nan where no box is there to be found."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    if not any(image.truth for image in images):
        return {"map50": float("nan"), "map50_95": float("nan")}
    with contextlib.redirect_stdout(io.StringIO()):
        reference = COCO()
        reference.dataset = _reference(images)
        reference.createIndex()
        found = _found(images)
        if not found:
            return {"map50": 0.0, "map50_95": 0.0}
        judged = COCOeval(reference, reference.loadRes(found), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return {"map50": float(judged.stats[1]), "map50_95": float(judged.stats[0])}


def precision_intervals(images: Sequence[ImageBoxes], *, resamples: int = 300) -> dict[str, dict[str, float]]:
    """Return both figures with 95 % bootstrap intervals over patients."""
    figures = {}
    for name in ("map50", "map50_95"):

        def statistic(rows: NDArray[np.intp], name: str = name) -> float:
            return average_precision([images[row] for row in rows.tolist()])[name]

        interval = bootstrap_by_patient([image.patient for image in images], statistic, resamples=resamples)
        figures[name] = {"value": interval.value, "low": interval.low, "high": interval.high}
    return figures


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
