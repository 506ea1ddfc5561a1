"""How well discs are graded on patients the network did not see.

    python -m benchmarks.grading [--runs runs/grading/lumbar] [--config configs/grading/train_lumbar.yaml]
    python -m benchmarks.grading --shipped

Data: SPIDER's gradings of 179 patients (one expert), middle slices. ``--shipped`` judges the shipped weights as
they are, at reference points, on the fold that neither they nor their calibration saw. Without it all five fold
networks are judged (``spinescribe train grading --config FILE --out FOLDER``); the end-to-end figures need the
points found by the segmentation models that held each patient out (``python -m grading.training.found_points``
``--out FOLDER``).

Each disc is graded by the network of the fold that held its patient out, calibrated on the other folds; with the
sequences at hand, as in use. Prints Markdown tables and writes ``runs/benchmarks/grading.json``. Intervals are
95 % bootstrap intervals over patients.
"""

import argparse
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.grading_figures import (
    Figures,
    Graded,
    confusion_text,
    coverage_text,
    judge,
    macro_text,
    sequence_text,
    table_text,
)
from grading.biomarkers import Values
from grading.config import GraderConfig
from grading.conformal import prediction_set
from grading.heads import HeadInfo
from grading.model import GradingNetwork
from grading.probabilities import likeliest_step, step_probabilities
from grading.storage import HeadTuning, StoredGrader, read_grader
from grading.training.assemble import fit_tuning
from grading.training.cases import Case, Points
from grading.training.config import RunConfig, load_run_config
from grading.training.held_out import HeldOut, join, mean_scores, score_held_out
from grading.training.spider import (
    read_cases,
    read_found_biomarkers,
    read_found_points,
    read_labels,
    read_reference_points,
    read_rows,
)
from grading.training.train import HELD_OUT_POINTS, load_members
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from runtime.weights import open_weights

RUNS = Path("runs/grading/lumbar")
REFERENCE_LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")


def real_heads(config: GraderConfig) -> tuple[HeadInfo, ...]:
    """Return the heads that SPIDER grades."""
    return tuple(head for head in config.heads if head.is_real)


def score_folds(config: RunConfig, runs: Path, points: dict[str, Points]) -> list[dict[str, HeldOut]]:
    """Score each fold's held-out patients at the given points.

    Biomarkers are those of the segmentation model that held the patient out; unknown where it was not run.
    """
    cases = read_cases(
        load_settings().data_dir, config.grader, points, found_biomarkers(config.grader, runs / HELD_OUT_POINTS)
    )
    fold_of = spider_folds()
    return [
        score_members(
            load_members(config, runs / f"fold{fold}"),
            [case for case in cases if fold_of[case.patient] == fold],
            config.grader,
        )
        for fold in range(FOLD_COUNT)
    ]


def score_members(
    members: Sequence[GradingNetwork], cases: Sequence[Case], config: GraderConfig
) -> dict[str, HeldOut]:
    """Score patients by the mean of some networks."""
    return mean_scores([score_held_out(member, cases, config) for member in members])


def found_biomarkers(config: GraderConfig, file: Path) -> dict[str, dict[str, Values]]:
    """Return file -> level -> biomarkers; nothing for a network that takes none, or without found points."""
    if not config.network.biomarkers or not file.is_file():
        return {}
    return read_found_biomarkers(file, teaching_only=False)


def grade_folds(
    folds: Sequence[Mapping[str, HeldOut]],
    tuned_on: Sequence[Mapping[str, HeldOut]],
    head: HeadInfo,
    at_hand: str,
    config: GraderConfig,
) -> Graded:
    """Grade one condition with calibration and sets fitted on the other folds.

    Args:
        folds: Scores to be judged, per fold.
        tuned_on: Scores at reference points, per fold, to fit on.
        head: Condition.
        at_hand: Series at hand.
        config: Of the networks.
    """
    parts = []
    for number, fold in enumerate(folds):
        others = [other[at_hand] for index, other in enumerate(tuned_on) if index != number]
        tuning = fit_tuning({at_hand: join(others)}, config)[at_hand][head.key]
        parts.append(_grade(fold[at_hand], tuning, head, config))
    return _join(parts)


def _grade(scored: HeldOut, tuning: HeadTuning, head: HeadInfo, config: GraderConfig) -> Graded:
    """Turn scores of one condition into calibrated grades with their sets."""
    part = scored.rows(head, config.heads)
    logits = tuning.calibration.apply(part.logits)
    probabilities = step_probabilities(logits, head.kind)
    named = likeliest_step(probabilities, head.kind)
    sets = [
        prediction_set(row.tolist(), int(step), tuning.thresholds, head.kind)
        for row, step in zip(probabilities, named, strict=True)
    ]
    return Graded(part.patients, part.levels, part.steps, probabilities, named, sets)


def grade_as_in_use(
    names: Collection[str], grade: Callable[[str], Graded], head: HeadInfo, config: GraderConfig
) -> Graded:
    """Grade each disc with all sequences it has; discs without a sequence the condition needs are left out.

    Args:
        names: Sets of series at hand that there are scores for.
        grade: Series at hand -> grades of every disc that has them.
        head: Condition.
        config: Of the networks.
    """
    chosen: list[Graded] = []
    seen: set[tuple[int, int]] = set()
    for at_hand in sorted(names, key=len, reverse=True):
        sources = set(at_hand.split("+"))
        if not head.is_met(sources) or not sources <= set(config.head_sources(head)):
            continue
        graded = grade(at_hand)
        places = list(zip(graded.patients.tolist(), graded.levels.tolist(), strict=True))
        chosen.append(graded.at(np.array([place not in seen for place in places], dtype=bool)))
        seen.update(places)
    return _join(chosen)


def _join(parts: Sequence[Graded]) -> Graded:
    names = ("patients", "levels", "truth", "probabilities", "named")
    arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Graded(*arrays, [item for part in parts for item in part.sets])


def judge_all(
    folds: Sequence[Mapping[str, HeldOut]],
    tuned_on: Sequence[Mapping[str, HeldOut]],
    config: RunConfig,
    *,
    levels: Sequence[str] | None = None,
) -> dict[str, Figures]:
    """Judge every condition as in use, on some levels or all."""
    results = {}
    for head in real_heads(config.grader):
        grade = partial(_grade_folds_of, folds, tuned_on, head, config.grader)
        graded = grade_as_in_use(folds[0], grade, head, config.grader)
        if levels is not None:
            kept = [config.grader.network.levels.index(level) for level in levels]
            graded = graded.at(np.isin(graded.levels, kept))
        results[head.key] = judge(graded, head)
    return results


def _grade_folds_of(
    folds: Sequence[Mapping[str, HeldOut]],
    tuned_on: Sequence[Mapping[str, HeldOut]],
    head: HeadInfo,
    config: GraderConfig,
    at_hand: str,
) -> Graded:
    return grade_folds(folds, tuned_on, head, at_hand, config)


def judge_shipped(stored: StoredGrader, points: Path = RUNS / HELD_OUT_POINTS) -> dict[str, Figures]:
    """Judge the shipped grader, as it is, on the patients of the fold that it and its calibration never saw.

    Args:
        stored: The grader.
        points: Table of ``grading.training.found_points`` with these patients' biomarkers; where it is not
            there they are graded without.

    Raises:
        ConfigError: If it is made of several folds' networks, which have seen every patient.
    """
    if stored.unseen_fold is None:
        raise ConfigError("shipped grader: expected the members of one fold, got networks that saw every patient")
    config, data_dir = stored.config, load_settings().data_dir
    fold_of = spider_folds()
    biomarkers = found_biomarkers(config, points)
    if config.network.biomarkers and not biomarkers:
        print(f"{points} is not there: graded without biomarkers.\n")
    cases = read_cases(data_dir, config, read_reference_points(data_dir), biomarkers)
    unseen = [case for case in cases if fold_of[case.patient] == stored.unseen_fold]
    scored = score_members(stored.members, unseen, config)
    results = {}
    for head in real_heads(config):

        def grade(at_hand: str, head: HeadInfo = head) -> Graded:
            return _grade(scored[at_hand], stored.tuning[at_hand][head.key], head, config)

        results[head.key] = judge(grade_as_in_use(scored, grade, head, config), head)
    return results


def compare_sequences(
    folds: Sequence[Mapping[str, HeldOut]], config: GraderConfig
) -> dict[str, dict[str, Figures]]:
    """Judge the discs that have T1 and T2 with both, with T2 alone and with T1 alone."""
    pairs = join([fold["t2+t1"] for fold in folds])
    wanted = set(zip(pairs.patients.tolist(), pairs.levels.tolist(), strict=True))
    results: dict[str, dict[str, Figures]] = {}
    for at_hand in ("t2+t1", "t2", "t1"):
        results[at_hand] = {}
        for head in real_heads(config):
            graded = grade_folds(folds, folds, head, at_hand, config)
            places = zip(graded.patients.tolist(), graded.levels.tolist(), strict=True)
            both = graded.at(np.array([place in wanted for place in places], dtype=bool))
            results[at_hand][head.key] = judge(both, head)
    return results


def count_not_found(config: RunConfig, found: dict[str, Points]) -> Figures:
    """Count graded discs at the reference levels that no slice of the patient shows at a found point."""
    data_dir = load_settings().data_dir
    rows = read_rows(data_dir / "spider" / "midsagittal.csv")
    seen = {(int(row["patient"]), level) for row in rows for level in found.get(row["file"], {})}
    levels = config.grader.network.levels
    graded = [
        (patient, level)
        for patient, table in read_labels(data_dir, config.grader).items()
        for level in REFERENCE_LEVELS
        if table[levels.index(level), 0] >= 0
    ]
    return {"graded": len(graded), "not_found": sum(place not in seen for place in graded)}


def main() -> None:
    """Judge, print and write."""
    parser = argparse.ArgumentParser(description="Held-out grading figures on SPIDER")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--config", type=Path, default=Path("configs/grading/train_lumbar.yaml"))
    parser.add_argument("--shipped", action="store_true", help="judge the shipped weights on the unseen fold")
    parser.add_argument("--points", type=Path, help="table of found points for --shipped; else that of --runs")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/grading.json"))
    options = parser.parse_args()
    if options.shipped:
        stored = read_grader(open_weights("grading", load_settings().weights_dir))
        shipped = judge_shipped(stored, options.points or options.runs / HELD_OUT_POINTS)
        title = f"The shipped grader at reference points, fold {stored.unseen_fold}"
        print(table_text(title, shipped), end="\n\n")
        print(macro_text(shipped), end="\n\n")
        print(coverage_text(shipped))
        _write({"shipped": shipped}, options.out.with_stem("grading_shipped"))
        return
    config = load_run_config(options.config)
    at_reference = score_folds(config, options.runs, read_reference_points(load_settings().data_dir))
    report: Figures = {"at_reference_points": judge_all(at_reference, at_reference, config)}
    report["sequences_at_reference_points"] = compare_sequences(at_reference, config.grader)
    print(table_text("At reference points, L1-L2 to L5-S1", report["at_reference_points"]), end="\n\n")
    print(macro_text(report["at_reference_points"]), end="\n\n")
    print(coverage_text(report["at_reference_points"]), end="\n\n")
    print(confusion_text("Pfirrmann", report["at_reference_points"]["disc_degeneration"]), end="\n\n")
    print(confusion_text("Modic", report["at_reference_points"]["modic"]), end="\n\n")
    print(sequence_text(report["sequences_at_reference_points"]), end="\n\n")
    file = options.runs / HELD_OUT_POINTS
    if file.is_file():
        found = read_found_points(file, teaching_only=False)
        at_found = score_folds(config, options.runs, found)
        report["not_found"] = count_not_found(config, found)
        report["end_to_end"] = judge_all(at_found, at_reference, config, levels=REFERENCE_LEVELS)
        report["end_to_end_all_levels"] = judge_all(at_found, at_reference, config)
        print(table_text("End to end, at found levels L1-L2 to L5-S1", report["end_to_end"]), end="\n\n")
        print(f"Not found: {report['not_found']['not_found']} of {report['not_found']['graded']} graded discs.\n")
        print(table_text("End to end, all found levels T11-T12 to L5-S1", report["end_to_end_all_levels"]))
    else:
        print(f"No end-to-end figures: {file} is not there (python -m grading.training.found_points).")
    _write(report, options.out)


def _write(report: Figures, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
