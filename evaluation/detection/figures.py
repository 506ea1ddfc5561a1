"""Figures of boxes on any choice of studies: precision by label, recall and false positives of shown boxes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.detection.boxes import ImageBoxes
from evaluation.detection.precision import Matches, match_boxes, precision_of
from evaluation.detection.rows import LabelledBox
from evaluation.scoring import Rows

HEADLINE = ("map50", "map50_95", "recall_50", "false_positives_per_study")


@dataclass(frozen=True)
class StudyMatches:
    """One study: label -> matches of each of its images."""

    images: Mapping[str, Sequence[Matches]]

    def count(self, label: str, threshold: float) -> tuple[int, int, int]:
        """Return (true boxes, of them found, false ones) of a label, by boxes scored at least ``threshold``."""
        truths = sum(item.truths for item in self.images[label])
        shown = [item.is_true[0][item.scores >= threshold] for item in self.images[label]]
        return truths, sum(int(row.sum()) for row in shown), sum(int((~row).sum()) for row in shown)


def match_studies(
    ids: Sequence[str],
    found: Mapping[str, Sequence[LabelledBox]],
    truth: Mapping[str, Sequence[LabelledBox]],
) -> tuple[list[str], list[StudyMatches]]:
    """Match the boxes of every study, label by label and image by image; the labels come first."""
    labels = sorted({box.label for case in ids for box in (*truth.get(case, ()), *found.get(case, ()))})
    by_study: list[dict[str, list[Matches]]] = [{label: [] for label in labels} for _ in ids]
    for label in labels:
        images, owners = [], []
        for number, case in enumerate(ids):
            mine = _images(case, found.get(case, ()), truth.get(case, ()), label)
            images += mine
            owners += [number] * len(mine)
        for number, item in zip(owners, match_boxes(images), strict=True):
            by_study[number][label].append(item)
    return labels, [StudyMatches(item) for item in by_study]


def figures_of(
    labels: Sequence[str], studies: Sequence[StudyMatches], threshold: float
) -> Callable[[Rows], dict[str, float]]:
    """Return what gives the figures of any choice of studies; plain names are means or sums over labels."""
    counts = np.array([[study.count(label, threshold) for label in labels] for study in studies], dtype=np.float64)

    def figures(rows: Rows) -> dict[str, float]:
        each: dict[str, dict[str, float]] = {}
        for place, label in enumerate(labels):
            found = precision_of([item for row in rows.tolist() for item in studies[row].images[label]])
            truths, hits, false = counts[rows, place].sum(axis=0)
            found["recall_50"] = hits / truths if truths else np.nan
            found["false_positives_per_study"] = false / len(rows)
            each[label] = found
        overall = {name: _nanmean([found[name] for found in each.values()]) for name in HEADLINE[:3]}
        overall[HEADLINE[3]] = sum(found[HEADLINE[3]] for found in each.values())
        return overall | {
            f"{name}_{label}": value for label, found in each.items() for name, value in found.items()
        }

    return figures


def _images(case: str, found: Sequence[LabelledBox], truth: Sequence[LabelledBox], label: str) -> list[ImageBoxes]:
    mine = [[box for box in boxes if box.label == label] for boxes in (found, truth)]
    images = sorted({box.image for boxes in mine for box in boxes})
    return [
        ImageBoxes(
            case,
            tuple(box.box for box in mine[1] if box.image == image),
            tuple(box.box for box in mine[0] if box.image == image),
            tuple(box.score for box in mine[0] if box.image == image),
        )
        for image in images
    ]


def _nanmean(values: Sequence[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return sum(known) / len(known) if known else float("nan")
