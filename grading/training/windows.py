"""Windows of a training case: read from the stored ones with their margin, moved, turned and scaled by chance."""

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from grading.config import GraderConfig
from grading.training.cases import Case, from_bytes
from grading.training.config import TrainingConfig
from grading.views import SIDES, View


def cut_windows(
    case: Case,
    config: GraderConfig,
    leave_out: Collection[str],
    training: TrainingConfig | None,
    rng: np.random.Generator | None,
) -> tuple[tuple[NDArray[np.float32], ...], NDArray[np.bool_]]:
    """Return the windows of each view and which there are.

    Args:
        case: The patient.
        config: Views and levels.
        leave_out: Kinds of series that are treated as missing.
        training: Jitter; None cuts the windows as they are.
        rng: Draws the jitter.

    Returns:
        One (L, 2, N, H, W) a view, 0 where not present, and (L, 2, V).
    """
    images = []
    present = np.zeros((len(config.network.levels), len(SIDES), len(config.views)), dtype=bool)
    for number, view in enumerate(config.views):
        shape = (len(config.network.levels), len(SIDES), view.slices, view.rows, view.cols)
        part = np.zeros(shape, dtype=np.float32)
        stored = case.windows.get(view.name)
        if stored is not None and view.source not in leave_out and stored.present.any():
            there = stored.present
            part[there] = _cut(from_bytes(stored.images[there]), view, config, training, rng)
            present[..., number] = there
        images.append(part)
    return tuple(images), present


def _cut(
    stored: NDArray[np.float32],
    view: View,
    config: GraderConfig,
    training: TrainingConfig | None,
    rng: np.random.Generator | None,
) -> NDArray[np.float32]:
    """Return the inner part (n, N, H, W) of stored windows (n, slices, rows, columns)."""
    extra = (stored.shape[1] - view.slices) // 2
    if training is None or rng is None:
        row, col = (stored.shape[2] - view.rows) // 2, (stored.shape[3] - view.cols) // 2
        return stored[:, extra : extra + view.slices, row : row + view.rows, col : col + view.cols]
    moved = _warp(stored, view, training, rng)
    chosen = []
    for window in moved:
        shift = int(rng.integers(-extra, extra + 1)) if rng.random() < training.slice_jitter else 0
        chosen.append(window[extra + shift : extra + shift + view.slices])
    return np.stack(chosen)


def _warp(
    stored: NDArray[np.float32], view: View, training: TrainingConfig, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Sample the middle of each stored window under a small turn, scale and shift of its own."""
    count, (rows, cols) = len(stored), stored.shape[2:]
    angle = np.deg2rad(rng.normal(0, training.rotation_jitter_deg, count))
    scale = np.exp(rng.normal(0, training.scale_jitter, count))
    pitch = 1 / np.array(view.pitches_per_pixel[::-1])  # pixels a pitch, x and y
    shift = rng.normal(0, training.shift_jitter, (count, 2)) * pitch
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    theta = np.zeros((count, 2, 3), dtype=np.float32)
    # Normalised coordinates: 1 is half a stored window; the output covers the view's share of it.
    theta[:, 0, 0], theta[:, 0, 1] = cosine * view.cols / cols, -sine * view.rows / cols
    theta[:, 1, 0], theta[:, 1, 1] = sine * view.cols / rows, cosine * view.rows / rows
    theta[:, 0, 2], theta[:, 1, 2] = shift[:, 0] / (cols / 2), shift[:, 1] / (rows / 2)
    size = (count, stored.shape[1], view.rows, view.cols)
    grid = functional.affine_grid(torch.from_numpy(theta), list(size), align_corners=False)
    warped = functional.grid_sample(torch.from_numpy(stored), grid, padding_mode="border", align_corners=False)
    return np.asarray(warped.numpy(), dtype=np.float32)
