"""What the content classifier tells of bare slices: plane, position and weighting, and how often it stays silent.

    python -m benchmarks.planes [--out runs/benchmarks/planes.json]

Judges ``weights/plane-sequence`` on what it did not learn from: SPIDER's fold 0 (unit: patient) and Sudirman's
198 slices, whose plane and weighting are labelled by eye (``configs/planes/sudirman.csv``; unit: picture, as there
are no patient numbers). Then counts the sagittal pictures at hand, learnt from or not, that it would take for
another plane. Writes JSON and prints Markdown tables.
"""

import argparse
import csv
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evaluation.bootstrap import Interval, bootstrap_by_patient
from imaging.content import ContentClassifier, ContentFinding, Position
from imaging.types import Plane
from runtime.device import use_threads
from runtime.folds import spider_folds
from runtime.paths import configs_dir
from runtime.settings import load_settings

HELD_OUT_FOLD = 0
PLANES = configs_dir() / "planes" / "sudirman.csv"
LAID: dict[Position, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    Position.UPRIGHT: lambda image: image,
    Position.MIRRORED: lambda image: image[:, ::-1],
    Position.UPSIDE_DOWN: lambda image: image[::-1, ::-1],
    Position.FLIPPED: lambda image: image[::-1],
}


@dataclass(frozen=True)
class Judged:
    """A picture, what it is, and what was found.

    Attributes:
        group: Patient, or the picture itself.
        plane: True plane.
        sequence: True weighting, or ``unknown``.
        note: Such as ``far lateral``.
        finding: What the classifier says.
    """

    group: str
    plane: str
    sequence: str
    note: str
    finding: ContentFinding


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/planes.json"))
    options = parser.parse_args()
    use_threads(1)
    classifier = ContentClassifier.load()
    data_dir = load_settings().data_dir
    spider = judge_spider(classifier, data_dir)
    sudirman = judge_sudirman(classifier, data_dir)
    held_out = [item for item in spider if _fold(item) == HELD_OUT_FOLD]
    report: dict[str, Any] = {
        "weights": classifier.checksum,
        "plane": {
            "Sudirman, 198 pictures": answers(sudirman, _plane),
            **{f"Sudirman, {name}": answers(_of_plane(sudirman, name), _plane) for name in _planes(sudirman)},
            "SPIDER fold 0, sagittal": answers(held_out, _plane),
        },
        "weighting": {
            "SPIDER fold 0, middle slices": answers(_noted(held_out, "middle"), _sequence),
            "SPIDER fold 0, T2 SPACE slices": answers(_noted(held_out, "space"), _sequence),
            "Sudirman, sagittal": answers(_of_plane(sudirman, "sagittal"), _sequence),
            "Sudirman, axial": answers(_of_plane(sudirman, "axial"), _sequence),
        },
        "position": judge_positions(classifier, data_dir),
        "confusion": confusion(sudirman),
        "sagittal pictures refused": {
            name: [sum(_is_refused(item) for item in group), len(group)]
            for name, group in (
                ("SPIDER middle slices", _noted(spider, "middle")),
                ("SPIDER T2 SPACE slices", _noted(spider, "space")),
                ("Sudirman sagittal", _of_plane(sudirman, "sagittal")),
            )
        },
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2, default=asdict) + "\n", encoding="utf-8")
    print_report(report)


def judge_spider(classifier: ContentClassifier, data_dir: Path) -> list[Judged]:
    """Judge every middle slice and T2 SPACE slice."""
    spider = data_dir / "spider"
    judged = []
    for row in _rows(spider / "midsagittal.csv"):
        finding = classifier.judge([_read(spider / "midsagittal" / row["file"])])
        judged.append(Judged(row["patient"], "sagittal", row["sequence"].split("_")[0], "middle", finding))
    for row in _rows(spider / "space.csv"):
        finding = classifier.judge([_read(spider / "space" / "images" / row["file"])])
        judged.append(Judged(row["patient"], "sagittal", "t2", "space", finding))
    return judged


def judge_sudirman(classifier: ContentClassifier, data_dir: Path) -> list[Judged]:
    """Judge Sudirman's slices."""
    folder = data_dir / "sudirman" / "planes"
    return [
        Judged(
            row["file"],
            row["plane"],
            row["sequence"],
            row["note"],
            classifier.judge([_read(folder / row["file"])]),
        )
        for row in _rows(PLANES)
    ]


def judge_positions(classifier: ContentClassifier, data_dir: Path) -> dict[str, dict[str, object]]:
    """Lay the middle slices of fold 0 in four ways."""
    rows = [row for row in _rows(data_dir / "spider" / "midsagittal.csv") if _patient_fold(row["patient"]) == 0]
    report: dict[str, dict[str, object]] = {}
    for position, lay in LAID.items():
        said = []
        for row in rows:
            image = np.ascontiguousarray(lay(_read(data_dir / "spider" / "midsagittal" / row["file"])))
            said.append(classifier.judge([image]).position)
        right = np.array([item is position for item in said])
        silent = np.array([item is Position.UNKNOWN for item in said])
        groups = [row["patient"] for row in rows]
        report[position.value] = _row(groups, right, silent)
    return report


def answers(judged: list[Judged], ask: Callable[[Judged], tuple[str, str, str]]) -> dict[str, object]:
    """Return accuracy over all (the likeliest answer), over those answered, and the share left unanswered."""
    asked = [(item.group, *ask(item)) for item in judged]
    known = [row for row in asked if row[1] != "unknown"]
    groups = [row[0] for row in known]
    forced = np.array([row[3] == row[1] for row in known])
    right = np.array([row[2] == row[1] for row in known])
    silent = np.array([row[2] == "unknown" for row in known])
    return {**_row(groups, right, silent), "forced": _share(groups, forced)}


def _row(groups: list[str], right: NDArray[np.bool_], silent: NDArray[np.bool_]) -> dict[str, object]:
    answered = ~silent
    return {
        "pictures": len(groups),
        "groups": len(set(groups)),
        "silent": int(silent.sum()),
        "wrong": int((answered & ~right).sum()),
        "answered_right": _share([g for g, a in zip(groups, answered, strict=True) if a], right[answered]),
    }


def confusion(judged: list[Judged]) -> dict[str, dict[str, int]]:
    """Return true plane -> said plane -> pictures."""
    return {
        plane: dict(Counter(item.finding.plane.value for item in judged if item.plane == plane))
        for plane in _planes(judged)
    }


def wilson(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of a share. Source: Wilson, J Am Stat Assoc 1927;22:209."""
    z = 1.959964
    share = right / total
    middle = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * float(np.sqrt(share * (1 - share) / total + z * z / (4 * total * total))) / (1 + z * z / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def _share(groups: list[str], right: NDArray[np.bool_]) -> Interval | dict[str, float] | None:
    """Return a share with its interval: Wilson's where each picture is a group of its own, else a bootstrap's."""
    if len(right) == 0:
        return None
    if len(set(groups)) == len(groups):
        low, high = wilson(int(right.sum()), len(right))
        return {"value": float(right.mean()), "low": low, "high": high, "n": float(len(right))}
    return bootstrap_by_patient(groups, lambda index: float(right[index].mean()))


def _plane(item: Judged) -> tuple[str, str, str]:
    return item.plane, item.finding.plane.value, item.finding.likeliest_plane.value


def _sequence(item: Judged) -> tuple[str, str, str]:
    return item.sequence, item.finding.sequence.value, item.finding.likeliest_sequence.value


def _is_refused(item: Judged) -> bool:
    return item.finding.plane not in (Plane.SAGITTAL, Plane.UNKNOWN)


def _of_plane(judged: list[Judged], plane: str) -> list[Judged]:
    return [item for item in judged if item.plane == plane]


def _noted(judged: list[Judged], note: str) -> list[Judged]:
    return [item for item in judged if item.note == note]


def _planes(judged: list[Judged]) -> list[str]:
    return sorted({item.plane for item in judged})


def _fold(item: Judged) -> int:
    return _patient_fold(item.group)


def _patient_fold(patient: str) -> int:
    return spider_folds()[int(patient)]


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _read(file: Path) -> NDArray[np.float32]:
    with Image.open(file) as image:
        return np.asarray(image.convert("L"), dtype=np.float32)


def print_report(report: dict[str, Any]) -> None:
    for part in ("plane", "weighting", "position"):
        print(f"\n| {part} | pictures | silent | wrong | right of the answered | right if forced |")
        print("|---|---|---|---|---|---|")
        for name, row in report[part].items():
            cells = (row["pictures"], row["silent"], row["wrong"], _text(row["answered_right"]))
            print(f"| {name} | {' | '.join(map(str, cells))} | {_text(row.get('forced'))} |")
    said = [plane.value for plane in Plane]
    print(f"\n| Sudirman: shown, said | {' | '.join(said)} |\n|---|{'---|' * len(said)}")
    for plane, counts in report["confusion"].items():
        print(f"| {plane} | {' | '.join(str(counts.get(name, 0)) for name in said)} |")
    print("\nsagittal pictures taken for another plane:", report["sagittal pictures refused"])


def _text(share: Interval | dict[str, float] | None) -> str:
    if share is None:
        return ""
    if isinstance(share, Interval):
        return str(share)
    return f"{share['value']:.3f} ({share['low']:.3f} to {share['high']:.3f})"


if __name__ == "__main__":
    main()
