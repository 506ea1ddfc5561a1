"""What each part of the grader brings: variants that differ in one thing, trained and scored on the same patients.

    python -m benchmarks.grading_ablation [--variants no_biomarkers ...]
    python -m benchmarks.grading_ablation --file configs/grading/ablation_grid.yaml

Trains what is missing of ``runs/grading/ablation_<name>/<variant>/fold<K>`` (a run that was broken off goes on),
and compares each variant with the base: real discs (SPIDER) and phantoms apart, each head by its quadratic kappa
or AUC. Differences are paired by patient, with 95 % bootstrap intervals. Scored at reference points, with all the
sequences of a disc; phantoms where a reading finds them on average. ``--table`` trains nothing.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from evaluation.bootstrap import bootstrap_by_patient
from evaluation.grading import area_under_curve, quadratic_kappa
from grading.heads import HeadInfo, HeadKind, load_heads
from grading.probabilities import likeliest_step, step_probabilities
from grading.training.held_out import HeadRows, HeldOut, join, load_held_out
from grading.training.train import train
from runtime.folds import spider_folds

FILE = Path("configs/grading/ablation_real.yaml")
RUNS = Path("runs/grading")
OUT = Path("runs/benchmarks")
POINTS = Path("runs/grading/lumbar")


@dataclass(frozen=True)
class Scores:
    """Held-out places of one head: kept from the largest set of series that a place has.

    Attributes:
        patients: (N,).
        keys: N names of the places, to pair variants by.
        steps: (N,) truth.
        named: (N,) named step.
        severity: (N,) probability of any step above the first.
    """

    patients: NDArray[np.int64]
    keys: tuple[tuple[int, int, int], ...]
    steps: NDArray[np.int64]
    named: NDArray[np.int64]
    severity: NDArray[np.float64]


@dataclass(frozen=True)
class Ablation:
    """Variants to compare.

    Attributes:
        name: Of the file.
        folds: Whose held-out patients are scored.
        variants: Name -> training table; the first is the base.
    """

    name: str
    folds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]

    @property
    def folder(self) -> Path:
        """Return where the runs are."""
        return RUNS / self.name


def load_ablation(file: Path = FILE) -> Ablation:
    """Read the variants of a file."""
    table = yaml.safe_load(file.read_text(encoding="utf-8"))
    base = yaml.safe_load(Path(table["base"]).read_text(encoding="utf-8"))
    variants = {name: _merged(base, change) for name, change in table["variants"].items()}
    return Ablation(file.stem, tuple(table["folds"]), variants)


def _merged(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in change.items():
        known = base.get(key)
        merged[key] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged


def train_variant(name: str, table: Mapping[str, Any], fold: int, folder: Path) -> None:
    """Train one fold of a variant, or go on with it."""
    out = folder / name
    out.mkdir(parents=True, exist_ok=True)
    for points in POINTS.glob("*points.csv"):
        link = out / points.name
        if not link.exists():
            link.symlink_to(points.resolve())
    file = out / "train.yaml"
    file.write_text(yaml.safe_dump(dict(table)), encoding="utf-8")
    train(file, fold=fold, resume=True, out=out)


def score_variant(name: str, heads: Sequence[HeadInfo], folds: Sequence[int], folder: Path) -> dict[str, Scores]:
    """Return the scores of each head that a variant has."""
    parts = [load_held_out(folder / name / f"fold{fold}" / "held_out.npz") for fold in folds]
    joined = {at_hand: join([part[at_hand] for part in parts]) for at_hand in parts[0]}
    present = set(next(iter(joined.values())).logits)
    mine = [head for head in heads if head.key in present]
    return {head.key: _scores(joined, head, mine) for head in mine}


def _scores(joined: Mapping[str, HeldOut], head: HeadInfo, heads: Sequence[HeadInfo]) -> Scores:
    found: dict[tuple[int, int, int], tuple[int, NDArray[np.float64]]] = {}
    for at_hand in sorted(joined, key=lambda name: name.count("+"), reverse=True):
        rows = joined[at_hand].rows(head, heads)
        for key, step, logits in zip(_keys(rows), rows.steps.tolist(), rows.logits, strict=True):
            found.setdefault(key, (step, logits))
    keys = tuple(found)
    probabilities = step_probabilities(np.array([logits for _, logits in found.values()]), head.kind)
    return Scores(
        patients=np.array([key[0] for key in keys]),
        keys=keys,
        steps=np.array([step for step, _ in found.values()]),
        named=likeliest_step(probabilities, head.kind),
        severity=1 - probabilities[:, 0],
    )


def _keys(rows: HeadRows) -> list[tuple[int, int, int]]:
    """Return patient, level and running number (the side) of each place."""
    seen: dict[tuple[int, int], int] = {}
    keys = []
    for patient, level in zip(rows.patients.tolist(), rows.levels.tolist(), strict=True):
        seen[patient, level] = seen.get((patient, level), -1) + 1
        keys.append((patient, level, seen[patient, level]))
    return keys


def is_trained(name: str, fold: int, folder: Path) -> bool:
    """Return whether a fold of a variant is finished."""
    return (folder / name / f"fold{fold}" / "held_out.npz").is_file()


def figure(scores: Scores, chosen: NDArray[np.intp], head: HeadInfo) -> float:
    """Return the quadratic kappa of an ordered head, the AUC of "above the first step" of another."""
    if head.kind is HeadKind.ORDINAL:
        return quadratic_kappa(scores.steps[chosen], scores.named[chosen], steps=len(head.grades))
    return area_under_curve((scores.steps[chosen] > 0).astype(np.int64), scores.severity[chosen])


def compare(base: Scores, other: Scores, head: HeadInfo) -> dict[str, Any]:
    """Return both figures and their difference on the places that both have, paired by patient."""
    shared = sorted(set(base.keys) & set(other.keys))
    rows = [np.array([scores.keys.index(key) for key in shared]) for scores in (base, other)]

    def difference(chosen: NDArray[np.intp]) -> float:
        return figure(other, rows[1][chosen], head) - figure(base, rows[0][chosen], head)

    interval = bootstrap_by_patient([key[0] for key in shared], difference)
    return {
        "places": len(shared),
        "patients": len({key[0] for key in shared}),
        "base": figure(base, rows[0], head),
        "value": figure(other, rows[1], head),
        "difference": interval.value,
        "low": interval.low,
        "high": interval.high,
    }


def of_kind(scores: Scores, *, real: bool) -> Scores:
    """Return the places of real patients, or those of phantoms."""
    known = spider_folds()
    keep = np.array([(patient in known) == real for patient in scores.patients.tolist()], dtype=bool)
    return Scores(
        scores.patients[keep],
        tuple(key for key, is_kept in zip(scores.keys, keep, strict=True) if is_kept),
        scores.steps[keep],
        scores.named[keep],
        scores.severity[keep],
    )


def table_text(name: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the comparison of one variant with the base as Markdown."""
    lines = [f"### {name}", "", "| head | patients | base | variant | difference |", "|---|---|---|---|---|"]
    for head, row in rows.items():
        change = f"{row['difference']:+.3f} ({row['low']:+.3f} to {row['high']:+.3f})"
        lines.append(f"| {head} | {row['patients']} | {row['base']:.3f} | {row['value']:.3f} | {change} |")
    return "\n".join(lines)


def main() -> None:
    """Train, score, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--variants", nargs="+", help="of the file; all if not given")
    parser.add_argument("--folds", nargs="+", type=int, help="those of the file if not given")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    ablation = load_ablation(options.file)
    base, *others = ablation.variants
    folds, names = options.folds or ablation.folds, [base, *(options.variants or others)]
    for name in names if not options.table else ():
        for fold in folds:
            train_variant(name, ablation.variants[name], fold, ablation.folder)
    heads = load_heads("lumbar")
    reference = score_variant(base, heads, folds, ablation.folder)
    report: dict[str, Any] = {}
    for name in names[1:]:
        if not all(is_trained(name, fold, ablation.folder) for fold in folds):
            continue
        other = score_variant(name, heads, folds, ablation.folder)
        shared = [head for head in heads if head.key in reference and head.key in other]
        report[name] = {
            head.key: compare(*(of_kind(part[head.key], real=head.is_real) for part in (reference, other)), head)
            for head in shared
        }
        print(table_text(name, report[name]), end="\n\n")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / f"grading_{ablation.name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
