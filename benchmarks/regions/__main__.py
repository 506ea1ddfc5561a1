"""Score the network of all regions.

python -m benchmarks.regions phantoms [--weights segmentation-regions] [--sets test_lumbar ...] [--patients 10]
python -m benchmarks.regions cords [--weights segmentation-regions] [--fold-models runs/segmentation/regions_fold]
python -m benchmarks.regions pictures [--weights segmentation-regions] [--out out/regions]

``--weights`` names a model folder of the weights, or is a path to one. ``--fold-models`` is a path to which the
fold is added: fold 2 is scored by ``runs/segmentation/regions_fold2``. Figures: Dice over the slices of a patient
(or session) together, masks at probability 0.5, nothing removed; mean distance of the outlines in pixels of the
original slice. 95 % bootstrap over patients. The network's axial T2* cords stand beside those of a template of the
other volunteers (``template``). Prints Markdown tables and writes JSON beside the other benchmarks.
"""

import argparse
from pathlib import Path

from benchmarks.regions.cords import CHALLENGE, score_cords
from benchmarks.regions.phantoms import SETS, score_phantoms
from benchmarks.regions.pictures import write_pictures
from benchmarks.regions.template import score_template
from benchmarks.segmentation import Row, summarise
from benchmarks.segmentation.render import refuse_tracked
from benchmarks.segmentation.tables import compare, comparison_table, markdown_table, write_record
from runtime.device import use_threads
from runtime.folds import FOLD_COUNT
from runtime.settings import load_settings
from segmentation.predict import SliceSegmenter
from segmentation.training.cords import challenge_volumes, sct_volumes

OUT = Path("runs/benchmarks")


def main(arguments: list[str] | None = None) -> None:
    """Run one command."""
    options = _parser().parse_args(arguments)
    use_threads(options.threads)
    if options.command == "phantoms":
        model = load_model(options.weights)
        rows = [
            row
            for name in options.sets
            for row in score_phantoms(model, name, patients=options.patients, slices=options.slices)
        ]
        _tell(rows, options.record or OUT / "regions_phantoms.json", {"checksum": model.checksum})
    elif options.command == "cords":
        _cords(options)
    else:
        refuse_tracked(options.out)
        for file in write_pictures(load_model(options.weights), load_settings().data_dir, options.out):
            print(file)


def load_model(weights: str) -> SliceSegmenter:
    """Return a model folder by name, or by path where the text has a folder in it."""
    path = Path(weights)
    if len(path.parts) > 1:
        return SliceSegmenter.load(weights_root=path.parent, name=path.name, device="cpu")
    return SliceSegmenter.load(name=weights, device="cpu")


def _cords(options: argparse.Namespace) -> None:
    data = load_settings().data_dir
    if options.fold_models:
        models = {
            fold: load_model(f"{options.fold_models}{fold}")
            for fold in range(FOLD_COUNT)
            if Path(f"{options.fold_models}{fold}").is_dir()
        }
        seen = "each volume scored by the network that held its person out"
    else:
        models = dict.fromkeys(range(FOLD_COUNT), load_model(options.weights))
        seen = "one network for all: held out only if its training saw no real cord (its config.json tells)"
    print(seen)
    rows = list(score_cords(models, [*sct_volumes(data), *challenge_volumes(data)]))
    checksums = {fold: model.checksum for fold, model in models.items()}
    _tell(rows, options.record or OUT / "regions_cords.json", {"seen": seen, "checksums": checksums})
    baseline = list(score_template(challenge_volumes(data), f"{CHALLENGE} axial"))
    print(comparison_table(compare(rows, baseline), "network", "template"))
    write_record(OUT / "regions_cord_template.json", baseline)


def _tell(rows: list[Row], record: Path, more: dict[str, object]) -> None:
    print(markdown_table(summarise(rows)))
    write_record(record, rows, **more)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("phantoms", "cords", "pictures"))
    parser.add_argument("--weights", default="segmentation-regions")
    parser.add_argument("--fold-models", default="", help="path to which the fold is added")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--patients", type=int, default=10, help="of each set")
    parser.add_argument("--slices", type=int, default=5, help="of each series")
    parser.add_argument("--out", type=Path, default=Path("out/regions"), help="of pictures")
    parser.add_argument("--record", type=Path, default=None, help="JSON file")
    parser.add_argument("--threads", type=int, default=1)
    return parser


if __name__ == "__main__":
    main()
