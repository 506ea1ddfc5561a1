"""The public door of training: one fold, or all of them and the grader made of them."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file, save_file

from grading.biomarkers import Values
from grading.build import build_network
from grading.joints.config import REGION as SACROILIAC
from grading.joints.training.train import train_joints
from grading.model import GradingNetwork
from grading.training.assemble import assemble
from grading.training.cases import Case
from grading.training.config import RunConfig, load_run_config, region_of
from grading.training.folds import held_out_folds
from grading.training.held_out import HeldOut, load_held_out, mean_scores, save_held_out, score_held_out
from grading.training.phantoms import phantom_cases
from grading.training.report import write_report
from grading.training.rsna_cases import rsna_cases
from grading.training.run import FoldRun, member_heads
from grading.training.spider import (
    merge_points,
    read_cases,
    read_found_biomarkers,
    read_found_points,
    read_reference_points,
)
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT
from runtime.settings import load_settings

logger = logging.getLogger(__name__)
TRAINING_POINTS = "training_points.csv"
HELD_OUT_POINTS = "points.csv"
HELD_OUT = "held_out.npz"
CACHE = Path("runs/cache")
_SEEDS_APART = 1000  # between members; folds take the seeds between


def train(config_path: Path, *, fold: int | None = None, resume: bool = False, out: Path | None = None) -> Path:
    """Train a grader.

    Args:
        config_path: YAML with region and the sections crops, network, training.
        fold: Train this fold only (its patients are held out); None trains all, writes the grader made of them
            to ``out/grading`` and what the run shows to ``out/report``. Of the sacroiliac joints one fold is
            trained in either case (``grading.joints.training.train``).
        resume: Go on from checkpoints; finished folds are not trained again.
        out: Folder of the runs; None takes ``runs/grading``.

    Returns:
        The fold's folder, or that of the grader.

    Raises:
        ConfigError: If the configuration is wrong, the fold is unknown or the data are missing.
    """
    if region_of(config_path) == SACROILIAC:
        return train_joints(config_path, fold=fold, resume=resume, out=out)
    config = load_run_config(config_path)
    folder = Path("runs/grading") if out is None else out
    if fold is not None and not 0 <= fold < FOLD_COUNT:
        raise ConfigError(f"fold: expected 0 to {FOLD_COUNT - 1}, got {fold!r}")
    cases = _read_all_cases(config, folder)
    folds = range(FOLD_COUNT) if fold is None else [fold]
    fold_of = held_out_folds(cases, config.grader.heads)
    for number in folds:
        held_out = {patient for patient, its_fold in fold_of.items() if its_fold == number}
        _train_fold(config, cases, number, held_out, folder / f"fold{number}", resume=resume)
    if fold is not None:
        return folder / f"fold{fold}"
    shipped = config.training.shipped_fold
    chosen = folds if shipped is None else [shipped]
    members = [network for number in chosen for network in load_members(config, folder / f"fold{number}")]
    scored = [load_held_out(folder / f"fold{number}" / HELD_OUT) for number in folds]
    synthetic = () if config.training.rsna_dir else tuple(h.key for h in config.grader.heads if not h.is_real)
    assemble(config.grader, members, scored, folder / "grading", shipped_fold=shipped, synthetic=synthetic)
    write_report(config, cases, scored, folder / "report")
    return folder / "grading"


def load_members(config: RunConfig, folder: Path) -> tuple[GradingNetwork, ...]:
    """Load the chosen networks of a fold, in eval mode."""
    return tuple(
        _load(config, folder / f"member{number}", kind) for number, kind in enumerate(config.training.members)
    )


def _load(config: RunConfig, folder: Path, kind: str) -> GradingNetwork:
    network = build_network(config.grader, member_heads(config.grader, kind))
    network.load_state_dict(load_file(folder / "model.safetensors"), strict=True)
    return network.eval()


def _read_all_cases(config: RunConfig, folder: Path) -> tuple[Case, ...]:
    training = config.training
    real = _read_real_cases(config, folder) if training.use_real and config.grader.region == "lumbar" else ()
    made_up = phantom_cases(config.grader, training.phantoms, CACHE) if training.phantoms.patients else ()
    graded = rsna_cases(Path(training.rsna_dir), config.grader) if training.rsna_dir else ()
    if not real and not made_up and not graded:
        raise ConfigError("training: expected real patients (use_real, rsna_dir) or phantoms, got none")
    return real + graded + made_up


def _read_real_cases(config: RunConfig, folder: Path) -> tuple[Case, ...]:
    data_dir = load_settings().data_dir
    if not (data_dir / "spider" / "gradings.csv").is_file():
        raise ConfigError(
            f"training data: expected spider/gradings.csv under {data_dir}, found none; set SPINESCRIBE_DATA"
        )
    points = read_reference_points(data_dir)
    if config.training.use_found_points:
        file = folder / TRAINING_POINTS
        if not file.is_file():
            raise ConfigError(
                f"training.use_found_points: expected {file}; write it with "
                "`python -m grading.training.found_points --model fold0` (it needs that segmentation fold)"
            )
        points = merge_points(points, read_found_points(file, teaching_only=True))
    return read_cases(data_dir, config.grader, points, _read_biomarkers(config, folder))


def _read_biomarkers(config: RunConfig, folder: Path) -> dict[str, dict[str, Values]]:
    """Return what the segmentation models that held each patient out measured; nothing where none is asked for."""
    if not config.grader.network.biomarkers:
        return {}
    file = folder / HELD_OUT_POINTS
    if not file.is_file():
        raise ConfigError(
            f"network.biomarkers: expected {file}; write it with `python -m grading.training.found_points` "
            "(it needs the five segmentation folds)"
        )
    return read_found_biomarkers(file, teaching_only=True)


def _train_fold(
    config: RunConfig, cases: tuple[Case, ...], fold: int, out: Collection[int], folder: Path, *, resume: bool
) -> None:
    """Train the members of one fold; write their scores of its held-out patients, and the mean."""
    scores = folder / HELD_OUT
    if resume and scores.is_file():
        logger.info("fold %d is finished", fold)
        return
    scores.unlink(missing_ok=True)
    training = tuple(case for case in cases if case.patient not in out)
    held_out = [case for case in cases if case.patient in out]
    parts = []
    for number, kind in enumerate(config.training.members):
        seed = config.training.seed + fold + _SEEDS_APART * number
        seeded = replace(config, training=replace(config.training, seed=seed))
        member = folder / f"member{number}"
        parts.append(_train_member(seeded, kind, training, held_out, member, resume=resume))
    save_held_out(mean_scores(parts), scores)


def _train_member(
    config: RunConfig,
    kind: str,
    training: tuple[Case, ...],
    held_out: Sequence[Case],
    folder: Path,
    *,
    resume: bool,
) -> dict[str, HeldOut]:
    """Train one network, write it and its scores of the held-out patients; return the scores."""
    scores = folder / HELD_OUT
    if resume and scores.is_file():
        return load_held_out(scores)
    scores.unlink(missing_ok=True)
    run = FoldRun(config, training, folder, kind)
    if resume:
        run.resume()
    network = run.run()
    save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, folder / "model.safetensors"
    )
    scored = score_held_out(network, held_out, config.grader)
    save_held_out(scored, scores)
    return scored
