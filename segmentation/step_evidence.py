"""What the step from one disc to the next says about their names: distance, turn, and the vertebra between."""

from math import exp, log, log1p

import numpy as np

from segmentation.chain import DiscChain
from segmentation.frame import Points
from segmentation.naming import NamingTables
from segmentation.shapes import DiscShape
from segmentation.solver import FloatArray
from segmentation.view import LUMBOSACRAL

_SKIP, _SACRAL, _UNNAMED = log(0.03), log(0.15), log(0.2)
"""Cost of a skipped level, of a disc below L5-S1 and of each further one there (own choice)."""
_MAX_STEP = 3
"""A step goes over at most two missing discs, as in ``segmentation.chain``."""
_STEP_SD, _WILD_STEP_SD, _SACRAL_STEP, _SACRAL_STEP_SD = 0.1, 0.3, 0.9, 0.3
_THORACIC_STEP = 0.75
"""Usual step above the uppermost lumbar protocol name, in usual lumbar pitches (``steps.csv``)."""
_TILT_SD_DEG, _WILD_TILT_SD_DEG = 6.5, 30.0
_OUTLIERS = 0.05
"""Share of discs whose shape tells nothing (badly outlined)."""


def step_evidence(chain: DiscChain, names: tuple[str, ...], tables: NamingTables) -> FloatArray:
    """Return (n - 1, S, S) log-likelihoods of going from state to state; -inf forbids."""
    size = len(names) + 2
    steps = np.full((len(chain.steps), size, size), -np.inf)
    for index, length in enumerate(chain.steps):
        upper, lower = chain.discs[index], chain.discs[index + 1]
        step = _Step(length / chain.pitch, upper, lower, chain.vertebra_shares[index], names, tables)
        for origin in range(size):
            for goal in range(origin, min(size, origin + _MAX_STEP + 1)):
                steps[index, origin, goal] = step.score(origin, goal)
    return steps


class _Step:
    """One step of a chain.

    Args:
        pitches: Its length in usual pitches.
        upper: The disc it leaves.
        lower: The disc it reaches.
        vertebra_share: Share of vertebra on its middle.
        names: Names of the states between above and below.
        tables: Usual steps.
    """

    def __init__(
        self,
        pitches: float,
        upper: DiscShape,
        lower: DiscShape,
        vertebra_share: float,
        names: tuple[str, ...],
        tables: NamingTables,
    ) -> None:
        self._pitches, self._names, self._tables = pitches, names, tables
        self._turn = angle_deg(lower.axis) - angle_deg(upper.axis)
        self._has_axes = not upper.is_round and not lower.is_round
        self._wild = log_normal(self._turn, _WILD_TILT_SD_DEG) if self._has_axes else 0.0
        self._crossing = log(0.05 + 0.95 * vertebra_share)
        self._ends_in_sacrum = names[-1] == LUMBOSACRAL

    def score(self, origin: int, goal: int) -> float:
        """Return the log-likelihood of going from one state to another."""
        below = len(self._names) + 1
        if origin == goal:
            return self._outside(origin) if origin in (0, below) else -np.inf
        if (origin == 0 and goal != 1) or (goal == below and origin != below - 1):
            return -np.inf
        if goal == below and self._ends_in_sacrum:
            return _SACRAL + log_normal(log(self._pitches / _SACRAL_STEP), _SACRAL_STEP_SD) + self._wild
        if origin == 0 or goal == below:
            usual = _THORACIC_STEP if self._ends_in_sacrum else 1.0
            return log_normal(log(self._pitches / usual), _SACRAL_STEP_SD) + self._crossing + self._wild
        return self._named(origin, goal)

    def _outside(self, state: int) -> float:
        """Return the score of going on among discs without names: a spine above, a rarity inside the sacrum."""
        cost = _UNNAMED if self._ends_in_sacrum or state == 0 else 0.0
        return cost + log_normal(log(self._pitches / _THORACIC_STEP), _SACRAL_STEP_SD) + self._wild

    def _named(self, origin: int, goal: int) -> float:
        expected = self._tables.distance(origin - 1, goal - 1, self._names)
        score = _spacing(self._pitches, expected) + (goal - origin - 1) * _SKIP + self._crossing
        if self._has_axes:
            usual = sum(
                self._tables.step(self._names[k - 1], self._names[k]).tilt_deg for k in range(origin, goal)
            )
            score += mixed(log_normal(self._turn - usual, _TILT_SD_DEG), self._wild)
        return score


def _spacing(pitches: float, expected: float) -> float:
    """Return the log density of a step; an outlier may be a collapsed vertebra, never three vertebrae as one."""
    ratio = log(pitches / expected)
    return mixed(log_normal(ratio, _STEP_SD), log_normal(ratio, _WILD_STEP_SD))


def log_normal(offset: float, sd: float) -> float:
    """Return the log density of a normal distribution, without its constant."""
    return -0.5 * (offset / sd) ** 2 - log(sd)


def mixed(usual: float, outlier: float) -> float:
    """Return the log density of a mixture with a small share of outliers: no single misfit decides."""
    first, second = log(1.0 - _OUTLIERS) + usual, log(_OUTLIERS) + outlier
    return max(first, second) + log1p(exp(-abs(first - second)))


def angle_deg(axis: Points) -> float:
    """Return the direction of a plane vector in degrees from the x axis, positive towards larger y."""
    return float(np.degrees(np.arctan2(axis[1], axis[0])))
