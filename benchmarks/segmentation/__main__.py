"""``python -m benchmarks.segmentation``: the commands. Without one, ``score``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.segmentation import scoring
from benchmarks.segmentation.folds import load_finalists, train_folds
from benchmarks.segmentation.jobs import DRY_FOLDER, FOLDER, TABLE, append_table, run_jobs, run_one, table_rows
from benchmarks.segmentation.models import SHIPPED, load_model, load_models
from benchmarks.segmentation.phantom import score_phantoms
from benchmarks.segmentation.plan import SCREEN_FILE, load_screen
from benchmarks.segmentation.render import render
from benchmarks.segmentation.scoring import Row
from benchmarks.segmentation.screen import screen_table, write_screen
from benchmarks.segmentation.tables import (
    compare,
    comparison_table,
    markdown_table,
    read_rows,
    summarise,
    write_record,
)
from runtime.device import use_threads
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT
from runtime.settings import load_settings

OUT = Path("runs/benchmarks")
_PHANTOM_PATIENTS = 6


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] not in [[name] for name in _COMMANDS] and words[:1] not in [["-h"], ["--help"]]:
        words = ["score", *words]
    options = _parser().parse_args(words)
    use_threads(options.threads)
    _COMMANDS[options.command](options)


def score(options: argparse.Namespace) -> None:
    """Score networks on the patients they have not seen."""
    models = load_models(options.models, options.folds)
    rows = scoring.score_all(_data(), models)
    print(markdown_table(summarise(rows)))
    write_record(options.output, rows, models=Path(options.models).name, checksums=_checksums(models))


def compare_records(options: argparse.Namespace) -> None:
    """Compare two records of ``score``, patients paired."""
    first, second = (read_rows(file) for file in (options.first, options.second))
    print(comparison_table(compare(first, second), options.first.stem, options.second.stem))


def screen(options: argparse.Namespace) -> None:
    """Run single changes at few steps; tell their differences to the base."""
    plan, folder, table = load_screen(options.file), FOLDER, TABLE
    if options.steps is not None:  # a dry run stays apart
        folder, table = DRY_FOLDER, DRY_FOLDER / TABLE.name
    variants = options.variants or (plan.short_variants if options.short else None)
    seeds = options.seeds or (plan.short_seeds if options.short else None)
    if options.one:
        (job,) = plan.jobs([options.one[0]], [int(options.one[1])], options.steps)
        run_one(job, folder)
        return
    _data()
    jobs = plan.jobs(variants, seeds, options.steps)
    command = [
        "screen",
        "--file",
        str(options.file),
        *([] if options.steps is None else ["--steps", str(options.steps)]),
    ]
    try:
        if not options.table:
            run_jobs(jobs, command, processes=options.processes, folder=folder)
    finally:  # what is finished is kept, whatever failed
        append_table(jobs, folder, table)
    results = table_rows(jobs, table)
    print(screen_table(results, plan.base))
    write_screen(table.with_suffix(".json"), results, plan.base)


def folds(options: argparse.Namespace) -> None:
    """Train finalists on all five folds, score them, and compare the first with each other one."""
    data, finalists = _data(), load_finalists()
    if unknown := [name for name in options.names if name not in finalists]:
        raise ConfigError(f"folds: expected names among {list(finalists)!r}, got {unknown!r}")
    scored: dict[str, list[Row]] = {}
    for name in options.names:
        models = load_models(str(train_folds(finalists[name])))
        scored[name] = scoring.score_all(data, models)
        print(f"\n{name}\n\n{markdown_table(summarise(scored[name]))}\n")
        write_record(OUT / f"segmentation_{name}.json", scored[name], models=name, checksums=_checksums(models))
    first, *others = options.names
    for other in others:
        print(comparison_table(compare(scored[first], scored[other]), first, other))


def render_patients(options: argparse.Namespace) -> None:
    """Draw the best, the median and the worst patient into an ignored folder."""
    for file in render(_data(), load_models(options.model, options.folds), options.out):
        print(file)


def phantoms(options: argparse.Namespace) -> None:
    """Score the shipped network on made-up patients it has not seen."""
    shipped = load_model(load_settings().weights_dir / "segmentation")
    rows = list(score_phantoms(shipped, _PHANTOM_PATIENTS))
    print(f"\nShipped weights on {_PHANTOM_PATIENTS} made-up patients they have not seen\n")
    print(markdown_table(summarise(rows)))
    write_record(options.output, rows, checksum=shipped.checksum)


def bench(options: argparse.Namespace) -> None:
    """Reproduce the tables: the short form, or all of it with ``--long``."""
    main(["phantoms"])
    if not _has_data():
        print(f"\nNo real data at {load_settings().data_dir} (SPINESCRIBE_DATA): no more can be measured.")
        return
    print("\nShipped weights on the real patients they have not seen\n")
    main(["score", "--models", SHIPPED, "--output", str(OUT / "segmentation_shipped.json")])
    print("\nSingle changes against one base\n")
    main(["screen", *([] if options.long else ["--short"])])
    if options.long:
        print("\nFive folds\n")
        main(["folds", *load_finalists()])


def _checksums(models: scoring.Models) -> dict[int, str]:
    return {fold: model.checksum for fold, model in models.items()}


def _has_data() -> bool:
    return (load_settings().data_dir / "spider" / "space.csv").is_file()


def _data() -> Path:
    if not _has_data():
        raise ConfigError(
            f"data: expected SPIDER's slices in the folder {load_settings().data_dir.name}, found none; "
            "set SPINESCRIBE_DATA"
        )
    return load_settings().data_dir


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.segmentation", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    parts = {}
    for name, command in _COMMANDS.items():
        text = scoring.__doc__ if name == "score" else command.__doc__
        parts[name] = commands.add_parser(
            name, help=command.__doc__, description=text, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parts[name].add_argument("--threads", type=int, default=1)
    for name, option, default in (("score", "--models", "runs/segmentation/ours"), ("render", "--model", SHIPPED)):
        parts[name].add_argument(option, default=default, help="shipped, a model folder, or one of fold0 to fold4")
        parts[name].add_argument("--folds", type=int, nargs="+", choices=range(FOLD_COUNT))
    parts["score"].add_argument("--output", type=Path, default=OUT / "segmentation.json")
    parts["phantoms"].add_argument("--output", type=Path, default=OUT / "segmentation_phantoms.json")
    parts["render"].add_argument("--out", type=Path, default=Path("out/segmentation"))
    parts["compare"].add_argument("first", type=Path, help="record of score")
    parts["compare"].add_argument("second", type=Path)
    parts["folds"].add_argument("names", nargs="+", help="of configs/segmentation/ablation/finalists.yaml")
    parts["bench"].add_argument("--long", action="store_true", help="the whole screen, and five folds")
    _add_screen_options(parts["screen"])
    return parser


def _add_screen_options(part: argparse.ArgumentParser) -> None:
    part.add_argument("--file", type=Path, default=SCREEN_FILE)
    part.add_argument("--variants", nargs="+")
    part.add_argument("--seeds", type=int, nargs="+")
    part.add_argument("--steps", type=int, help="of every run, in place of the file's: a dry run")
    part.add_argument("--short", action="store_true", help="the file's short form")
    part.add_argument("--table", action="store_true", help="only the table of what has been run")
    part.add_argument("--processes", type=int, default=2)
    part.add_argument("--one", nargs=2, metavar=("VARIANT", "SEED"), help="one run, in this process")


_COMMANDS = {
    "score": score,
    "phantoms": phantoms,
    "compare": compare_records,
    "screen": screen,
    "folds": folds,
    "render": render_patients,
    "bench": bench,
}

if __name__ == "__main__":
    main()
