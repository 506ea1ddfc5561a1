"""Is this a sagittal spine at all? Linear heads over what the segmentation network saw, in numpy alone.

The network always outlines something, and the rules on the chain of discs (``gate.py``) can be met by coins or an
axial slice. A head looks at the attended tokens of every prompt and at the shape of the maps: a spine has a long
upright canal behind a column of vertebrae, with the levels in order. What is far from every spine it knows is
refused too, whatever it is.

How unlike is too unlike? The patients are cut into folds; each head was fitted without one fold and scored the
real spines of that fold. A new slice is ranked among all of them, each by the head that had not seen it: the
conformal p-value is the share of patients, this one counted, that look no more like a spine. Refusing below a
p-value of a refuses about a share a of such spines at most. Source: cross-conformal predictors, Vovk, Ann Math
Artif Intell 74:9 (2015). The guarantee's limits stand in the card of the weights.

Trained by ``python -m segmentation.training.likeness``; tokens of another network mean nothing to it, so the
weights name the network they belong to.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from imaging.types import OutOfDistribution
from runtime.errors import NotEligibleError, WeightsError
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.likeness_features import Vector, map_statistics, token_vector
from segmentation.types import SliceMaps

_log = logging.getLogger(__name__)

WEIGHTS = "spine-likeness"
_JUDGED = "segmentation"  # the model folder it was fitted on


@dataclass(frozen=True, eq=False)
class LikenessHead:
    """The numbers of one head. T token values, S map statistics, K components, N calibration patients.

    Attributes:
        token_mean: (T,) of the spines in training.
        components: (K, T), principal components of spines and others.
        centre: (K + S,) mean over spines of components and statistics.
        spread: (K + S,) standard deviation over spines.
        scale: (K + S + 1,) standard deviation of the inputs of the last layer over all pictures.
        weights: (K + S + 1,) the last input is the distance from the spines.
        bias: Added to the weighted inputs.
        calibration: (N,) ascending: of each patient that this head was fitted without, the logit of the slice that
            looks least like a spine.
    """

    token_mean: Vector
    components: Vector
    centre: Vector
    spread: Vector
    scale: Vector
    weights: Vector
    bias: float
    calibration: Vector

    def logits(self, tokens: Vector, statistics: Vector) -> Vector:
        """Return how much N pictures look like a spine, any real number each.

        Args:
            tokens: (N, T).
            statistics: (N, S).
        """
        inputs = self.inputs(tokens, statistics) / self.scale
        return np.asarray(inputs @ self.weights + self.bias)

    def inputs(self, tokens: Vector, statistics: Vector) -> Vector:
        """Return (N, K + S + 1): components and statistics from the middle of the spines, and the distance."""
        together = np.concatenate([(tokens - self.token_mean) @ self.components.T, statistics], axis=1)
        standard = np.clip((together - self.centre) / self.spread, -8, 8)
        distance = np.log(np.sqrt(np.mean(standard**2, axis=1, keepdims=True)) + 0.1)
        return np.concatenate([standard, distance], axis=1)


def mean_logits(heads: Sequence[LikenessHead], tokens: Vector, statistics: Vector) -> Vector:
    """Return the mean over all heads, (N,)."""
    return np.asarray(np.mean([head.logits(tokens, statistics) for head in heads], axis=0))


def p_values(heads: Sequence[LikenessHead], tokens: Vector, statistics: Vector) -> Vector:
    """Return the cross-conformal p-values of N pictures, (N,), in (0, 1]."""
    lower = np.zeros(len(tokens))
    for head in heads:
        lower += np.searchsorted(head.calibration, head.logits(tokens, statistics), side="right")
    return np.asarray((1 + lower) / (1 + sum(len(head.calibration) for head in heads)))


class SpineLikeness:
    """The loaded gate.

    Args:
        heads: One for each fold of the calibration.
        threshold: p-value below which a slice is refused.
        checksum: Of the weights, for provenance.
        segmentation_checksum: Of the network whose maps it understands.
    """

    def __init__(
        self,
        heads: Sequence[LikenessHead],
        *,
        threshold: float,
        checksum: str = "",
        segmentation_checksum: str = "",
    ) -> None:
        self.heads, self.threshold = tuple(heads), threshold
        self.checksum, self.segmentation_checksum = checksum, segmentation_checksum

    @classmethod
    def load(cls, *, weights_root: Path | None = None, name: str = WEIGHTS) -> SpineLikeness:
        """Load a verified model folder.

        Raises:
            WeightsError: If the folder is missing or damaged.
        """
        folder = open_weights(name, weights_root or load_settings().weights_dir)
        stored = load_file(folder.path / "model.safetensors")
        try:
            heads = [_head(stored, number) for number in range(int(folder.config["heads"]))]
            threshold = float(folder.config["threshold"])
        except (TypeError, KeyError, ValueError) as error:
            raise WeightsError(f"weights {name!r}: model.safetensors is not a likeness gate: {error}") from error
        return cls(
            heads,
            threshold=threshold,
            checksum=folder.checksum,
            segmentation_checksum=folder.config["segmentation_checksum"],
        )

    def judge(self, maps: SliceMaps) -> OutOfDistribution:
        """Return how one slice (N = 1) compares with the spines of the calibration."""
        tokens, statistics = token_vector(maps)[None], map_statistics(maps)[None]
        return OutOfDistribution(
            score=float(mean_logits(self.heads, tokens, statistics)[0]),
            p_value=float(p_values(self.heads, tokens, statistics)[0]),
            threshold=self.threshold,
        )


def refuse_unlike(ood: OutOfDistribution) -> None:
    """Raise unless a slice looks like a sagittal spine.

    Raises:
        NotEligibleError: With code ``no_spine_found``.
    """
    if ood.is_refused:
        raise NotEligibleError(
            "no spine was found: no sagittal spine was recognised in the image, front at the left and head on top "
            f"(likeness to real spines p = {ood.p_value:.3f}, at least {ood.threshold:g} is needed); check what "
            "the image shows and which way it lies",
            code="no_spine_found",
        )


def _head(stored: dict[str, Any], number: int) -> LikenessHead:
    prefix = f"{number}."
    state = {key.removeprefix(prefix): value for key, value in stored.items() if key.startswith(prefix)}
    numbers = {key: value.astype(np.float64) for key, value in state.items()}
    return LikenessHead(**{**numbers, "bias": float(numbers["bias"][0])})


def open_likeness(
    name: str, segmentation_checksum: str, *, weights_root: Path | None = None
) -> SpineLikeness | None:
    """Load the gate that lies beside the lumbar network.

    A network just replaced has no gate of its own yet: then the answer is None, with a warning. Networks of other
    names (other regions, models in training) have none. Without it the rules on the chain of discs stand alone and
    the provenance lists no gate.

    Args:
        name: Model folder of the network that will be asked.
        segmentation_checksum: Of that network.
        weights_root: Folder of model folders; None takes ``Settings.weights_dir``.

    Raises:
        WeightsError: If the gate is damaged.
    """
    if name != _JUDGED:
        return None
    root = weights_root or load_settings().weights_dir
    if not (root / WEIGHTS).is_dir():
        _log.warning("weights %r are not installed: only the rules on discs tell a spine from others", WEIGHTS)
        return None
    gate = SpineLikeness.load(weights_root=root)
    if gate.segmentation_checksum == segmentation_checksum:
        return gate
    _log.warning(
        "weights %r belong to segmentation weights %.12s..., found %.12s...: they are not used; train them again: "
        "python -m segmentation.training.likeness --config configs/segmentation/likeness.yaml",
        WEIGHTS,
        gate.segmentation_checksum,
        segmentation_checksum,
    )
    return None
