"""The benchmark of grading on phantoms: figures of made-up places, by hand."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from anatomy import Condition, load_protocol
from benchmarks.grading_ablation import Scores, compare, figure, load_ablation
from benchmarks.grading_figures import coverage_text
from benchmarks.grading_phantoms import coverage_rows, judge, judge_all, judge_grid, report_set, table_text
from benchmarks.phantom_readings import Place, Reading, read_set, true_boxes
from grading.heads import load_heads
from tests.imaging.phantom.cervical_plans import sick_phantom

CANAL, FORAMEN = Condition.SPINAL_CANAL_STENOSIS, Condition.NEURAL_FORAMINAL_NARROWING
STEPS = ("normal_mild", "moderate", "severe")


def _place(
    patient: int, truth: str, named: str | None, *, condition: Condition = CANAL, sure: float = 0.8
) -> Place:
    side = "left" if condition is FORAMEN else None
    if named is None:
        return Place(patient, "L4-L5", side, condition.value, "rsna", truth, None, {}, ())
    rest = (1 - sure) / 2
    probabilities = {step: sure if step == named else rest for step in STEPS}
    return Place(patient, "L4-L5", side, condition.value, "rsna", truth, named, probabilities, (named,))


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


def _reading(patient: int, places: list[Place], *, positive: bool, burden: float | None) -> Reading:
    return Reading(patient, tuple(places), ((1.0, 2.0, 3.0, 4.0),), (), (), positive, burden, 0.5)


def test_coverage_is_judged_for_steps_with_enough_places() -> None:
    places = [_place(n, "severe", "severe" if n % 10 else "moderate") for n in range(60)]
    places += [_place(n, "moderate", "moderate") for n in range(49)]
    heads = [head for head in load_heads("lumbar") if head.condition is CANAL]
    rows = coverage_rows(judge_all(places), heads)
    (row,) = rows.values()
    assert list(row["coverage_intervals"]) == ["severe"]
    assert row["coverage_intervals"]["severe"]["value"] == pytest.approx(0.9)
    assert "| severe | 60 | 0.90 | 0.900" in coverage_text(rows)


def test_a_set_is_reported_by_patient_too(capsys: pytest.CaptureFixture[str]) -> None:
    readings = [
        _reading(n, [_place(n, STEPS[n % 3], STEPS[n % 3])], positive=n % 3 == 2, burden=float(n % 3))
        for n in range(12)
    ]
    readings.append(_reading(12, [_place(12, "severe", None)], positive=True, burden=None))
    report = report_set("made up", readings, load_heads("lumbar"))
    assert report["patient_auc"]["auc"].startswith("1.000")
    assert report["detection"]["map50"]["value"] == 0.0
    assert "Patients with any severe grade (4)" in capsys.readouterr().out


def test_readings_are_kept_and_those_of_other_weights_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def fake(phantom: int, *_: object) -> Reading:
        read.append(phantom)
        return _reading(phantom, [_place(phantom, "severe", "severe")], positive=True, burden=12.5)

    monkeypatch.setattr("benchmarks.phantom_readings.build_phantom", lambda *_, seed, **__: seed)
    monkeypatch.setattr("benchmarks.phantom_readings.read_phantom", fake)
    weights = [SimpleNamespace(checksum=letter * 64) for letter in "ab"]
    protocol = load_protocol("lumbar")
    first = read_set("test_lumbar", weights[0], weights[0], protocol, count=2, folder=tmp_path)  # type: ignore[arg-type]
    again = read_set("test_lumbar", weights[0], weights[0], protocol, count=3, folder=tmp_path)  # type: ignore[arg-type]
    assert again[:2] == first
    assert len(read) == 3
    read_set("test_lumbar", weights[0], weights[1], protocol, count=1, folder=tmp_path)  # type: ignore[arg-type]
    assert len(read) == 4


def test_true_boxes_lie_on_the_slices_of_the_sagittal_t2() -> None:
    phantom = sick_phantom()
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
    tables = load_ablation(Path("configs/grading/ablation_real.yaml")).variants
    assert tables["no_spine_context"]["network"] == {**tables["base"]["network"], "layers": 0}
    assert tables["no_biomarkers"]["network"] == {**tables["base"]["network"], "biomarkers": []}
    assert tables["no_biomarkers"]["training"] == tables["base"]["training"]
    grid = load_ablation(Path("configs/grading/ablation_grid.yaml"))
    assert grid.folder != load_ablation().folder
    assert all(table["training"]["members"] == ["all"] for table in grid.variants.values())
