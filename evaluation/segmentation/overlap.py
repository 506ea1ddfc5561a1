"""Overlap of masks: Dice and IoU by structure.

Structures are told from the label numbers of ``anatomy/codes.csv``: any vertebra (1 to 24), any disc (200 to 223),
the canal with the cord in it (100, 101), and so on, so that a wrong level name is not counted as a wrong shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

STRUCTURE_LABELS: dict[str, Callable[[NDArray[np.integer[Any]]], Mask]] = {
    "vertebra": lambda labels: (labels >= 1) & (labels <= 24),
    "disc": lambda labels: (labels >= 200) & (labels <= 223),
    "spinal_canal": lambda labels: (labels == 100) | (labels == 101),
    "spinal_cord": lambda labels: labels == 101,
    "sacrum": lambda labels: labels == 50,
    "ilium": lambda labels: (labels == 51) | (labels == 52),
    "joint_space": lambda labels: (labels == 53) | (labels == 54),
}


@dataclass(frozen=True)
class Overlap:
    """Dice and IoU of one structure; None when it is in neither mask."""

    dice: float | None
    iou: float | None


def overlap(predicted: Mask, reference: Mask) -> Overlap:
    """Score two masks of the same shape.

    Dice = 2 |A and B| / (|A| + |B|); IoU = |A and B| / |A or B|.

    Raises:
        ValueError: If the shapes differ.
    """
    if predicted.shape != reference.shape:
        raise ValueError(f"masks: expected shape {reference.shape}, got {predicted.shape}")
    both = int(np.count_nonzero(predicted & reference))
    total = int(np.count_nonzero(predicted)) + int(np.count_nonzero(reference))
    if total == 0:
        return Overlap(None, None)
    return Overlap(2 * both / total, both / (total - both))
