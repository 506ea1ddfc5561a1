"""Made-up chains of discs without any picture: whole spines, then spoilt as networks spoil them."""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from anatomy import DISC_LEVELS
from segmentation.chain import DiscChain
from segmentation.frame import Points, SliceFrame
from segmentation.naming import shipped_tables
from segmentation.shapes import DiscShape
from segmentation.types import SliceMaps
from segmentation.view import View

MAP_LEVELS = (*DISC_LEVELS[-5:], *DISC_LEVELS[:6])
STRUCTURES = ("disc", "vertebra", "spinal_canal")
PITCH = 34.0
FRAME = SliceFrame(1.0, 1.0, True)
SIDE = 600


@dataclass(frozen=True)
class MadeChain:
    """A chain with its truth.

    Attributes:
        chain: As a network would give it.
        view: Its surroundings.
        truth: True level of each disc; None for a false one.
        maps: Level maps that answer with ``answer`` at the true places of the levels, or empty.
    """

    chain: DiscChain
    view: View
    truth: tuple[str | None, ...]
    maps: SliceMaps


def make_chain(
    names: tuple[str, ...],
    *,
    first: int,
    count: int,
    missing: frozenset[int] = frozenset(),
    merged: frozenset[int] = frozenset(),
    false_at: frozenset[int] = frozenset(),
    sacral: int = 0,
    room: float = 2.0,
    answer: float = 0.0,
    tall: float | None = None,
    jitter: tuple[float, ...] = (),
) -> MadeChain:
    """Make a chain.

    Args:
        names: All levels of the protocol.
        first: Index of the uppermost level in view.
        count: Levels in view.
        missing: Places whose disc was not outlined (two in a row: a vertebra is hidden).
        merged: Places that grew together with the next disc: one disc half-way between.
        false_at: Places below which a false disc lies in the vertebra.
        sacral: False discs below the lowest level.
        room: Image below the lowest disc, in pitches.
        answer: Height of the level maps' answers; 0 leaves them empty.
        tall: Vertebra above the first disc, in pitches.
        jitter: Departures of the steps from their usual length, as shares.
    """
    levels = list(names[first : first + count])
    lengths = [shipped_tables().step(upper, lower).step for upper, lower in pairwise(levels)]
    noise = [jitter[k % len(jitter)] if jitter else 0.0 for k in range(len(lengths))]
    heights = PITCH * np.cumsum([0.0, *(s * (1 + n) for s, n in zip(lengths, noise, strict=True))]) + 60.0
    turns = [shipped_tables().step(upper, lower).tilt_deg for upper, lower in pairwise(levels)]
    angles = dict(zip(levels, 8.0 + np.cumsum([0.0, *turns]), strict=True))
    found: list[tuple[float, str | None]] = []
    for k, level in enumerate(levels):
        is_pair = k in merged and k + 1 < len(levels)
        if k in missing or (k - 1 in merged and k - 1 >= 0):
            continue
        middle = float((heights[k] + heights[k + 1]) / 2) if k + 1 < len(levels) else float(heights[k])
        found.append((middle, None) if is_pair else (float(heights[k]), level))
        if k in false_at and not is_pair and k + 1 < len(levels):
            found.append((middle, None))
    found += [(float(heights[-1] + 0.85 * PITCH * (k + 1)), None) for k in range(sacral)]
    found.sort()
    discs = tuple(_disc(height, level, angles.get(level or "", 0.0)) for height, level in found)
    steps = tuple(float(lower.centre[1] - upper.centre[1]) for upper, lower in pairwise(discs))
    pitch = float(np.median(steps)) if steps else PITCH
    chain = DiscChain(discs, steps, (0.9,) * len(steps), pitch, 1.0, 1.0, 1.0)
    ends = {
        level: _disc(float(height), level, angles[level]).posterior
        for level, height in zip(levels, heights, strict=True)
    }
    maps = _maps(ends, answer)
    view = View(
        room_below=room,
        vertebra_below=0.05 if levels[-1] == DISC_LEVELS[-1] or sacral else 0.9,
        responses=_responses([level for _, level in found], answer),
        level_names=MAP_LEVELS,
        tall_above=tall,
    )
    return MadeChain(chain, view, tuple(level for _, level in found), maps)


def _disc(height: float, level: str | None, angle_deg: float) -> DiscShape:
    length = 33.0 * (shipped_tables().lengths.get(level, 1.0) if level else 0.6)
    axis: Points = np.array([np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))])
    centre = np.array([250.0, height])
    pixels = np.array([[250 + x, round(height)] for x in range(-15, 16)], dtype=np.intp)
    return DiscShape(pixels, centre, axis, length, 8.0, centre + axis * length / 2, 0.9, False)


def _responses(given: list[str | None], answer: float) -> np.ndarray:
    rows = np.zeros((len(given), len(MAP_LEVELS)))
    for k, level in enumerate(given):
        if level in MAP_LEVELS:
            rows[k, MAP_LEVELS.index(level)] = answer
    return rows


def _maps(ends: dict[str, Points], answer: float) -> SliceMaps:
    """Draw each level's answer at the posterior end of its disc, (x, y)."""
    level_maps = np.zeros((1, len(MAP_LEVELS), SIDE // 8, SIDE // 8), dtype=np.float32)
    for index, level in enumerate(MAP_LEVELS):
        if level in ends and (ends[level] < SIDE).all():
            column, row = (int(place // 8) for place in ends[level])
            level_maps[0, index, row, column] = answer
    return SliceMaps(
        structures=STRUCTURES,
        probabilities=np.zeros((1, 3, SIDE, SIDE), dtype=np.float32),
        level_names=MAP_LEVELS,
        level_maps=level_maps,
        level_stride=(8.0, 8.0),
        prompt_names=(*STRUCTURES, *MAP_LEVELS),
        prompt_tokens=np.zeros((1, len(STRUCTURES) + len(MAP_LEVELS), 2), dtype=np.float32),
    )


@st.composite
def chains(draw: st.DrawFn, names: tuple[str, ...], *, is_lumbar: bool) -> MadeChain:
    """Draw a spoilt chain of at least three discs in which some true level is left."""
    first = draw(st.integers(0, 5 if is_lumbar else 2))
    count = draw(st.integers(4, 11))
    places = st.frozensets(st.integers(0, 9), max_size=2)
    made = make_chain(
        names,
        first=first,
        count=min(count, len(names) - first),
        missing=draw(places),
        merged=draw(st.frozensets(st.integers(0, 9), max_size=1)),
        false_at=draw(st.frozensets(st.integers(0, 9), max_size=1)),
        sacral=draw(st.integers(0, 2)) if is_lumbar else 0,
        room=draw(st.sampled_from([0.4, 0.8, 1.3, 2.2])),
        answer=draw(st.sampled_from([0.0, 0.4, 0.9])),
        tall=None if is_lumbar else draw(st.sampled_from([None, 0.8, 2.0])),
        jitter=tuple(draw(st.lists(st.floats(-0.15, 0.15), min_size=1, max_size=4))),
    )
    return made if len(made.chain.discs) >= 3 else make_chain(names, first=0, count=6)


def shifted(made: MadeChain, by: int) -> MadeChain:
    """Return the same chain with level maps that answer ``by`` levels too high."""
    responses = np.roll(made.view.responses, by, axis=1)
    return replace(made, view=replace(made.view, responses=responses))
