"""Tells plane, position and weighting of slices from their content; says ``unknown`` below a calibrated
confidence.

The weights (``weights/plane-sequence``) are trained by ``python -m segmentation.training.content``; their card
tells what they learnt from and how often they err.
"""

import logging
from collections.abc import Sequence as Sequences
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from imaging.content.network import Network
from imaging.content.view import channels, standard_view
from imaging.types import Plane, Sequence
from runtime.errors import WeightsError
from runtime.settings import load_settings
from runtime.weights import WeightsFolder, open_weights

_log = logging.getLogger(__name__)

WEIGHTS = "plane-sequence"


class Position(StrEnum):
    """How a sagittal slice lies, against front at the left and head on top."""

    UPRIGHT = "upright"
    MIRRORED = "mirrored"
    UPSIDE_DOWN = "upside_down"
    FLIPPED = "flipped"
    UNKNOWN = "unknown"

    @property
    def words(self) -> str:
        """What is seen, in words."""
        return {
            Position.UPRIGHT: "the front of the body at the left and the head on top",
            Position.MIRRORED: "the front of the body at the right",
            Position.UPSIDE_DOWN: "the head below and the front of the body at the right",
            Position.FLIPPED: "the head below",
        }.get(self, "an unknown position")


@dataclass(frozen=True)
class ContentFinding:
    """What slices show.

    Attributes:
        plane: ``unknown`` below the confidence that ``config.json`` asks for.
        plane_probability: Calibrated probability of the likeliest plane.
        likeliest_plane: Whatever its probability.
        position: Of sagittal slices; ``unknown`` for other planes and below its confidence.
        sequence: ``unknown`` likewise, and on planes whose weighting is not told.
        sequence_probability: Calibrated probability of the likeliest weighting.
        likeliest_sequence: Whatever its probability.
    """

    plane: Plane
    plane_probability: float
    likeliest_plane: Plane
    position: Position
    sequence: Sequence
    sequence_probability: float
    likeliest_sequence: Sequence


@dataclass(frozen=True)
class ContentSettings:
    """Content of the weights' ``config.json``.

    Attributes:
        views: Names of the view classes: plane, and position of sagittal ones.
        sequences: Names of the weighting classes.
        protocols: Protocols whose pictures it was measured on.
        weighted_planes: Planes whose weighting it may name; on others it errs too often.
        view_temperature: Divides the logits of views.
        sequence_temperature: Divides the logits of weightings.
        least_plane: Probability from which a plane is named.
        least_position: Probability from which a position is named.
        least_sequence: Probability from which a weighting is named.
    """

    views: tuple[str, ...]
    sequences: tuple[str, ...]
    protocols: tuple[str, ...]
    weighted_planes: tuple[str, ...]
    view_temperature: float
    sequence_temperature: float
    least_plane: float
    least_position: float
    least_sequence: float


class ContentClassifier:
    """The loaded classifier.

    Args:
        network: Its weights.
        settings: Classes, temperatures and thresholds.
        checksum: Of the weights, for provenance.
    """

    def __init__(self, network: Network, settings: ContentSettings, *, checksum: str = "") -> None:
        self.network, self.settings, self.checksum = network, settings, checksum

    @classmethod
    def load(cls, *, weights_root: Path | None = None, name: str = WEIGHTS) -> "ContentClassifier":
        """Load a verified model folder.

        Raises:
            WeightsError: If the folder is missing or damaged.
        """
        folder = open_weights(name, weights_root or load_settings().weights_dir)
        state = load_file(folder.path / "model.safetensors")
        try:
            return cls(Network.from_state(state), _settings(folder), checksum=folder.checksum)
        except (TypeError, KeyError) as error:
            raise WeightsError(f"weights {name!r}: expected a content classifier: {error}") from error

    def probabilities(self, images: Sequences[NDArray[np.float32]]) -> tuple[dict[str, float], dict[str, float]]:
        """Return calibrated probabilities of views and of weightings.

        Args:
            images: Slices (rows, columns) of one series, at least one; their logits are averaged.
        """
        logits = [self.network.logits(channels(standard_view(image))) for image in images]
        views = np.mean([view for view, _ in logits], axis=0) / self.settings.view_temperature
        sequences = np.mean([sequence for _, sequence in logits], axis=0) / self.settings.sequence_temperature
        return (
            dict(zip(self.settings.views, _softmax(views), strict=True)),
            dict(zip(self.settings.sequences, _softmax(sequences), strict=True)),
        )

    def judge(self, images: Sequences[NDArray[np.float32]]) -> ContentFinding:
        """Judge slices of one series, shown as ``imaging.geometry`` stores them."""
        views, sequences = self.probabilities(images)
        planes: dict[str, float] = {}
        for name, probability in views.items():
            planes[name.split("_")[0]] = planes.get(name.split("_")[0], 0.0) + probability
        plane, plane_probability = max(planes.items(), key=lambda item: item[1])
        sequence, sequence_probability = max(sequences.items(), key=lambda item: item[1])
        is_plane_sure = plane_probability >= self.settings.least_plane
        is_sequence_sure = (
            is_plane_sure
            and plane in self.settings.weighted_planes
            and sequence_probability >= self.settings.least_sequence
        )
        return ContentFinding(
            plane=Plane(plane) if is_plane_sure else Plane.UNKNOWN,
            plane_probability=plane_probability,
            likeliest_plane=Plane(plane),
            position=self._position(views) if is_plane_sure and plane == "sagittal" else Position.UNKNOWN,
            sequence=Sequence(sequence) if is_sequence_sure else Sequence.UNKNOWN,
            sequence_probability=sequence_probability,
            likeliest_sequence=Sequence(sequence),
        )

    def _position(self, views: dict[str, float]) -> Position:
        ways = {name.partition("_")[2]: value for name, value in views.items() if name.startswith("sagittal_")}
        way, probability = max(ways.items(), key=lambda item: item[1])
        is_sure = probability / sum(ways.values()) >= self.settings.least_position
        return Position(way) if is_sure else Position.UNKNOWN


@cache
def open_classifier(weights_root: Path | None = None) -> ContentClassifier | None:
    """Load the classifier once; None, with a warning, where its weights are not installed.

    Raises:
        WeightsError: If the weights are damaged.
    """
    root = weights_root or load_settings().weights_dir
    if not (root / WEIGHTS).is_dir():
        _log.warning("weights %r are not installed: plane and weighting of pictures are assumed", WEIGHTS)
        return None
    return ContentClassifier.load(weights_root=root)


def _settings(folder: WeightsFolder) -> ContentSettings:
    values: dict[str, Any] = folder.config
    return ContentSettings(
        views=tuple(values["views"]),
        sequences=tuple(values["sequences"]),
        protocols=tuple(values["protocols"]),
        weighted_planes=tuple(values["weighted_planes"]),
        view_temperature=float(values["view_temperature"]),
        sequence_temperature=float(values["sequence_temperature"]),
        least_plane=float(values["least_plane"]),
        least_position=float(values["least_position"]),
        least_sequence=float(values["least_sequence"]),
    )


def _softmax(logits: NDArray[np.float32]) -> list[float]:
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    return [float(value) for value in shifted / shifted.sum()]
