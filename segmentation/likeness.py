"""Is this a sagittal spine at all? A linear head over what the segmentation network saw, in numpy alone.

The network always outlines something, and the rules on the chain of discs (``gate.py``) can be met by coins or an
axial slice. The head looks at the attended tokens of every prompt and at the shape of the maps: a spine has a long
upright canal behind a column of vertebrae, with the levels in order. What is far from every spine it knows is
refused too, whatever it is.

Trained by ``python -m segmentation.training.likeness``; tokens of another network mean nothing to it, so the
weights name the network they belong to.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from anatomy import Structure
from runtime.errors import NotEligibleError, WeightsError
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.types import SliceMaps

_log = logging.getLogger(__name__)

Vector = NDArray[np.float64]

WEIGHTS = "spine-likeness"
LEAST_LIKENESS = 0.5
"""The bias is set in training so that this is the threshold."""
_STEP = 4  # map statistics are taken on every fourth row and column


@dataclass(frozen=True, eq=False)
class LikenessHead:
    """The numbers of the head. F features = T tokens values + S map statistics; K components.

    Attributes:
        token_mean: (T,) of the spines in training.
        components: (K, T), principal components of spines and others.
        centre: (K + S,) mean over spines of components and statistics.
        spread: (K + S,) standard deviation over spines.
        scale: (K + S + 1,) standard deviation of the inputs of the last layer over all pictures.
        weights: (K + S + 1,) the last input is the distance from the spines.
        bias: So that a likeness of ``LEAST_LIKENESS`` is the threshold.
    """

    token_mean: Vector
    components: Vector
    centre: Vector
    spread: Vector
    scale: Vector
    weights: Vector
    bias: float

    def score(self, tokens: Vector, statistics: Vector) -> Vector:
        """Return the likeness of N pictures, 0 to 1.

        Args:
            tokens: (N, T).
            statistics: (N, S).
        """
        inputs = self.inputs(tokens, statistics) / self.scale
        return np.asarray(1 / (1 + np.exp(-np.clip(inputs @ self.weights + self.bias, -50, 50))))

    def inputs(self, tokens: Vector, statistics: Vector) -> Vector:
        """Return (N, K + S + 1): components and statistics from the middle of the spines, and the distance."""
        together = np.concatenate([(tokens - self.token_mean) @ self.components.T, statistics], axis=1)
        standard = np.clip((together - self.centre) / self.spread, -8, 8)
        distance = np.log(np.sqrt(np.mean(standard**2, axis=1, keepdims=True)) + 0.1)
        return np.concatenate([standard, distance], axis=1)


class SpineLikeness:
    """The loaded gate.

    Args:
        head: Its numbers.
        checksum: Of the weights, for provenance.
        segmentation_checksum: Of the network whose maps it understands.
    """

    def __init__(self, head: LikenessHead, *, checksum: str = "", segmentation_checksum: str = "") -> None:
        self.head, self.checksum, self.segmentation_checksum = head, checksum, segmentation_checksum

    @classmethod
    def load(cls, *, weights_root: Path | None = None, name: str = WEIGHTS) -> SpineLikeness:
        """Load a verified model folder.

        Raises:
            WeightsError: If the folder is missing or damaged.
        """
        folder = open_weights(name, weights_root or load_settings().weights_dir)
        stored = load_file(folder.path / "model.safetensors")
        state: dict[str, Any] = {key: value.astype(np.float64) for key, value in stored.items()}
        try:
            head = LikenessHead(**{**state, "bias": float(state["bias"][0])})
        except (TypeError, KeyError) as error:
            raise WeightsError(f"weights {name!r}: model.safetensors is not a likeness head: {error}") from error
        return cls(head, checksum=folder.checksum, segmentation_checksum=folder.config["segmentation_checksum"])

    def score(self, maps: SliceMaps) -> float:
        """Return how much one slice (N = 1) looks like a sagittal spine, 0 to 1."""
        return float(self.head.score(token_vector(maps)[None], map_statistics(maps)[None])[0])

    def refuse_unlike(self, maps: SliceMaps) -> None:
        """Raise unless one slice (N = 1) looks like a sagittal spine.

        Raises:
            NotEligibleError: With code ``no_spine_found``.
        """
        likeness = self.score(maps)
        if likeness < LEAST_LIKENESS:
            raise NotEligibleError(
                "no spine was found: no sagittal spine was recognised in the image, front at the left and head on "
                f"top (likeness {likeness:.2f}, at least {LEAST_LIKENESS:.2f} is needed)",
                code="no_spine_found",
            )


def open_likeness(segmentation_checksum: str, *, weights_root: Path | None = None) -> SpineLikeness | None:
    """Load the gate that lies beside a segmentation network.

    A network in training, or one just replaced, has no gate of its own yet: then the answer is None, with a
    warning, the rules on the chain of discs stand alone and the provenance lists no gate.

    Args:
        segmentation_checksum: Of the network that will be asked.
        weights_root: Folder of model folders; None takes ``Settings.weights_dir``.

    Raises:
        WeightsError: If the gate is damaged.
    """
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


def token_vector(maps: SliceMaps) -> Vector:
    """Return the attended tokens of all prompts of the first slice in one row, (P * D,)."""
    return np.asarray(maps.prompt_tokens[0].ravel(), dtype=np.float64)


def map_statistics(maps: SliceMaps) -> Vector:
    """Return what the maps of the first slice look like, (S,): lengths are shares of the longer side."""
    probability = maps.probabilities[0, :, ::_STEP, ::_STEP].astype(np.float64)
    names = (Structure.DISC.value, Structure.VERTEBRA.value, Structure.SPINAL_CANAL.value)
    disc, vertebra, canal = (probability[maps.structures.index(name)] for name in names)
    found = [_shape(plane) for plane in (disc, vertebra, canal)]
    # canal and vertebrae against the discs: behind or in front, above or below
    offsets = [found[index][:2] - found[0][:2] for index in (1, 2)]
    return np.concatenate(
        [
            *(
                np.array([plane.mean(), plane.max(), (plane * (1 - plane)).mean()])
                for plane in (disc, vertebra, canal)
            ),
            *offsets,
            *(shape[2:] for shape in found),
            _level_statistics(maps.level_maps[0].astype(np.float64)),
        ]
    )


def _shape(plane: Vector) -> Vector:
    """Return centre x, y, spread along and across the main axis, cosine and sine of twice its angle."""
    weight = np.where(plane > 0.3, plane, 0.0)
    total = weight.sum()
    if total < 1:
        return np.zeros(6)
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]] / max(plane.shape)
    centre_x, centre_y = (weight * x).sum() / total, (weight * y).sum() / total
    xx = (weight * (x - centre_x) ** 2).sum() / total
    yy = (weight * (y - centre_y) ** 2).sum() / total
    xy = (weight * (x - centre_x) * (y - centre_y)).sum() / total
    long_way = np.hypot((xx - yy) / 2, xy)
    along, across = np.sqrt((xx + yy) / 2 + long_way), np.sqrt(max((xx + yy) / 2 - long_way, 0.0))
    turn = np.array([xx - yy, 2 * xy]) / max(2 * long_way, 1e-9)
    return np.array([centre_x, centre_y, along, across, *turn])


def _level_statistics(maps: Vector) -> Vector:
    """Return each level's peak, and the steps in y from each level's peak to the next (negative: out of order)."""
    flat = maps.reshape(len(maps), -1)
    rows = flat.argmax(axis=1) // maps.shape[2] / max(maps.shape[1:])
    return np.concatenate([flat.max(axis=1), np.diff(rows)])
