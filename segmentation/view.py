"""What one slice shows around a chain of discs: level-map responses, what lies below, how much image is left.

Facts only; what they say about names is ``segmentation.evidence``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anatomy import Structure
from segmentation.chain import DiscChain
from segmentation.faint import FaintDisc, faint_near
from segmentation.frame import Points, SliceFrame
from segmentation.junction import JunctionHead, junction_answers
from segmentation.shapes import DiscShape
from segmentation.solver import FloatArray
from segmentation.types import SliceMaps

LUMBOSACRAL = "L5-S1"
"""The level that a sacrum in view identifies."""
MAP_SEEN = 0.3
"""A map response at a disc from here on is a landmark in view."""
_ROOM_PITCHES = 1.1
"""With this much image below the lowest disc, a further disc would be in view."""
_LEAST_PITCH = 0.85
"""Least pitch over disc length that is believed when the room is judged."""
_NEXT_DISC, _NEXT_REACH, _NOT_BESIDE = 0.9, 0.6, 0.3
"""Where a disc below the lowest one is looked for, in pitches: its centre, how far from it, least way down."""
_DOUBLE = (1.55, 2.6)
"""Steps of this many pitches may hide one disc."""
_GAP_STEPS = 3
"""Holes in vertebra that are stepped over, in twentieths of a pitch (the seam between body and dens)."""
_TALLEST_BODY = 1.5
"""Vertebra going on this far is tall whether or not the image goes on."""
_AT_DISC = 0.22
"""A map answers for a disc within this many pitches of its posterior end."""


@dataclass(frozen=True, eq=False)
class View:
    """What one slice shows of the chain's surroundings.

    Attributes:
        room_below: Image left below the lowest disc along the spine, in pitches.
        vertebra_below: Share of vertebra right below the lowest disc; None when that lies outside the image.
        responses: (n, L) level-map responses at the discs, 0 to 1.
        level_names: Names of the L maps.
        response_below: Strongest answer of any level map about one pitch below the lowest disc.
        sacrum_below: Share of sacrum right below the lowest disc; None when that lies outside the image or the
            network knows no sacrum.
        faint_below: A faint disc about one pitch below the lowest disc, or None.
        faint_between: For each step of the chain that is long enough for a missed disc, the faint disc in it.
        junction: (n + 1, 5) log-probabilities of ``junction.OFFSETS`` for each disc and for the place below the
            lowest one; None when no head looked.
        tall_above: How far vertebra goes on above the uppermost disc, in pitches; None when it meets the image's
            edge or content ends.
    """

    room_below: float
    vertebra_below: float | None
    responses: FloatArray
    level_names: tuple[str, ...]
    response_below: float = 0.0
    sacrum_below: float | None = None
    faint_below: FaintDisc | None = None
    faint_between: Mapping[int, FaintDisc] = field(default_factory=dict)
    junction: FloatArray | None = None
    tall_above: float | None = None

    @property
    def is_complete(self) -> bool:
        """Return True when a further disc below the lowest one would be in view."""
        return self.room_below >= _ROOM_PITCHES

    @property
    def ends_in_sacrum(self) -> bool:
        """Return True when a complete view shows no vertebra below the lowest disc."""
        return self.is_complete and self.vertebra_below is not None and self.vertebra_below <= 0.5

    @property
    def has_landmark(self) -> bool:
        """Return True when some level map answers at some disc."""
        return bool(self.responses.size and self.responses.max() >= MAP_SEEN)


def look_around(
    chain: DiscChain,
    content: tuple[int, int, int, int],
    vertebra: NDArray[np.bool_],
    frame: SliceFrame,
    maps: SliceMaps,
    *,
    sacrum: NDArray[np.bool_] | None = None,
    image: NDArray[np.float32] | None = None,
    head: JunctionHead | None = None,
) -> View:
    """Gather the surroundings of a chain.

    Args:
        chain: At least one disc.
        content: (x0, y0, x1, y1) of the part of the slice that holds an image, black margins left out.
        vertebra: Vertebra pixels, (rows, columns).
        frame: The slice's plane.
        maps: The network's output for this one slice (N = 1).
        sacrum: Sacrum pixels, same shape; None when the network knows no sacrum.
        image: Grey values, (rows, columns); needed with a head.
        head: Looks at each disc for the lumbosacral junction; None looks not.
    """
    last = chain.discs[-1]
    below = last.centre + np.linspace(0.3, 0.7, 9)[:, None] * chain.pitch * last.normal
    return View(
        room_below=_room(last, chain, content, frame),
        vertebra_below=_share_inside(vertebra, below, content, frame),
        responses=np.array(
            [
                respond(maps.level_maps[0], maps.level_stride, disc.posterior, _AT_DISC * chain.pitch, frame)
                for disc in chain.discs
            ]
        ).reshape(len(chain.discs), len(maps.level_names)),
        level_names=maps.level_names,
        response_below=_response_below(last, chain.pitch, maps, frame),
        sacrum_below=None if sacrum is None else _share_inside(sacrum, below, content, frame),
        faint_below=_faint_below(chain, maps, frame),
        faint_between=_faint_between(chain, maps, frame),
        junction=None if head is None or image is None else junction_answers(head, chain, image, maps, frame),
        tall_above=_tall_above(chain, vertebra, content, frame),
    )


def _faint_below(chain: DiscChain, maps: SliceMaps, frame: SliceFrame) -> FaintDisc | None:
    """Return the faint disc one step below the lowest one, not beside it."""
    last = chain.discs[-1]
    point = last.centre + _NEXT_DISC * chain.pitch * last.normal
    found = faint_near(point, _NEXT_REACH * chain.pitch, chain, _disc_map(maps), frame)
    if found is None or (found.centre - last.centre) @ last.normal < _NOT_BESIDE * chain.pitch:
        return None
    return found


def _faint_between(chain: DiscChain, maps: SliceMaps, frame: SliceFrame) -> dict[int, FaintDisc]:
    """Return step -> the faint disc half-way, for steps twice as long as usual."""
    found = {}
    for index, ((upper, lower), step) in enumerate(zip(pairwise(chain.discs), chain.steps, strict=True)):
        if _DOUBLE[0] <= step / chain.pitch <= _DOUBLE[1]:
            half = faint_near((upper.centre + lower.centre) / 2, 0.35 * chain.pitch, chain, _disc_map(maps), frame)
            if half is not None:
                found[index] = half
    return found


def _disc_map(maps: SliceMaps) -> NDArray[np.float32]:
    found: NDArray[np.float32] = maps.probabilities[0, maps.structures.index(Structure.DISC.value)]
    return found


def _tall_above(
    chain: DiscChain, vertebra: NDArray[np.bool_], content: tuple[int, int, int, int], frame: SliceFrame
) -> float | None:
    """Return how far vertebra goes on above the first disc, in pitches; None when the view ends before it does.

    Ways a little to the front and to the back are tried: a dens leans.
    """
    first = chain.discs[0]
    reach = np.arange(0.15, 3.0, 0.05)
    tallest, is_cut = 0.0, False
    for lean in (-0.25, -0.1, 0.0, 0.1, 0.25):
        way = -first.normal + lean * first.axis
        points = first.centre + reach[:, None] * chain.pitch * way / np.linalg.norm(way)
        x, y = np.round(frame.to_px(points)).astype(int).T
        inside = (x >= content[0]) & (x <= content[2]) & (y >= content[1]) & (y <= content[3])
        hits = np.zeros(len(reach), dtype=bool)
        hits[inside] = vertebra[y[inside], x[inside]]
        end = _run_end(hits)
        is_cut |= end + _GAP_STEPS < len(reach) and not inside[end + _GAP_STEPS]
        tallest = max(tallest, float(reach[end]))
    return None if is_cut and tallest < _TALLEST_BODY else tallest


def _run_end(hits: NDArray[np.bool_]) -> int:
    """Return the last index of the first run of hits; holes of up to ``_GAP_STEPS`` are stepped over."""
    end, missed = 0, 0
    for index, hit in enumerate(hits):
        missed = 0 if hit else missed + 1
        if missed > _GAP_STEPS:
            break
        end = index if hit else end
    return end


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


def _response_below(last: DiscShape, pitch: float, maps: SliceMaps, frame: SliceFrame) -> float:
    """Return the strongest answer of any level map where the margin of the next disc is to be expected."""
    answers = []
    for step, back in ((0.8, 0.0), (1.0, 0.0), (0.8, 0.4), (1.0, 0.4)):
        way = last.normal + back * last.axis
        place = last.posterior + step * pitch * way / np.linalg.norm(way)
        answers.append(respond(maps.level_maps[0], maps.level_stride, place, 0.25 * pitch, frame).max(initial=0.0))
    return float(max(answers))


def _room(last: DiscShape, chain: DiscChain, content: tuple[int, int, int, int], frame: SliceFrame) -> float:
    """Return how far the image goes on below the lowest disc, in pitches.

    The sacrum turns to the back, so the way goes along the mean of the disc's normal and straight down. A chain
    with false discs has too short a pitch: the disc length bounds it from below.
    """
    pitch = max(chain.pitch, _LEAST_PITCH * float(np.median([disc.length for disc in chain.discs])))
    direction = last.normal + np.array([0.0, 1.0])
    direction = direction / np.linalg.norm(direction)
    reach = np.linspace(0.0, 4.0, 81)
    px = frame.to_px(last.centre + reach[:, None] * pitch * direction)
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
