"""Training on made-up SPIDER-like data: it learns an easy finding, resumes, and refuses bad configurations."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from grading import train
from grading.predict import Grader
from grading.training.batches import plain_batch
from grading.training.config import load_run_config
from grading.training.held_out import load_held_out
from grading.training.losses import step_weights
from grading.training.run import FoldRun
from grading.training.spider import merge_points, read_cases, read_labels, read_reference_points
from grading.training.train import load_members
from runtime.errors import ConfigError
from runtime.folds import spider_folds
from tests.grading.factories import chain, draw_spine

CONFIG = """
crops: {width_px: 48, height_px: 32}
network: {widths: [4, 8], token_width: 16, heads: 2, layers: 1, dropout: 0.0}
training: {epochs: %d, batch_patients: 4, learning_rate: 0.01, holdout_share: 0.0, average_decay: 0.5, seed: 3}
"""
LEVELS = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"]
GRADINGS = (
    "Patient,IVD label,Modic,UP endplate,LOW endplate,Spondylolisthesis,Disc herniation,Disc narrowing,"
    "Disc bulging,Pfirrman grade\n"
)


@pytest.fixture(scope="module")
def spider(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write eight patients of each of two folds; bright discs are grade I, dark ones grade V."""
    root = tmp_path_factory.mktemp("data")
    (root / "spider" / "midsagittal").mkdir(parents=True)
    rng = np.random.default_rng(0)
    points = {level: point for level, point in chain().items() if level in LEVELS}
    rows, chains, gradings = [], [], GRADINGS
    by_fold = {fold: [p for p, f in sorted(spider_folds().items()) if f == fold][:4] for fold in range(5)}
    for patient in [p for patients in by_fold.values() for p in patients]:
        is_dark = bool(rng.integers(2))
        for sequence in ("t2", "t1"):
            canal = 1.0 if sequence == "t2" else 0.2
            image = draw_spine(points, disc=0.1 if is_dark else 0.9, canal=canal, scale=200.0)
            file = f"{patient}_{sequence}.png"
            Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(root / "spider" / "midsagittal" / file)
            rows.append([file, patient, sequence, 340, 220, 0.8, 0.8 if sequence == "t2" else 0.9 - 0.1 * is_dark])
        for number, level in enumerate(reversed(LEVELS), 1):
            gradings += f"{patient},{number},{2 * is_dark},0,0,0,0,{int(is_dark)},0,{5 if is_dark else 1}\n"
            x, y = points[level]
            chains.append([f"{patient}_t2.png", patient, level, (x + 0.5) / 220, (y + 0.5) / 340])
    (root / "spider" / "gradings.csv").write_text(gradings)
    _write(root / "spider" / "disc_points.csv", ["file", "patient", "level", "relative_x", "relative_y"], chains)
    header = ["file", "patient", "sequence", "rows", "cols", "row_spacing_mm", "col_spacing_mm"]
    _write(root / "spider" / "midsagittal.csv", header, rows)
    return root


def _write(file: Path, header: list[str], rows: list[list[object]]) -> None:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def _config(folder: Path, epochs: int, *, members: str = "all") -> Path:
    file = folder / "train.yaml"
    file.write_text((CONFIG % epochs).replace("epochs:", f"members: [{members}], epochs:"))
    return file


def test_points_labels_and_shared_t1_grids(spider: Path, tmp_path: Path) -> None:
    config = load_run_config(_config(tmp_path, 1)).grader
    points = read_reference_points(spider)
    labels = read_labels(spider, config)
    dark = [patient for patient, steps in labels.items() if steps[6, 0] == 4]
    assert 0 < len(dark) < 20
    assert f"{dark[0]}_t1.png" in points  # same spacing: the T2 points hold
    bright = next(patient for patient in labels if patient not in dark)
    assert f"{bright}_t1.png" not in points  # spacing differs
    assert points[f"{dark[0]}_t2.png"]["L4-L5"] == pytest.approx(chain()["L4-L5"])
    assert (labels[dark[0]][:2] == -1).all()  # T11-T12 and T12-L1 are not graded
    cases = read_cases(spider, config, points)
    batch = plain_batch(cases, config)
    assert batch.present[:, 2:, 0].all()
    assert not batch.present[:, :2].any()
    assert batch.present[:, 2:, 1].all(axis=1).sum() == len(dark)


def test_found_points_fill_in_but_never_replace() -> None:
    reference = {"1_t2.png": {"L5-S1": (1.0, 2.0)}}
    found = {"1_t2.png": {"L5-S1": (9.0, 9.0), "T12-L1": (5.0, 6.0)}, "1_t1.png": {"L5-S1": (3.0, 4.0)}}
    assert merge_points(reference, found) == {
        "1_t2.png": {"L5-S1": (1.0, 2.0), "T12-L1": (5.0, 6.0)},
        "1_t1.png": {"L5-S1": (3.0, 4.0)},
    }


@pytest.mark.slow
def test_it_learns_an_easy_finding_and_ships_a_grader(
    spider: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINESCRIBE_DATA", str(spider))
    folder = train(_config(tmp_path, 16), out=tmp_path / "runs")
    assert folder == tmp_path / "runs" / "grading"
    assert "20 patients with labels" in (tmp_path / "runs" / "report" / "report.md").read_text(encoding="utf-8")
    grader = Grader.load(weights_root=tmp_path / "runs", device="cpu")
    assert grader.config.crops.width_px == 48
    held_out = [load_held_out(tmp_path / "runs" / f"fold{fold}" / "held_out.npz")["t2"] for fold in range(5)]
    narrowing = np.concatenate([part.logits["disc_narrowing"][:, 0] for part in held_out])
    truth = np.concatenate([part.labels[:, 1] for part in held_out])
    assert len(truth) == 100
    assert narrowing[truth == 1].mean() > narrowing[truth == 0].mean() + 0.5
    fold_of = spider_folds()
    for fold, part in enumerate(held_out):
        assert {fold_of[patient] for patient in part.patients.tolist()} == {fold}


def test_resumed_equals_uninterrupted(spider: Path, tmp_path: Path) -> None:
    config = load_run_config(_config(tmp_path, 3))
    cases = read_cases(spider, config.grader, read_reference_points(spider))[:6]
    whole = FoldRun(config, cases, tmp_path / "whole").run()
    stopped = FoldRun(config, cases, tmp_path / "parts")
    stopped.run(until=1)
    resumed = FoldRun(config, cases, tmp_path / "parts")
    resumed.resume()
    assert resumed.loop.epoch == 1
    again = resumed.run()
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, again.state_dict()[name], rtol=0, atol=0)


def test_resuming_another_configuration_is_refused(spider: Path, tmp_path: Path) -> None:
    config = load_run_config(_config(tmp_path, 1))
    cases = read_cases(spider, config.grader, read_reference_points(spider))[:4]
    FoldRun(config, cases, tmp_path / "run").run()
    other = FoldRun(load_run_config(_config(tmp_path, 2)), cases, tmp_path / "run")
    with pytest.raises(ConfigError, match="expected a checkpoint of this configuration"):
        other.resume()


def test_rare_steps_weigh_more(spider: Path, tmp_path: Path) -> None:
    config = load_run_config(_config(tmp_path, 1)).grader
    weights = step_weights(read_cases(spider, config, read_reference_points(spider)), config.heads)
    assert weights["modic"][1] >= weights["modic"][0]
    counts = weights["disc_bulging"]
    assert counts[0] == pytest.approx(1.0)  # only this step occurs: mean weight 1


def test_unknown_keys_and_bad_values_are_named(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    for text, words in [
        ("training: {epoch: 3}", "training: unknown keys epoch"),
        ("trainings: {}", "unknown sections trainings"),
        ("network: {dropout: 1.5}", r"network\.dropout: expected 0 to below 1, got 1\.5"),
        ("network: {levels: [L9-L10]}", "expected C2-C3 to L5-S1, got 'L9-L10'"),
        ("crops: {width_px: 0}", r"crops\.width_px: expected a positive number"),
        ("training: {epochs: 0}", r"training\.epochs: expected a positive number"),
        ("training: {shipped_fold: 5}", "shipped_fold: expected 0 to 4, got 5"),
        ("- a list", "expected sections crops, network, training, got list"),
    ]:
        file.write_text(text)
        with pytest.raises(ConfigError, match=words):
            load_run_config(file)
    with pytest.raises(ConfigError, match="found no file"):
        load_run_config(tmp_path / "none.yaml")


def test_bad_fold_and_missing_data_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = _config(tmp_path, 1)
    with pytest.raises(ConfigError, match="fold: expected 0 to 4, got 7"):
        train(config, fold=7, out=tmp_path)
    monkeypatch.setenv("SPINESCRIBE_DATA", str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="set SPINESCRIBE_DATA"):
        train(config, fold=0, out=tmp_path)


def test_found_points_must_be_written_first(spider: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINESCRIBE_DATA", str(spider))
    file = tmp_path / "found.yaml"
    file.write_text((CONFIG % 1).replace("epochs:", "use_found_points: true, epochs:"))
    with pytest.raises(ConfigError, match=r"training_points\.csv; write it with"):
        train(file, fold=0, out=tmp_path / "runs")


def test_members_differ_and_their_mean_is_scored(
    spider: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINESCRIBE_DATA", str(spider))
    file = _config(tmp_path, 1, members="all, midline")
    fold = train(file, fold=1, out=tmp_path / "runs")
    folders = fold, fold / "member0", fold / "member1"
    scores = [load_held_out(folder / "held_out.npz")["t2"] for folder in folders]
    mean, first, second = (part.logits["disc_narrowing"] for part in scores)
    assert not np.allclose(first, second)
    np.testing.assert_allclose(mean, (first + second) / 2, rtol=1e-12)
    members = load_members(load_run_config(file), fold)
    assert len(members) == 2
    (fold / "held_out.npz").unlink()  # broken off between the last member and the mean
    train(file, fold=1, out=tmp_path / "runs", resume=True)
    np.testing.assert_array_equal(load_held_out(fold / "held_out.npz")["t2"].logits["disc_narrowing"], mean)
