"""How well phantoms of the frozen test sets are graded, end to end: segmented, named and graded as in use.

    python -m benchmarks.grading_phantoms [--setups test_lumbar test_lumbar_shifted] [--count 60]

Every place that the truth grades is looked up in the reading. A place without a grade (its level not found, or not
assessable) is counted apart, in ``graded``. Per condition: share graded, macro F1, quadratic kappa, accuracy,
recall and coverage of the prediction sets by step; for the RSNA grid also the challenge's weighted log loss.
Intervals are 95 % bootstrap intervals over patients. Phantoms only: what the figures say of real images is not
known.
"""

import argparse
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import SCALES
from benchmarks.grading_figures import coverage_text
from benchmarks.phantom_readings import Place, Reading, open_set, read_set
from evaluation.detection import precision_intervals
from evaluation.grading import interval_of, macro_f1, quadratic_kappa
from evaluation.patients import patient_auc
from evaluation.rsna import GROUPS, RsnaRows, weighted_log_loss
from grading.heads import HeadInfo
from runtime.device import use_threads
from runtime.settings import load_settings

OUT = Path("runs/benchmarks/grading_phantoms.json")
SETUPS = ("test_lumbar", "test_lumbar_shifted")
LEAST_PLACES = 50  # a step with fewer has no interval worth judging coverage by
_GRID = "rsna"


def judge(places: Sequence[Place]) -> dict[str, Any]:
    """Return the figures of some places of one scale."""
    given = [place for place in places if place.named is not None]
    steps = SCALES[places[0].scale].grades
    row: dict[str, Any] = {
        "places": len(places),
        "patients": len({place.patient for place in places}),
        "steps": {step: sum(place.truth == step for place in places) for step in steps},
        "graded": len(given) / len(places),
    }
    if not given:
        return row
    truth = np.array([steps.index(place.truth) for place in given])
    named = np.array([steps.index(place.named or "") for place in given])
    patients = [place.patient for place in given]
    row["macro_f1"] = interval_of(patients, lambda rows: macro_f1(truth[rows], named[rows]))
    row["quadratic_kappa"] = interval_of(
        patients, lambda rows: quadratic_kappa(truth[rows], named[rows], steps=len(steps))
    )
    row["accuracy"] = interval_of(patients, lambda rows: float((truth[rows] == named[rows]).mean()))
    row["recall"] = {step: _share(named[truth == k] == k) for k, step in enumerate(steps)}
    inside = np.array([place.truth in place.prediction_set for place in given])
    row["coverage"] = {
        step: _interval(inside, truth == k, patients) for k, step in enumerate(steps) if (truth == k).any()
    }
    return row


def _share(hits: NDArray[np.bool_]) -> float | None:
    return float(hits.mean()) if len(hits) else None


def _interval(inside: NDArray[np.bool_], chosen: NDArray[np.bool_], patients: Sequence[int]) -> dict[str, Any]:
    kept = [patient for patient, is_one in zip(patients, chosen, strict=True) if is_one]
    values = inside[chosen]
    return interval_of(kept, lambda rows: float(values[rows].mean()))


def judge_grid(places: Iterable[Place]) -> dict[str, Any]:
    """Return the figures of the whole RSNA grid, the challenge's loss among them."""
    grid = [place for place in places if place.scale == _GRID]
    given = [place for place in grid if place.named is not None and place.probabilities]
    row = judge(grid)
    if not given:
        return row
    rows = RsnaRows(
        studies=[place.patient for place in given],
        conditions=[place.condition for place in given],
        truth=np.array([SCALES[_GRID].grades.index(place.truth) for place in given]),
        probabilities=np.array([list(place.probabilities.values()) for place in given]),
    )
    row["weighted_log_loss"] = interval_of(
        rows.studies, lambda chosen: weighted_log_loss(_taken(rows, chosen))["loss"]
    )
    row["weighted_log_loss_parts"] = weighted_log_loss(rows)
    return row


def _taken(rows: RsnaRows, chosen: NDArray[np.intp]) -> RsnaRows:
    # A study drawn twice counts as two studies: "any severe" is judged by study.
    studies = [f"{rows.studies[index]}/{copy}" for index, copy in _copies(rows.studies, chosen)]
    conditions = [rows.conditions[index] for index in chosen]
    return RsnaRows(studies, conditions, rows.truth[chosen], rows.probabilities[chosen])


def _copies(studies: Sequence[int | str], chosen: NDArray[np.intp]) -> list[tuple[int, int]]:
    seen: dict[int, int] = {}
    found = []
    for index in chosen.tolist():
        seen[index] = seen.get(index, -1) + 1
        found.append((index, seen[index]))
    return found


def judge_all(places: Sequence[Place]) -> dict[str, Any]:
    """Return the figures of each condition and scale, and of the RSNA grid."""
    keys = dict.fromkeys((place.condition, place.scale) for place in places)
    rows = {}
    for condition, scale in keys:
        mine = [place for place in places if (place.condition, place.scale) == (condition, scale)]
        rows[f"{condition} ({scale})"] = judge(mine)
    if any(place.condition in GROUPS for place in places):
        rows["RSNA grid"] = judge_grid(places)
    return rows


def table_text(title: str, results: dict[str, Any]) -> str:
    """Return the figures as Markdown."""
    lines = [
        f"### {title}",
        "",
        "| condition | places | graded | macro F1 | quadratic kappa | accuracy | log loss |",
    ]
    lines.append("|" + "---|" * 7)
    for name, row in results.items():
        figures = [_text(row.get(key)) for key in ("macro_f1", "quadratic_kappa", "accuracy", "weighted_log_loss")]
        lines.append(f"| {name} | {row['places']} | {row['graded']:.3f} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _text(figure: dict[str, float] | None) -> str:
    return "-" if figure is None else f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


def coverage_rows(results: Mapping[str, Any], heads: Sequence[HeadInfo]) -> dict[str, Any]:
    """Return the rows of ``coverage_text``: steps with enough places of the conditions that were learned."""
    rows = {}
    for head in heads:
        name = f"{head.condition.value} ({head.scale})"
        found = results.get(name, {})
        enough = {
            step: figure
            for step, figure in found.get("coverage", {}).items()
            if found["steps"][step] >= LEAST_PLACES
        }
        if enough:
            nominal = {"nominal_coverage": 1 - head.alpha, "steps": found["steps"]}
            rows[name] = {**nominal, "coverage_intervals": enough}
    return rows


def report_set(name: str, readings: Sequence[Reading], heads: Sequence[HeadInfo]) -> dict[str, Any]:
    """Judge the readings of a set, print and return the figures."""
    seconds = [reading.seconds for reading in readings]
    conditions = judge_all([place for reading in readings for place in reading.places])
    report: dict[str, Any] = {"conditions": conditions, "grading_seconds": float(np.median(seconds))}
    print(table_text(f"{name}, {len(readings)} phantoms", conditions))
    print(f"\n{coverage_text(coverage_rows(conditions, heads))}")
    boxes = [reading.image for reading in readings]
    if any(image.truth for image in boxes):
        report["detection"] = precision_intervals(boxes)
        figures = ", ".join(f"{key} {_text(row)}" for key, row in report["detection"].items())
        print(f"\nBoxes of cord compression: {figures}.")
    patients = patient_auc(
        {str(reading.patient): reading.is_positive for reading in readings},
        {str(reading.patient): reading.burden for reading in readings},
    )
    counts = {"positive": patients.positives, "negative": patients.negatives}
    report["patient_auc"] = {"auc": str(patients.auc), **counts}
    print(f"\nPatients with any severe grade ({patients.positives}) by degeneration score: AUC {patients.auc}.")
    print(f"\nGrading took {np.median(seconds):.2f} s a study (median), {max(seconds):.2f} at most.\n")
    return report


def main() -> None:
    """Draw, read, judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--setups", nargs="+", default=SETUPS)
    parser.add_argument("--count", type=int, default=60, help="phantoms of each set")
    parser.add_argument("--grader", default=None, help="weights folder; the protocol's own if not given")
    parser.add_argument("--weights", type=Path, default=None, help="folder of the grader's weights folder")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    use_threads(options.threads)
    logging.getLogger("segmentation").setLevel(logging.WARNING)
    report: dict[str, Any] = {}
    for name in options.setups:
        segmenter, grader, protocol = open_set(
            name, options.grader, options.weights or load_settings().weights_dir
        )
        readings = read_set(name, segmenter, grader, protocol, count=options.count, folder=options.out.parent)
        report[name] = report_set(name, readings, grader.config.heads)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
