"""What the Markdown and HTML pages show, as plain text: sections, headline figures, tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.bootstrap import Interval
from evaluation.pages.plots import Plot, plural
from evaluation.result import Evaluation, Figure, Row, value_of
from evaluation.run import EvaluationRun

NONE = "–"
_TITLES = {
    "baselines": "Beside baselines that saw no image (lead is in spinefact_f1, paired by patient)",
    "by_class": "By structure",
    "by_label": "By label",
    "by_condition": "By condition",
    "by_level": "By level",
    "subgroups": "Subgroups",
    "subgroups_level": "Subgroups: level",
    "confusion": "Confusion",
    "auc_by_step": "AUC of each step against the rest",
    "reliability": "Reliability",
    "coverage": "Coverage of the prediction sets (exact binomial intervals)",
    "unscored": "Distances without a value",
    "fact_errors": "Wrong facts by kind",
    "against": "Against the second system (paired by patient; lead is ours minus theirs)",
}
_IN_PLOTS = ("confusion", "reliability")
_OPEN_ROWS = 14
"""A longer table is folded."""
_TASKS = {"report": "Reports", "segmentation": "Segmentation", "grading": "Grading", "detection": "Detection"}


@dataclass(frozen=True)
class Table:
    """One table as text.

    Attributes:
        name: As in metrics.json.
        title: For people.
        head: Columns.
        rows: Cells.
        is_long: Folded on the HTML page.
        is_in_plots: Left out of the Markdown page: a plot shows it.
    """

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_long: bool
    is_in_plots: bool


@dataclass(frozen=True)
class Card:
    """One headline figure: name, value and interval in words."""

    name: str
    value: str
    interval: str


@dataclass(frozen=True)
class Section:
    """One task on a page."""

    task: str
    title: str
    size: str
    cards: Sequence[Card]
    figures: Table
    tables: Sequence[Table]
    plots: Sequence[Plot]
    notices: Sequence[str]
    failures: Sequence[str]

    def table(self, name: str) -> Table | None:
        """Return a table by the name it has in metrics.json."""
        return next((item for item in self.tables if item.name == name), None)


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    sections: Sequence[Section]
    notices: Sequence[str]
    failures: Sequence[str]
    provenance: Mapping[str, Any]


def build_page(run: EvaluationRun, plots: Mapping[str, Sequence[Plot]], provenance: Mapping[str, Any]) -> Page:
    """Return the page of a run; ``plots`` are by task."""
    names = ", ".join(_TASKS[item.task].lower() for item in run.evaluations)
    sections = [_section(item, plots.get(item.task, ())) for item in run.evaluations]
    return Page(f"Evaluation: {names}", sections, run.notices, run.all_failures, provenance)


def title_words(name: str) -> str:
    """Return the title of a table for people."""
    return _TITLES.get(name, name.replace("_", " ").capitalize())


def figure_text(figure: Figure) -> str:
    """Return a figure with its interval in one cell."""
    if isinstance(figure, Interval):
        return f"{cell(figure.value)} ({cell(figure.low)} to {cell(figure.high)})"
    return cell(figure)


def cell(value: object) -> str:
    """Return one value as text."""
    if value is None:
        return NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return str(value)


def _section(item: Evaluation, plots: Sequence[Plot]) -> Section:
    shown = [name for name in item.headline if item.figures.get(name) is not None]
    tables = [_table(name, rows) for name, rows in _split_levels(item.tables).items() if rows]
    return Section(
        task=item.task,
        title=_TASKS[item.task],
        size=f"{_count(len(item.per_case), item.unit)} of {_count(item.patients, 'patient')}",
        cards=[_card(name, item.figures[name]) for name in shown],
        figures=_figures_table(item.figures),
        tables=tables,
        plots=plots,
        notices=item.notices,
        failures=item.failures,
    )


def _count(number: int, unit: str) -> str:
    return f"{number} {unit if number == 1 else plural(unit)}"


def _card(name: str, figure: Figure) -> Card:
    interval = f"{cell(figure.low)} to {cell(figure.high)}" if isinstance(figure, Interval) else "no interval"
    return Card(name, cell(value_of(figure)), interval)


def _figures_table(figures: Mapping[str, Figure]) -> Table:
    rows = [
        (
            name,
            cell(value_of(figure)),
            *((cell(figure.low), cell(figure.high)) if isinstance(figure, Interval) else (NONE, NONE)),
        )
        for name, figure in figures.items()
    ]
    return Table("figures", "All figures", ("name", "value", "low", "high"), rows, len(rows) > _OPEN_ROWS, False)


def _table(name: str, rows: Sequence[Row]) -> Table:
    flat = _pivot(rows) if name.startswith("subgroups") else [_joined(row) for row in rows]
    head = list(dict.fromkeys(key for row in flat for key in row))
    return Table(
        name,
        title_words(name),
        head,
        [[cell(row.get(key)) for key in head] for row in flat],
        len(flat) > _OPEN_ROWS,
        name in _IN_PLOTS,
    )


def _split_levels(tables: Mapping[str, Sequence[Row]]) -> dict[str, Sequence[Row]]:
    """Give the subgroups by level, which have figures of their own, a table of their own."""
    groups = tables.get("subgroups", ())
    split = {
        "subgroups": [row for row in groups if row["subgroup"] != "level"],
        "subgroups_level": [row for row in groups if row["subgroup"] == "level"],
    }
    return {**{name: rows for name, rows in tables.items() if name != "subgroups"}, **split}


def _joined(row: Row) -> dict[str, object]:
    """Put ``x``, ``x_low`` and ``x_high`` into one cell; a column without any interval stays a number."""
    out: dict[str, object] = {}
    for key, value in row.items():
        base = key.removesuffix("_low").removesuffix("_high")
        if base != key and base in row:
            continue
        low, high = row.get(f"{key}_low"), row.get(f"{key}_high")
        has_interval = isinstance(value, float) and isinstance(low, float) and isinstance(high, float)
        out[key] = f"{cell(value)} ({cell(low)} to {cell(high)})" if has_interval else value
        if key == "p" and isinstance(value, float):
            out[key] = f"{value:.2g}"
    return out


def _pivot(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Bring rows of one group and figure each to one row a group; few patients are marked."""
    groups: dict[tuple[object, object], dict[str, object]] = {}
    for row in rows:
        few = " (few)" if row["is_few"] else ""
        start = {"subgroup": row["subgroup"], "group": row["group"], "patients": f"{row['patients']}{few}"}
        mine = groups.setdefault((row["subgroup"], row["group"]), start)
        value, low, high = row["value"], row["low"], row["high"]
        has_interval = isinstance(low, float) and isinstance(high, float)
        mine[str(row["metric"])] = f"{cell(value)} ({cell(low)} to {cell(high)})" if has_interval else value
    return list(groups.values())
