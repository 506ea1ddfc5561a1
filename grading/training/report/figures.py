"""The plots of a run, drawn without a screen: labels by level, class balance, series, confusion, reliability."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from grading.calibration import expected_calibration_error
from grading.training.report.scored import Labelled, Scored
from grading.training.report.tables import NO_CASES, NOT_SCORED, Matrix

COLOURS = ("#d9e2ec", "#f6c667", "#ee8f4f", "#c8443c", "#7a1f3d")
"""From the best step of a scale to the worst."""

_DPI = 100
_COLUMNS = 3
_BINS = 10


def draw_labels_by_level(heads: Sequence[Labelled], levels: Sequence[str], title: str, file: Path) -> None:
    """Draw how often each step stands at each level, one panel a head; places, both sides of sided heads."""
    figure, panels = _grid(len(heads), title)
    for head, axes in zip(heads, panels, strict=True):
        base = np.zeros(len(levels))
        for step, words in enumerate(head.steps):
            counts = np.bincount(head.levels[head.truth == step], minlength=len(levels)).astype(float)
            axes.bar(levels, counts, bottom=base, color=_colour(step, len(head.steps)), label=words)
            base += counts
        axes.set_ylim(0, 1.4 * max(base.max(), 1))  # room for the legend
        axes.set_title(head.title, fontsize=9)
        axes.tick_params(axis="x", rotation=60, labelsize=7)
        axes.legend(fontsize=6, ncols=len(head.steps), loc="upper center")
        if not len(head.truth):
            _say(axes, NO_CASES)
    _save(figure, file)


def draw_class_balance(heads: Sequence[Labelled], title: str, file: Path) -> None:
    """Draw the share of each step of every head, with the counts in the bars."""
    figure = Figure(figsize=(9, 1.2 + 0.42 * len(heads)), layout="constrained")
    axes = figure.add_subplot()
    for row, head in enumerate(heads):
        counts = np.bincount(head.truth, minlength=len(head.steps))
        start = 0.0
        for step, count in enumerate(counts.tolist()):
            share = count / max(counts.sum(), 1)
            colour = _colour(step, len(counts))
            bars = axes.barh(row, share, left=start, color=colour, edgecolor="white")
            if share > 0.04:
                ink = "white" if colour in COLOURS[3:] else "black"
                axes.bar_label(bars, [f"{head.steps[step]}\n{count}"], label_type="center", fontsize=6, color=ink)
            start += share
        if not counts.sum():
            axes.text(0.01, row, NO_CASES, va="center", fontsize=7)
    axes.set_yticks(range(len(heads)), [head.title for head in heads], fontsize=7)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of labelled places")
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    _save(figure, file)


def draw_series(counts: Sequence[tuple[str, int]], title: str, file: Path) -> None:
    """Draw how many patients have which set of series."""
    figure = Figure(figsize=(8, 1.2 + 0.35 * max(len(counts), 1)), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh([name for name, _ in counts], [count for _, count in counts], color="#486581")
    axes.bar_label(bars, fontsize=7)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlabel("patients")
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    _save(figure, file)


def draw_confusion(matrix: Matrix, steps: Sequence[str], title: str, file: Path) -> None:
    """Draw counts, coloured by the share of each true step; a row without cases says so."""
    size = 2.2 + 0.7 * len(steps)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    totals = matrix.sum(axis=1)
    axes.imshow(matrix / np.maximum(totals, 1)[:, None], cmap="Blues", vmin=0, vmax=1)
    for row, total in enumerate(totals.tolist()):
        for column, count in enumerate(matrix[row].tolist()):
            is_dark = total and count / total > 0.6
            text = str(count) if total else NO_CASES if column == len(steps) // 2 else ""
            axes.text(
                column, row, text, ha="center", va="center", fontsize=8, color="white" if is_dark else "black"
            )
    axes.set_xticks(range(len(steps)), steps, rotation=30, fontsize=8)
    axes.set_yticks(range(len(steps)), steps, fontsize=8)
    axes.set_xlabel("named")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=9)
    _save(figure, file)


def draw_reliability(scored: Scored, title: str, file: Path) -> None:
    """Draw stated probability against frequency, one panel for each "this step or worse".

    Categories without order get one panel: anything but the best step.
    """
    cuts = range(1, len(scored.steps)) if scored.is_ordinal else range(1, 2)
    figure = Figure(figsize=(1 + 3.1 * len(cuts), 3.6), layout="constrained")
    figure.suptitle(title, fontsize=10)
    for number, cut in enumerate(cuts, start=1):
        axes = figure.add_subplot(1, len(cuts), number)
        happened = scored.truth >= cut
        axes.plot([0, 1], [0, 1], color="#bcccdc", linewidth=1)
        _draw_curves(axes, scored, cut, happened)
        last = cut + 1 == len(scored.steps)
        words = (
            scored.steps[cut] if last else f"{scored.steps[cut]} or worse" if scored.is_ordinal else "any change"
        )
        axes.set_title(f"{words} ({int(happened.sum())} of {len(happened)})", fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("stated probability", fontsize=8)
        axes.set_ylabel("frequency", fontsize=8)
        axes.tick_params(labelsize=7)
    _save(figure, file)


def _draw_curves(axes: Axes, scored: Scored, cut: int, happened: NDArray[np.bool_]) -> None:
    if not len(happened):
        _say(axes, NOT_SCORED)
        return
    if not happened.any() or happened.all():
        _say(axes, NO_CASES if not happened.any() else "only such cases")
        return
    for words, probabilities, style in (
        ("as the network says", scored.raw, "#9fb3c8"),
        ("calibrated on other folds", scored.calibrated, "#c8443c"),
    ):
        stated = probabilities[:, cut:].sum(axis=1).clip(0, 1)
        places, frequency, counts = reliability(stated, happened)
        error = expected_calibration_error(stated, happened, bins=_BINS)
        axes.plot(places, frequency, color=style, linewidth=1, label=f"{words}, error {error:.3f}")
        axes.scatter(places, frequency, s=4 + 120 * counts / counts.sum(), color=style)
    axes.legend(fontsize=6, loc="upper left")


def reliability(
    stated: NDArray[np.float64], happened: NDArray[np.bool_], *, bins: int = _BINS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return mean stated probability, frequency and count of each equal-width bin that is not empty."""
    index = np.minimum((stated * bins).astype(int), bins - 1)
    counts = np.bincount(index, minlength=bins)
    kept = counts > 0
    mean = np.bincount(index, weights=stated, minlength=bins)[kept] / counts[kept]
    frequency = np.bincount(index, weights=happened.astype(float), minlength=bins)[kept] / counts[kept]
    return mean, frequency, counts[kept].astype(np.int64)


def _grid(count: int, title: str) -> tuple[Figure, list[Axes]]:
    rows = -(-count // _COLUMNS)
    figure = Figure(figsize=(3.4 * _COLUMNS, 0.5 + 2.6 * rows), layout="constrained")
    figure.suptitle(title, fontsize=11)
    return figure, [figure.add_subplot(rows, _COLUMNS, number + 1) for number in range(count)]


def _colour(step: int, steps: int) -> str:
    return COLOURS[round(step * (len(COLOURS) - 1) / max(steps - 1, 1))]


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", transform=axes.transAxes, fontsize=9)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, dpi=_DPI)
