"""Whether graders of several backbones vote better than each alone, on real discs of patients none of them saw.

    python -m benchmarks.grading_ensemble

Takes the variants of ``configs/grading/ablation_real.yaml`` that differ in the backbone
(``python -m benchmarks.grading_ablation --variants hybrid mobilenet_v3 efficientnet`` trains them). Each is
calibrated on the other folds; the vote's ties go to the network of the better accuracy there. Accuracy, macro F1
and quadratic kappa of each network and of the vote, and the difference of the vote to each, paired by patient:
95 % bootstrap intervals over patients.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.grading_ablation import load_ablation
from evaluation.grading import interval_of, macro_f1, quadratic_kappa
from grading.calibration import fit_calibration
from grading.ensemble import vote
from grading.heads import HeadInfo, load_heads
from grading.probabilities import likeliest_step, step_probabilities
from grading.training.held_out import HeadRows, HeldOut, load_held_out

BACKBONES = ("base", "hybrid", "mobilenet_v3", "efficientnet")
AT_HAND = "t2"
OUT = Path("runs/benchmarks/grading_ensemble.json")
Steps = NDArray[np.int64]


def name_steps(folds: Sequence[HeadRows], head: HeadInfo) -> tuple[list[Steps], list[float]]:
    """Return what a network names in each fold, and its accuracy on the other folds, calibrated on those."""
    named, accuracies = [], []
    for number in range(len(folds)):
        others = [rows for index, rows in enumerate(folds) if index != number]
        logits, steps = (np.concatenate([getattr(rows, key) for rows in others]) for key in ("logits", "steps"))
        calibration = fit_calibration(logits, steps, head.kind)
        guess = likeliest_step(step_probabilities(calibration.apply(logits), head.kind), head.kind)
        accuracies.append(float((guess == steps).mean()))
        mine = step_probabilities(calibration.apply(folds[number].logits), head.kind)
        named.append(likeliest_step(mine, head.kind))
    return named, accuracies


def judge_head(
    scored: Mapping[str, Sequence[HeldOut]], head: HeadInfo, heads: Sequence[HeadInfo]
) -> dict[str, Any]:
    """Return the figures of each network and of the vote for one condition."""
    rows = {name: [fold.rows(head, heads) for fold in folds] for name, folds in scored.items()}
    first = next(iter(rows.values()))
    truth = np.concatenate([fold.steps for fold in first])
    patients = np.concatenate([fold.patients for fold in first]).tolist()
    named = {name: name_steps(folds, head) for name, folds in rows.items()}
    accuracies = [accuracies for _, accuracies in named.values()]
    voted = []
    for fold in range(len(first)):
        guesses = np.array([steps[fold] for steps, _ in named.values()]).T
        known = [row[fold] for row in accuracies]
        voted += [int(vote([str(step) for step in place], known)) for place in guesses]
    answers = {name: np.concatenate(steps) for name, (steps, _) in named.items()} | {"vote": np.array(voted)}
    figures = {name: _figures(truth, steps, patients, len(head.grades)) for name, steps in answers.items()}
    return {
        "discs": len(truth),
        "patients": len(set(patients)),
        "figures": figures,
        "vote_less": {name: _gain(truth, answers["vote"], answers[name], patients) for name in scored},
    }


def _figures(truth: Steps, named: Steps, patients: Sequence[int], steps: int) -> dict[str, Any]:
    return {
        "accuracy": interval_of(patients, lambda rows: float((truth[rows] == named[rows]).mean())),
        "macro_f1": interval_of(patients, lambda rows: macro_f1(truth[rows], named[rows])),
        "quadratic_kappa": interval_of(
            patients, lambda rows: quadratic_kappa(truth[rows], named[rows], steps=steps)
        ),
    }


def _gain(truth: Steps, voted: Steps, named: Steps, patients: Sequence[int]) -> dict[str, Any]:
    return interval_of(
        patients, lambda rows: macro_f1(truth[rows], voted[rows]) - macro_f1(truth[rows], named[rows])
    )


def table_text(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the figures as Markdown."""
    lines = ["| condition | network | accuracy | macro F1 | quadratic kappa | vote less it, macro F1 |"]
    lines.append("|" + "---|" * 6)
    for condition, row in results.items():
        for name, figures in row["figures"].items():
            cells = [_text(figures[key]) for key in ("accuracy", "macro_f1", "quadratic_kappa")]
            gain = _text(row["vote_less"][name]) if name in row["vote_less"] else ""
            lines.append(f"| {condition} | {name} | {' | '.join(cells)} | {gain} |")
    return "\n".join(lines)


def _text(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def _held_out(folder: Path, fold: int) -> HeldOut:
    return load_held_out(folder / f"fold{fold}" / "held_out.npz")[AT_HAND]


def main() -> None:
    """Judge, print and write."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    ablation = load_ablation()
    scored = {name: [_held_out(ablation.folder / name, fold) for fold in ablation.folds] for name in BACKBONES}
    heads = [head for head in load_heads("lumbar") if head.key in scored["base"][0].logits]
    judged = [head for head in heads if head.needs in ((), (AT_HAND,))]
    results = {head.key: judge_head(scored, head, heads) for head in judged}
    print(f"T2 alone, {max(row['patients'] for row in results.values())} patients of SPIDER\n")
    print(table_text(results))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
