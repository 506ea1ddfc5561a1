"""Temperatures and thresholds of the content network, from pictures it did not learn from."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from segmentation.training.content_views import change_views

if TYPE_CHECKING:
    from segmentation.training.content import Pictures

Vector = NDArray[np.float64]

MOST_ERRORS = 0.01
"""Share of the answers given that may be wrong on the calibration pictures. Own choice."""
_VIEWS_EACH = 2
_LEAST = 0.6
_MOST = 0.995


def calibrate(net: nn.Module, pictures: "Pictures", rng: np.random.Generator) -> dict[str, float]:
    """Return the temperatures, and for plane, position and weighting the least probability to answer from.

    Real pictures count as much as phantoms, each shown in changed views: harder than files are, so that the
    thresholds err on the side of silence.

    Args:
        net: Trained, in evaluation mode.
        pictures: The calibration fold.
        rng: Of the changed views.
    """
    shown = [change_views(pictures, rng) for _ in range(_VIEWS_EACH)]
    with torch.no_grad():
        outputs = [net(planes) for planes, _, _ in shown]
    views = torch.cat([view for _, view, _ in shown])
    sequences = torch.cat([sequence for _, _, sequence in shown])
    view_logits, sequence_logits = (torch.cat([output[index] for output in outputs]) for index in (0, 1))
    weight = torch.from_numpy(_weights(pictures.source)).repeat(_VIEWS_EACH)
    known = sequences >= 0
    view_temperature = _temperature(view_logits, views, weight)
    sequence_temperature = _temperature(sequence_logits[known], sequences[known], weight[known])
    probability = functional.softmax(view_logits.double() / view_temperature, dim=1).numpy()
    truth, weights = views.numpy(), weight.numpy()
    planes = np.stack([probability[:, :4].sum(axis=1), probability[:, 4], probability[:, 5]], axis=1)
    plane_truth = np.maximum(truth - 3, 0)
    is_sagittal = truth < 4
    positions = probability[is_sagittal, :4] / probability[is_sagittal, :4].sum(axis=1, keepdims=True)
    weighting = functional.softmax(sequence_logits[known].double() / sequence_temperature, dim=1).numpy()
    return {
        "view_temperature": view_temperature,
        "sequence_temperature": sequence_temperature,
        "least_plane": _threshold(planes, plane_truth, weights),
        "least_position": _threshold(positions, truth[is_sagittal], weights[is_sagittal]),
        "least_sequence": _threshold(weighting, sequences[known].numpy(), weights[known.numpy()]),
    }


def _weights(source: NDArray[np.str_]) -> Vector:
    """Return weights that give all phantoms together as much as all real pictures."""
    is_phantom = source == "phantom"
    each = (0.5 / max(1, int(is_phantom.sum())), 0.5 / max(1, int((~is_phantom).sum())))
    return np.asarray(np.where(is_phantom, *each), dtype=np.float64)


def _temperature(logits: Tensor, truth: Tensor, weight: Tensor) -> float:
    """Return the divisor of the logits with the least cross-entropy. Source: Guo et al., ICML 2017."""
    grid = np.exp(np.linspace(np.log(0.3), np.log(4.0), 80))

    def loss(temperature: float) -> float:
        each = functional.cross_entropy(logits.double() / temperature, truth, reduction="none")
        return float((each * weight).sum() / weight.sum())

    return round(float(min(grid, key=_keyed(loss))), 3)


def _keyed(function: Callable[[float], float]) -> Callable[[float], float]:
    return lambda value: function(float(value))


def _threshold(probability: Vector, truth: NDArray[np.int64], weight: Vector) -> float:
    """Return the least top probability from which at most ``MOST_ERRORS`` of the answers are wrong."""
    top = probability.max(axis=1)
    wrong = (probability.argmax(axis=1) != truth) * weight
    order = np.argsort(-top)
    share = np.cumsum(wrong[order]) / np.cumsum(weight[order])
    good = np.flatnonzero(share <= MOST_ERRORS)
    least = float(top[order][good[-1]]) if len(good) else _MOST
    return round(float(np.clip(least, _LEAST, _MOST)), 3)
