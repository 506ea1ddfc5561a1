"""A level named by a person: which disc it means, and what follows for the solver.

The point may lie on an outlined disc, or where one is to be expected but was not outlined: one step below the
lowest disc, one above the first, half-way in a double step. Then the neighbour's name is fixed.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from runtime.errors import ConfigError
from segmentation.chain import DiscChain
from segmentation.frame import Points, SliceFrame
from segmentation.solver import FloatArray

Anchor = tuple[str, tuple[float, float]]
"""A level's name and its point (x, y) in pixels of the original slice, given by a person."""

_NEAR = 0.5
"""A point belongs to a place within this many pitches: half-way to the next disc."""
_DOUBLE = 1.55
"""A step this many pitches long hides a disc (``view``)."""


@dataclass(frozen=True, eq=False)
class _Place:
    """A place that an anchor may mean.

    Attributes:
        points: Where it lies, plane, (m, 2).
        disc: The outlined disc whose name it fixes.
        shift: That disc's name is so many levels further down than the anchor's.
    """

    points: Points
    disc: int
    shift: int


def anchored_disc(
    anchor: Anchor, chain: DiscChain, names: tuple[str, ...], frame: SliceFrame
) -> tuple[int, int, bool]:
    """Return (disc, state) that an anchor fixes, and whether the point lies on that disc itself.

    Raises:
        ConfigError: If the name cannot be given, or the point is far from every disc.
    """
    name, point_px = anchor
    if name not in names:
        raise ConfigError(f"anchor: expected one of {', '.join(names)}, got {name!r}")
    point = frame.to_plane(point_px)
    found = [
        (float(np.linalg.norm(place.points - point, axis=1).min()), place)
        for place in _places(chain)
        if 1 <= 1 + names.index(name) + place.shift <= len(names)
    ]
    distance, place = min(found, key=lambda item: item[0])
    if distance > _NEAR * chain.pitch:
        near = frame.to_px(min(chain.discs, key=lambda disc: float(np.linalg.norm(disc.centre - point))).centre)
        raise ConfigError(
            f"anchor {name}: no disc was found near ({point_px[0]:.0f}, {point_px[1]:.0f}), the nearest lies at "
            f"({near[0]:.0f}, {near[1]:.0f}); give a point on the disc in pixels of the slice (x column, y row)"
        )
    return place.disc, 1 + names.index(name) + place.shift, place.shift == 0


def anchor_evidence(nodes: FloatArray, disc: int, state: int) -> FloatArray:
    """Allow only one state at one disc."""
    fixed = nodes.copy()
    fixed[disc] = -np.inf
    fixed[disc, state] = 0.0
    return fixed


def _places(chain: DiscChain) -> list[_Place]:
    first, last = chain.discs[0], chain.discs[-1]
    places = [_Place(np.stack([disc.centre, disc.posterior]), k, 0) for k, disc in enumerate(chain.discs)]
    places.append(_Place((last.centre + chain.pitch * last.normal)[None], len(chain.discs) - 1, -1))
    places.append(_Place((first.centre - chain.pitch * first.normal)[None], 0, 1))
    for k, ((upper, lower), step) in enumerate(zip(pairwise(chain.discs), chain.steps, strict=True)):
        if step >= _DOUBLE * chain.pitch:
            places.append(_Place(((upper.centre + lower.centre) / 2)[None], k, -1))
    return places
