"""What the spine gate lets through: pictures that show no sagittal midline must be refused.

    python -m benchmarks.gate [--models weights --name segmentation]

Data: ``sudirman/planes``, 198 unlabelled lumbar slices of mixed planes without patient ids, so the unit is the
picture. ``configs/planes/sudirman.csv`` says by eye which plane each shows; ``lateral`` are sagittal slices far
off the midline, where a refusal is as right as a reading. Writes ``runs/benchmarks/gate.json``, prints a table.
"""

import argparse
import csv
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from anatomy import load_protocol
from benchmarks.levels.score import single_slice
from runtime.errors import NotEligibleError
from runtime.paths import configs_dir
from runtime.settings import load_settings
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation import Segmenter

PLANES = configs_dir() / "planes" / "sudirman.csv"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=None)
    parser.add_argument("--name", default="segmentation")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/gate.json"))
    options = parser.parse_args()
    allow_torchvision_on_cpu()
    report = count_passes(Segmenter.load(weights_root=options.models, name=options.name))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print("| plane | pictures | named | refused | reasons |\n|---|---|---|---|---|")
    for plane, row in report.items():
        print(f"| {plane} | {row['pictures']} | {row['named']} | {row['refused']} | {row['reasons']} |")


def count_passes(segmenter: Segmenter) -> dict[str, dict[str, object]]:
    """Return plane -> how many pictures were named and refused, and why."""
    folder = load_settings().data_dir / "sudirman" / "planes"
    with PLANES.open(encoding="utf-8", newline="") as stream:
        rows = [(row["file"], _plane(row)) for row in csv.DictReader(stream)]
    named: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    passed: dict[str, list[str]] = defaultdict(list)
    for file, plane in tqdm(rows):
        image = np.asarray(Image.open(folder / file).convert("L"), dtype=np.float32)
        try:
            segmenter.segment_study(single_slice(image, None), load_protocol("lumbar"))
        except NotEligibleError as error:
            reasons[plane][str(error).split(":")[-1].split(";")[0].split("(")[0].strip()] += 1
        else:
            named[plane] += 1
            passed[plane].append(file)
    totals = Counter(plane for _, plane in rows)
    return {
        plane: {
            "pictures": totals[plane],
            "named": named[plane],
            "refused": totals[plane] - named[plane],
            "reasons": dict(reasons[plane].most_common()),
            "named_files": passed[plane] if plane != "sagittal" else [],
        }
        for plane in sorted(totals)
    }


def _plane(row: dict[str, str]) -> str:
    return "lateral" if row["note"] == "far lateral" else row["plane"]


if __name__ == "__main__":
    main()
