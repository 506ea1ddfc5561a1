"""Write the folder ``report`` of a run: plots and tables, and ``report.md`` that shows them all.

Every data set and the phantoms get a chapter each; a figure of phantoms says so in its title.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from grading.config import GraderConfig
from grading.training.cases import Case
from grading.training.config import RunConfig
from grading.training.held_out import HeldOut
from grading.training.report.figures import (
    draw_class_balance,
    draw_confusion,
    draw_labels_by_level,
    draw_reliability,
    draw_series,
)
from grading.training.report.scored import (
    Labelled,
    Origin,
    Scored,
    is_of,
    labelled_heads,
    origin_of,
    scored_heads,
    series_of,
)
from grading.training.report.tables import (
    ALL_LEVELS,
    HEADER,
    NOT_SCORED,
    StepRow,
    balance_rows,
    confusion,
    markdown,
    step_rows,
    write_csv,
)

_WORDS = {
    Origin.SPIDER: "real patients (SPIDER)",
    Origin.RSNA: "real patients (RSNA 2024)",
    Origin.PHANTOM: "phantoms (made-up patients)",
}


def write_report(
    config: RunConfig, cases: Sequence[Case], folds: Sequence[Mapping[str, HeldOut]], folder: Path
) -> Path:
    """Write what a run of all folds has to show.

    Args:
        config: Of the run: heads, levels, seeds of phantoms.
        cases: Every patient with labels, of all folds.
        folds: Every fold's held-out scores.
        folder: Where to write; made if it is not there.

    Returns:
        ``report.md``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scored = scored_heads(folds, config.grader)
    chapters = [_heading(config.grader, len(folds))]
    phantoms = config.training.phantoms
    for origin in Origin:
        own = [case for case in cases if origin_of(case.patient, phantoms) is origin]
        if own:
            held_out = [part.at(is_of(part.patients, origin, phantoms)) for part in scored]
            chapters.append(_chapter(config.grader, own, held_out, origin, folder))
    file = folder / "report.md"
    file.write_text("\n\n".join(chapters) + "\n", encoding="utf-8")
    return file


def _heading(config: GraderConfig, folds: int) -> str:
    return (
        f"# Grader of the {config.region} region: what the run shows\n\n"
        f"Every place is graded by the network of the fold (of {folds}) that held its patient out, with all the "
        "series it has that the condition is read from, and calibrated on the other folds. Places that cannot be "
        "graded on the series at hand are left out. Both sides of a sided condition are places of their own. "
        "Figures with intervals over patients come from `python -m benchmarks.grading`."
    )


def _chapter(
    config: GraderConfig, cases: Sequence[Case], scored: Sequence[Scored], origin: Origin, folder: Path
) -> str:
    levels = config.network.levels
    held_out = len(np.unique(np.concatenate([part.patients for part in scored])))
    rows = [step_rows(part, levels) for part in scored]
    blocks = [
        f"## {_first_large(_WORDS[origin])}\n\n{len(cases)} patients with labels, {held_out} of them scored.",
        _labels_section(labelled_heads(cases, config.heads), cases, levels, origin, folder),
        _overview([row for part in rows for row in part], origin, folder),
        *(_head_section(part, its, origin, folder) for part, its in zip(scored, rows, strict=True)),
    ]
    return "\n\n".join(blocks)


def _labels_section(
    heads: Sequence[Labelled], cases: Sequence[Case], levels: Sequence[str], origin: Origin, folder: Path
) -> str:
    """Draw what there is to learn from."""
    count = f"{len(cases)} {_WORDS[origin]}"
    series = Counter(", ".join(series_of(case)) for case in cases).most_common()
    draw_labels_by_level(heads, levels, f"Labels by level, {count}", folder / f"{origin}_labels.png")
    draw_class_balance(heads, f"Class balance, {count}", folder / f"{origin}_balance.png")
    draw_series(series, f"Series at hand, {count}", folder / f"{origin}_series.png")
    rows = [row for head in heads for row in balance_rows(head, levels)]
    write_csv(folder / f"{origin}_balance.csv", ("head", "level", "step", "places", "patients"), rows)
    write_csv(folder / f"{origin}_series.csv", ("series", "patients"), series)
    pictures = "\n".join(f"![{name}]({origin}_{name}.png)" for name in ("labels", "balance", "series"))
    tables = f"[{origin}_balance.csv]({origin}_balance.csv), [{origin}_series.csv]({origin}_series.csv)"
    return f"### What there is to learn from\n\n{pictures}\n\nTables: {tables}."


def _overview(rows: Sequence[StepRow], origin: Origin, folder: Path) -> str:
    """Write precision, recall and F1 of all heads, and show their means over the steps."""
    file = f"{origin}_by_level.csv"
    write_csv(folder / file, HEADER, [row.cells() for row in rows])
    shown = [row.cells() for row in rows if row.level == ALL_LEVELS and row.step in ("macro", "-")]
    title = f"### How well held-out {_WORDS[origin]} are graded"
    return f"{title}\n\n{markdown(HEADER, shown)}\n\nEvery step at every level: [{file}]({file})."


def _head_section(scored: Scored, rows: Sequence[StepRow], origin: Origin, folder: Path) -> str:
    title = f"### {_first_large(scored.title)}: {_WORDS[origin]}"
    if len(scored.truth) == 0:
        return f"{title}\n\n{NOT_SCORED.capitalize()}: no held-out place has this label and the series for it."
    count = f"{len(scored.truth)} places of {len(np.unique(scored.patients))} {_WORDS[origin]}"
    matrix, name = confusion(scored), f"{origin}_{scored.name}"
    table = [(step, *row) for step, row in zip(scored.steps, matrix.tolist(), strict=True)]
    write_csv(folder / f"{name}_confusion.csv", ("true", *scored.steps), table)
    draw_confusion(matrix, scored.steps, f"{scored.title}\n{count}", folder / f"{name}_confusion.png")
    draw_reliability(scored, f"{scored.title}, {count}", folder / f"{name}_reliability.png")
    return (
        f"{title}\n\n{count}.\n\n![confusion]({name}_confusion.png)\n![reliability]({name}_reliability.png)\n\n"
        f"{markdown(HEADER[1:], [row.cells()[1:] for row in rows])}"
    )


def _first_large(words: str) -> str:
    return words[:1].upper() + words[1:]
