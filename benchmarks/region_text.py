"""How well phrases find regions and grades on patients the region-text model did not see.

    python -m benchmarks.region_text [--weights weights/region-text] [--folds 0]

Data: SPIDER's T2 middle slices with reference posterior points and one expert's gradings; regions are cut at the
reference points. Zero-shot: no classifier is fitted; a disc's score is how much closer it lies to the wordings of
a finding than to those of its opposite. ``--folds all --runs runs/clip/fold{fold}`` takes the model of each fold
for the patients that it held out. Prints a Markdown table and writes ``runs/benchmarks/region_text.json``.
Intervals are 95 % bootstrap intervals over patients; chance stands beside every figure.
"""

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.bootstrap import Interval, bootstrap_by_patient
from evaluation.grading import area_under_curve
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from segmentation.clip import RegionText, cut_regions
from segmentation.training.contrastive_draws import RegionPool, real_pool

QUESTIONS = {
    "disc narrowing": ("narrowing", "no_narrowing", "disc_narrowing", {"present"}),
    "disc bulging": ("bulging", "no_bulging", "disc_bulging", {"present"}),
    "Pfirrmann IV or V": ("severe_degeneration", "no_degeneration", "disc_degeneration", {"IV", "V"}),
    "disc herniation": ("herniation", "no_herniation", "disc_herniation", {"present"}),
    "spondylolisthesis": ("spondylolisthesis", "no_spondylolisthesis", "spondylolisthesis", {"present"}),
    "Modic 2": ("modic_2", "no_modic", "modic", {"2"}),
    "upper endplate change": ("upper_endplate", "no_upper_endplate", "upper_endplate_change", {"present"}),
    "lower endplate change": ("lower_endplate", "no_lower_endplate", "lower_endplate_change", {"present"}),
}
"""Name -> finding and opposite of ``phrases.yaml``, condition, grades that count as present."""
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
GRADES = ("I", "II", "III", "IV", "V")
OUT = Path("runs/benchmarks/region_text.json")


@dataclass(frozen=True)
class Discs:
    """Graded discs of held-out patients.

    Attributes:
        patients: (N,) index of the patient.
        levels: (N,) index in ``LEVELS``.
        present: Question -> (N,) bool.
        scores: Question -> (N,) zero-shot score.
        fit: (N, 5) cosine with the disc of each level.
        pfirrmann: (N,) 0 to 4.
        named: (N,) the grade whose wordings fit best, 0 to 4.
    """

    patients: NDArray[np.int64]
    levels: NDArray[np.int64]
    present: dict[str, NDArray[np.bool_]]
    scores: dict[str, NDArray[np.float32]]
    fit: NDArray[np.float32]
    pfirrmann: NDArray[np.int64]
    named: NDArray[np.int64]


@dataclass(frozen=True)
class Figure:
    """One row of the table: a figure, its interval, what chance gives, and how many discs it stands on."""

    name: str
    value: Interval
    chance: float
    discs: int
    positive: int | None = None


def score_discs(model: RegionText, pool: RegionPool, first_patient: int) -> Discs:
    """Score the graded discs of a pool; patients count up from ``first_patient``."""
    regions = [item for item in pool.regions if item.facts.grades and not item.facts.margin]
    crops = []
    for item in regions:
        source = pool.patients[item.patient]
        crops.append(cut_regions(source.images[0, 0], [item.centre], [item.pitch_px], aspect=source.aspect))
    stack = np.concatenate(crops)
    answers = model.score_findings(stack, {name: (yes, no) for name, (yes, no, *_) in QUESTIONS.items()})
    grades = [next(iter(item.facts.grades["disc_degeneration"])) for item in regions]
    return Discs(
        np.array([item.patient + first_patient for item in regions]),
        np.array([LEVELS.index(str(item.facts.level)) for item in regions]),
        {
            name: np.array([bool(item.facts.grades[condition] & steps) for item in regions])
            for name, (_, _, condition, steps) in QUESTIONS.items()
        },
        {item.name: item.scores for item in answers},
        model.similarity(stack, [f"{level} disc" for level in LEVELS]),
        np.array([GRADES.index(grade) for grade in grades]),
        model.grade(stack, [f"pfirrmann_{grade.lower()}" for grade in GRADES]),
    )


def join(parts: list[Discs]) -> Discs:
    """Put the discs of several folds together."""
    return Discs(
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.levels for part in parts]),
        {name: np.concatenate([part.present[name] for part in parts]) for name in QUESTIONS},
        {name: np.concatenate([part.scores[name] for part in parts]) for name in QUESTIONS},
        np.concatenate([part.fit for part in parts]),
        np.concatenate([part.pfirrmann for part in parts]),
        np.concatenate([part.named for part in parts]),
    )


def figures(discs: Discs) -> list[Figure]:
    """Return all rows of the table."""
    rows = []
    for name in QUESTIONS:
        rows += [_area(discs, name), _found_first(discs, name)]
    rows += [_level_recall(discs, count) for count in (1, 2)]
    usual = int(np.bincount(discs.pfirrmann).argmax())
    away = np.abs(discs.named - discs.pfirrmann)
    rows.append(
        _mean("Pfirrmann grade named exactly", discs.patients, away == 0, (discs.pfirrmann == usual).mean())
    )
    within = (np.abs(usual - discs.pfirrmann) <= 1).mean()
    rows.append(_mean("Pfirrmann grade within one", discs.patients, away <= 1, within))
    return rows


def _area(discs: Discs, name: str) -> Figure:
    truth, scores = discs.present[name], discs.scores[name].astype(float)

    def area(rows: NDArray[np.intp]) -> float:
        is_mixed = 0 < truth[rows].sum() < len(rows)
        return area_under_curve(truth[rows], scores[rows]) if is_mixed else float("nan")

    value = bootstrap_by_patient(discs.patients.tolist(), area)
    return Figure(f"{name}: AUC", value, 0.5, len(truth), int(truth.sum()))


def _found_first(discs: Discs, name: str) -> Figure:
    """Of patients with and without the finding among their discs: is the best-fitting disc one that has it?"""
    hits, chances, patients = [], [], []
    for patient in np.unique(discs.patients):
        rows = np.flatnonzero(discs.patients == patient)
        truth = discs.present[name][rows]
        if 0 < truth.sum() < len(rows):
            hits.append(bool(truth[discs.scores[name][rows].argmax()]))
            chances.append(float(truth.mean()))
            patients.append(int(patient))
    return _mean(f"{name}: found first within the patient", np.array(patients), np.array(hits), np.mean(chances))


def _level_recall(discs: Discs, count: int) -> Figure:
    """The phrase of a level against the regions of its patient: is the right one among the first ``count``?"""
    hits = np.zeros(len(discs.levels), dtype=bool)
    chances = np.zeros(len(discs.levels))
    for patient in np.unique(discs.patients):
        rows = np.flatnonzero(discs.patients == patient)
        for row in rows:
            order = rows[np.argsort(-discs.fit[rows, discs.levels[row]], kind="stable")]
            hits[row] = row in order[:count]
            chances[row] = min(1.0, count / len(rows))
    return _mean(f"level phrase to region, recall@{count}", discs.patients, hits, chances.mean())


def _mean(name: str, patients: NDArray[np.int64], hits: NDArray[np.bool_], chance: float) -> Figure:
    value = bootstrap_by_patient(patients.tolist(), lambda rows: float(hits[rows].mean()))
    return Figure(name, value, float(chance), len(hits))


def load_model(folder: Path) -> RegionText:
    """Load the model of a folder, wherever it lies."""
    return RegionText.load(folder.name, root=folder.parent)


def table(rows: list[Figure]) -> str:
    """Return the figures as Markdown."""
    lines = ["| figure | value (95 % interval over patients) | chance | n (positive) |", "|---|---|---|---|"]
    for row in rows:
        count = f"{row.discs}" if row.positive is None else f"{row.discs} ({row.positive})"
        lines.append(f"| {row.name} | {row.value} | {row.chance:.3f} | {count} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--weights", type=Path, default=Path("weights/region-text"), help="folder of the model")
    parser.add_argument("--runs", default="", help="folder of each fold's model, such as runs/clip/fold{fold}")
    parser.add_argument("--folds", default="0", help="held-out folds, such as 0,1, or all")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    chosen = range(FOLD_COUNT) if arguments.folds == "all" else [int(item) for item in arguments.folds.split(",")]
    parts: list[Discs] = []
    for fold in chosen:
        folder = Path(arguments.runs.format(fold=fold)) if arguments.runs else arguments.weights
        parts.append(score_discs(load_model(folder), held_out(fold), 1000 * fold))
    rows = figures(join(parts))
    print(table(rows))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    record = {"folds": list(chosen), "rows": {row.name: asdict(row) for row in rows}}
    arguments.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def held_out(fold: int) -> RegionPool:
    """Return the regions of a fold's patients."""
    return real_pool(load_settings().data_dir, lambda patient: spider_folds()[patient] == fold)


if __name__ == "__main__":
    main()
