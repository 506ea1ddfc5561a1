"""How well phantoms of the frozen test sets are graded, end to end: segmented, named and graded as in use.

    python -m benchmarks.grading_phantoms [--setups test_lumbar test_lumbar_shifted] [--count 60]

Every place that the truth grades is looked up in the reading. A place without a grade (its level not found, or not
assessable) is counted apart, in ``graded``. Per condition: share graded, macro F1, quadratic kappa, accuracy,
recall and coverage of the prediction sets by step; for the RSNA grid also the challenge's weighted log loss.
Intervals are 95 % bootstrap intervals over patients. Phantoms only: what the figures say of real images is not
known.
"""

import argparse
import json
import logging
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import SCALES, Condition, Protocol, load_protocol
from benchmarks.measurements import open_segmenter, study_of
from evaluation.detection import Box, ImageBoxes, precision_intervals
from evaluation.grading import interval_of, macro_f1, quadratic_kappa
from evaluation.rsna import GROUPS, RsnaRows, weighted_log_loss
from grading import Grader
from grading.types import Findings, Grade
from imaging.phantom import Phantom, build_phantom
from imaging.phantom.setup import load_setup
from imaging.phantom.types import TruthGrade
from runtime.device import use_threads
from runtime.errors import NotEligibleError
from runtime.settings import load_settings
from segmentation.study import Segmenter

OUT = Path("runs/benchmarks/grading_phantoms.json")
SETUPS = ("test_lumbar", "test_lumbar_shifted")
_GRID = "rsna"


@dataclass(frozen=True)
class Place:
    """A place that the truth grades.

    Attributes:
        patient: Seed.
        truth: The true grade.
        grade: What the reading says; None where it says nothing of the place.
    """

    patient: int
    truth: TruthGrade
    grade: Grade | None

    @property
    def is_graded(self) -> bool:
        """Return whether the reading gave a grade."""
        return self.grade is not None and self.grade.grade is not None


@dataclass(frozen=True)
class Reading:
    """What was read of one phantom.

    Attributes:
        places: All that the truth grades.
        boxes: Cord compression on the sagittal T2, true and found.
        seconds: That grading took.
    """

    places: list[Place]
    boxes: ImageBoxes
    seconds: float


def read_phantom(phantom: Phantom, segmenter: Segmenter, grader: Grader, protocol: Protocol) -> Reading:
    """Segment, name and grade a phantom, and look up what the truth grades."""
    study = study_of(phantom, [series.role for series in phantom.series])
    seconds, findings = 0.0, None
    try:
        segmented = segmenter.segment_study(study, protocol)
        start = time.perf_counter()
        findings = grader.grade(study, segmented, protocol)
        seconds = time.perf_counter() - start
    except NotEligibleError as error:
        print(f"{phantom.name}: not read: {error}")
    asked = set(protocol.conditions)
    places = [
        Place(phantom.seed, truth, None if findings is None else _grade_of(truth, findings))
        for truth in phantom.grades
        if truth.condition in asked and truth.level in protocol.levels
    ]
    detections = () if findings is None else findings.detections
    found = tuple(item.box_px for item in detections)
    scores = tuple(item.score for item in detections)
    return Reading(places, ImageBoxes(phantom.seed, true_boxes(phantom), found, scores), seconds)


def true_boxes(phantom: Phantom) -> tuple[Box, ...]:
    """Return the boxes of cord compression on the slices of the sagittal T2, pixels."""
    inverse = np.linalg.inv(phantom.series_by_role("sagittal_t2").affine)
    boxes = []
    for item in phantom.boxes:
        if item.label == Condition.CORD_COMPRESSION.value:
            corners = [inverse @ [*corner, 1.0] for corner in (item.low_ras_mm, item.high_ras_mm)]
            (x0, x1), (y0, y1) = (sorted(corner[axis] for corner in corners) for axis in (0, 1))
            boxes.append((float(x0), float(y0), float(x1), float(y1)))
    return tuple(boxes)


def _grade_of(truth: TruthGrade, findings: Findings) -> Grade | None:
    wanted = truth.level, truth.condition, truth.scale
    return next(
        (
            grade
            for grade in findings.grades
            if (grade.level, grade.condition, grade.scale) == wanted and grade.side in (None, truth.side)
        ),
        None,
    )


def judge(places: Sequence[Place]) -> dict[str, Any]:
    """Return the figures of some places of one scale."""
    given = [place for place in places if place.is_graded]
    steps = SCALES[places[0].truth.scale].grades
    row: dict[str, Any] = {
        "places": len(places),
        "patients": len({place.patient for place in places}),
        "steps": {step: sum(place.truth.grade == step for place in places) for step in steps},
        "graded": len(given) / len(places),
    }
    if not given:
        return row
    truth = np.array([steps.index(place.truth.grade) for place in given])
    named = np.array([steps.index(_of(place).grade or "") for place in given])
    patients = [place.patient for place in given]
    row["macro_f1"] = interval_of(patients, lambda rows: macro_f1(truth[rows], named[rows]))
    row["quadratic_kappa"] = interval_of(
        patients, lambda rows: quadratic_kappa(truth[rows], named[rows], steps=len(steps))
    )
    row["accuracy"] = interval_of(patients, lambda rows: float((truth[rows] == named[rows]).mean()))
    row["recall"] = {step: _share(named[truth == k] == k) for k, step in enumerate(steps)}
    inside = np.array([place.truth.grade in _of(place).prediction_set for place in given])
    row["coverage"] = {
        step: _interval(inside, truth == k, patients) for k, step in enumerate(steps) if (truth == k).any()
    }
    return row


def _of(place: Place) -> Grade:
    assert place.grade is not None
    return place.grade


def _share(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if len(hits) else None


def _interval(inside: NDArray[np.bool_], chosen: NDArray[np.bool_], patients: Sequence[int]) -> dict[str, Any]:
    kept = [patient for patient, is_one in zip(patients, chosen, strict=True) if is_one]
    values = inside[chosen]
    return interval_of(kept, lambda rows: float(values[rows].mean()))


def judge_grid(places: Iterable[Place]) -> dict[str, Any]:
    """Return the figures of the whole RSNA grid, the challenge's loss among them."""
    grid = [place for place in places if place.truth.scale == _GRID]
    given = [place for place in grid if place.is_graded and _of(place).probabilities]
    row = judge(grid)
    if not given:
        return row
    rows = RsnaRows(
        studies=[place.patient for place in given],
        conditions=[place.truth.condition.value for place in given],
        truth=np.array([SCALES[_GRID].grades.index(place.truth.grade) for place in given]),
        probabilities=np.array([list(_of(place).probabilities.values()) for place in given]),
    )
    row["weighted_log_loss"] = interval_of(
        rows.studies, lambda chosen: weighted_log_loss(_taken(rows, chosen))["loss"]
    )
    row["weighted_log_loss_parts"] = weighted_log_loss(rows)
    return row


def _taken(rows: RsnaRows, chosen: NDArray[np.intp]) -> RsnaRows:
    # A study drawn twice counts as two studies: "any severe" is judged by study.
    studies = [f"{rows.studies[index]}/{copy}" for index, copy in _copies(rows.studies, chosen)]
    conditions = [rows.conditions[index] for index in chosen]
    return RsnaRows(studies, conditions, rows.truth[chosen], rows.probabilities[chosen])


def _copies(studies: Sequence[int | str], chosen: NDArray[np.intp]) -> list[tuple[int, int]]:
    seen: dict[int, int] = {}
    found = []
    for index in chosen.tolist():
        seen[index] = seen.get(index, -1) + 1
        found.append((index, seen[index]))
    return found


def judge_all(places: Sequence[Place]) -> dict[str, Any]:
    """Return the figures of each condition and scale, and of the RSNA grid."""
    keys = dict.fromkeys((place.truth.condition, place.truth.scale) for place in places)
    rows = {}
    for condition, scale in keys:
        mine = [place for place in places if (place.truth.condition, place.truth.scale) == (condition, scale)]
        rows[f"{condition.value} ({scale})"] = judge(mine)
    if any(place.truth.condition.value in GROUPS for place in places):
        rows["RSNA grid"] = judge_grid(places)
    return rows


def table_text(title: str, results: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"### {title}",
        "",
        "| condition | places | graded | macro F1 | quadratic kappa | accuracy | log loss |",
    ]
    lines.append("|" + "---|" * 7)
    for name, row in results.items():
        figures = [_text(row.get(key)) for key in ("macro_f1", "quadratic_kappa", "accuracy", "weighted_log_loss")]
        lines.append(f"| {name} | {row['places']} | {row['graded']:.3f} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _text(figure: dict[str, float] | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def read_set(name: str, options: argparse.Namespace) -> list[Reading]:
    """Read the phantoms of one set; every condition that the grader knows is asked for."""
    setup = load_setup(name)
    protocol = load_protocol(setup.protocol)
    segmenter = open_segmenter(protocol)
    root = options.weights or load_settings().weights_dir
    grader = Grader.load(weights_root=root, name=options.grader or protocol.weights["grading"])
    known = (head.condition for head in grader.config.heads)
    protocol = replace(protocol, conditions=tuple(dict.fromkeys([*protocol.conditions, *known])))
    first, count = setup.seeds["first"], min(options.count, setup.seeds["count"])
    return [
        read_phantom(build_phantom(setup.protocol, seed=seed, setup=name), segmenter, grader, protocol)
        for seed in range(first, first + count)
    ]


def main() -> None:
    """Draw, read, judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setups", nargs="+", default=SETUPS)
    parser.add_argument("--count", type=int, default=60, help="phantoms of each set")
    parser.add_argument("--grader", default=None, help="weights folder; the protocol's own if not given")
    parser.add_argument("--weights", type=Path, default=None, help="folder of the grader's weights folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    use_threads(options.threads)
    logging.getLogger("segmentation").setLevel(logging.WARNING)
    report: dict[str, Any] = {}
    for name in options.setups:
        readings = read_set(name, options)
        places = [place for reading in readings for place in reading.places]
        seconds = [reading.seconds for reading in readings]
        report[name] = {"conditions": judge_all(places), "grading_seconds": float(np.median(seconds))}
        print(table_text(f"{name}, {len(readings)} phantoms", report[name]["conditions"]))
        boxes = [reading.boxes for reading in readings]
        if any(image.truth for image in boxes):
            report[name]["detection"] = precision_intervals(boxes)
            figures = ", ".join(f"{key} {_text(row)}" for key, row in report[name]["detection"].items())
            print(f"\nBoxes of cord compression: {figures}.")
        print(f"\nGrading took {np.median(seconds):.2f} s a study (median), {max(seconds):.2f} at most.\n")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
