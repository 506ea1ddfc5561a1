"""What speaks for a disc being a level, as log-likelihoods for the solver.

Evidence, each term bounded so that no single one decides alone:
 * level maps: the network's response for each level at the disc's posterior end;
 * spacing: steps against the usual step of each pair of levels (``steps.csv``), a skipped level costs;
 * tilt: the lordosis turns each lower lumbar disc further than the one above (``steps.csv``);
 * length: lumbar discs grow caudally, the remnant S1-S2 is short (``discs.csv``);
 * sacrum: below the lowest disc of a complete view comes the sacrum, which has no mask of its own, so often no
   vertebra follows L5-S1; a vertebra after the last disc makes a higher level more likely;
 * anchor: a name given by a person.
"""

import csv
from dataclasses import dataclass
from functools import cache
from math import exp, log, log1p
from pathlib import Path

import numpy as np

from segmentation.chain import DiscChain
from segmentation.frame import Points
from segmentation.shapes import DiscShape
from segmentation.solver import FloatArray
from segmentation.view import LUMBOSACRAL, MAP_SEEN, View

MAP_WEIGHT = 0.08
"""Weight of the level maps' log-likelihood. The maps of one slice err together (they all see the same sacrum), so
five maps at seven discs count for far fewer witnesses; the weight gives the best held-out likelihood of the
numbering by maps alone on two SPIDER folds (71 patients; 0.07 to 0.1 do equally well)."""
_MAP_SD = 0.18
_BLURS = (0.35, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6)
"""Widths tried for the maps of a slice, in levels: a network unsure of the number answers at neighbours too."""
_SKIP, _SACRAL, _UNNAMED = log(0.03), log(0.15), log(0.2)
_MAX_STEP = 3
"""A step goes over at most two missing discs, as in ``segmentation.chain``."""
_LAST_IS_LUMBOSACRAL = 0.93
"""On 172 held-out T2 middle slices the chain reached L5-S1 at 160; at 12 the mask missed that disc."""

_VERTEBRA_BELOW = ((0.15, 0.75, 0.05), (0.5, 0.13, 0.3), (0.78, 0.08, 0.2), (1.0, 0.04, 0.45))
"""(share of vertebra below the lowest disc, up to; how often so when that is L5-S1; when it is a higher level).
Counted on the same slices: 148 with L5-S1 lowest, 12 with a higher level."""

_ANSWER_BELOW = (0.18, 0.6)
"""How often a level map answers one step below the lowest disc when that is L5-S1, and when it is a higher level
(the same slices)."""

_STEP_SD, _SACRAL_STEP, _SACRAL_STEP_SD = 0.1, 0.9, 0.3
_TILT_SD_DEG, _WILD_TILT_SD_DEG = 6.5, 30.0
_LENGTH_SD, _SACRAL_LENGTH, _SACRAL_LENGTH_SD = 0.12, 0.52, 0.18
_LENGTH_WEIGHT = 0.7
"""Lengths of one spine depart from the usual ones together (build, endplate spurs), so they count for less."""
_OUTLIERS = 0.05
"""Share of discs whose shape tells nothing (badly outlined)."""


@dataclass(frozen=True)
class UsualStep:
    """Usual relation of two neighbouring discs.

    Attributes:
        step: Distance of the centres over the usual lumbar one.
        tilt_deg: Angle of the lower disc minus that of the upper one.
    """

    step: float
    tilt_deg: float


@cache
def usual_steps() -> dict[tuple[str, str], UsualStep]:
    """Return (upper level, lower level) -> usual step (``steps.csv``)."""
    with (Path(__file__).parent / "steps.csv").open(encoding="utf-8", newline="") as stream:
        return {
            (row["upper"], row["lower"]): UsualStep(float(row["step"]), float(row["tilt_deg"]))
            for row in csv.DictReader(stream)
        }


@cache
def usual_lengths() -> dict[str, float]:
    """Return level -> disc length over the median of its slice (``discs.csv``)."""
    with (Path(__file__).parent / "discs.csv").open(encoding="utf-8", newline="") as stream:
        return {row["level"]: float(row["length"]) for row in csv.DictReader(stream)}


def usual_step(upper: str, lower: str) -> UsualStep:
    """Return the usual step of two neighbouring levels; 1 and no tilt where none was measured."""
    return usual_steps().get((upper, lower), UsualStep(1.0, 0.0))


def node_evidence(chain: DiscChain, view: View, names: tuple[str, ...]) -> FloatArray:
    """Return (n, S) log-likelihoods; S = above, every name, below."""
    nodes = map_evidence(view, names) + _length_evidence(chain, names)
    nodes[-1] += _lowest_evidence(view, names)
    return nodes


def map_evidence(view: View, names: tuple[str, ...]) -> FloatArray:
    """Return (n, S) weighted log-likelihoods of the level maps' responses; zeros when no map answers.

    A map answers at its own level and, blurred, at the neighbours: expected is a Gaussian over the number of
    levels between, as high as the strongest answer of the slice, as wide as fits the slice best.
    """
    states = np.arange(len(names) + 2)
    columns = [index for index, name in enumerate(view.level_names) if name in names]
    if not view.has_landmark or not columns:
        return np.zeros((len(view.responses), len(states)))
    own = np.array([1 + names.index(view.level_names[index]) for index in columns])
    responses = view.responses[:, columns]
    fits = []
    for blur in _BLURS:
        expected = responses.max() * np.exp(-0.5 * ((states[:, None] - own[None, :]) / blur) ** 2)
        misfit = ((responses[:, None, :] - expected[None]) / _MAP_SD) ** 2
        fits.append(-0.5 * misfit.sum(axis=2))
    best = max(fits, key=lambda fit: float(fit.max(axis=1).sum()))
    return np.asarray(MAP_WEIGHT * best, dtype=np.float64)


def anchor_evidence(nodes: FloatArray, disc: int, state: int) -> FloatArray:
    """Allow only one state at one disc."""
    fixed = nodes.copy()
    fixed[disc] = -np.inf
    fixed[disc, state] = 0.0
    return fixed


def step_evidence(chain: DiscChain, names: tuple[str, ...]) -> FloatArray:
    """Return (n - 1, S, S) log-likelihoods of going from state to state."""
    size = len(names) + 2
    steps = np.full((len(chain.steps), size, size), -np.inf)
    for index, length in enumerate(chain.steps):
        upper, lower = chain.discs[index : index + 2]
        share = chain.vertebra_shares[index]
        for origin in range(size):
            for goal in range(size):
                steps[index, origin, goal] = _step(origin, goal, names, length / chain.pitch, upper, lower, share)
    return steps


def expected_step(upper: int, lower: int, names: tuple[str, ...]) -> float:
    """Return the usual distance of two names by index, in usual lumbar pitches."""
    return sum(usual_step(names[k], names[k + 1]).step for k in range(upper, lower))


def _step(
    origin: int,
    goal: int,
    names: tuple[str, ...],
    pitches: float,
    upper: DiscShape,
    lower: DiscShape,
    vertebra_share: float,
) -> float:
    above, below = 0, len(names) + 1
    turn = angle_deg(lower.axis) - angle_deg(upper.axis)
    has_axes = not upper.is_round and not lower.is_round
    wild = _log_normal(turn, _WILD_TILT_SD_DEG) if has_axes else 0.0
    if origin == goal and origin in (above, below):
        return _UNNAMED + _log_normal(log(pitches / 0.75), _SACRAL_STEP_SD) + wild
    if (
        not origin < goal <= origin + _MAX_STEP
        or (origin == above and goal != 1)
        or (goal == below and origin != below - 1)
    ):
        return -np.inf
    if goal == below:
        return _SACRAL + _log_normal(log(pitches / _SACRAL_STEP), _SACRAL_STEP_SD) + wild
    crossing = log(0.05 + 0.95 * vertebra_share)
    if origin == above:
        return _log_normal(log(pitches / 0.75), _SACRAL_STEP_SD) + crossing + wild
    expected = expected_step(origin - 1, goal - 1, names)
    score = _spacing(pitches, expected) + (goal - origin - 1) * _SKIP + crossing
    if has_axes:
        usual = sum(usual_step(names[k - 1], names[k]).tilt_deg for k in range(origin, goal))
        score += _mixed(_log_normal(turn - usual, _TILT_SD_DEG), wild)
    return score


def _spacing(pitches: float, expected: float) -> float:
    return _mixed(_log_normal(log(pitches / expected), _STEP_SD), _log_normal(log(pitches), 6 * _STEP_SD))


def _log_normal(offset: float, sd: float) -> float:
    """Return the log density of a normal distribution, without its constant."""
    return -0.5 * (offset / sd) ** 2 - log(sd)


def _mixed(usual: float, outlier: float) -> float:
    """Return the log density of a mixture with a small share of outliers: no single misfit decides."""
    first, second = log(1.0 - _OUTLIERS) + usual, log(_OUTLIERS) + outlier
    return max(first, second) + log1p(exp(-abs(first - second)))


def _length_evidence(chain: DiscChain, names: tuple[str, ...]) -> FloatArray:
    """Return (n, S) log-likelihoods of each disc's length over the median of the chain."""
    usual = usual_lengths()
    median = float(np.median([disc.length for disc in chain.discs]))
    scores = np.zeros((len(chain.discs), len(names) + 2))
    for index, disc in enumerate(chain.discs):
        if disc.is_round or disc.touches_border:
            continue
        share = disc.length / median
        remnant = _log_normal(share - _SACRAL_LENGTH, _SACRAL_LENGTH_SD)
        means = [usual.get(name, 1.0) for name in names]
        scores[index, 1:-1] = [_mixed(_log_normal(share - mean, _LENGTH_SD), remnant) for mean in means]
        scores[index, 0] = scores[index, 1]
        scores[index, -1] = remnant
    return _LENGTH_WEIGHT * scores


def angle_deg(axis: Points) -> float:
    """Return the direction of a plane vector in degrees from the x axis, positive towards larger y."""
    return float(np.degrees(np.arctan2(axis[1], axis[0])))


def _lowest_evidence(view: View, names: tuple[str, ...]) -> FloatArray:
    """Return (S,) log-likelihoods of the lowest disc's state from the view below it."""
    scores = np.zeros(len(names) + 2)
    if LUMBOSACRAL not in names:
        return scores
    state = 1 + names.index(LUMBOSACRAL)
    ends = np.arange(len(scores)) >= state
    if view.is_complete:
        scores += np.where(ends, np.log(_LAST_IS_LUMBOSACRAL), np.log(1.0 - _LAST_IS_LUMBOSACRAL))
    if view.vertebra_below is not None:
        share = view.vertebra_below
        ending, going_on = next(odds for limit, *odds in _VERTEBRA_BELOW if share <= limit)
        scores += np.where(ends, np.log(ending), np.log(going_on))
    if view.has_landmark:
        seen = view.response_below >= MAP_SEEN
        scores[state] += np.log(_ANSWER_BELOW[0] if seen else 1.0 - _ANSWER_BELOW[0])
        scores[:state] += np.log(_ANSWER_BELOW[1] if seen else 1.0 - _ANSWER_BELOW[1])
    return scores
