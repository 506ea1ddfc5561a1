"""The benchmark of grading on phantoms: figures of made-up places, by hand."""

import numpy as np
import pytest

from anatomy import Condition, Side
from benchmarks.grading_ablation import Scores, compare, figure, variants
from benchmarks.grading_phantoms import Place, judge, judge_all, judge_grid, table_text, true_boxes
from grading.findings import not_assessable
from grading.heads import load_heads
from grading.types import Grade, GradeStatus
from imaging.phantom import build_phantom
from imaging.phantom.types import TruthGrade

CANAL, FORAMEN = Condition.SPINAL_CANAL_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING
STEPS = ("normal_mild", "moderate", "severe")


def _place(
    patient: int, truth: str, named: str | None, *, condition: Condition = CANAL, sure: float = 0.8
) -> Place:
    side = Side.LEFT if condition is FORAMEN else None
    true = TruthGrade("L4-L5", side, condition, "rsna", truth, "made up")
    if named is None:
        return Place(patient, true, not_assessable("L4-L5", condition, "rsna", "made up", side=side))
    rest = (1 - sure) / 2
    grade = Grade(
        "g1", "L4-L5", side, condition, "rsna", named, {step: sure if step == named else rest for step in STEPS},
        (named,), GradeStatus.GRADED, None, None,
    )  # fmt: skip
    return Place(patient, true, grade)


def test_places_without_a_grade_are_counted_apart() -> None:
    row = judge([_place(1, "moderate", "moderate"), _place(2, "severe", None), _place(3, "severe", "moderate")])
    assert row["graded"] == pytest.approx(2 / 3)
    assert row["accuracy"]["value"] == pytest.approx(0.5)
    assert row["recall"] == {"normal_mild": None, "moderate": 1.0, "severe": 0.0}
    assert row["coverage"]["severe"]["value"] == 0.0
    assert row["steps"] == {"normal_mild": 0, "moderate": 1, "severe": 2}
    nothing = judge([_place(1, "severe", None)])
    assert nothing["graded"] == 0
    assert "macro_f1" not in nothing


def test_the_grid_has_the_challenge_loss_of_sure_and_right_grades() -> None:
    right = [_place(n, step, step, condition=c) for n, step in enumerate(STEPS * 4) for c in (CANAL, FORAMEN)]
    row = judge_grid(right)
    assert row["weighted_log_loss_parts"]["spinal_canal_stenosis"] == pytest.approx(-np.log(0.8))
    assert row["weighted_log_loss"]["low"] <= row["weighted_log_loss"]["value"] <= row["weighted_log_loss"]["high"]
    wrong = [_place(n, step, STEPS[0], condition=CANAL) for n, step in enumerate(STEPS * 4)]
    assert judge_grid(wrong)["weighted_log_loss"]["value"] > row["weighted_log_loss"]["value"]
    assert row["macro_f1"]["value"] == pytest.approx(1.0)


def test_every_condition_and_the_grid_stand_in_the_table() -> None:
    places = [_place(n, STEPS[n % 3], STEPS[n % 3], condition=c) for n in range(9) for c in (CANAL, FORAMEN)]
    rows = judge_all(places)
    assert list(rows) == ["spinal_canal_stenosis (rsna)", "neural_foraminal_narrowing (rsna)", "RSNA grid"]
    text = table_text("made up", rows)
    assert len(text.splitlines()) == 4 + len(rows)


def test_true_boxes_lie_on_the_slices_of_the_sagittal_t2() -> None:
    phantom = build_phantom("cervical", seed=320_002)
    boxes = true_boxes(phantom)
    assert len(boxes) == sum(box.label == "cord_compression" for box in phantom.boxes) == 1
    columns, rows, _ = phantom.series_by_role("sagittal_t2").array.shape
    x0, y0, x1, y1 = boxes[0]
    assert 0 < x0 < x1 < columns
    assert 0 < y0 < y1 < rows
    level = phantom.level(phantom.boxes[0].level)
    place = np.linalg.inv(phantom.series_by_role("sagittal_t2").affine) @ [*level.posterior_ras_mm, 1.0]
    assert x0 - 5 < place[0] < x1
    assert y0 < place[1] < y1


def _scores(named: list[int], keys: list[int]) -> Scores:
    truth = np.array([key % 2 for key in keys])
    severity = np.array(named) * 0.8 + 0.1
    return Scores(np.array(keys), tuple((key, 0, 0) for key in keys), truth, np.array(named), severity)


def test_variants_are_compared_on_the_places_that_both_have() -> None:
    head = next(head for head in load_heads("lumbar") if head.key == "disc_bulging")
    keys = list(range(12))
    perfect = _scores([key % 2 for key in keys], keys)
    wrong = _scores([1 - key % 2 for key in keys[:10]], keys[:10])
    assert figure(perfect, np.arange(12), head) == 1.0
    row = compare(perfect, wrong, head)
    assert (row["places"], row["patients"]) == (10, 10)
    assert row["difference"] == pytest.approx(-1.0)
    assert row["high"] <= 0


def test_a_variant_changes_only_what_it_names() -> None:
    tables = variants()
    assert tables["no_spine_context"]["network"] == {**tables["base"]["network"], "layers": 0}
    assert tables["no_phantoms"]["training"]["phantoms"]["patients"] == 0
    assert tables["no_phantoms"]["training"]["epochs"] == tables["base"]["training"]["epochs"]
