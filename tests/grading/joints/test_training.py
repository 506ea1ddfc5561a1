"""Training of the sacroiliac grader in small: cases on disk, batches, one short run, resume, calibration."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grading.calibration import fit_calibration
from grading.heads import HeadKind
from grading.joints.build import build_joint_network
from grading.joints.config import JointCropGeometry, JointGraderConfig, JointNetworkConfig
from grading.joints.model import SLICE_ITEMS
from grading.joints.training.batches import LocatedCase, augmented, plain_batch
from grading.joints.training.cohorts import FIRST_FROZEN_SEED, Cohort, load_cohorts, setup_of
from grading.joints.training.config import JointRunConfig, JointTrainingConfig, load_joint_run_config
from grading.joints.training.losses import Targets, joint_loss, stage_weights
from grading.joints.training.phantoms import JointCase, read_part, write_part
from grading.joints.training.run import load_joints_held_out, save_joints_held_out, score_joints, split_folds
from grading.joints.training.run import train_joints_fold as train_fold
from grading.joints.training.tuning import natural_weights, tune_joints
from imaging.phantom.setup import load_setup
from runtime.errors import ConfigError
from runtime.paths import configs_dir
from tests.grading.joints.pelves import SHAPE, affine_of, draw_labels, draw_stir

AFFINE = affine_of()
CONFIG = JointRunConfig(
    JointGraderConfig(
        JointCropGeometry(pixel_mm=3.2, rows=14, columns=26, reach_mm=13.0, slices=8),
        JointNetworkConfig(widths=(4, 8), token_width=8, heads=1, layers=1, dropout=0.0),
    ),
    JointTrainingConfig(epochs=3, batch_patients=4, learning_rate=0.01, holdout_share=0.2),
)


def made_case(seed: int, *, cohort: str = "usual") -> LocatedCase:
    """Return a patient with oedema of the left ilium on every slice, or nothing, by the seed's parity."""
    is_sick = seed % 2 == 1
    items = np.zeros((2, SHAPE[2], len(SLICE_ITEMS)), dtype=bool)
    items[:, 2:7, 7] = True
    items[0, :, 0] = is_sick
    image = draw_stir(AFFINE, oedema_at_x=-1.0 if is_sick else None).astype(np.float16)
    return LocatedCase(
        JointCase(
            seed=seed,
            cohort=cohort,
            affine=AFFINE,
            stir=image,
            t1=image,
            labels=draw_labels(AFFINE),
            items=items,
            structural=np.zeros((2, 5), dtype=bool),
            stages=np.array([int(is_sick), 0]),
            status=int(is_sick),
        )
    )


CASES = [made_case(seed) for seed in range(1, 13)]


def test_cases_come_back_from_disk(tmp_path: Path) -> None:
    file = tmp_path / "part.npz"
    write_part([case.case for case in CASES[:2]], file)
    for first, second in zip(CASES, read_part(file), strict=False):
        assert (second.seed, second.cohort, second.status) == (first.case.seed, "usual", first.case.status)
        np.testing.assert_array_equal(second.stir, first.case.stir)
        np.testing.assert_array_equal(second.items, first.case.items)
    assert not list(tmp_path.glob("*.part"))


def test_the_truth_of_a_slice_stays_with_its_slice() -> None:
    batch = plain_batch(CASES[:2], CONFIG.grader.crops)
    sick, there = batch.joints[0], batch.joints[0].present
    assert there.any(axis=1).all()
    assert batch.items[0, 0, there[0], 0].all()
    assert not batch.items[0, 1, :, 0].any()
    crosses = batch.items[0, 0, :, 7]
    assert crosses[there[0]].tolist() == np.isin(sick.slices[0, there[0]], range(2, 7)).tolist()
    assert batch.lesions[0, :, 0].tolist() == [True, False]
    assert batch.stages.tolist() == [[1, 0], [0, 0]]


def test_augmentation_is_seeded_and_keeps_the_shape() -> None:
    first, second = (
        augmented(CASES[0], CONFIG.grader.crops, CONFIG.training, np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.crops, second.crops)
    plain = plain_batch(CASES[:1], CONFIG.grader.crops).joints[0]
    assert first.crops.shape == plain.crops.shape
    assert not np.array_equal(first.crops, plain.crops)
    without = JointTrainingConfig(t1_dropout=0.999)
    assert not augmented(CASES[0], CONFIG.grader.crops, without, np.random.default_rng(0)).has_t1.any()


def test_a_short_run_learns_is_chosen_by_unseen_patients_and_resumes_exactly(tmp_path: Path) -> None:
    whole = train_fold(CONFIG, CASES, tmp_path / "whole", resume=False)
    with (tmp_path / "whole" / "history.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    train_fold(CONFIG, CASES, tmp_path / "again", resume=False)
    state = torch.load(tmp_path / "again" / "checkpoint.pt", weights_only=False)
    assert state["identity"]["patients"] == list(range(1, 13))
    resumed = train_fold(CONFIG, CASES, tmp_path / "whole", resume=True)
    for first, second in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(first, second)
    other = replace(CONFIG, training=replace(CONFIG.training, seed=1))
    with pytest.raises(ConfigError, match="expected a checkpoint of this configuration"):
        train_fold(other, CASES, tmp_path / "whole", resume=True)


def test_held_out_scores_calibrate_and_come_back_from_disk(tmp_path: Path) -> None:
    learners, unseen = split_folds(CASES, 0)
    assert {case.case.seed % 5 for case in unseen} == {0}
    assert len(learners) + len(unseen) == len(CASES)
    network = train_fold(
        replace(CONFIG, training=replace(CONFIG.training, epochs=1)), learners, tmp_path, resume=False
    )
    scored = score_joints(network, CASES, CONFIG)
    save_joints_held_out(scored, tmp_path / "held_out.npz")
    back = load_joints_held_out(tmp_path / "held_out.npz")
    np.testing.assert_array_equal(back["stir"].stage_logits, scored["stir"].stage_logits)
    assert not np.allclose(back["stir"].stage_logits, back["stir+t1"].stage_logits)
    tuning = tune_joints(back, CASES, alpha=0.1)
    assert set(tuning) == {"stir+t1", "stir"}
    assert len(tuning["stir"]["as_stage"].calibration.shifts) == 4
    assert tuning["stir"]["as_stage"].thresholds[3] is None  # nobody had ankylosis


def test_rare_stages_weigh_more_and_unfound_joints_nothing() -> None:
    weights = stage_weights(CASES)
    assert weights[1] > weights[0]
    batch = plain_batch(CASES[:4], CONFIG.grader.crops)
    lost = replace(batch, stages=np.full_like(batch.stages, -1))
    lost.stages[0, 0] = 1
    network = build_joint_network(CONFIG.grader.network).eval()
    outputs = network(batch.inputs())
    assert torch.isfinite(joint_loss(outputs, Targets.of(lost), weights))


def test_calibration_counts_steps_as_often_as_they_come() -> None:
    steps = np.array([0] * 50 + [1] * 50)
    weights = natural_weights(steps, np.array([0] * 95 + [1] * 5), 2)
    assert weights.mean() == pytest.approx(1.0)
    assert weights[:50].sum() / weights.sum() == pytest.approx(0.95, abs=0.01)
    logits = np.zeros((100, 1))
    plain = fit_calibration(logits, steps, HeadKind.BINARY)
    counted = fit_calibration(logits, steps, HeadKind.BINARY, weights=weights)
    assert plain.shifts[0] == pytest.approx(0.0, abs=0.05)
    assert counted.shifts[0] < -2.0


def test_cohorts_stay_clear_of_the_frozen_sets_and_of_each_other() -> None:
    seeds: set[int] = set()
    for cohort in load_cohorts().cohorts:
        own = set(range(cohort.first_seed, cohort.first_seed + cohort.count))
        assert max(own) < FIRST_FROZEN_SEED
        assert not own & seeds
        seeds |= own
    with pytest.raises(ConfigError, match="frozen test sets"):
        Cohort(name="greedy", first_seed=FIRST_FROZEN_SEED - 5, count=10)


def test_a_varied_patient_keeps_its_sequences_and_is_drawn_by_its_seed() -> None:
    cohort = next(item for item in load_cohorts().cohorts if item.is_varied)
    first, again, other = (setup_of(cohort, seed) for seed in (310_001, 310_001, 310_002))
    assert first == again
    assert first != other
    assert [row.sequence for row in first.series] == ["t1", "stir"]
    assert len({(row.pixel, row.spacing, row.rows) for row in first.series}) == 1
    usual = setup_of(load_cohorts().cohorts[0], 300_001)
    frozen = load_setup("setup_sacroiliac").series
    for row, reference in zip(usual.series, frozen, strict=True):
        assert replace(row, rows=reference.rows, cols=reference.cols) == reference


def test_the_shipped_training_file_loads_and_others_are_refused(tmp_path: Path) -> None:
    config = load_joint_run_config(configs_dir() / "grading" / "train_sacroiliac.yaml")
    assert config.grader.crops.rows == 56
    file = tmp_path / "other.yaml"
    file.write_text("region: lumbar\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected 'sacroiliac', got 'lumbar'"):
        load_joint_run_config(file)
    file.write_text("region: sacroiliac\ntraining: {epoch: 3}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="unknown keys epoch"):
        load_joint_run_config(file)
