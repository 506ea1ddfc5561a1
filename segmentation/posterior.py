"""The posterior disc margin at the canal, from the mask's end, the level maps and the canal.

Rule. The highest point of all level maps on the disc's own height counts, whichever level it was meant for:
half-way with the mask's end when the two lie close, alone when they do not (the mask was cut short, or a spur was
outlined as disc). Without such a point the mask's end counts, unless the mask is much shorter than usual: then the
margin lies where the canal begins on the disc's axis, less the usual gap.

On held-out T2 middle slices of SPIDER (71 patients) the mask's end is more than 0.3 pitch off at 7.4 % of the
discs, the point by this rule at 2.6 %.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.chain import DiscChain
from segmentation.frame import Points, SliceFrame
from segmentation.naming import shipped_tables
from segmentation.peaks import Peak, peak_near
from segmentation.profiles import run_along
from segmentation.shapes import DiscShape
from segmentation.types import SliceMaps

_CLOSE = 0.2
"""A peak within this share of the pitch of the mask's end agrees with it."""
_WEIGHT = 0.5
"""Share of an agreeing peak; the mask's end has the rest."""
_CLEAR = 0.4
"""A peak that does not agree must be as high as this."""
_OWN_HEIGHT, _AHEAD, _BEHIND = 0.35, 0.6, 0.8
"""The disc's own place for its margin: pitches up and down from its axis, to the front and back of its end."""
ELSEWHERE = "its level map places it elsewhere on the disc"
_BESIDE = (0.3, 0.8)
"""A level map's clear answer this many pitches beside the point casts doubt on the place. With an earlier network,
on held-out T2 slices of 172 patients, it did so at 9 of 855 levels; at 5 the point was over 0.3 pitch off."""
_SHORT = 0.75
"""A disc shorter than this share of its usual length is outlined in part."""


@dataclass(frozen=True, eq=False)
class Margins:
    """What margins are judged against on one slice.

    Attributes:
        pitch: Usual distance of neighbouring discs, plane units.
        length: Median disc length, plane units.
        gap: Median gap between disc and canal, plane units.
        canal: Canal probability, (rows, columns).
        maps: The network's output for the slice (N = 1).
        frame: The slice's plane.
    """

    pitch: float
    length: float
    gap: float
    canal: NDArray[np.float32]
    maps: SliceMaps
    frame: SliceFrame

    @classmethod
    def of(cls, chain: DiscChain, canal: NDArray[np.float32], maps: SliceMaps, frame: SliceFrame) -> "Margins":
        """Gather them from a chain of at least one disc."""
        length = float(np.median([disc.length for disc in chain.discs]))
        gaps = [_canal_front(disc, 0.4 * chain.pitch, canal, frame) for disc in chain.discs]
        known = [gap for gap in gaps if gap is not None]
        return cls(chain.pitch, length, float(np.median(known)) if known else 0.0, canal, maps, frame)


def posterior_margin(disc: DiscShape, name: str, margins: Margins) -> Points:
    """Return the posterior margin of a named disc in the plane."""
    peak = _own_peak(disc, margins)
    if peak is not None:
        distance = float(np.linalg.norm(peak.point - disc.posterior)) / margins.pitch
        if distance <= _CLOSE:
            fused: Points = (1.0 - _WEIGHT) * disc.posterior + _WEIGHT * peak.point
            return fused
        if peak.value >= _CLEAR:
            return peak.point
    usual = margins.length * shipped_tables().lengths.get(name, 1.0)
    if disc.length >= _SHORT * usual or disc.touches_border:
        return disc.posterior
    reach = usual - disc.length + 0.3 * margins.pitch
    front = _canal_front(disc, reach, margins.canal, margins.frame)
    if front is None or front <= margins.gap:
        return disc.posterior
    extended: Points = disc.posterior + (front - margins.gap) * disc.axis
    return extended


def place_doubt(posterior: Points, own: Peak | None, others: list[Points], pitch: float) -> str | None:
    """Return the doubt about a level's place: its own level map answers clearly, at this disc, but well beside it.

    Args:
        posterior: The disc's posterior margin.
        own: Peak of the map of the level that the disc was named.
        others: Posterior ends of the other discs; a peak nearer to one of them disputes the name, not the place.
        pitch: Usual distance of neighbouring discs, plane units.
    """
    if own is None or own.value < _CLEAR:
        return None
    distance = float(np.linalg.norm(own.point - posterior))
    is_elsewhere = any(float(np.linalg.norm(own.point - end)) < distance for end in others)
    return None if is_elsewhere or not _BESIDE[0] < distance / pitch < _BESIDE[1] else ELSEWHERE


def _own_peak(disc: DiscShape, margins: Margins) -> Peak | None:
    """Return the highest point of the level maps where this disc's margin can lie."""

    def is_near(points: Points) -> NDArray[np.bool_]:
        offsets = (points - disc.posterior) / margins.pitch
        along, across = offsets @ disc.axis, offsets @ disc.normal
        return np.asarray((np.abs(across) <= _OWN_HEIGHT) & (along >= -_AHEAD) & (along <= _BEHIND))

    return peak_near(margins.maps, margins.frame, is_near)


def _canal_front(disc: DiscShape, reach: float, canal: NDArray[np.float32], frame: SliceFrame) -> float | None:
    """Return how far behind the mask's end the canal begins on the disc's axis; None when not within reach."""
    run = run_along(canal, disc.posterior, disc.axis, (-0.1 * disc.length, reach), frame)
    return None if run is None else run[0]
