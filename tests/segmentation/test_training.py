"""Training: views and contrast, kinds of slices, resume, and that a batch can be learnt at all."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from runtime.errors import ConfigError
from runtime.folds import spider_folds
from segmentation.build import build_network
from segmentation.config import NetworkConfig
from segmentation.pid_tversky import ErrorKind
from segmentation.preprocess import to_network_range
from segmentation.training.augment import Sample, ViewMaker
from segmentation.training.config import PidConfig, PseudoConfig, RunConfig, TrainingConfig, load_run_config
from segmentation.training.data import DRAWN, NOTHING, UNKNOWN, load_slices, points_from_labels
from segmentation.training.loop import Trainer, rate_at, store_model, train
from segmentation.training.losses import Objective
from segmentation.training.pseudo import confident_labels, make_pseudo_labels, with_pseudo_labels
from tests.segmentation.schematic import schematic_slice, schematic_slices, spine_labels

NETWORK = NetworkConfig(
    widths=(8, 8, 8, 16, 16), token_dim=32, heads=4, text_width=32, text_layers=1, mask_dim=8, long_side_px=128
)
TRAINING = TrainingConfig(
    steps=6,
    batch=2,
    crop_px=(64, 64),
    epoch_steps=2,
    checkpoint_steps=3,
    mix={"space": 0.6, "t2": 0.4},
    pseudo=PseudoConfig(at_steps=(4,), confidence=0.5),
)
CONFIGS = Path(__file__).parents[2] / "configs" / "segmentation"


SLICES = schematic_slices()


def trainer(folder: Path) -> Trainer:
    return Trainer(RunConfig(NETWORK, TRAINING), SLICES, folder)


def test_points_from_labels_count_from_the_lowest_disc() -> None:
    points = points_from_labels(spine_labels())
    assert points.shape == (11, 2)
    assert bool(np.isnan(points[5:]).all())  # no cervical level
    points = points[:5]
    assert points[:, 1] == pytest.approx([34.5, 52.5, 70.5, 88.5, 106.5], abs=1.5)
    assert points[:, 0] == pytest.approx([54.5] * 5, abs=1.5)


@pytest.mark.parametrize("fault", ["no canal", "disc missing", "four discs"])
def test_points_are_unknown_when_not_certain(fault: str) -> None:
    labels = spine_labels()
    if fault == "no canal":
        labels[labels == 3] = 0
    elif fault == "disc missing":
        labels[68:74][labels[68:74] == 1] = 2
    else:
        labels[:40][labels[:40] == 1] = 2
    assert bool(np.isnan(points_from_labels(labels)).all())


def test_confident_labels_by_hand() -> None:
    probability = torch.tensor([[[0.95, 0.05, 0.6]], [[0.01, 0.05, 0.5]], [[0.02, 0.05, 0.1]]])
    assert confident_labels(probability, 0.9).tolist() == [[1, 0, UNKNOWN]]


def test_pseudo_labels_reach_t2_and_the_t1_of_equal_grid(tmp_path: Path) -> None:
    other_grid = replace(schematic_slice("t1", 3), image=np.zeros((64, 64), np.uint8))
    run = trainer(tmp_path)
    network, embeddings = run.averaged()
    make_pseudo_labels(network, embeddings, SLICES, NETWORK, TRAINING.pseudo, tmp_path)
    space, _, t2, t1, odd = with_pseudo_labels([*SLICES, other_grid], tmp_path, 0.5)
    assert space is SLICES[0]
    assert t2.known == t1.known == DRAWN
    assert t2.weight == t1.weight == 0.5
    assert np.array_equal(t2.labels, t1.labels)
    assert odd.known == NOTHING


def test_one_batch_can_be_learnt(tmp_path: Path) -> None:
    run = Trainer(RunConfig(replace(NETWORK, widths=(16, 16, 16, 32, 32)), TRAINING), SLICES, tmp_path)
    optimizer = torch.optim.AdamW(run.model.parameters(), lr=3e-3)
    views = ViewMaker(NETWORK, (64, 64))
    batch = views.make_batch([Sample(item) for item in SLICES[:2]], TRAINING.view, np.random.default_rng(0))
    losses = []
    for _ in range(150):
        output = run.modules.network(to_network_range(batch.images), run.modules.prompts())
        loss, terms = run.modules.objective.measure(output, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(terms["tversky"])
    predicted = output.mask_logits.sigmoid() > 0.5
    dice = 2 * (predicted * batch.masks).sum() / (predicted.sum() + batch.masks.sum())
    assert losses[0] > 0.5
    assert losses[-1] < 0.15
    assert float(dice) > 0.85


def test_resumed_run_ends_with_the_weights_of_an_unbroken_one(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    whole.run(6)
    broken = trainer(tmp_path / "broken")
    broken.run(5)  # past the start of self-training
    again = trainer(tmp_path / "broken")
    assert again.restore()
    assert again.step == 5
    again.run(6)
    assert whole.average.values.keys() == again.average.values.keys()
    for name, value in whole.average.values.items():
        assert torch.equal(value, again.average.values[name]), name
    assert torch.equal(whole.modules.objective.tversky.beta, again.modules.objective.tversky.beta)


def test_log_keeps_the_course_of_beta(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.run(6)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].split(",")[-1] == "beta_spinal_canal"
    assert [line.split(",")[0] for line in lines[1:]] == ["2", "4", "6"]


def test_rate_rises_and_falls_in_each_cycle() -> None:
    training = replace(TRAINING, steps=200, cycles=2, learning_rate=1.0)
    rates = [rate_at(step, training) for step in range(200)]
    assert int(np.argmax(rates)) == 4
    assert rates[4] == pytest.approx(1.0)
    assert max(rates[100:]) == pytest.approx(0.7)
    assert rates[99] < 0.02
    assert rates[199] < 0.02


def test_nothing_to_restore(tmp_path: Path) -> None:
    assert not trainer(tmp_path).restore()


def test_stored_model_is_sealed_and_says_what_was_held_out(tmp_path: Path) -> None:
    from runtime.weights import open_weights

    run = trainer(tmp_path / "model.work")
    run.run(2)
    store_model(run, tmp_path / "model", 3)
    folder = open_weights("model", tmp_path)
    assert folder.config["training"]["held_out_fold"] == 3
    assert folder.config["training"]["steps_taken"] == 2
    assert folder.config["network"]["heads"] == 4


@pytest.mark.parametrize(
    "name",
    [
        "pretrain",
        "train_default",
        "train_regions",
        "ablation/pretrain_unet",
        "ablation/train_unet",
    ],
)
def test_training_files_load(name: str) -> None:
    run = load_run_config(CONFIGS / f"{name}.yaml")
    assert (run.network.architecture == "unet") == name.endswith("unet")
    assert sum(part.numel() for part in build_network(run.network).parameters()) > 1_000_000
    assert run.training.steps > 100


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training: {step: 3}", "unknown keys"),
        ("training: {crop_px: [100, 100]}", "multiples of 16"),
        ("training: {mix: {axial: 1.0}}", "mix: expected"),
        ("training: {loss: {level: 1.0}}", "loss: expected"),
        ("training: {steps: 0}", "at least 1"),
        ("training: {steps: 7, cycles: 2}", "whole cycles"),
        ("training: {pid: {gain: 1}}", "training.pid: unknown keys"),
        ("[1, 2]", "expected the keys network and training"),
    ],
)
def test_bad_training_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_run_config(file)


def test_missing_training_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found nothing"):
        load_run_config(tmp_path / "none.yaml")


def test_no_such_fold() -> None:
    with pytest.raises(ConfigError, match="fold: expected 0 to 4"):
        train(CONFIGS / "train_default.yaml", fold=5)


def test_each_cycle_steers_its_own_error_from_rest() -> None:
    objective = Objective(3, PidConfig(), TRAINING.loss)
    objective.begin_cycle(0, is_new=True)
    assert objective.tversky.error is ErrorKind.RECALL_SET_POINT
    objective.tversky.beta.fill_(0.7)
    objective.begin_cycle(1, is_new=True)
    assert objective.tversky.error is ErrorKind.PRECISION_RECALL_GAP
    assert objective.tversky.beta.tolist() == [0.5, 0.5, 0.5]


def test_unknown_error_of_the_controller_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("training: {pid: {errors: [speed]}}")
    with pytest.raises(ConfigError, match=r"pid\.errors: expected"):
        load_run_config(file)


@pytest.mark.data
def test_real_slices(data_dir: Path, tmp_path: Path) -> None:
    slices = load_slices(data_dir, tmp_path, 64)  # small: decoding is what is tested
    again = load_slices(data_dir, tmp_path, 64)
    kinds = {kind: [item for item in slices if item.kind == kind] for kind in ("space", "t2", "t1", "vertebrae")}
    assert {kind: len(items) for kind, items in kinds.items()} == {
        "space": 320,
        "t2": 172,
        "t1": 106,
        "vertebrae": 25,
    }
    assert all(max(item.image.shape) == 64 and item.image.shape == item.labels.shape for item in slices)
    assert all(item.has_points for item in (*kinds["t2"], *kinds["t1"]))
    assert {item.patient for item in slices} <= set(spider_folds())
    assert all(np.array_equal(one.image, other.image) for one, other in zip(slices, again, strict=True))
