"""What the draws of all body regions share: correlated wear, and numbers that stay near their norm."""

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtr

from imaging.phantom.tissues import load_tissues

PFIRRMANN = ("I", "II", "III", "IV", "V")


class Liability:
    """Correlated uniform numbers of one level: high means worn.

    A Gaussian copula: part of the liability is the patient's, part the level's, the rest is each finding's own.

    Args:
        share: ``patient`` and ``level``: parts of the variance, from the region's tables.
        patient: The patient's liability, standard normal.
        rng: Of the draw.
    """

    def __init__(self, share: Mapping[str, float], patient: float, rng: np.random.Generator) -> None:
        self._shared = np.sqrt(share["patient"]) * patient + np.sqrt(share["level"]) * rng.normal()
        self._own = np.sqrt(1.0 - share["patient"] - share["level"])
        self._rng = rng

    @property
    def wear(self) -> float:
        """Return the level's wear, 0 to 1."""
        return float(ndtr(self._shared / np.sqrt(1.0 - self._own**2)))

    def quantile(self) -> float:
        """Return a number from 0 to 1, uniform over patients and levels."""
        return float(ndtr(self._shared + self._own * self._rng.normal()))

    def step(self, counts: list[int]) -> int:
        """Return a step of an ordered scale with these counts, best step first."""
        borders = np.cumsum(counts) / np.sum(counts)
        return int(np.searchsorted(borders, self.quantile(), side="right").clip(0, len(counts) - 1))

    def happens(self, count: float, n: float) -> bool:
        """Return whether something with rate count / n is there."""
        return self.quantile() > 1.0 - count / n


def clipped(rng: np.random.Generator, sd: float) -> float:
    """Return a normal number of mean 0, at most two standard deviations from it."""
    return float(np.clip(rng.normal(0.0, sd), -2 * sd, 2 * sd))


def nucleus_t2(grade: str, rng: np.random.Generator) -> float:
    """Return the T2 of a nucleus of a Pfirrmann grade, ms, spread by 8 % (own choice)."""
    _, discs = load_tissues()
    return float(discs[grade].nucleus_t2 * np.exp(np.clip(rng.normal(0.0, 0.08), -0.15, 0.15)))
