"""What the learned gate refuses: real spines wrongly, other pictures rightly; beside the rules on discs alone.

    python -m benchmarks.likeness [--config configs/segmentation/likeness.yaml]

Judges ``weights/spine-likeness`` on what it was not trained on: spines of the held-out patients (which the shipped
segmentation network has not seen either), Sudirman's slices, and the pictures whose group falls in that fold.
Whether the p-value is calibrated is read off the same patients: of calibrated p-values a share a lies below a.
Then each kind of other picture is left out of training as a whole and judged (``unseen kind``). Where there are no
patients the unit is the picture. Writes ``runs/benchmarks/likeness.json`` and prints Markdown tables.
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
from segmentation.likeness import SpineLikeness, mean_logits, p_values
from segmentation.training.likeness import SeenPictures, fit_heads, see_all
from segmentation.training.likeness_config import LikenessConfig, load_likeness_config

FAMILIES = {
    "axial": ("axial_sudirman", "axial_neck", "axial_volume", "axial_phantom"),
    "coronal": ("coronal_sudirman", "coronal_volume"),
    "on its side": ("turned_left", "turned_right", "turned_left_phantom", "turned_right_phantom"),
    "upside down": ("upside_down", "upside_down_phantom"),
    "head below": ("head_below", "head_below_phantom"),
    "mirrored": ("mirrored", "mirrored_phantom"),
    "cervical phantoms": ("cervical_sagittal_t2", "cervical_sagittal_t1", "cervical_sagittal_stir"),
    "sacroiliac phantoms": ("sacroiliac_coronal_t1", "sacroiliac_coronal_stir", "sacroiliac_coronal_t2"),
}
"""Kinds that are left out together; every other kind is a family of its own."""

LEVELS = (0.02, 0.05, 0.1, 0.2, 0.5)
"""p-values at which the calibration is read off."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/segmentation/likeness.yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/likeness.json"))
    options = parser.parse_args()
    use_threads(1)
    config = load_likeness_config(options.config)
    seen = see_all(config)
    gate = SpineLikeness.load()
    report: dict[str, dict] = {  # type: ignore[type-arg]
        "spines": judge_spines(seen, config, gate),
        "calibration": judge_calibration(seen, config, gate),
        "others": judge_others(seen, config, gate),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=2, default=asdict) + "\n", encoding="utf-8")
    print_report(report)


def judge_spines(seen: SeenPictures, config: LikenessConfig, gate: SpineLikeness) -> dict[str, object]:
    """Return the ROC area and the shares of spines refused, held-out patients and pictures only."""
    held_out = seen.take(seen.fold == config.held_out_fold)
    scores = mean_logits(gate.heads, held_out.tokens, held_out.statistics)
    refuses = _refuses(gate, held_out)
    rows: dict[str, object] = {
        "roc_area": bootstrap_by_patient(
            list(held_out.group),
            lambda index: _area(held_out.is_spine[index], scores[index]),
        )
    }
    plain = held_out.is_spine & held_out.is_plain
    is_real = np.char.startswith(held_out.group, "spider")
    sets = {
        "SPIDER, middle slices": plain & is_real & (held_out.kind != "space"),
        "SPIDER, any SPACE slice": plain & (held_out.kind == "space"),
        "SPIDER, changed views": held_out.is_spine & ~held_out.is_plain & is_real,
        "Sudirman, at or near the midline": plain & (held_out.kind == "sudirman_midline"),
        "Sudirman, beside the canal, localisers": plain & (held_out.kind == "sudirman_beside"),
        "phantoms": plain & (held_out.kind == "phantom"),
    }
    for name, chosen in sets.items():
        groups, rules, refused = held_out.group[chosen], held_out.rules_refuse[chosen], refuses[chosen]
        rows[name] = {
            "pictures": int(chosen.sum()),
            "groups": len(np.unique(groups)),
            "rules": _share(groups, rules),
            "gate": _share(groups, refused),
            "both": _share(groups, rules | refused),
        }
    return rows


def judge_calibration(seen: SeenPictures, config: LikenessConfig, gate: SpineLikeness) -> dict[str, object]:
    """Return, of the held-out patients, the share whose least p-value lies at or below each level.

    The least of a patient's series, as in the calibration. Under exchangeability the share is about the level;
    above it the gate refuses more than it says.
    """
    is_middle = np.isin(seen.kind, ("t1", "t2", "t2_SPACE"))
    chosen = seen.take((seen.fold == config.held_out_fold) & seen.is_spine & seen.is_plain & is_middle)
    values = p_values(gate.heads, chosen.tokens, chosen.statistics)
    patients = np.unique(chosen.group)
    least = np.array([values[chosen.group == patient].min() for patient in patients])
    return {str(level): _share(patients, least <= level) for level in LEVELS}


def judge_others(seen: SeenPictures, config: LikenessConfig, gate: SpineLikeness) -> dict[str, dict[str, object]]:
    """Return, for each family of other pictures, how many are accepted: held out, and as an unseen kind."""
    family = np.array([family_of(kind) for kind in seen.kind])
    passes = ~seen.rules_refuse
    shipped = ~_refuses(gate, seen)
    rows: dict[str, dict[str, object]] = {}
    for name in sorted(set(family[~seen.is_spine])):
        chosen = (family == name) & ~seen.is_spine
        heads = fit_heads(seen.take((seen.fold != config.held_out_fold) & ~chosen), config)
        unseen = p_values(heads, seen.tokens, seen.statistics) >= config.false_refusals
        held_out = chosen & (seen.fold == config.held_out_fold)
        rows[name] = {
            "pictures": int(chosen.sum()),
            "rules": _share(seen.group[chosen], passes[chosen]),
            "held_out_pictures": int(held_out.sum()),
            "held_out_gate": _share(seen.group[held_out], shipped[held_out]),
            "held_out_both": _share(seen.group[held_out], (shipped & passes)[held_out]),
            "unseen_kind_gate": _share(seen.group[chosen], unseen[chosen]),
            "unseen_kind_both": _share(seen.group[chosen], (unseen & passes)[chosen]),
        }
    return rows


def family_of(kind: str) -> str:
    return next((name for name, kinds in FAMILIES.items() if kind in kinds), kind)


def _refuses(gate: SpineLikeness, seen: SeenPictures) -> NDArray[np.bool_]:
    return np.asarray(p_values(gate.heads, seen.tokens, seen.statistics) < gate.threshold)


def _area(is_spine: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    return float(roc_auc_score(is_spine, scores)) if 0 < is_spine.sum() < len(is_spine) else float("nan")


def _share(groups: Sequence[str] | NDArray[np.str_], hits: NDArray[np.bool_]) -> Interval | None:
    if len(hits) == 0:
        return None
    return bootstrap_by_patient(list(groups), lambda index: float(hits[index].mean()))


def print_report(report: dict[str, dict]) -> None:  # type: ignore[type-arg]
    spines = report["spines"]
    print(f"ROC area on held-out pictures: {spines['roc_area']}\n")
    print("| refused, held out | pictures (groups) | rules alone | gate alone | both |")
    print("|---|---|---|---|---|")
    for name, row in spines.items():
        if isinstance(row, dict) and row["pictures"]:
            count = f"{row['pictures']} ({row['groups']})"
            print(f"| {name} | {count} | {row['rules']} | {row['gate']} | {row['both']} |")
    print("\n| p-value | held-out patients at or below it |\n|---|---|")
    for level, share in report["calibration"].items():
        print(f"| {level} | {share} |")
    print("\n| accepted | pictures | rules alone | held out: n | gate | gate and rules | unseen kind: both |")
    print("|---|---|---|---|---|---|---|")
    for name, row in report["others"].items():
        held_out = f"{row['held_out_pictures']} | {row['held_out_gate']} | {row['held_out_both']}"
        print(f"| {name} | {row['pictures']} | {row['rules']} | {held_out} | {row['unseen_kind_both']} |")


if __name__ == "__main__":
    main()
