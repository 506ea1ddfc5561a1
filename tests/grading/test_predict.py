"""The grader on drawn spines with a small untrained network: what it gives, refuses and says; not how well."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anatomy import CONDITIONS, Condition, load_protocol
from grading.build import build_network
from grading.calibration import HeadCalibration
from grading.config import CropGeometry, GraderConfig, NetworkConfig
from grading.heads import HeadKind
from grading.model import GradingInputs
from grading.predict import MODIC_NOTICE, Grader
from grading.storage import HeadTuning, StoredGrader, Tuning, read_grader, save_grader
from grading.training.assemble import fit_tuning
from grading.types import Findings, GradeStatus
from imaging.types import Sequence, Spacing
from runtime.errors import WeightsError
from runtime.weights import open_weights
from tests.grading.factories import (
    LEVELS,
    Points,
    canal_measurement,
    chain,
    draw_spine,
    levels_of,
    segmented_of,
    series_of,
    study_of,
)

LUMBAR = load_protocol("lumbar")
CONFIG = GraderConfig(
    CropGeometry(width_px=48, height_px=32),
    NetworkConfig(widths=(4, 8), token_width=16, heads=2, layers=1),
)


def _tuning() -> Tuning:
    heads = {
        head.key: HeadTuning(
            HeadCalibration(1.0, (0.0,) * (len(head.grades) if head.kind is HeadKind.CATEGORICAL else 1)),
            (0.9,) * len(head.grades),
        )
        for head in CONFIG.heads
    }
    return {"t2": heads, "t1": heads, "t2+t1": heads}


@pytest.fixture(scope="module")
def stored() -> StoredGrader:
    torch.manual_seed(0)
    members = tuple(build_network(CONFIG).eval() for _ in range(2))
    return StoredGrader(CONFIG, members, _tuning(), LEVELS)


@pytest.fixture(scope="module")
def grader(stored: StoredGrader) -> Grader:
    return Grader(stored, checksum="made up", device=torch.device("cpu"))


def _t2_only(points: Points) -> tuple:
    return study_of(series_of(draw_spine(points))), segmented_of({"S1": levels_of(points)})


def _t2_and_t1(points: Points) -> tuple:
    t2 = series_of(draw_spine(points))
    t1 = series_of(
        draw_spine(points, disc=0.4, marrow=0.8, canal=0.2),
        series_id="S2",
        sequence=Sequence.T1,
        role="sagittal_t1",
    )
    segmented = segmented_of(
        {"S1": levels_of(points), "S2": levels_of(points, series_id="S2")},
        measurements=tuple(canal_measurement(n, level, 8.0 + n) for n, level in enumerate(LEVELS, 1)),
    )
    return study_of(t2, t1), segmented


def _of(findings: Findings, level: str, condition: Condition):
    return next(grade for grade in findings.grades_at(level) if grade.condition is condition)


def test_every_level_and_condition_is_graded(grader: Grader) -> None:
    findings = grader.grade(*_t2_and_t1(chain()), LUMBAR)
    expected = [
        (level, condition)
        for level in LUMBAR.levels
        for condition in LUMBAR.conditions
        for _ in range(2 if CONDITIONS[condition].is_sided else 1)
    ]
    assert [(grade.level, grade.condition) for grade in findings.grades] == expected
    assert [grade.id for grade in findings.grades] == [f"g{number}" for number in range(1, len(expected) + 1)]
    for grade in findings.grades:
        if CONDITIONS[grade.condition].is_sided:  # this network has no views
            assert grade.status is GradeStatus.NOT_ASSESSABLE
            continue
        assert grade.status is GradeStatus.GRADED
        assert grade.grade in grade.prediction_set
        assert grade.evidence is not None
        if grade.condition is not Condition.SPINAL_CANAL_STENOSIS:
            assert sum(grade.probabilities.values()) == pytest.approx(1.0)
            assert grade.evidence.series_id == "S1"
    assert _of(findings, "T11-T12", Condition.SPINAL_CANAL_STENOSIS).grade == "severe"
    assert _of(findings, "L5-S1", Condition.SPINAL_CANAL_STENOSIS).grade == "normal_mild"
    assert findings.burden.score is not None


def test_the_same_study_gives_the_same_findings(grader: Grader) -> None:
    first = grader.grade(*_t2_and_t1(chain()), LUMBAR)
    assert grader.grade(*_t2_and_t1(chain()), LUMBAR) == first


def test_intensity_scale_and_pixel_size_do_not_matter(grader: Grader) -> None:
    points = chain()
    big = {level: (2 * x, 2 * y) for level, (x, y) in points.items()}
    small_study = study_of(series_of(draw_spine(points, scale=1.0)))
    big_study = study_of(series_of(draw_spine(big, shape=(680, 440), pitch=80.0, scale=3000.0)))
    first = grader.grade(small_study, segmented_of({"S1": levels_of(points)}), LUMBAR)
    second = grader.grade(big_study, segmented_of({"S1": levels_of(big)}), LUMBAR)
    for one, other in zip(first.grades, second.grades, strict=True):
        for step, probability in one.probabilities.items():
            assert other.probabilities[step] == pytest.approx(probability, abs=0.05)


def test_without_t1_modic_is_not_assessable(grader: Grader) -> None:
    points = chain()
    findings = grader.grade(
        study_of(series_of(draw_spine(points))), segmented_of({"S1": levels_of(points)}), LUMBAR
    )
    modic = _of(findings, "L4-L5", Condition.MODIC)
    assert (modic.status, modic.reason) == (
        GradeStatus.NOT_ASSESSABLE,
        "needs a sagittal T1 image of this level",
    )
    assert _of(findings, "L4-L5", Condition.DISC_DEGENERATION).status is GradeStatus.GRADED
    assert "No sagittal T1 images were graded." in findings.notices
    stenosis = _of(findings, "L4-L5", Condition.SPINAL_CANAL_STENOSIS)
    assert stenosis.reason == "mid-sagittal canal AP diameter was not measured at L4-L5"


def test_with_t1_only_pfirrmann_is_not_assessable(grader: Grader) -> None:
    points = chain()
    t1 = series_of(draw_spine(points, canal=0.2), sequence=Sequence.T1, role="sagittal_t1")
    findings = grader.grade(study_of(t1), segmented_of({"S1": levels_of(points)}), LUMBAR)
    assert _of(findings, "L4-L5", Condition.DISC_DEGENERATION).reason == "needs a sagittal T2 image of this level"
    assert _of(findings, "L4-L5", Condition.DISC_NARROWING).status is GradeStatus.GRADED


def test_missing_t1_differs_from_a_black_one(grader: Grader) -> None:
    points = chain()
    study, segmented = _t2_and_t1(points)
    with_t1 = grader.grade(study, segmented, LUMBAR)
    without = grader.grade(study_of(study.series[0]), segmented_of({"S1": levels_of(points)}), LUMBAR)
    differing = [
        one.probabilities != other.probabilities
        for one, other in zip(with_t1.grades, without.grades, strict=True)
        if one.probabilities and other.probabilities
    ]
    assert all(differing)


@pytest.mark.parametrize(("canal", "word"), [(1.0, "T2"), (0.2, "T1")])
def test_unknown_weighting_is_told_by_the_picture(grader: Grader, canal: float, word: str) -> None:
    points = chain()
    series = series_of(draw_spine(points, canal=canal), sequence=Sequence.UNKNOWN)
    findings = grader.grade(study_of(series), segmented_of({"S1": levels_of(points)}), LUMBAR)
    notice = next(text for text in findings.notices if "weighting" in text)
    assert f"it was read as {word}" in notice
    assert findings.sequences == (f"sagittal_{word.lower()}",)
    is_graded = _of(findings, "L4-L5", Condition.DISC_DEGENERATION).status is GradeStatus.GRADED
    assert is_graded == (word == "T2")


def test_undecided_weighting_is_assumed_and_said_so(grader: Grader) -> None:
    points = chain()
    series = series_of(draw_spine(points, canal=0.48), sequence=Sequence.UNKNOWN)
    findings = grader.grade(study_of(series), segmented_of({"S1": levels_of(points)}), LUMBAR)
    assert any("the picture does not tell it; T2 was assumed" in text for text in findings.notices)


def test_a_second_t2_is_said_to_be_left_out(grader: Grader) -> None:
    points = chain()
    first, second = (series_of(draw_spine(points), series_id=name) for name in ("S1", "S2"))
    levels = {name: levels_of(points, series_id=name) for name in ("S1", "S2")}
    findings = grader.grade(study_of(first, second), segmented_of(levels), LUMBAR)
    assert "Series S2, another sagittal T2, was not graded." in findings.notices
    assert findings.sequences == ("sagittal_t2",)


def test_series_without_levels_were_not_read(grader: Grader) -> None:
    points = chain()
    axial = series_of(draw_spine(points), series_id="S9", role="axial_t2")
    findings = grader.grade(
        study_of(series_of(draw_spine(points)), axial), segmented_of({"S1": levels_of(points)}), LUMBAR
    )
    assert findings.sequences == ("sagittal_t2",)


def test_stir_is_not_read_as_t2(grader: Grader) -> None:
    points = chain()
    stir = series_of(draw_spine(points), sequence=Sequence.STIR, role="sagittal_stir")
    findings = grader.grade(study_of(stir), segmented_of({"S1": levels_of(points)}), LUMBAR)
    assert _of(findings, "L4-L5", Condition.DISC_BULGING).reason == "no sagittal T1 or T2 shows this level"


def test_a_level_cut_off_by_the_border(grader: Grader) -> None:
    points = chain(top=(28.0, 40.0))
    image = draw_spine(points)
    findings = grader.grade(study_of(series_of(image)), segmented_of({"S1": levels_of(points)}), LUMBAR)
    assert _of(findings, "L4-L5", Condition.DISC_BULGING).reason == "the level is cut off by the image border"


def test_a_level_outside_training(stored: StoredGrader) -> None:
    grader = Grader(replace(stored, trained_levels=LEVELS[2:]), checksum="", device=torch.device("cpu"))
    points = chain()
    findings = grader.grade(
        study_of(series_of(draw_spine(points))), segmented_of({"S1": levels_of(points)}), LUMBAR
    )
    grade = _of(findings, "T12-L1", Condition.DISC_BULGING)
    assert grade.reason == "the grader was not trained on this level"


def test_rare_modic_types_are_said_to_be_rare(stored: StoredGrader) -> None:
    tuning = _tuning()
    tuning["t2+t1"] = tuning["t2+t1"] | {
        "modic": HeadTuning(HeadCalibration(1.0, (0.0, 0.0, 30.0, 0.0)), (0.9, None, 0.9, None))
    }
    grader = Grader(replace(stored, tuning=tuning), checksum="", device=torch.device("cpu"))
    findings = grader.grade(*_t2_and_t1(chain()), LUMBAR)
    assert _of(findings, "L4-L5", Condition.MODIC).grade == "2"
    assert MODIC_NOTICE in findings.notices


def test_a_condition_without_a_grader(grader: Grader) -> None:
    protocol = replace(LUMBAR, conditions=(*LUMBAR.conditions, Condition.CORD_COMPRESSION))
    findings = grader.grade(*_t2_and_t1(chain()), protocol)
    grade = _of(findings, "L4-L5", Condition.CORD_COMPRESSION)
    assert grade.reason == "no grader for cord compression is installed"


def test_stretched_pixels_give_the_same_grades(grader: Grader) -> None:
    points = chain()
    image = draw_spine(points)
    flat = {level: (x, y / 2) for level, (x, y) in points.items()}
    first = grader.grade(
        study_of(series_of(image, spacing=Spacing(1.0, 1.0))), segmented_of({"S1": levels_of(points)}), LUMBAR
    )
    second = grader.grade(
        study_of(series_of(image[::2], spacing=Spacing(2.0, 1.0))), segmented_of({"S1": levels_of(flat)}), LUMBAR
    )
    for one, other in zip(first.grades, second.grades, strict=True):
        for step, probability in one.probabilities.items():
            assert other.probabilities[step] == pytest.approx(probability, abs=0.06)


def test_through_the_disk(stored: StoredGrader, grader: Grader, tmp_path: Path) -> None:
    save_grader(stored, tmp_path / "grading")
    loaded = Grader.load(weights_root=tmp_path, device="cpu")
    assert len(loaded.checksum) == 64
    first = grader.grade(*_t2_and_t1(chain()), LUMBAR)
    second = loaded.grade(*_t2_and_t1(chain()), LUMBAR)
    for one, other in zip(first.grades, second.grades, strict=True):
        assert one.grade == other.grade
        for step, probability in one.probabilities.items():
            assert other.probabilities[step] == pytest.approx(probability, abs=5e-3)  # half precision


def test_members_with_fewer_heads_speak_for_those_only(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = replace(CONFIG, network=replace(CONFIG.network, views=("recess_t2",)))
    midline = [head.key for head in config.heads if not head.views]
    members = build_network(config).eval(), build_network(config, midline).eval()
    assert list(members[1].heads) == midline
    assert len(members[1].view_encoders) == 0
    heads = {
        head.key: HeadTuning(HeadCalibration(1.0, (0.0,)), (0.9,) * len(head.grades)) for head in config.heads
    }
    save_grader(
        StoredGrader(config, members, dict.fromkeys(("t2", "t1", "t2+t1"), heads), LEVELS), tmp_path / "grading"
    )
    grader = Grader.load(weights_root=tmp_path, device="cpu")
    assert [list(member.heads) for member in grader.members] == [[head.key for head in config.heads], midline]
    study, segmented = _t2_and_t1(chain())
    with torch.inference_mode():
        outputs = [member(grader.network_inputs(study, segmented)) for member in grader.members]
    level = LEVELS.index("L4-L5")
    bulging = torch.stack([output["disc_bulging"][0, level, 0] for output in outputs]).mean().sigmoid()
    found = grader.grade(study, segmented, LUMBAR)
    assert _of(found, "L4-L5", Condition.DISC_BULGING).probabilities["present"] == pytest.approx(
        float(bulging), abs=1e-5
    )
    canal = torch.sigmoid(outputs[0]["spinal_canal_stenosis"][0, level])
    learned = [grade for grade in found.grades_at("L4-L5") if grade.scale == "rsna" and grade.probabilities]
    assert learned[0].probabilities["severe"] == pytest.approx(float(canal[-1]), abs=1e-5)


def test_wrong_weights_are_refused(stored: StoredGrader, tmp_path: Path) -> None:
    save_grader(stored, tmp_path / "grading")
    config = tmp_path / "grading" / "config.json"
    with pytest.raises(WeightsError, match="expected"):
        Grader.load(weights_root=tmp_path / "nowhere")
    shutil.copytree(tmp_path / "grading", tmp_path / "other")
    folder = replace(open_weights("other", tmp_path), config={"format": "something/2"})
    with pytest.raises(WeightsError, match=r"expected format spinescribe.grader/4, got 'something/2'"):
        read_grader(folder)
    found = open_weights("other", tmp_path)
    with pytest.raises(WeightsError, match=r"expected heads .*, got \{'unheard_of'"):
        read_grader(replace(found, config={**found.config, "heads": {"unheard_of": ["a", "b"]}}))
    config.write_text(config.read_text() + " ")
    with pytest.raises(WeightsError, match="SHA-256"):
        Grader.load(weights_root=tmp_path)


def _inputs(crops: torch.Tensor, present: torch.Tensor) -> GradingInputs:
    """Return the inputs of a network without biomarkers or views."""
    batch, levels = present.shape[:2]
    no_views = torch.zeros(batch, levels, 2, 0, dtype=torch.bool)
    return GradingInputs(crops, present, torch.zeros(batch, levels, 0), (), no_views)


def test_grades_come_from_the_mean_logits_of_the_members(stored: StoredGrader, grader: Grader) -> None:
    study, segmented = _t2_and_t1(chain())
    inputs = grader.network_inputs(study, segmented)
    with torch.inference_mode():
        logits = [member(inputs)["disc_bulging"][0, LEVELS.index("L4-L5"), 0] for member in stored.members]
    assert not torch.isclose(*logits)
    grade = _of(grader.grade(study, segmented, LUMBAR), "L4-L5", Condition.DISC_BULGING)
    assert grade.probabilities["present"] == pytest.approx(float(torch.stack(logits).mean().sigmoid()), abs=1e-6)


def test_batch_equals_one_by_one(stored: StoredGrader) -> None:
    network = stored.members[0]
    generator = torch.Generator().manual_seed(0)
    crops = torch.randn(3, 7, 2, 32, 48, generator=generator)
    present = torch.rand(3, 7, 2, generator=generator) > 0.3
    present[:, 0] = True
    with torch.inference_mode():
        together = network(_inputs(crops, present))
        for row in range(3):
            alone = network(_inputs(crops[row : row + 1], present[row : row + 1]))
            for name, logits in alone.items():
                seen = present[row].any(dim=-1)
                torch.testing.assert_close(logits[0][seen], together[name][row][seen], atol=1e-5, rtol=1e-5)


def test_absent_crops_are_not_looked_at(stored: StoredGrader) -> None:
    network = stored.members[0]
    crops = torch.randn(1, 7, 2, 32, 48, generator=torch.Generator().manual_seed(1))
    present = torch.ones(1, 7, 2, dtype=torch.bool)
    present[:, :, 1] = False
    with torch.inference_mode():
        first = network(_inputs(crops, present))
        crops[:, :, 1] = np.nan
        second = network(_inputs(crops, present))
    for name, logits in first.items():
        torch.testing.assert_close(logits, second[name])


def test_tuning_leaves_out_sequences_nobody_has() -> None:
    assert fit_tuning({}, CONFIG) == {}


def test_a_patient_without_crops_does_not_spoil_the_batch(stored: StoredGrader) -> None:
    network = stored.members[0]
    present = torch.ones(2, 7, 2, dtype=torch.bool)
    present[1] = False
    crops = torch.randn(2, 7, 2, 32, 48, generator=torch.Generator().manual_seed(2))
    for logits in network(_inputs(crops, present)).values():
        assert logits.isfinite().all()
