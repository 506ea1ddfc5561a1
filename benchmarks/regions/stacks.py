"""Stacks of slices with truth, and what a network sees in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.types import Spacing
from segmentation.predict import SliceSegmenter
from segmentation.training.data import CLASSES, UNKNOWN

Mask = NDArray[np.bool_]

THRESHOLD = 0.5
"""Probability from which a pixel counts as seen."""


@dataclass(frozen=True)
class Stack:
    """Some slices of one series, in order.

    Attributes:
        patient: Unit of the bootstrap.
        images: (N, H, W).
        neighbours: (N, 2, H, W) the slice before and after each.
        labels: (N, H, W) uint8, labels of training slices, 255 unknown.
        spacing_mm: Of rows and columns.
    """

    patient: int
    images: NDArray[np.float32]
    neighbours: NDArray[np.float32]
    labels: NDArray[np.uint8]
    spacing_mm: tuple[float, float]

    @classmethod
    def of_series(
        cls,
        patient: int,
        images: NDArray[np.float32],
        labels: NDArray[np.uint8],
        spacing_mm: tuple[float, float],
        *,
        chosen: NDArray[np.intp],
        stride: int = 1,
    ) -> "Stack":
        """Take some slices of a whole series, each with its neighbours.

        Args:
            patient: Unit of the bootstrap.
            images: (M, H, W) all slices.
            labels: (M, H, W).
            spacing_mm: Of rows and columns.
            chosen: Numbers of the slices to take.
            stride: Slices from one to its neighbour; an end of the series repeats the slice itself.
        """
        before, after = chosen - stride, chosen + stride
        before, after = np.where(before < 0, chosen, before), np.where(after >= len(images), chosen, after)
        neighbours = np.stack([images[before], images[after]], axis=1)
        return cls(patient, images[chosen], neighbours, labels[chosen], spacing_mm)


def truth_of(labels: NDArray[np.uint8], structure: str) -> Mask:
    """Return where a structure is; the canal's mask holds the cord."""
    number = CLASSES.index(structure) + 1
    if structure == "spinal_canal":
        return np.isin(labels, (number, CLASSES.index("spinal_cord") + 1))
    return np.asarray(labels == number)


def masks_of_stack(model: SliceSegmenter, stack: Stack) -> dict[str, Mask]:
    """Return structure -> (N, H, W) mask of every structure the network knows; unknown pixels are left out."""
    neighbours = stack.neighbours if model.config.context_slices else None
    maps = model.segment_slices(stack.images, Spacing(*stack.spacing_mm), neighbours)
    known = stack.labels != UNKNOWN
    return {name: (maps.probabilities[:, i] >= THRESHOLD) & known for i, name in enumerate(maps.structures)}
