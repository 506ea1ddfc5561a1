"""Sanity check of saliency: a map that explains what was learnt must change when the weights are drawn anew.

The cascade goes from the heads down to the patch encoder, as in Adebayo et al., Sanity checks for saliency maps,
NeurIPS 2018. Their second check, training on shuffled labels, takes a training run and is not done here.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import nn

from grading.saliency.place import Cells, CropHeat

STAGES: Mapping[str, tuple[str, ...]] = {
    "heads and context": ("",),
    "and pooling": ("", "encoder.pooling"),
    "all": ("", "encoder.pooling", "encoder.trunk"),
}
"""Name of a stage -> parts whose parameters are drawn anew; ``""`` is everything but the encoders, whatever a
network calls them."""

Network = TypeVar("Network", bound=nn.Module)
_ENCODER = re.compile(r"(encoder|view_encoders\.\d+)\.(?P<part>\w+)\.")


@dataclass(frozen=True)
class Likeness:
    """How alike two maps of the same crop are.

    Attributes:
        rank_correlation: Spearman's, over the cells of the signed heat, -1 to 1; None where a map is flat.
        ssim: Structural similarity of the heat that is shown, 0 to 1 of its own largest value, -1 to 1.
    """

    rank_correlation: float | None
    ssim: float


def randomised(network: Network, fresh: nn.Module, stage: str) -> Network:
    """Return a copy of a network with the weights of a stage as a fresh network has them.

    Args:
        network: Stays as it is.
        fresh: A network of the same build whose weights were just drawn; seed the draw with ``torch.manual_seed``.
        stage: One of ``STAGES``.

    Raises:
        KeyError: If there is no such stage.
    """
    parts = STAGES[stage]
    drawn = copy.deepcopy(network)
    new = fresh.to(next(network.parameters()).device).state_dict()
    state = {name: new[name] if _part(name) in parts else value for name, value in network.state_dict().items()}
    drawn.load_state_dict(state, strict=True)
    return drawn.eval()


def compare(first: Cells, second: Cells, first_heat: CropHeat, second_heat: CropHeat) -> Likeness:
    """Compare two maps of the same crop.

    Args:
        first: Signed heat (h, w).
        second: The same of the other network.
        first_heat: Signed heat on the crop's pixels (H, W).
        second_heat: The same of the other network.
    """
    is_flat = np.ptp(first) == 0 or np.ptp(second) == 0
    correlation = None if is_flat else float(spearmanr(first.ravel(), second.ravel()).statistic)
    shown = [_shown(heat) for heat in (first_heat, second_heat)]
    ssim = structural_similarity(*shown, data_range=1.0)  # type: ignore[no-untyped-call]
    return Likeness(correlation, float(ssim))


def _part(name: str) -> str:
    """Return the part of the network that a parameter belongs to: ``encoder.pooling`` ... or ``""``."""
    match = _ENCODER.match(name)
    return "" if match is None else f"encoder.{match['part']}"


def _shown(heat: CropHeat) -> CropHeat:
    positive = np.maximum(heat, 0.0)
    largest = float(positive.max())
    return (positive / largest if largest > 0 else positive).astype(np.float32)
