"""A picture of a run from its log: what the controller saw and did per class, and the terms of the loss."""

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PER_CLASS = ("recall", "precision", "beta")
_LOSS = "loss"
_AXIS = {
    "recall": "soft recall",
    "precision": "soft precision",
    "beta": "beta (cost of a missed pixel)",
    _LOSS: "terms of the loss",
}
_NOT_TERMS = ("step", "rate")

Table = Mapping[str, Sequence[float]]


def plot_course(log_csv: Path, png: Path) -> Path | None:
    """Draw recall, precision and beta per class, and the terms of the loss, over the steps of a run.

    Args:
        log_csv: The trainer's log: ``step``, ``rate``, a column per term of the loss, then ``recall_<structure>``,
            ``precision_<structure>`` and ``beta_<structure>``; nan where unknown. A step that a resumed run wrote
            twice counts as written last.
        png: Picture to write.

    Returns:
        ``png``, or None (nothing written) when the log holds no epoch yet.

    Raises:
        ConfigError: If the file is not such a log.
    """
    table = read_log(log_csv)
    if not table["step"]:
        return None
    png.parent.mkdir(parents=True, exist_ok=True)
    draw_course(table).savefig(png, dpi=100)
    return png


def draw_course(table: Table) -> "Figure":
    """Return the figure of a log's columns: panels recall, precision, beta and loss, from the top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 10), layout="constrained")
    FigureCanvasAgg(figure)  # no window, no global state of pyplot's
    axes = figure.subplots(4, 1, sharex=True)
    for panel, what in zip(axes, _AXIS, strict=True):
        _draw(panel, what, table)
    axes[-1].set_xlabel("step")
    return figure


def curves_of(what: str, names: Sequence[str]) -> dict[str, str]:
    """Return label and column of each curve of a panel: ``recall``, ``precision``, ``beta`` or ``loss``."""
    if what != _LOSS:
        return {name.removeprefix(what + "_"): name for name in names if name.startswith(what + "_")}
    prefixes = tuple(kind + "_" for kind in _PER_CLASS)
    return {name: name for name in names if name not in _NOT_TERMS and not name.startswith(prefixes)}


def _draw(panel: "Axes", what: str, table: Table) -> None:
    for label, column in curves_of(what, list(table)).items():
        if any(math.isfinite(value) for value in table[column]):  # a class never seen has no curve
            panel.plot(table["step"], table[column], marker=".", markersize=3, linewidth=1, label=label)
    panel.set_ylabel(
        {"beta": "beta (cost of a missed pixel)", _LOSS: "terms of the loss"}.get(what, "soft " + what)
    )
    panel.grid(alpha=0.3)
    if what in ("recall", "precision"):
        panel.set_ylim(0, 1.02)
    if panel.get_legend_handles_labels()[0]:
        panel.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small", frameon=False)


def read_log(log_csv: Path) -> Table:
    """Return the columns of a trainer's log, in the order of steps, each step once.

    Raises:
        ConfigError: If the file is not such a log.
    """
    with log_csv.open(encoding="utf-8", newline="") as stream:
        header, *lines = list(csv.reader(stream)) or [[]]
    for what in ("step", *_PER_CLASS):
        if not any(name == what or name.startswith(what + "_") for name in header):
            raise ConfigError(f"{log_csv.name}: expected a training log with a column {what!r}, got {header!r}")
    rows = {}
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise ConfigError(f"{log_csv.name}, line {number}: expected {len(header)} values, got {len(line)}")
        try:
            values = [float(cell) for cell in line]
        except ValueError as error:
            raise ConfigError(f"{log_csv.name}, line {number}: expected numbers, got {line!r}") from error
        rows[values[header.index("step")]] = values
    ordered = [rows[step] for step in sorted(rows)]
    return {name: [row[place] for row in ordered] for place, name in enumerate(header)}
