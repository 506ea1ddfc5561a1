"""What speaks for a disc being a level, as log-likelihoods for the solver.

Evidence, each term bounded so that no single one decides alone:
 * level maps: the network's response for each level at the disc's posterior end;
 * spacing: steps against the usual step of each pair of levels (``steps.csv``), a skipped level costs;
 * tilt: the lordosis turns each lower lumbar disc further than the one above (``steps.csv``);
 * sacrum: below the lowest disc of a complete view comes the sacrum, which is not segmented, so no vertebra
   follows L5-S1; a vertebra after the last disc means that it is a higher level;
 * anchor: a name given by a person.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segmentation.chain import DiscChain
from segmentation.frame import Points, SliceFrame
from segmentation.shapes import DiscShape
from segmentation.solver import FloatArray

LUMBOSACRAL = "L5-S1"
"""The level that a sacrum in view identifies."""

MAP_WEIGHT = 0.5
"""Weight of the level maps' log-likelihood: neighbouring maps err together (the whole numbering moves), so each
disc counts for half an independent witness."""
MAP_FLOOR = 0.03
"""Probability left to every state whatever the maps say."""
MAP_SEEN = 0.3
"""A map response at a disc from here on is a landmark in view."""
_SKIP = float(np.log(0.03))
_SACRAL = float(np.log(0.05))
_STEP_SD = 0.15
_STEP_WORST = -5.0
_TILT_SD_DEG = 9.0
_TILT_WORST = -2.5
_ROOM_PITCHES = 1.1
_LAST_IS_LUMBOSACRAL = 0.92


@dataclass(frozen=True)
class UsualStep:
    """Usual relation of two neighbouring discs.

    Attributes:
        step: Distance of the centres over the usual lumbar one.
        tilt_deg: Angle of the lower disc minus that of the upper one.
    """

    step: float
    tilt_deg: float


@dataclass(frozen=True, eq=False)
class View:
    """What one slice shows of the chain's surroundings.

    Attributes:
        room_below: Image left below the lowest disc along the spine, in pitches.
        vertebra_below: Share of vertebra right below the lowest disc; None when that lies outside the image.
        responses: (n, L) level-map responses at the discs, 0 to 1.
        level_names: Names of the L maps.
    """

    room_below: float
    vertebra_below: float | None
    responses: FloatArray
    level_names: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Return True when a further disc below the lowest one would be in view."""
        return self.room_below >= _ROOM_PITCHES

    @property
    def has_landmark(self) -> bool:
        """Return True when some level map answers at some disc."""
        return bool(self.responses.size and self.responses.max() >= MAP_SEEN)


@cache
def usual_steps() -> dict[tuple[str, str], UsualStep]:
    """Return (upper level, lower level) -> usual step (``steps.csv``)."""
    with (Path(__file__).parent / "steps.csv").open(encoding="utf-8", newline="") as stream:
        return {
            (row["upper"], row["lower"]): UsualStep(float(row["step"]), float(row["tilt_deg"]))
            for row in csv.DictReader(stream)
        }


def usual_step(upper: str, lower: str) -> UsualStep:
    """Return the usual step of two neighbouring levels; 1 and no tilt where none was measured."""
    return usual_steps().get((upper, lower), UsualStep(1.0, 0.0))


def look_around(
    chain: DiscChain,
    content: tuple[int, int, int, int],
    vertebra: NDArray[np.bool_],
    frame: SliceFrame,
    level_maps: NDArray[np.float32],
    level_stride: tuple[float, float],
    level_names: tuple[str, ...],
) -> View:
    """Gather the surroundings of a chain.

    Args:
        chain: At least one disc.
        content: (x0, y0, x1, y1) of the part of the slice that holds an image, black margins left out.
        vertebra: Vertebra pixels, (rows, columns).
        frame: The slice's plane.
        level_maps: (L, h, w), 0 to 1.
        level_stride: (row, column) original pixels per map pixel.
        level_names: Names of the L maps.
    """
    last = chain.discs[-1]
    below = last.centre + np.linspace(0.3, 0.7, 9)[:, None] * chain.pitch * last.normal
    return View(
        room_below=_room(last, chain, content, frame),
        vertebra_below=_share_inside(vertebra, below, content, frame),
        responses=np.array(
            [respond(level_maps, level_stride, disc.posterior, 0.22 * chain.pitch, frame) for disc in chain.discs]
        ).reshape(len(chain.discs), len(level_names)),
        level_names=level_names,
    )


def respond(
    maps: NDArray[np.float32],
    stride: tuple[float, float],
    point: Points,
    radius: float,
    frame: SliceFrame,
) -> FloatArray:
    """Return each map's largest value within a radius of a plane point, (L,); 0 outside the image."""
    _, height, width = maps.shape
    column, row = (frame.to_px(point) - (np.array(stride)[::-1] - 1) / 2) / np.array(stride)[::-1]
    reach_x = max(1.0, radius / frame.col / stride[1])
    reach_y = max(1.0, radius / frame.row / stride[0])
    x0, x1 = max(0, int(np.ceil(column - reach_x))), min(width, int(np.floor(column + reach_x)) + 1)
    y0, y1 = max(0, int(np.ceil(row - reach_y))), min(height, int(np.floor(row + reach_y)) + 1)
    if x0 >= x1 or y0 >= y1 or len(maps) == 0:
        return np.zeros(len(maps))
    return np.asarray(maps[:, y0:y1, x0:x1].max(axis=(1, 2)), dtype=np.float64)


def node_evidence(view: View, names: tuple[str, ...], count: int) -> FloatArray:
    """Return (n, S) log-likelihoods; S = above, every name, below."""
    nodes = np.zeros((count, len(names) + 2))
    if view.has_landmark:
        nodes += MAP_WEIGHT * np.log(_map_probabilities(view, names))
    nodes[-1] += _lowest_evidence(view, names)
    return nodes


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
    if origin == goal and origin in (above, below):
        return _spacing(pitches, 0.75)
    if goal <= origin or (origin == above and goal != 1) or (goal == below and origin != below - 1):
        return -np.inf
    if goal == below:
        return _SACRAL + float(np.log(0.05 + 0.95 * (1.0 - vertebra_share)))
    crossing = float(np.log(0.05 + 0.95 * vertebra_share))
    if origin == above:
        return _spacing(pitches, 0.75) + crossing
    expected = expected_step(origin - 1, goal - 1, names)
    score = _spacing(pitches, expected) + (goal - origin - 1) * _SKIP + crossing
    if goal == origin + 1 and not upper.is_round and not lower.is_round:
        score += _tilt(upper, lower, usual_step(names[origin - 1], names[goal - 1]).tilt_deg)
    return score


def _spacing(pitches: float, expected: float) -> float:
    return max(_STEP_WORST, float(-0.5 * (np.log(pitches / expected) / _STEP_SD) ** 2))


def _tilt(upper: DiscShape, lower: DiscShape, usual_deg: float) -> float:
    turn = angle_deg(lower.axis) - angle_deg(upper.axis)
    return max(_TILT_WORST, float(-0.5 * ((turn - usual_deg) / _TILT_SD_DEG) ** 2))


def angle_deg(axis: Points) -> float:
    """Return the direction of a plane vector in degrees from the x axis, positive towards larger y."""
    return float(np.degrees(np.arctan2(axis[1], axis[0])))


def _map_probabilities(view: View, names: tuple[str, ...]) -> FloatArray:
    """Turn map responses into (n, S) likelihoods; what no map claims goes to the states without a map.

    Responses count relative to the strongest of the slice: how high a map peaks differs between sequences.
    """
    size = len(names) + 2
    mapped = [1 + names.index(name) for name in view.level_names if name in names]
    columns = [index for index, name in enumerate(view.level_names) if name in names]
    claims = view.responses[:, columns] / view.responses.max()
    free = np.clip(1.0 - claims.max(axis=1, initial=0.0), 0.0, 1.0)
    shares = np.zeros((len(claims), size))
    shares[:, mapped] = claims
    unmapped = [state for state in range(size) if state not in mapped]
    shares[:, unmapped] = free[:, None]
    return np.asarray(MAP_FLOOR + (1.0 - MAP_FLOOR) * shares, dtype=np.float64)


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
        scores += np.where(ends, np.log(0.05 + 0.95 * (1.0 - share)), np.log(0.05 + 0.95 * share))
    return scores


def _room(last: DiscShape, chain: DiscChain, content: tuple[int, int, int, int], frame: SliceFrame) -> float:
    """Return how far the image goes on below the lowest disc, in pitches.

    The sacrum turns to the back, so the way goes along the mean of the disc's normal and straight down.
    """
    direction = last.normal + np.array([0.0, 1.0])
    direction = direction / np.linalg.norm(direction)
    reach = np.linspace(0.0, 4.0, 81)
    px = frame.to_px(last.centre + reach[:, None] * chain.pitch * direction)
    inside = (px[:, 0] >= content[0]) & (px[:, 0] <= content[2]) & (px[:, 1] <= content[3])
    return float(reach[inside].max(initial=0.0))


def _share_inside(
    mask: NDArray[np.bool_], points: Points, content: tuple[int, int, int, int], frame: SliceFrame
) -> float | None:
    """Return the share of mask pixels at plane points inside the content; None when less than half lie in it."""
    x, y = np.round(frame.to_px(points)).astype(int).T
    inside = (x >= content[0]) & (x <= content[2]) & (y >= content[1]) & (y <= content[3])
    if inside.mean() < 0.5:
        return None
    return float(mask[y[inside], x[inside]].mean())
