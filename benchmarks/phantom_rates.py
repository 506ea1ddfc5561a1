"""How often the lumbar phantoms show each grade, as measured on their geometry: beside the RSNA counts.

``python -m benchmarks.phantom_rates [--count 200] [--first 5000] [--level L4-L5]``

Builds no images. Prints a Markdown table of the shares of normal or mild, moderate and severe, with Wilson
intervals of the moderate and severe ones over phantoms (both sides of a phantom are counted, so those of sided
conditions are too narrow), and writes ``runs/benchmarks/phantom_rates.json``.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

from scipy.stats import binomtest

from anatomy import Condition
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.scene import build_scene
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette

OUT = Path("runs/benchmarks/phantom_rates.json")
STEPS = ("normal_mild", "moderate", "severe")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="phantoms")
    parser.add_argument("--first", type=int, default=5000, help="seed of the first")
    parser.add_argument("--level", default="L4-L5")
    options = parser.parse_args()
    tables = load_tables()
    published = {
        Condition.SPINAL_CANAL_STENOSIS: tables.rsna_canal,
        Condition.NEURAL_FORAMINAL_NARROWING: tables.rsna_foramen,
        Condition.SUBARTICULAR_STENOSIS: tables.rsna_subarticular,
    }
    counts = count_grades(options.first, options.count, options.level)
    rows = {}
    print("| condition | n | measured, % | moderate, severe, 95 % | RSNA, % |\n|---|---|---|---|---|")
    for condition, table in published.items():
        found = [counts[condition, step] for step in STEPS]
        rows[condition.value] = dict(zip(STEPS, found, strict=True))
        spans = " and ".join(_span(value, sum(found)) for value in found[1:])
        theirs = table[options.level]
        print(f"| {condition.value} | {sum(found)} | {_shares(found)} | {spans} | {_shares(theirs)} |")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(
        json.dumps({"level": options.level, "phantoms": options.count, "counts": rows}, indent=1) + "\n"
    )


def count_grades(first: int, count: int, level: str) -> Counter[tuple[Condition, str]]:
    """Return how often each condition has each grade at a level."""
    setup = load_setup("setup_lumbar")
    counts: Counter[tuple[Condition, str]] = Counter()
    for seed in range(first, first + count):
        truth = build_scene(setup, seed=seed, palette=Palette()).measure()
        counts.update((item.condition, item.grade) for item in truth.grades if item.level == level)
    return counts


def _shares(counts: list[int]) -> str:
    return " / ".join(f"{100 * value / sum(counts):.1f}" for value in counts)


def _span(value: int, total: int) -> str:
    interval = binomtest(value, total).proportion_ci(method="wilson")
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


if __name__ == "__main__":
    main()
