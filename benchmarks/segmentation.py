"""Segmentation on held-out patients: ``python -m benchmarks.segmentation [--runs runs/segmentation]``.

Each patient is segmented by the model of the fold that holds it out; nothing is scored on a patient that was seen.
Needs the five fold models first: ``spinescribe train segmentation --config configs/segmentation/train_default.yaml
--fold K`` for K = 0 to 4 (each into ``runs/segmentation/foldK``).
``--folds 0`` scores the patients of fold 0 only.

Figures (95 % bootstrap over patients):
  Dice      2 |A and B| / (|A| + |B|), over all labelled slices of a patient together, on the original pixels; the
            figure is the mean over patients
  HD95      95th percentile of the distances between the two outlines, both ways, mean over the slices of a
            patient, in mm by the table's spacing (estimated rows for seven patients, data/README.md)
  points    share of posterior disc points whose raw heat-map peak lies within 0.3 mean level pitch of the
            reference; the consistency solver is measured elsewhere
Writes a Markdown table to the terminal and ``runs/benchmarks/segmentation.json``.
"""

import argparse
import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from evaluation.bootstrap import Interval, bootstrap_by_patient
from imaging.types import Spacing
from runtime.device import use_threads
from runtime.folds import FOLD_COUNT, spider_folds
from runtime.settings import load_settings
from segmentation.predict import SliceSegmenter

STRUCTURES = ("disc", "vertebra", "spinal_canal")
LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
_MIN_VERTEBRA_PIXELS = 500


@dataclass(frozen=True)
class Row:
    """One scored patient: ``task`` groups rows into a figure."""

    task: str
    patient: int
    value: float


def dice(prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """Return 2 |A and B| / (|A| + |B|); nan when both are empty."""
    total = int(prediction.sum()) + int(reference.sum())
    return 2 * int((prediction & reference).sum()) / total if total else float("nan")


def hd95_mm(prediction: NDArray[np.bool_], reference: NDArray[np.bool_], spacing: tuple[float, float]) -> float:
    """Return the 95th percentile of the outlines' distances both ways, in mm; nan when one is empty."""
    if not prediction.any() or not reference.any():
        return float("nan")
    outlines = [mask & ~ndimage.binary_erosion(mask) for mask in (prediction, reference)]
    away = [ndimage.distance_transform_edt(~outline, sampling=spacing) for outline in outlines]
    return float(np.percentile(np.concatenate([away[1][outlines[0]], away[0][outlines[1]]]), 95))


def score_space(data: Path, models: dict[int, SliceSegmenter]) -> Iterator[Row]:
    """Score the T2 SPACE slices, whole patients at a time."""
    for patient, rows in _by_patient(data / "spider" / "space.csv").items():
        model = models.get(spider_folds()[patient])
        if model is None:
            continue
        spacing = (float(rows[0]["row_spacing_mm"]), float(rows[0]["col_spacing_mm"]))
        images = np.stack([_grey(data / "spider" / "space" / "images" / row["file"]) for row in rows])
        labels = np.stack([_grey(data / "spider" / "space" / "masks" / row["file"]) for row in rows])
        masks = model.segment_slices(images, Spacing(*spacing)).probabilities >= 0.5
        for index, name in enumerate(STRUCTURES):
            pairs = [(mask, label == index + 1) for mask, label in zip(masks[:, index], labels, strict=True)]
            yield Row(f"SPACE {name} Dice", patient, dice(masks[:, index], labels == index + 1))
            yield Row(f"SPACE {name} HD95 mm", patient, _mean([hd95_mm(a, b, spacing) for a, b in pairs]))


def score_vertebrae(data: Path, models: dict[int, SliceSegmenter]) -> Iterator[Row]:
    """Score vertebra masks on the ordinary T1 and T2 slices that have them."""
    folder = data / "spider" / "vertebrae"
    for patient, rows in _by_patient(data / "spider" / "vertebrae.csv").items():
        model = models.get(spider_folds()[patient])
        if model is None:
            continue
        for sequence in ("t1", "t2"):
            own = [row for row in rows if row["series"].endswith(sequence)]
            own = [row for row in own if int(row["mask_pixels"]) > _MIN_VERTEBRA_PIXELS]
            predicted, reference = [], []
            for row in own:
                maps = model.segment_slices(_grey(folder / "images" / row["file"])[None], None)
                predicted.append((maps.probabilities[0, 1] >= 0.5).ravel())
                reference.append((_grey(folder / "masks" / row["file"]) > 0).ravel())
            if own:
                value = dice(np.concatenate(predicted), np.concatenate(reference))
                yield Row(f"{sequence.upper()} vertebra Dice", patient, value)


def score_points(data: Path, models: dict[int, SliceSegmenter]) -> Iterator[Row]:
    """Score the raw peaks of the level maps on T2 middle slices: the share within 0.3 pitch of the reference."""
    spacing_of = {row["file"]: row for row in _rows(data / "spider" / "midsagittal.csv")}
    by_file: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(data / "spider" / "disc_points.csv"):
        by_file[row["file"]].append(row)
    for name, rows in by_file.items():
        model = models.get(spider_folds()[int(rows[0]["patient"])])
        if model is None:
            continue
        image = _grey(data / "spider" / "midsagittal" / name)
        listed = spacing_of[name]
        is_trusted = listed["spacing_trusted"] == "yes"
        spacing = Spacing(float(listed["row_spacing_mm"]), float(listed["col_spacing_mm"])) if is_trusted else None
        maps = model.segment_slices(image[None], spacing)
        size = np.array([image.shape[1], image.shape[0]])
        places = {
            row["level"]: np.array([row["relative_x"], row["relative_y"]], float) * size - 0.5 for row in rows
        }
        pitch = _mean([float(np.linalg.norm(places[b] - places[a])) for a, b in pairwise(LEVELS)])
        peaks = [_peak(maps.level_maps[0, maps.level_names.index(level)], maps.level_stride) for level in LEVELS]
        away = [float(np.linalg.norm(peak - places[level])) for peak, level in zip(peaks, LEVELS, strict=True)]
        share = _mean([float(distance <= 0.3 * pitch) for distance in away])
        yield Row("T2 points within 0.3 pitch (raw peaks)", int(rows[0]["patient"]), share)


def summarise(rows: list[Row]) -> dict[str, dict[str, object]]:
    """Return each task's figure, interval and worst patient."""
    tasks: dict[str, dict[str, object]] = {}
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task and np.isfinite(row.value)]
        values = np.array([row.value for row in own])
        interval = bootstrap_by_patient([row.patient for row in own], _mean_of(values))
        is_distance = "HD95" in task
        worst = max(own, key=lambda row: row.value if is_distance else -row.value)
        tasks[task] = {"interval": interval, "worst_patient": worst.patient, "worst": worst.value}
    return tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/segmentation"), help="folder of fold0 to fold4")
    parser.add_argument("--output", type=Path, default=Path("runs/benchmarks/segmentation.json"))
    parser.add_argument("--folds", type=int, nargs="+", choices=range(FOLD_COUNT), default=list(range(FOLD_COUNT)))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    data = load_settings().data_dir
    models = {
        fold: SliceSegmenter.load(weights_root=options.runs, name=f"fold{fold}", device="cpu")
        for fold in options.folds
    }
    rows = [*score_space(data, models), *score_vertebrae(data, models), *score_points(data, models)]
    tasks = summarise(rows)
    print(markdown_table(tasks))
    options.output.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "figures": {
            task: figure_record(item, interval)
            for task, item in tasks.items()
            if isinstance(interval := item["interval"], Interval)
        },
        "rows": [[row.task, row.patient, row.value] for row in rows],
        "checksums": {fold: model.checksum for fold, model in models.items()},
    }
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def figure_record(item: dict[str, object], interval: Interval) -> dict[str, object]:
    """Return a task's figure as it is kept in the JSON record."""
    return {
        "value": interval.value,
        "low": interval.low,
        "high": interval.high,
        "patients": interval.patients,
        "worst_patient": item["worst_patient"],
        "worst": item["worst"],
    }


def markdown_table(tasks: dict[str, dict[str, object]]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| figure | value (95 % interval, patients) | worst patient |", "|---|---|---|"]
    for task, item in tasks.items():
        lines.append(f"| {task} | {item['interval']} | {item['worst']:.3f} (patient {item['worst_patient']}) |")
    return "\n".join(lines)


def _peak(level_map: NDArray[np.float32], stride: tuple[float, float]) -> NDArray[np.float64]:
    """Return (x, y) of a map's largest value in pixels of the original slice."""
    row, column = np.unravel_index(int(level_map.argmax()), level_map.shape)
    return np.array([column * stride[1] + (stride[1] - 1) / 2, row * stride[0] + (stride[0] - 1) / 2])


def _mean_of(values: NDArray[np.float64]) -> Callable[[NDArray[np.intp]], float]:
    return lambda chosen: float(values[chosen].mean())


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _grey(file: Path) -> NDArray[np.float32]:
    return np.asarray(Image.open(file).convert("L"), dtype=np.float32)


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _by_patient(file: Path) -> dict[int, list[dict[str, str]]]:
    groups: dict[int, list[dict[str, str]]] = defaultdict(list)
    for row in _rows(file):
        groups[int(row["patient"])].append(row)
    return groups


if __name__ == "__main__":
    main()
