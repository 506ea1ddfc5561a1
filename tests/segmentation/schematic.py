"""Schematic training slices: a spine of rectangles."""

import numpy as np
from numpy.typing import NDArray

from segmentation.training.data import DRAWN, NOTHING, UNKNOWN, TrainingSlice, lumbar_points


def spine_labels() -> NDArray[np.uint8]:
    """A schematic spine, 128 x 96: six discs between seven vertebrae, the canal behind (to the right)."""
    labels = np.zeros((128, 96), dtype=np.uint8)
    for index in range(7):
        labels[2 + 18 * index : 14 + 18 * index, 30:56] = 2
        if index < 6:
            labels[14 + 18 * index : 20 + 18 * index, 30:56] = 1
    labels[:, 58:64] = 3
    return labels


def schematic_slice(kind: str = "space", patient: int = 1) -> TrainingSlice:
    labels = spine_labels()
    image = np.array([20, 60, 140, 220], dtype=np.uint8)[labels]
    points = lumbar_points(np.array([[55, 34 + 18 * index] for index in range(5)]))
    known = DRAWN if kind == "space" else NOTHING
    if kind != "space":
        labels = np.full_like(labels, UNKNOWN)
    return TrainingSlice(f"{kind}/{patient}", patient, kind, image, labels, known, points)


def schematic_slices() -> list[TrainingSlice]:
    """Two patients with masks, one with points on T2 and T1."""
    return [
        schematic_slice("space", 1),
        schematic_slice("space", 2),
        schematic_slice("t2", 3),
        schematic_slice("t1", 3),
    ]
