"""Figures of graded discs, and their tables: agreement, exactness, coverage, with intervals over patients."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import bootstrap_by_patient
from evaluation.grading import area_under_curve, macro_f1, quadratic_kappa
from grading.calibration import expected_calibration_error
from grading.heads import HeadInfo, HeadKind

LEAST_FOR_COVERAGE = 50
"""Held-out discs of a step from which its coverage is judged (issue 5)."""
Figures = dict[str, Any]


@dataclass(frozen=True)
class Graded:
    """Discs with their held-out grades of one condition.

    Attributes:
        patients: (N,).
        levels: (N,) index of the level.
        truth: (N,) true step.
        probabilities: (N, K), calibrated on other folds.
        named: (N,) named step.
        sets: Prediction set of each disc.
    """

    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    truth: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    named: NDArray[np.int64]
    sets: list[tuple[int, ...]]

    def at(self, rows: NDArray[np.bool_]) -> "Graded":
        """Return some of the discs."""
        kept = [item for item, keep in zip(self.sets, rows, strict=True) if keep]
        parts = (self.patients, self.levels, self.truth, self.probabilities, self.named)
        return Graded(*(part[rows] for part in parts), kept)


def judge(graded: Graded, head: HeadInfo) -> Figures:
    """Return the figures of one condition."""
    truth, named, probabilities = graded.truth, graded.named, graded.probabilities
    positive, score = truth > 0, 1 - probabilities[:, 0]
    figures: Figures = {"discs": len(truth), "patients": len(np.unique(graded.patients))}
    figures["steps"] = dict(zip(head.grades, np.bincount(truth, minlength=len(head.grades)).tolist(), strict=True))

    def interval(statistic: Callable[[NDArray[np.intp]], float]) -> Figures:
        found = bootstrap_by_patient(graded.patients.tolist(), statistic)
        return {"value": found.value, "low": found.low, "high": found.high}

    if head.kind is HeadKind.ORDINAL:
        steps = len(head.grades)
        figures["quadratic_kappa"] = interval(lambda r: quadratic_kappa(truth[r], named[r], steps=steps))
        figures["macro_f1"] = interval(lambda r: macro_f1(truth[r], named[r]))
        figures["accuracy"] = interval(lambda r: float((truth[r] == named[r]).mean()))
        figures["within_one"] = interval(lambda r: float((np.abs(truth[r] - named[r]) <= 1).mean()))
    else:
        figures["auc"] = interval(lambda r: area_under_curve(positive[r].astype(np.int64), score[r]))
        figures["sensitivity"] = interval(lambda r: _share(named[r][positive[r]] > 0))
        figures["specificity"] = interval(lambda r: _share(named[r][~positive[r]] == 0))
        figures["calibration_error"] = expected_calibration_error(score, positive)
    figures["confusion"] = _confusion(truth, named, len(head.grades))
    figures["coverage"] = {
        grade: _share(np.array([step in kept for kept in graded.at(truth == step).sets]))
        for step, grade in enumerate(head.grades)
    }
    held = np.array([step in kept for step, kept in zip(truth.tolist(), graded.sets, strict=True)])
    figures["coverage_intervals"] = {
        grade: _coverage(held[truth == step], graded.patients[truth == step])
        for step, grade in enumerate(head.grades)
        if (truth == step).sum() >= LEAST_FOR_COVERAGE
    }
    figures["nominal_coverage"] = 1 - head.alpha
    figures["mean_set_size"] = float(np.mean([len(kept) for kept in graded.sets]))
    return figures


def _coverage(held: NDArray[np.bool_], patients: NDArray[np.int64]) -> Figures:
    found = bootstrap_by_patient(patients.tolist(), lambda rows: float(held[rows].mean()))
    return {"value": found.value, "low": found.low, "high": found.high}


def _share(hits: NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _confusion(truth: NDArray[np.int64], named: NDArray[np.int64], steps: int) -> list[list[int]]:
    table = np.zeros((steps, steps), dtype=int)
    np.add.at(table, (truth, named), 1)
    return [[int(count) for count in row] for row in table]


def figure_text(figure: Mapping[str, float]) -> str:
    """Return a figure with its interval."""
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def table_text(title: str, results: Mapping[str, Figures]) -> str:
    """Return one Markdown table of all conditions."""
    lines = [f"### {title}", "", "| condition | discs | patients | positive | kappa or AUC | sensitivity | "]
    lines[-1] += "specificity | coverage, lowest step with 10 or more | set size |"
    lines.append("|" + "---|" * 9)
    for name, row in results.items():
        main = row.get("quadratic_kappa") or row["auc"]
        kind = "kappa" if "quadratic_kappa" in row else "AUC"
        rates = [figure_text(row[key]) if key in row else "-" for key in ("sensitivity", "specificity")]
        positive = sum(list(row["steps"].values())[1:])
        covered = min(row["coverage"][grade] for grade, count in row["steps"].items() if count >= 10)
        cells = [name, row["discs"], row["patients"], positive, f"{kind} {figure_text(main)}", *rates]
        lines.append("| " + " | ".join(str(cell) for cell in [*cells, f"{covered:.2f}"]) + " | ")
        lines[-1] += f"{row['mean_set_size']:.2f} |"
    return "\n".join(lines)


def macro_text(results: Mapping[str, Figures]) -> str:
    """Return how exact the ordered grades are."""
    return "\n".join(
        f"{name}: macro F1 {figure_text(row['macro_f1'])}, exact {figure_text(row['accuracy'])}, within one step "
        f"{figure_text(row['within_one'])}."
        for name, row in results.items()
        if "macro_f1" in row
    )


def confusion_text(title: str, row: Figures) -> str:
    """Return the confusion matrix of one condition as Markdown (rows: truth)."""
    grades = list(row["steps"])
    lines = [f"### {title} (rows: expert, columns: ours)", "", "| | " + " | ".join(grades) + " | covered |"]
    lines.append("|" + "---|" * (len(grades) + 2))
    for grade, counts in zip(grades, row["confusion"], strict=True):
        lines.append(f"| {grade} | " + " | ".join(map(str, counts)) + f" | {row['coverage'][grade]:.2f} |")
    return "\n".join(lines)


def sequence_text(results: Mapping[str, Mapping[str, Figures]]) -> str:
    """Return the comparison of sequences on the same discs as Markdown."""
    lines = [
        "### The same discs with both sequences or one",
        "",
        "| condition | T2 and T1 | T2 alone | T1 alone |",
    ]
    lines.append("|---|---|---|---|")
    for name in results["t2+t1"]:
        rows = [results[at_hand][name] for at_hand in ("t2+t1", "t2", "t1")]
        cells = [figure_text(row.get("quadratic_kappa") or row["auc"]) for row in rows]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def coverage_text(results: Mapping[str, Figures]) -> str:
    """Return how often the true step is in its prediction set, for every step with enough discs, as Markdown."""
    lines = [
        "### Coverage of the prediction sets",
        "",
        "| condition | step | discs | nominal | observed | interval holds it |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in results.items():
        nominal = row["nominal_coverage"]
        for grade, figure in row["coverage_intervals"].items():
            is_held = "yes" if figure["low"] <= nominal <= figure["high"] else "no"
            cells = (name, grade, row["steps"][grade], f"{nominal:.2f}", figure_text(figure), is_held)
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)
