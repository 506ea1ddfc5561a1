"""The sacroiliac grader on drawn pelves with an untrained network: what it gives and refuses; not how well."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from anatomy import SIJ, Condition, Side, load_protocol
from grading.calibration import HeadCalibration
from grading.joints.build import build_joint_network
from grading.joints.config import JointCropGeometry, JointGraderConfig, JointNetworkConfig
from grading.joints.frames import SIDES
from grading.joints.grades import RULE, SPARCC, STAGE, STATUS, pelvis_grades, pelvis_notices
from grading.joints.inputs import NO_STIR, gather_joints
from grading.joints.predict import JointGrader
from grading.joints.reading import PelvisReading
from grading.joints.storage import StoredJointGrader, save_joint_grader
from grading.load import load_grader
from grading.storage import HeadTuning
from grading.types import Findings, GradeStatus
from imaging.types import Sequence, Study
from reporting import compose_report, verify_draft
from runtime.errors import WeightsError
from segmentation.types import SegmentedStudy
from tests.grading.joints.pelves import affine_of, draw_labels, draw_stir, segmented_of, series_of, study_of

AFFINE = affine_of()
PROTOCOL = load_protocol("sacroiliac")
CONFIG = JointGraderConfig(
    JointCropGeometry(pixel_mm=1.6, rows=28, columns=52, reach_mm=13.0, slices=8),
    JointNetworkConfig(widths=(4, 8, 8), token_width=16, heads=2, layers=1),
)
THRESHOLDS = {STATUS: (0.6, 0.6), STAGE: (0.7, 0.7, 0.7, None)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    tuning = {
        at_hand: {
            STATUS: HeadTuning(HeadCalibration(1.0, (0.0,)), THRESHOLDS[STATUS]),
            STAGE: HeadTuning(HeadCalibration(1.0, (0.0,) * 4), THRESHOLDS[STAGE]),
        }
        for at_hand in ("stir+t1", "stir")
    }
    root = tmp_path_factory.mktemp("weights")
    stored = StoredJointGrader(CONFIG, build_joint_network(CONFIG.network).eval(), tuning)
    save_joint_grader(stored, root / "grading-sacroiliac", made_by={"phantoms": "none"})
    return root


@pytest.fixture(scope="module")
def grader(folder: Path) -> JointGrader:
    return JointGrader.load(weights_root=folder, device="cpu")


def pelvis(*, with_t1: bool = True, oedema_at_x: float | None = -1.0) -> tuple[Study, SegmentedStudy]:
    stir = series_of(draw_stir(AFFINE, oedema_at_x=oedema_at_x), AFFINE, series_id="S1", sequence=Sequence.STIR)
    t1 = series_of(draw_stir(AFFINE), AFFINE, series_id="S2", sequence=Sequence.T1)
    study = study_of(stir, t1) if with_t1 else study_of(stir)
    return study, segmented_of(study, {series.id: draw_labels(AFFINE) for series in study.series})


def without_right(segmented: SegmentedStudy) -> SegmentedStudy:
    maps = [
        replace(item, array=np.where(np.isin(item.array, (52, 54)), 0, item.array))
        for item in segmented.label_maps
    ]
    return replace(segmented, label_maps=tuple(maps))


def by_scale(findings: Findings, scale: str, side: Side | None = None) -> GradeStatus:
    return next(item.status for item in findings.grades if item.scale == scale and item.side is side)


def test_patient_and_both_joints_are_graded_with_sets_and_evidence(grader: JointGrader) -> None:
    study, segmented = pelvis()
    findings = grader.grade(study, segmented, PROTOCOL)
    places = {(item.scale, item.level, item.side) for item in findings.grades}
    assert places == {(STATUS, None, None), (RULE, None, None), (STAGE, SIJ, Side.LEFT), (STAGE, SIJ, Side.RIGHT)}
    for grade in findings.grades:
        assert grade.status is GradeStatus.GRADED
        assert grade.condition is Condition.SACROILIITIS
        assert grade.grade in grade.prediction_set
        assert grade.scale == RULE or sum(grade.probabilities.values()) == pytest.approx(1.0)
        evidence = grade.evidence
        assert evidence is not None
        assert (evidence.series_id, evidence.slice_index in range(9)) == ("S1", True)
        x0, y0, x1, y1 = evidence.box_px
        assert 0 <= x0 < x1 < 112
        assert 0 <= y0 < y1 < 72
        if grade.side is not None:  # the patient's left lies on the right of the picture
            assert ((x0 + x1) / 2 > 56) == (grade.side is Side.LEFT)
    (check,) = (item for item in findings.grades if item.is_check)
    assert check.reason is not None
    assert "asas_2009_two_slices/1" in check.reason
    assert not check.probabilities
    assert any("synthetic images only" in notice for notice in findings.notices)


def test_the_sparcc_score_is_a_measurement_that_the_status_rests_on(grader: JointGrader) -> None:
    study, segmented = pelvis()
    findings = grader.grade(study, segmented, PROTOCOL)
    (score,) = (item for item in findings.measurements if item.name == SPARCC)
    assert score.value is not None
    assert 0 <= score.value <= 72
    assert "sparcc_sij_learned/1" in score.method
    status = next(item for item in findings.grades if item.scale == STATUS)
    assert status.measurement_ids == (score.id,)
    json.dumps([item.to_dict() for item in (*findings.grades, *findings.measurements)])


def test_without_a_fat_suppressed_series_nothing_is_graded(grader: JointGrader) -> None:
    study, segmented = pelvis()
    alone = replace(study, series=study.series[1:])
    findings = grader.grade(alone, segmented, PROTOCOL)
    assert {item.status for item in findings.grades} == {GradeStatus.NOT_ASSESSABLE}
    assert {item.reason for item in findings.grades} == {NO_STIR}
    assert not [item for item in findings.measurements if item.name == SPARCC]


def test_a_joint_that_was_not_outlined_leaves_the_other_graded(grader: JointGrader) -> None:
    study, segmented = pelvis()
    findings = grader.grade(study, without_right(segmented), PROTOCOL)
    assert by_scale(findings, STAGE, Side.LEFT) is GradeStatus.GRADED
    right = next(item for item in findings.grades if item.side is Side.RIGHT)
    assert right.status is GradeStatus.NOT_ASSESSABLE
    assert right.reason == "the right joint was not outlined: sacrum and ilium were not seen beside each other"
    (score,) = (item for item in findings.measurements if item.name == SPARCC)
    assert (score.value, score.reason) == (None, "the score needs both joints")


def test_one_joint_alone_tells_a_positive_patient_only(grader: JointGrader) -> None:
    study, segmented = pelvis()
    gathered = gather_joints(study, without_right(segmented), CONFIG.crops)
    reading = grader.read(gathered)
    assert reading is not None
    for positive, status in ((0.9, GradeStatus.GRADED), (0.1, GradeStatus.NOT_ASSESSABLE)):
        told = replace(reading, status=np.array([1 - positive, positive]))
        grade = next(item for item in pelvis_grades(told, gathered, THRESHOLDS, None) if item.scale == STATUS)
        assert grade.status is status
        assert grade.status is GradeStatus.GRADED or "only the left joint" in (grade.reason or "")


def test_rule_and_network_that_disagree_are_told(grader: JointGrader) -> None:
    study, segmented = pelvis()
    gathered = gather_joints(study, segmented, CONFIG.crops)
    reading = grader.read(gathered)
    assert reading is not None

    def notices(learned: float, by_rule: bool) -> list[str]:
        rule = replace(reading.rule, positive=dict.fromkeys(SIDES, by_rule))
        told: PelvisReading = replace(reading, status=np.array([1 - learned, learned]), rule=rule)
        return pelvis_notices(pelvis_grades(told, gathered, THRESHOLDS, None))

    said = [text for text in notices(0.1, True) if "ASAS" in text]
    assert len(said) == 1
    assert "is negative" in said[0]
    assert "says positive" in said[0]
    assert not [text for text in notices(0.9, True) if "ASAS" in text]


def test_t1_is_optional_and_its_absence_is_told(grader: JointGrader) -> None:
    study, segmented = pelvis(with_t1=False)
    findings = grader.grade(study, segmented, PROTOCOL)
    assert by_scale(findings, STATUS) is GradeStatus.GRADED
    assert any("No coronal T1" in notice for notice in findings.notices)


def test_a_mirrored_patient_gets_mirrored_grades(grader: JointGrader) -> None:
    study, segmented = pelvis()
    mirrored, outlined = pelvis(oedema_at_x=1.0)
    first, second = grader.grade(study, segmented, PROTOCOL), grader.grade(mirrored, outlined, PROTOCOL)
    for side, other in (SIDES, SIDES[::-1]):
        here, there = (
            next(item.probabilities for item in findings.grades if item.side is which)
            for findings, which in ((first, side), (second, other))
        )
        assert list(here.values()) == pytest.approx(list(there.values()), abs=0.02)


def test_the_report_of_a_graded_pelvis_needs_no_repair(grader: JointGrader) -> None:
    study, segmented = pelvis()
    for outlined in (segmented, without_right(segmented)):
        findings = grader.grade(study, outlined, PROTOCOL)
        report = verify_draft(compose_report(findings), findings)
        assert {line.status.value for part in report.sections for line in part.sentences} == {"supported"}


def test_weights_are_opened_by_what_they_hold(folder: Path, tmp_path: Path) -> None:
    assert isinstance(load_grader(name="grading-sacroiliac", weights_root=folder, device="cpu"), JointGrader)
    copy = tmp_path / "grading-sacroiliac"
    shutil.copytree(folder / "grading-sacroiliac", copy)
    (copy / "config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(WeightsError, match=r"config\.json has SHA-256"):
        load_grader(name="grading-sacroiliac", weights_root=tmp_path)


def test_half_precision_weights_come_back(folder: Path, grader: JointGrader) -> None:
    torch.manual_seed(0)
    fresh = build_joint_network(CONFIG.network).state_dict()
    for name, value in grader.network.state_dict().items():
        torch.testing.assert_close(value, fresh[name], atol=2e-3, rtol=2e-3)
