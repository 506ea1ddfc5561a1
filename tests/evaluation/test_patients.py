"""Patient-level labels as docs/burden.md fixes them, and the AUC over patients."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import Condition, Side
from evaluation.patients import load_labels, patient_auc, patient_label
from grading.findings import not_assessable
from imaging.phantom.types import TruthGrade


def _truth(condition: Condition, scale: str, grade: str, side: Side | None = None) -> TruthGrade:
    return TruthGrade("L4-L5", side, condition, scale, grade, "made up/1")


@pytest.mark.parametrize(
    ("condition", "scale", "grade", "label"),
    [
        (Condition.SPINAL_CANAL_STENOSIS, "rsna", "severe", True),
        (Condition.NEURAL_FORAMINAL_NARROWING, "rsna", "severe", True),
        (Condition.SUBARTICULAR_STENOSIS, "rsna", "moderate", False),
        (Condition.DISC_DEGENERATION, "pfirrmann", "V", True),
        (Condition.DISC_DEGENERATION, "pfirrmann", "IV", False),
        (Condition.CORD_COMPRESSION, "kang", "3", True),
        (Condition.CORD_COMPRESSION, "kang", "2", False),
        (Condition.CORD_COMPRESSION, "presence", "present", None),
        (Condition.MODIC, "modic", "3", None),
        (Condition.DISC_HERNIATION, "presence", "present", None),
        (Condition.SACROILIITIS, "as_stage", "advanced", True),
        (Condition.SACROILIITIS, "as_status", "positive", None),
    ],
)
def test_phantom_label(condition: Condition, scale: str, grade: str, label: bool | None) -> None:
    assert patient_label([_truth(condition, scale, grade)], "phantom") is label


def test_one_place_of_many_is_enough_and_the_side_does_not_matter() -> None:
    mild = _truth(Condition.NEURAL_FORAMINAL_NARROWING, "rsna", "normal_mild", Side.LEFT)
    severe = replace(mild, side=Side.RIGHT, grade="severe")
    assert patient_label([mild], "phantom") is False
    assert patient_label([mild, severe], "phantom") is True


def test_spider_label() -> None:
    disc = _truth(Condition.DISC_DEGENERATION, "pfirrmann", "IV")
    slip = _truth(Condition.SPONDYLOLISTHESIS, "presence", "present")
    assert patient_label([disc], "spider") is False
    assert patient_label([disc, slip], "spider") is True
    assert patient_label([replace(disc, grade="V")], "spider") is True
    # SPIDER grades no stenosis, and a herniation makes nobody positive.
    assert patient_label([_truth(Condition.SPINAL_CANAL_STENOSIS, "rsna", "severe")], "spider") is None
    assert patient_label([disc, _truth(Condition.DISC_HERNIATION, "presence", "present")], "spider") is False


def test_what_is_not_graded_has_no_label() -> None:
    unknown = not_assessable("L4-L5", Condition.DISC_DEGENERATION, "pfirrmann", "made up")
    assert patient_label([unknown], "spider") is None
    assert patient_label([], "phantom") is None


def test_an_unknown_label_is_named() -> None:
    with pytest.raises(ValueError, match="expected one of phantom, spider, got 'real'"):
        patient_label([], "real")
    assert set(load_labels()) == {"phantom", "spider"}


def test_auc_leaves_out_and_counts_patients_without_label_or_score() -> None:
    labels = {"a": True, "b": False, "c": True, "d": False, "e": None, "f": True}
    scores = {"a": 50.0, "b": 10.0, "c": 40.0, "d": 45.0, "e": 99.0, "f": None}
    found = patient_auc(labels, scores, resamples=200)
    assert (found.positives, found.negatives, found.left_out) == (2, 2, 2)
    assert found.auc is not None
    assert found.auc.value == pytest.approx(0.75)  # of four pairs, c and d stand the wrong way round
    assert found.auc.patients == 4
    assert found.auc.low <= 0.75 <= found.auc.high


def test_one_class_alone_has_no_auc() -> None:
    assert patient_auc({"a": True, "b": True}, {"a": 1.0, "b": 2.0}).auc is None
    assert patient_auc({}, {}).auc is None


def test_a_useless_score_has_an_interval_around_a_half() -> None:
    rng = np.random.default_rng(0)
    labels: dict[str, bool | None] = {str(n): bool(n % 2) for n in range(200)}
    scores: dict[str, float | None] = {str(n): float(rng.random()) for n in range(200)}
    auc = patient_auc(labels, scores, resamples=300).auc
    assert auc is not None
    assert auc.low < 0.5 < auc.high
