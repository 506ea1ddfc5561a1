"""The posterior disc margin at the canal, from the mask's end, the level map's peak and the canal.

Rule. The mask's end at the canal counts, moved half-way to the level's peak when that lies close by. A disc whose
mask is much shorter than usual (only its front was outlined) has its margin elsewhere: at the peak, if there is a
clear one behind the disc; else where the canal begins on the disc's axis, less the usual gap; else at the end.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segmentation.chain import DiscChain
from segmentation.evidence import usual_lengths
from segmentation.frame import Points, SliceFrame
from segmentation.peaks import Peak
from segmentation.profiles import run_along
from segmentation.shapes import DiscShape

_CLOSE = 0.25
"""A peak within this share of the pitch of the mask's end belongs to the same margin."""
_WEIGHT = 0.5
"""Share of a close peak; the mask's end has the rest."""
_SHORT = 0.75
"""A disc shorter than this share of its usual length is outlined in part."""
_CLEAR = 0.4
_BEHIND = 1.0
"""A clear peak within this many pitches behind the centre of a part is its margin."""


@dataclass(frozen=True, eq=False)
class Margins:
    """What margins are judged against on one slice.

    Attributes:
        pitch: Usual distance of neighbouring discs, plane units.
        length: Median disc length, plane units.
        gap: Median gap between disc and canal, plane units.
        canal: Canal probability, (rows, columns).
        frame: The slice's plane.
    """

    pitch: float
    length: float
    gap: float
    canal: NDArray[np.float32]
    frame: SliceFrame

    @classmethod
    def of(cls, chain: DiscChain, canal: NDArray[np.float32], frame: SliceFrame) -> "Margins":
        """Gather them from a chain of at least one disc."""
        length = float(np.median([disc.length for disc in chain.discs]))
        gaps = [_canal_front(disc, 0.4 * chain.pitch, canal, frame) for disc in chain.discs]
        known = [gap for gap in gaps if gap is not None]
        return cls(chain.pitch, length, float(np.median(known)) if known else 0.0, canal, frame)


def posterior_margin(disc: DiscShape, name: str, peak: Peak | None, margins: Margins) -> Points:
    """Return the posterior margin of a named disc in the plane."""
    if peak is not None and np.linalg.norm(peak.point - disc.posterior) <= _CLOSE * margins.pitch:
        fused: Points = (1.0 - _WEIGHT) * disc.posterior + _WEIGHT * peak.point
        return fused
    usual = margins.length * usual_lengths().get(name, 1.0)
    if disc.length >= _SHORT * usual or disc.touches_border:
        return disc.posterior
    if peak is not None and peak.value >= _CLEAR and _is_behind(peak, disc, margins.pitch):
        return peak.point
    reach = usual - disc.length + 0.3 * margins.pitch
    front = _canal_front(disc, reach, margins.canal, margins.frame)
    if front is None or front <= margins.gap:
        return disc.posterior
    extended: Points = disc.posterior + (front - margins.gap) * disc.axis
    return extended


def _is_behind(peak: Peak, disc: DiscShape, pitch: float) -> bool:
    offset = (peak.point - disc.centre) / pitch
    return bool(0.0 < offset @ disc.axis <= _BEHIND and abs(offset @ disc.normal) <= 0.5)


def _canal_front(disc: DiscShape, reach: float, canal: NDArray[np.float32], frame: SliceFrame) -> float | None:
    """Return how far behind the mask's end the canal begins on the disc's axis; None when not within reach."""
    run = run_along(canal, disc.posterior, disc.axis, (-0.1 * disc.length, reach), frame)
    return None if run is None else run[0]
