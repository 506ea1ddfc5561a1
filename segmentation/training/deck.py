"""Which slices a step sees: drawn by kind, then patient, then slice, with the neighbours of each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from segmentation.config import NetworkConfig
from segmentation.preprocess import scale_grey
from segmentation.training.augment import Sample
from segmentation.training.data import TrainingSlice

_FARTHEST = 2
"""Neighbours lie one place away, or up to this many: series differ in the distance of their slices."""


class Deck:
    """Training slices, ready to be drawn.

    Args:
        slices: Of the training patients only.
    """

    def __init__(self, slices: Sequence[TrainingSlice]) -> None:
        self._by_kind: dict[str, dict[int, list[TrainingSlice]]] = {}
        self._by_place: dict[tuple[str, int], TrainingSlice] = {}
        for item in slices:
            self._by_kind.setdefault(item.kind, {}).setdefault(item.patient, []).append(item)
            if item.group:
                self._by_place[item.group, item.position] = item

    def draw(
        self, mix: Mapping[str, float], count: int, alone_share: float, rng: np.random.Generator
    ) -> list[Sample]:
        """Draw kinds by ``mix``, then a patient, then a slice: patients with many slices count no more."""
        kinds = [kind for kind in mix if kind in self._by_kind]
        chances = np.array([mix[kind] for kind in kinds])
        samples = []
        for kind in rng.choice(kinds, count, p=chances / chances.sum()):
            patients = self._by_kind[kind]
            own = patients[sorted(patients)[int(rng.integers(len(patients)))]]
            samples.append(self._with_neighbours(own[int(rng.integers(len(own)))], alone_share, rng))
        return samples

    def _with_neighbours(self, item: TrainingSlice, alone_share: float, rng: np.random.Generator) -> Sample:
        is_alone = rng.random() < alone_share
        away = int(rng.integers(1, _FARTHEST + 1))
        if is_alone or not item.group:
            return Sample(item)
        before, after = (self._neighbour(item, sign, away) for sign in (-1, 1))
        return Sample(item, before, after)

    def _neighbour(self, item: TrainingSlice, sign: int, away: int) -> TrainingSlice | None:
        """Return the slice ``away`` places on, or the nearest before it; None at an end of the series."""
        places = ((item.group, item.position + sign * step) for step in range(away, 0, -1))
        return next((self._by_place[place] for place in places if place in self._by_place), None)


def stretched(item: TrainingSlice, config: NetworkConfig) -> TrainingSlice:
    """Return the slice with its grey values scaled as prediction scales them."""
    grey = scale_grey(item.image.astype(np.float32), config.low_percentile, config.high_percentile)
    return replace(item, image=np.round(grey * 255).astype(np.uint8))
