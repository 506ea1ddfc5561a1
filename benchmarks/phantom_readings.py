"""Phantoms of a frozen test set, read end to end and laid beside their truth; kept, so that a run can go on.

A reading is kept in ``runs/benchmarks`` under the checksums of the weights that made it: other weights read anew.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anatomy import Condition, Protocol, load_protocol
from benchmarks.measurements import open_segmenter, study_of
from evaluation.detection import Box, ImageBoxes
from evaluation.patients import patient_label
from grading import Grader
from grading.types import Findings, Grade
from imaging.phantom import Phantom, build_phantom
from imaging.phantom.setup import load_setup
from imaging.phantom.types import TruthGrade
from runtime.errors import NotEligibleError
from segmentation.study import Segmenter

FOLDER = Path("runs/benchmarks")


@dataclass(frozen=True)
class Place:
    """A place that the truth grades, and what the reading says of it.

    Attributes:
        patient: Seed.
        level: Disc level.
        side: Patient's side, or None.
        condition: Value of ``anatomy.Condition``.
        scale: Name in ``anatomy.SCALES``.
        truth: True step.
        named: Named step; None where the reading gives none.
        probabilities: Step -> probability; empty where a rule graded, or nothing did.
        prediction_set: Steps that cannot be excluded.
    """

    patient: int
    level: str
    side: str | None
    condition: str
    scale: str
    truth: str
    named: str | None
    probabilities: dict[str, float]
    prediction_set: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """What was read of one phantom.

    Attributes:
        patient: Seed.
        places: All that the truth grades.
        true_boxes: Cord compression on the sagittal T2, pixels.
        boxes: Found ones.
        scores: Of the found ones.
        is_positive: Whether the truth has a severe grade of any condition at any level; None where that is not
            known.
        burden: Degeneration score of the reading; None where nothing was read.
        seconds: That grading took.
    """

    patient: int
    places: tuple[Place, ...]
    true_boxes: tuple[Box, ...]
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    is_positive: bool | None
    burden: float | None
    seconds: float

    @property
    def image(self) -> ImageBoxes:
        """Return the boxes, true and found."""
        return ImageBoxes(self.patient, self.true_boxes, self.boxes, self.scores)


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
    truths = [item for item in phantom.grades if item.condition in asked and item.level in protocol.levels]
    detections = () if findings is None else findings.detections
    return Reading(
        patient=phantom.seed,
        places=tuple(_place(phantom.seed, truth, findings) for truth in truths),
        true_boxes=true_boxes(phantom),
        boxes=tuple(item.box_px for item in detections),
        scores=tuple(item.score for item in detections),
        is_positive=patient_label(phantom.grades, "phantom"),
        burden=None if findings is None else findings.burden.score,
        seconds=seconds,
    )


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


def _place(patient: int, truth: TruthGrade, findings: Findings | None) -> Place:
    grade = None if findings is None else _grade_of(truth, findings)
    return Place(
        patient,
        truth.level,
        None if truth.side is None else truth.side.value,
        truth.condition.value,
        truth.scale,
        truth.grade,
        None if grade is None else grade.grade,
        {} if grade is None else dict(grade.probabilities),
        () if grade is None else grade.prediction_set,
    )


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


def open_set(name: str, grader_name: str | None, weights: Path) -> tuple[Segmenter, Grader, Protocol]:
    """Return what reads a set; the protocol asks for every condition that the grader knows."""
    protocol = load_protocol(load_setup(name).protocol)
    grader = Grader.load(weights_root=weights, name=grader_name or protocol.weights["grading"])
    known = (head.condition for head in grader.config.heads)
    asked = replace(protocol, conditions=tuple(dict.fromkeys([*protocol.conditions, *known])))
    return open_segmenter(protocol), grader, asked


def read_set(
    name: str, segmenter: Segmenter, grader: Grader, protocol: Protocol, *, count: int, folder: Path = FOLDER
) -> list[Reading]:
    """Read the first phantoms of a frozen set, going on with what is kept of the same weights.

    Args:
        name: Of the set.
        segmenter: With its weights.
        grader: With its weights.
        protocol: Of ``open_set``.
        count: How many at most.
        folder: Where readings are kept.
    """
    seeds = load_setup(name).seeds
    file = folder / f"readings_{name}_{segmenter.checksum[:8]}_{grader.checksum[:8]}.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {reading.patient: reading for reading in _load(file)}
    wanted = range(seeds["first"], seeds["first"] + min(seeds["count"], count))
    for seed in wanted:
        if seed not in kept:
            phantom = build_phantom(protocol.name, seed=seed, setup=name)
            kept[seed] = read_phantom(phantom, segmenter, grader, protocol)
            with file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(kept[seed])) + "\n")
    return [kept[seed] for seed in wanted]


def _load(file: Path) -> list[Reading]:
    lines: Sequence[str] = file.read_text(encoding="utf-8").splitlines() if file.is_file() else ()
    return [_reading(json.loads(line)) for line in lines]


def _reading(row: dict[str, Any]) -> Reading:
    places = tuple(Place(**{**place, "prediction_set": tuple(place["prediction_set"])}) for place in row["places"])
    boxes = {name: tuple(tuple(box) for box in row[name]) for name in ("true_boxes", "boxes")}
    return Reading(**{**row, **boxes, "places": places, "scores": tuple(row["scores"])})
