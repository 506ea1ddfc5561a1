"""Self-training: masks of ordinary T2 slices by the model itself, shared with T1 slices of the same geometry.

Masks exist on T2 SPACE only. Half way, the averaged model draws the T2 middle slices of its own training
patients; confident pixels become targets of lower weight there and on the T1 slice of the same patient, whose
grid is the same (rows, columns and spacing agree). Patients held out are never drawn.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segmentation.build import Network
from segmentation.config import NetworkConfig
from segmentation.model import STRIDE, NetworkOutput
from segmentation.preprocess import canonical_size, resize, to_network_range
from segmentation.training.config import PseudoConfig
from segmentation.training.data import DRAWN, UNKNOWN, TrainingSlice

LABELS_FILE = "pseudo_labels.npz"
_DRAWN = sum(DRAWN)
"""The first structures: those with real masks."""


@torch.inference_mode()
def make_pseudo_labels(
    network: Network,
    prompts: Tensor,
    slices: list[TrainingSlice],
    config: NetworkConfig,
    pseudo: PseudoConfig,
    folder: Path,
) -> None:
    """Draw masks on the T2 slices and keep them in ``folder``."""
    drawn: dict[str, NDArray[np.uint8]] = {}
    for item in slices:
        if item.kind != "t2":
            continue
        grey = torch.from_numpy(item.image / np.float32(255))[None, None].expand(-1, config.slices, -1, -1)
        rows, columns = item.image.shape
        size = canonical_size(rows, columns, None, config.view_sides_px[0], multiple=STRIDE)
        output: NetworkOutput = network(to_network_range(resize(grey, size).clamp(0, 1)), prompts)
        probability = resize(output.mask_logits[:, :_DRAWN], (rows, columns)).sigmoid()
        drawn[str(item.patient)] = confident_labels(probability[0], pseudo.confidence)
    part = folder / ("part_" + LABELS_FILE)
    np.savez_compressed(part, **drawn)  # type: ignore[arg-type]
    part.replace(folder / LABELS_FILE)


def confident_labels(probability: Tensor, confidence: float) -> NDArray[np.uint8]:
    """Turn (3, H, W) probabilities into labels: 0 where all are surely absent, 255 where the model is not sure."""
    best, index = probability.max(0)
    labels = torch.full(best.shape, UNKNOWN, dtype=torch.uint8)
    labels[best >= confidence] = (index[best >= confidence] + 1).to(torch.uint8)
    labels[best <= 1 - confidence] = 0
    return labels.numpy()


def with_pseudo_labels(slices: list[TrainingSlice], folder: Path, weight: float) -> list[TrainingSlice]:
    """Return the slices, those of kind t2 and t1 with the labels kept in ``folder`` where the grids agree."""
    with np.load(folder / LABELS_FILE) as arrays:
        drawn = {int(key): arrays[key] for key in arrays.files}
    return [
        replace(item, labels=drawn[item.patient], known=DRAWN, weight=weight)
        if item.kind in {"t1", "t2"} and item.patient in drawn and drawn[item.patient].shape == item.image.shape
        else item
        for item in slices
    ]
