"""Plots of an evaluation as PNG (matplotlib): scores of cases, intervals, levels, confusion, reliability."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evaluation.bootstrap import Interval
from evaluation.result import Evaluation, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#2a6f97", "#d1700f", "#7a7f85"
_MOST_BARS, _MOST_PANELS, _MOST_HISTOGRAMS = 28, 9, 6
_DPI = 130


@dataclass(frozen=True)
class Plot:
    """One picture.

    Attributes:
        name: File name without its ending.
        title: For people.
        words: What it shows, for those who cannot see it.
        png: The file.
    """

    name: str
    title: str
    words: str
    png: bytes


def draw_plots(item: Evaluation) -> list[Plot]:
    """Return the plots that an evaluation has data for."""
    drawn = (
        _intervals(item), _distributions(item), _levels(item), _confusion(item), _reliability(item),
    )  # fmt: skip
    return [plot for plot in drawn if plot is not None]


def _intervals(item: Evaluation) -> Plot | None:
    parts = tuple(f"{name}_" for name in item.headline[:1])
    shares = {
        name: figure
        for name, figure in item.figures.items()
        if (name in item.headline or name.startswith(parts))
        and isinstance(figure, Interval)
        and figure.low >= 0
        and figure.high <= 1
    }
    names = list(shares)[:_MOST_BARS]
    if not names:
        return None
    figure, axes = _grid(1, width=7.5, height=0.9 + 0.26 * len(names))
    for place, name in enumerate(reversed(names)):
        interval = shares[name]
        axes[0].plot(
            [interval.low, interval.high], [place, place], color=BLUE, linewidth=3, solid_capstyle="round"
        )
        axes[0].plot(interval.value, place, "o", color="white", markeredgecolor=BLUE, markersize=6)
    axes[0].set_yticks(range(len(names)), list(reversed(names)), fontsize=8)
    axes[0].set_xlim(-0.02, 1.02)
    axes[0].grid(axis="x", color="#e3e6e8")
    words = "Figures between 0 and 1 with 95 % intervals over patients; all others are in the table"
    return Plot(f"{item.task}_intervals", "Figures with 95 % intervals", words, _png(figure))


def _distributions(item: Evaluation) -> Plot | None:
    columns = {name: values for name in _score_columns(item) if len(values := _numbers(item.per_case, name)) > 1}
    names = list(columns)[:_MOST_HISTOGRAMS]
    if not names:
        return None
    figure, axes = _grid(len(names), width=2.7, height=2.0)
    for place, name in zip(axes, names, strict=True):
        place.hist(columns[name], bins=min(20, max(5, len(columns[name]) // 4)), color=BLUE, edgecolor="white")
        place.locator_params(axis="x", nbins=4)
        place.locator_params(axis="y", nbins=4, integer=True)
        place.axvline(float(np.mean(columns[name])), color=ORANGE, linewidth=1.5)
        place.set_title(name, fontsize=8)
        place.set_ylabel(plural(item.unit), fontsize=7)
    words = f"Histogram of the score of each {item.unit}; the line is the mean"
    return Plot(f"{item.task}_distributions", f"Scores by {item.unit}", words, _png(figure))


def _score_columns(item: Evaluation) -> list[str]:
    """Return the columns of per_case that hold scores (floats), those of the headline first."""
    names = [
        name
        for name in dict.fromkeys(key for row in item.per_case for key in row)
        if name not in ("id", "patient")
    ]
    floats = [name for name in names if any(isinstance(row.get(name), float) for row in item.per_case)]
    return sorted(floats, key=lambda name: _rank(name, item.headline))


def _rank(name: str, headline: Sequence[str]) -> int:
    """Return the place of the headline figure that a column is, or is a part of (``dice_disc`` of ``dice``)."""
    parts = [place for place, start in enumerate(headline) if name == start or name.startswith(f"{start}_")]
    return parts[0] if parts else len(headline)


def _levels(item: Evaluation) -> Plot | None:
    rows = [
        row for row in item.tables.get("subgroups", ()) if row["subgroup"] == "level" and row["value"] is not None
    ]
    if not rows:
        return None
    metric = rows[0]["metric"]
    rows = [row for row in rows if row["metric"] == metric]
    figure, axes = _grid(1, width=max(4.0, 0.62 * len(rows) + 1.2), height=2.9)
    values = np.array([_float(row["value"]) for row in rows])
    spans = [
        [value - _float(row["low"], value), _float(row["high"], value) - value]
        for row, value in zip(rows, values, strict=True)
    ]
    axes[0].bar(range(len(rows)), values, color=BLUE, width=0.65)
    axes[0].errorbar(
        range(len(rows)), values, yerr=np.clip(np.array(spans).T, 0, None), fmt="none", ecolor=ORANGE, capsize=3
    )
    labels = [f"{row['group']}\nn={row['patients']}" for row in rows]
    axes[0].set_xticks(range(len(rows)), labels, fontsize=7)
    axes[0].set_ylabel(str(metric), fontsize=8)
    words = "Bars with 95 % intervals; n is the number of patients"
    return Plot(f"{item.task}_levels", f"By level: {metric}", words, _png(figure))


def _confusion(item: Evaluation) -> Plot | None:
    rows = item.tables.get("confusion", ())
    groups = _by(rows, "condition")
    if not groups:
        return None
    names = list(groups)[:_MOST_PANELS]
    figure, axes = _grid(len(names), width=3.0, height=2.8)
    for place, name in zip(axes, names, strict=True):
        _draw_matrix(place, name, groups[name])
    words = "Confusion matrices: rows are true steps, columns named steps; shade is the share of the row"
    return Plot(f"{item.task}_confusion", "Confusion matrices", words, _png(figure))


def _draw_matrix(axes: "Axes", name: str, rows: Sequence[Row]) -> None:
    truth = list(dict.fromkeys(str(row["truth"]) for row in rows))
    named = list(dict.fromkeys(str(row["named"]) for row in rows))
    counts = np.zeros((len(truth), len(named)))
    for row in rows:
        counts[truth.index(str(row["truth"])), named.index(str(row["named"]))] = _float(row["places"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if shares[row, column] > 0.55 else "#1c2a33"
        axes.text(column, row, f"{int(count)}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(named)), named, fontsize=6, rotation=30, ha="right")
    axes.set_yticks(range(len(truth)), truth, fontsize=6)
    axes.set_title(name, fontsize=8)
    axes.set_xlabel("named", fontsize=7)
    axes.set_ylabel("true", fontsize=7)


def _reliability(item: Evaluation) -> Plot | None:
    groups = _by(item.tables.get("reliability", ()), "condition")
    if not groups:
        return None
    names = sorted(groups, key=lambda name: name != "all conditions")[:_MOST_PANELS]
    figure, axes = _grid(len(names), width=2.6, height=2.5)
    for place, name in zip(axes, names, strict=True):
        rows = groups[name]
        stated, true = ([_float(row[key]) for row in rows] for key in ("stated", "true_share"))
        places = np.array([_float(row["places"]) for row in rows])
        place.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        place.plot(stated, true, color=BLUE, linewidth=1.2)
        place.scatter(stated, true, s=12 + 90 * places / places.max(), color=BLUE, edgecolor="white", zorder=3)
        place.set_xlim(0, 1.03)
        place.set_ylim(0, 1.03)
        place.set_title(name, fontsize=8)
        place.set_xlabel("stated probability", fontsize=7)
        place.set_ylabel("share that was right", fontsize=7)
    words = (
        "Reliability: on the dashed line what was stated came true; the size of a point is its number of places"
    )
    return Plot(f"{item.task}_reliability", "Reliability of stated probabilities", words, _png(figure))


def plural(unit: str) -> str:
    """Return the plural of a unit of cases."""
    return f"{unit[:-1]}ies" if unit.endswith("y") else f"{unit}s"


def _grid(panels: int, *, width: float, height: float) -> "tuple[Figure, list[Axes]]":
    """Return a figure of at most three panels a row, each of a size in inches."""
    from matplotlib.figure import Figure

    columns = min(3, panels)
    rows = math.ceil(panels / columns)
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    axes: list[Axes] = [figure.add_subplot(rows, columns, place + 1) for place in range(panels)]
    for place in axes:
        place.spines[["top", "right"]].set_visible(False)
        place.tick_params(labelsize=7)
    return figure, axes


def _png(figure: "Figure") -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
    return stream.getvalue()


def _numbers(rows: Sequence[Row], name: str) -> list[float]:
    return [_float(row[name]) for row in rows if row.get(name) is not None]


def _float(value: object, default: float = math.nan) -> float:
    return float(value) if isinstance(value, int | float) else default


def _by(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row[key]), []).append(row)
    return groups
