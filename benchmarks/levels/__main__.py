"""How well levels are named and placed on real T2 middle slices that the network did not see.

    python -m benchmarks.levels [--folds 0 1 2 3 4] [--models runs/segmentation] [--shipped]
    python -m benchmarks.levels --folds 0 --models weights --name segmentation --shipped

Data: ``spider/disc_points.csv``, 172 T2 middle slices of 172 patients, five posterior disc points each. Needs the
five fold models: ``spinescribe train segmentation --config configs/segmentation/train_default.yaml --fold K``.
A level is right when its point lies within 0.3 of the mean level pitch of the reference. Three readers are
compared: the bare maxima of the level maps; the solver without a look at the junction; the solver with it. What
the solver rests on is fitted without the fold that is scored (``segmentation.training.naming``); ``--shipped``
takes the shipped tables and heads instead, which have seen these patients (for speed, and to see the difference).
``--name`` takes one network for all folds asked for. The maps of the folds' networks are kept in ``runs/levels``,
so a second run takes a minute.

Prints Markdown tables and writes ``runs/benchmarks/levels.json``: figures with bootstrap intervals over patients,
the calibration, and every level that is not right with its reason.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from anatomy import load_protocol
from benchmarks.levels.report import details, summarise, to_markdown
from benchmarks.levels.score import LevelScore, score_peaks, score_reading
from runtime.folds import FOLD_COUNT
from runtime.settings import load_settings
from runtime.torchvision_cpu import allow_torchvision_on_cpu
from segmentation.naming import LevelNaming, open_naming
from segmentation.predict import SliceSegmenter
from segmentation.scan import SliceNetwork
from segmentation.training.naming import fit_naming
from segmentation.training.naming_cases import NamingCase, collect_cases, open_cached, read_references

READERS = ("raw peaks", "solver, maps and chain", "solver, with the junction")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folds", type=int, nargs="+", default=list(range(FOLD_COUNT)))
    parser.add_argument("--models", type=Path, default=Path("runs/segmentation"))
    parser.add_argument("--name", help="model folder in --models, in place of fold0 to fold4")
    parser.add_argument("--shipped", action="store_true", help="take the shipped tables instead of fitting them")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks/levels.json"))
    options = parser.parse_args()
    allow_torchvision_on_cpu()
    cases = [] if options.shipped else collect_cases(options.models)
    scores: dict[str, list[LevelScore]] = {name: [] for name in READERS}
    for fold in options.folds:
        naming = open_naming() if options.shipped else fit_without(fold, cases)
        network = open_network(options.models, options.name) if options.name else open_cached(fold, options.models)
        for name, found in score_fold(fold, network, naming).items():
            scores[name] += found
    reports = {name: summarise(found) for name, found in scores.items()}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(reports, indent=2) + "\n", encoding="utf-8")
    print(to_markdown(reports))
    print(f"\n{READERS[-1]}:\n{details(reports[READERS[-1]])}")


def fit_without(fold: int, cases: Sequence[NamingCase]) -> LevelNaming:
    """Fit all that naming rests on without one fold."""
    names = load_protocol("lumbar").named_levels
    return fit_naming([case for case in cases if case.fold != fold], names)


def open_network(models: Path, name: str) -> SliceSegmenter:
    """Return a network by its folder, for the CPU."""
    return SliceSegmenter.load(weights_root=models, name=name, device="cpu")


def score_fold(fold: int, network: SliceNetwork, naming: LevelNaming) -> dict[str, list[LevelScore]]:
    """Score the middle slices of the patients held out in one fold, reader by reader."""
    alone = replace(naming, t2=None, maps_only=None)
    scores: dict[str, list[LevelScore]] = {name: [] for name in READERS}
    for reference in tqdm(read_references(load_settings().data_dir, (fold,)), desc=f"fold {fold}", mininterval=10):
        maps = network.segment_slices(reference.image[None], reference.spacing)
        scores[READERS[0]] += score_peaks(maps, reference)
        scores[READERS[1]] += score_reading(maps, alone, reference)
        scores[READERS[2]] += score_reading(maps, naming, reference)
    return scores


if __name__ == "__main__":
    main()
