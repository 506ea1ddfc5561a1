"""How well levels are named and placed on real T2 middle slices that the network did not see.

    python -m benchmarks.levels [--folds 0 1 2 3 4] [--models runs/segmentation]

Data: ``spider/disc_points.csv``, 172 T2 middle slices of 172 patients, five posterior disc points each. Needs the
five fold models: ``spinescribe train segmentation --config configs/segmentation/train_default.yaml --fold K``.
A level is right when its point lies within 0.3 of the mean level pitch of the reference. Prints a Markdown table
and writes ``runs/benchmarks/levels.json``: the figures with bootstrap intervals over patients, and every level
that is not right with its reason.
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from anatomy import load_protocol
from evaluation.bootstrap import Interval, bootstrap_by_patient
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from runtime.errors import NotEligibleError
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation import Segmenter
from segmentation.types import Level

LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
WITHIN = 0.3


@dataclass(frozen=True)
class LevelScore:
    """One reference level of one patient.

    Attributes:
        patient: Patient number.
        fold: Fold in which the patient is held out.
        level: Disc level.
        error: Distance of the predicted point, in mean reference pitches; None when the level was not found.
        confidence: Of the name; 0 when not found.
        doubt: The level's doubt, or why it is missing.
        nearest: Predicted name of the disc nearest to the reference point; None when none is within ``WITHIN``.
    """

    patient: int
    fold: int
    level: str
    error: float | None
    confidence: float
    doubt: str | None
    nearest: str | None

    @property
    def is_right(self) -> bool:
        return self.error is not None and self.error <= WITHIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLD_COUNT)))
    parser.add_argument("--models", type=Path, default=Path("runs/segmentation"))
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/levels.json"))
    options = parser.parse_args()
    allow_torchvision_on_cpu()
    scores = [score for fold in options.folds for score in score_fold(fold, options.models)]
    report = summarise(scores)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(to_markdown(report))


def score_fold(fold: int, models: Path) -> list[LevelScore]:
    """Score the middle slices of the patients held out in one fold."""
    data = load_settings().data_dir / "spider"
    held_out = {patient for patient, number in spider_folds().items() if number == fold}
    references = {file: points for file, points in read_points(data).items() if patient_of(file) in held_out}
    spacings = read_spacings(data)
    segmenter = Segmenter.load(weights_root=models, name=f"fold{fold}")
    return [
        score
        for file, points in tqdm(references.items(), desc=f"fold {fold}")
        for score in score_slice(segmenter, data / "midsagittal" / file, points, spacings[file], fold)
    ]


def score_slice(
    segmenter: Segmenter,
    file: Path,
    points: dict[str, tuple[float, float]],
    spacing: Spacing | None,
    fold: int,
) -> list[LevelScore]:
    """Score one slice; ``points`` are relative to width and height."""
    image = np.asarray(Image.open(file).convert("L"), dtype=np.float32)
    size = np.array([image.shape[1], image.shape[0]])
    reference = {name: np.array(point) * size - 0.5 for name, point in points.items()}
    ordered = np.array([reference[name] for name in LEVELS])
    pitch = float(np.linalg.norm(np.diff(ordered, axis=0), axis=1).mean())
    levels: tuple[Level, ...] = ()
    reason = "level not found"
    try:
        levels = segmenter.segment_study(single_slice(image, spacing), load_protocol("lumbar")).levels
    except NotEligibleError as error:
        reason = str(error)
    patient = patient_of(file.name)
    return [_score(patient, fold, name, reference[name], levels, pitch, reason) for name in LEVELS]


def _score(
    patient: int,
    fold: int,
    name: str,
    point: np.ndarray,
    levels: tuple[Level, ...],
    pitch: float,
    reason: str,
) -> LevelScore:
    errors = {level.name: float(np.linalg.norm(np.array(level.posterior_px) - point)) / pitch for level in levels}
    found = next((level for level in levels if level.name == name), None)
    nearest = min(errors, key=lambda key: errors[key]) if errors else None
    return LevelScore(
        patient=patient,
        fold=fold,
        level=name,
        error=errors.get(name),
        confidence=found.confidence if found else 0.0,
        doubt=found.doubt if found else reason,
        nearest=nearest if nearest is not None and errors[nearest] <= WITHIN else None,
    )


def single_slice(image: np.ndarray, spacing: Spacing | None) -> Study:
    """Return a study of one sagittal T2 slice."""
    volume = Volume(image.T[:, :, None], spacing, None, (image.shape[1], image.shape[0], 1))
    series = Series("S1", "sagittal_t2", Plane.SAGITTAL, Sequence.T2, volume)
    return Study("benchmark", SourceKind.PICTURE, "lumbar", (series,))


def read_points(data: Path) -> dict[str, dict[str, tuple[float, float]]]:
    """Return file -> level -> (relative x, relative y)."""
    points: dict[str, dict[str, tuple[float, float]]] = defaultdict(dict)
    with (data / "disc_points.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            points[row["file"]][row["level"]] = (float(row["relative_x"]), float(row["relative_y"]))
    return dict(points)


def read_spacings(data: Path) -> dict[str, Spacing | None]:
    """Return file -> spacing where it is trusted, else None."""
    with (data / "midsagittal.csv").open(encoding="utf-8", newline="") as stream:
        return {
            row["file"]: Spacing(float(row["row_spacing_mm"]), float(row["col_spacing_mm"]))
            if row["spacing_trusted"] == "yes"
            else None
            for row in csv.DictReader(stream)
        }


def patient_of(file: str) -> int:
    return int(file.split("_")[0])


def summarise(scores: list[LevelScore]) -> dict[str, object]:
    """Return figures with intervals and the list of failures."""
    patients = [score.patient for score in scores]
    right = np.array([score.is_right for score in scores], dtype=float)
    doubt = np.array([score.doubt is not None for score in scores], dtype=float)
    errors = np.array([np.nan if score.error is None else score.error for score in scores])

    def interval(statistic: Callable[[np.ndarray], float]) -> dict[str, float]:
        return asdict(bootstrap_by_patient(patients, statistic))

    figures = {
        "right": interval(lambda rows: float(right[rows].mean())),
        "in_doubt": interval(lambda rows: float(doubt[rows].mean())),
        "wrong_without_doubt": interval(lambda rows: float(((1 - right) * (1 - doubt))[rows].mean())),
        "median_error_of_right": interval(lambda rows: float(np.median(errors[rows][right[rows] == 1]))),
        "patients_all_right": interval(
            lambda rows: float(right[rows].reshape(-1, len(LEVELS)).all(axis=1).mean())
        ),
    }
    return {
        "levels": len(scores),
        "patients": len(set(patients)),
        "figures": figures,
        "by_level": {
            name: float(np.mean([score.is_right for score in scores if score.level == name])) for name in LEVELS
        },
        "by_fold": {
            str(fold): float(np.mean([score.is_right for score in scores if score.fold == fold]))
            for fold in sorted({score.fold for score in scores})
        },
        "calibration": calibration(scores),
        "doubts": dict(Counter(score.doubt for score in scores if score.doubt is not None)),
        "failures": [asdict(score) for score in scores if not score.is_right],
    }


def calibration(scores: list[LevelScore]) -> list[dict[str, float]]:
    """Return, for bins of confidence, how many levels and how many of them were right."""
    edges = (0.0, 0.5, 0.8, 0.95, 0.99, 1.0001)
    table = []
    for low, high in pairwise(edges):
        inside = [score for score in scores if low <= score.confidence < high]
        if inside:
            table.append(
                {
                    "from": low,
                    "to": min(high, 1.0),
                    "levels": len(inside),
                    "mean_confidence": float(np.mean([score.confidence for score in inside])),
                    "right": float(np.mean([score.is_right for score in inside])),
                }
            )
    return table


def to_markdown(report: dict[str, object]) -> str:
    """Return the figures as a Markdown table."""
    words = {
        "right": f"named right and within {WITHIN} pitch",
        "in_doubt": "in doubt (or not found, said so)",
        "wrong_without_doubt": "wrong without doubt",
        "median_error_of_right": "median distance of right ones, pitches",
        "patients_all_right": "patients with all five right",
    }
    figures = report["figures"]
    assert isinstance(figures, dict)
    lines = [
        f"{report['levels']} levels of {report['patients']} patients, held out",
        "",
        "| figure | value (95 % interval over patients) |",
        "|---|---|",
        *(f"| {words[key]} | {Interval(**value)} |" for key, value in figures.items()),
        "",
        f"by level: {report['by_level']}",
        f"by fold: {report['by_fold']}",
        f"calibration: {report['calibration']}",
        f"doubts: {report['doubts']}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
