"""What the learned gate refuses: real spines wrongly, other pictures rightly; beside the rules on discs alone.

    python -m benchmarks.likeness [--config configs/segmentation/likeness.yaml]

Judges ``weights/spine-likeness`` on what it was not trained on: spines of the held-out patients (which the shipped
segmentation network has not seen either) and the pictures whose group falls in that fold. Then each kind of other
picture is left out of training as a whole and judged (``unseen kind``). Where there are no patients the unit is
the picture. Writes ``runs/benchmarks/likeness.json`` and prints Markdown tables.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from evaluation.bootstrap import Interval, bootstrap_by_patient
from runtime.device import use_threads
from segmentation.likeness import LEAST_LIKENESS, LikenessHead, SpineLikeness
from segmentation.training.likeness import SeenPictures, fit_head, see_all
from segmentation.training.likeness_config import LikenessConfig, load_likeness_config

FAMILIES = {
    "axial": ("axial_sudirman", "axial_neck", "axial_volume", "axial_phantom"),
    "coronal": ("coronal_sudirman", "coronal_volume"),
    "on its side": ("turned_left", "turned_right"),
    "upside down": ("upside_down",),
    "mirrored": ("mirrored",),
}
"""Kinds that are left out together; every other kind is a family of its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/segmentation/likeness.yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/likeness.json"))
    options = parser.parse_args()
    use_threads(1)
    config = load_likeness_config(options.config)
    seen = see_all(config)
    report = {"spines": judge_spines(seen, config), "others": judge_others(seen, config)}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2, default=asdict) + "\n", encoding="utf-8")
    print_report(report)


def judge_spines(seen: SeenPictures, config: LikenessConfig) -> dict[str, object]:
    """Return the ROC area and the shares of spines refused, held-out patients and pictures only."""
    held_out = seen.take(seen.fold == config.held_out_fold)
    scores = scores_of(SpineLikeness.load().head, held_out)
    refuses = scores < LEAST_LIKENESS
    rows: dict[str, object] = {
        "roc_area": bootstrap_by_patient(
            list(held_out.group),
            lambda index: _area(held_out.is_spine[index], scores[index]),
        )
    }
    plain = held_out.is_spine & held_out.is_plain
    sets = {
        "real slices, SPIDER": plain & np.char.startswith(held_out.group, "spider"),
        "real slices, Sudirman": plain & (held_out.kind == "sudirman"),
        "phantoms": plain & (held_out.kind == "phantom"),
        "changed views": held_out.is_spine & ~held_out.is_plain,
    }
    for name, chosen in sets.items():
        groups, rules, gate = held_out.group[chosen], held_out.rules_refuse[chosen], refuses[chosen]
        rows[name] = {
            "pictures": int(chosen.sum()),
            "rules": _share(groups, rules),
            "gate": _share(groups, gate),
            "both": _share(groups, rules | gate),
            "least_likeness": float(scores[chosen].min()) if chosen.any() else None,
        }
    return rows


def judge_others(seen: SeenPictures, config: LikenessConfig) -> dict[str, dict[str, object]]:
    """Return, for each family of other pictures, how many are accepted: held out, and as an unseen kind."""
    family = np.array([family_of(kind) for kind in seen.kind])
    shipped = scores_of(SpineLikeness.load().head, seen)
    rows: dict[str, dict[str, object]] = {}
    for name in sorted(set(family[~seen.is_spine])):
        chosen = (family == name) & ~seen.is_spine
        head = fit_head(seen.take((seen.fold != config.held_out_fold) & ~chosen), config)
        unseen = scores_of(head, seen) >= LEAST_LIKENESS
        passes = ~seen.rules_refuse
        held_out = chosen & (seen.fold == config.held_out_fold)
        rows[name] = {
            "pictures": int(chosen.sum()),
            "rules": _share(seen.group[chosen], passes[chosen]),
            "held_out_pictures": int(held_out.sum()),
            "held_out_gate": int((shipped[held_out] >= LEAST_LIKENESS).sum()),
            "held_out_both": int(((shipped[held_out] >= LEAST_LIKENESS) & passes[held_out]).sum()),
            "unseen_kind_gate": _share(seen.group[chosen], unseen[chosen]),
            "unseen_kind_both": _share(seen.group[chosen], (unseen & passes)[chosen]),
        }
    return rows


def family_of(kind: str) -> str:
    return next((name for name, kinds in FAMILIES.items() if kind in kinds), kind)


def scores_of(head: LikenessHead, seen: SeenPictures) -> NDArray[np.float64]:
    return head.score(seen.tokens, seen.statistics)


def _area(is_spine: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return float(roc_auc_score(is_spine, scores)) if 0 < is_spine.sum() < len(is_spine) else float("nan")


def _share(groups: Sequence[str] | NDArray[np.str_], hits: NDArray[np.bool_]) -> Interval | None:
    if len(hits) == 0:
        return None
    return bootstrap_by_patient(list(groups), lambda index: float(hits[index].mean()))


def print_report(report: dict[str, dict]) -> None:  # type: ignore[type-arg]
    spines = report["spines"]
    print(f"ROC area on held-out pictures: {spines['roc_area']}\n")
    print("| refused, held out | pictures | rules alone | gate alone | both | least likeness |")
    print("|---|---|---|---|---|---|")
    for name, row in spines.items():
        if isinstance(row, dict) and row["pictures"]:
            least = round(row["least_likeness"], 3)
            print(f"| {name} | {row['pictures']} | {row['rules']} | {row['gate']} | {row['both']} | {least} |")
    print("\n| accepted | pictures | rules alone | held out: gate, both | unseen kind: gate | unseen kind: both |")
    print("|---|---|---|---|---|---|")
    for name, row in report["others"].items():
        print(
            f"| {name} | {row['pictures']} | {row['rules']} | {row['held_out_gate']}, {row['held_out_both']} of "
            f"{row['held_out_pictures']} | {row['unseen_kind_gate']} | {row['unseen_kind_both']} |"
        )


if __name__ == "__main__":
    main()
