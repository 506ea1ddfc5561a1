"""Phantoms of the frozen test sets: overlap and outline distance of every structure, by set and series."""

from collections.abc import Iterator

import numpy as np

from benchmarks.regions.stacks import Stack, masks_of_stack, truth_of
from benchmarks.regions.surface import surface_distance_px
from benchmarks.segmentation import Row
from evaluation.segmentation import overlap
from imaging.phantom import build_phantom
from imaging.phantom.setup import load_setup
from imaging.phantom.types import PhantomSeries
from segmentation.predict import SliceSegmenter
from segmentation.training.data import CLASSES
from segmentation.training.phantoms import class_labels, known_classes

SETS = tuple(
    f"test_{region}{kind}" for region in ("lumbar", "cervical", "sacroiliac") for kind in ("", "_shifted")
)
"""The frozen test sets."""
_NOT_IN_TRUTH = {"lumbar": {"spinal_cord"}}
"""The label maps of lumbar phantoms count the cord as canal: it is not scored there."""


def score_phantoms(
    model: SliceSegmenter, name: str, *, patients: int | None = None, slices: int = 5
) -> Iterator[Row]:
    """Score a frozen test set, patient by patient.

    Each series is scored on ``slices`` of its slices, evenly spread between its first and last (both left out),
    with their true neighbours.

    Args:
        model: The network.
        name: Of the test set's setup.
        patients: How many of the set, counted from its first seed; None all.
        slices: Of each series.
    """
    setup = load_setup(name)
    first, count = setup.seeds["first"], setup.seeds["count"]
    for seed in range(first, first + min(count, patients or count)):
        phantom = build_phantom(setup.protocol, seed=seed, setup=name)
        for series in phantom.series:
            stack = series_stack(series, seed, slices)
            for figure, value in stack_figures(model, stack, setup.protocol).items():
                yield Row(f"{name} {series.role} {figure}", seed, value)


def series_stack(series: PhantomSeries, patient: int, slices: int) -> Stack:
    """Return evenly spread slices of a series; rows and columns as they are displayed."""
    images = np.ascontiguousarray(series.array.transpose(2, 1, 0))
    labels = np.ascontiguousarray(class_labels(series.label_array).transpose(2, 1, 0))
    spread = np.linspace(0, len(images) - 1, slices + 2)[1:-1]
    chosen = np.unique(np.rint(spread).astype(np.intp))
    column_mm, row_mm = (float(np.linalg.norm(series.affine[:3, axis])) for axis in (0, 1))
    return Stack.of_series(patient, images, labels, (row_mm, column_mm), chosen=chosen)


def stack_figures(model: SliceSegmenter, stack: Stack, protocol: str) -> dict[str, float]:
    """Return Dice and outline distance of every structure that network and truth both know."""
    figures: dict[str, float] = {}
    is_known = np.array([known_classes(protocol, labels) for labels in stack.labels])
    for structure, mask in masks_of_stack(model, stack).items():
        if structure not in CLASSES or structure in _NOT_IN_TRUTH.get(protocol, set()):
            continue
        rows = is_known[:, CLASSES.index(structure)]
        found, truth = mask[rows], truth_of(stack.labels[rows], structure)
        dice = overlap(found, truth).dice
        figures[f"{structure} Dice"] = float("nan") if dice is None else dice
        figures[f"{structure} distance px"] = surface_distance_px(found, truth)
    return figures
