"""How real the phantoms are: a network that saw phantoms only, scored on real slices.

``python -m benchmarks.phantom_realism [--model runs/segmentation/pretrain]``, after
``spinescribe train segmentation --config configs/segmentation/pretrain.yaml --out runs/segmentation/pretrain``.

Scores all 30 patients of SPIDER's T2 SPACE slices (the training has seen none), the ordinary T1 and T2 slices with
vertebra masks, and the posterior points of ordinary T2 slices, by the measures of ``benchmarks.segmentation``.
Where ``runs/benchmarks/segmentation.json`` is there, each figure stands beside that of the networks trained on
real slices (each patient by the network that held it out), with the mean paired difference. 95 % bootstrap over
patients. Writes ``runs/benchmarks/phantom_realism.json``.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.segmentation import Row, figure_record, score_points, score_space, score_vertebrae, summarise
from evaluation.bootstrap import Interval, bootstrap_by_patient
from runtime.device import use_threads
from runtime.folds import FOLD_COUNT
from runtime.settings import load_settings
from segmentation.predict import SliceSegmenter

OUT = Path("runs/benchmarks/phantom_realism.json")
REAL = Path("runs/benchmarks/segmentation.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/segmentation/pretrain"))
    parser.add_argument("--space-only", action="store_true", help="leaves the other slices out")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    data = load_settings().data_dir
    model = SliceSegmenter.load(weights_root=options.model.parent, name=options.model.name, device="cpu")
    models = dict.fromkeys(range(FOLD_COUNT), model)  # no patient was seen: one network for all folds
    rows = list(score_space(data, models))
    if not options.space_only:
        rows += [*score_vertebrae(data, models), *score_points(data, models)]
    real = real_rows(REAL)
    figures = {task: figure(task, item, rows, real) for task, item in summarise(rows).items()}
    print(markdown_table(figures))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "model": options.model.name,
        "checksum": model.checksum,
        "figures": figures,
        "rows": [[row.task, row.patient, row.value] for row in rows],
    }
    OUT.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def real_rows(file: Path) -> list[Row]:
    """Return the rows of the networks trained on real slices; none where they were not scored here."""
    if not file.is_file():
        return []
    return [Row(*row) for row in json.loads(file.read_text(encoding="utf-8"))["rows"]]


def figure(task: str, item: dict[str, object], rows: list[Row], real: list[Row]) -> dict[str, object]:
    """Return a task's figure, and the mean paired difference to the networks trained on real slices."""
    interval = item["interval"]
    assert isinstance(interval, Interval)
    known = {row.patient: row.value for row in real if row.task == task and np.isfinite(row.value)}
    own = [row for row in rows if row.task == task and row.patient in known and np.isfinite(row.value)]
    found: dict[str, object] = {
        **figure_record(item, interval),
        "text": str(interval),
        "real": None,
        "difference": None,
    }
    if own:
        difference = np.array([row.value - known[row.patient] for row in own])
        paired = bootstrap_by_patient(
            [row.patient for row in own], lambda chosen: float(difference[chosen].mean())
        )
        found["real"] = float(np.mean([known[row.patient] for row in own]))
        found["difference"] = str(paired)
    return found


def markdown_table(figures: dict[str, dict[str, object]]) -> str:
    """Return the figures as a Markdown table."""
    lines = [
        "| figure | trained on phantoms (95 % interval, patients) | worst patient | on real slices | difference |",
        "|---|---|---|---|---|",
    ]
    for task, item in figures.items():
        real = "not scored here" if item["real"] is None else f"{item['real']:.3f}"
        lines.append(
            f"| {task} | {item['text']} | {item['worst']:.3f} (patient {item['worst_patient']}) "
            f"| {real} | {item['difference'] or ''} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
