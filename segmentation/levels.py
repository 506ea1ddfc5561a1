"""Named levels of one slice: the chain of discs, named by the solver, with points, confidence and doubt.

A disc that the segmentation missed but whose level map answers clearly is added from the map's peak.
"""

from dataclasses import dataclass, replace

import numpy as np

from anatomy import Structure
from runtime.errors import ConfigError
from segmentation.chain import DiscChain
from segmentation.doubts import find_doubts, missing_levels, state_name
from segmentation.evidence import (
    anchor_evidence,
    expected_step,
    node_evidence,
    step_evidence,
)
from segmentation.frame import Points, SliceFrame
from segmentation.peaks import Peak, find_peaks
from segmentation.posterior import Margins, posterior_margin
from segmentation.shapes import DiscShape
from segmentation.solver import Solution, solve
from segmentation.types import SliceMaps
from segmentation.view import View

PEAK_CLEAR = 0.5
"""A level map's peak from here on stands for a disc that the mask missed."""
TEMPERATURE = 1.5
"""All evidence is divided by it: terms that err together (a misread lumbosacral junction spoils maps, tilt and
length at once) would otherwise make every name too sure. Chosen on held-out T2 middle slices."""

Anchor = tuple[str, tuple[float, float]]
"""A level's name and its point (x, y) in pixels of the original slice, given by a person."""


@dataclass(frozen=True, eq=False)
class NamedDisc:
    """A named level in the plane of one slice.

    Attributes:
        name: Such as ``L4-L5``.
        shape: The disc; None when only its level map shows it.
        centre: Disc centre, plane.
        posterior: Posterior disc margin at the canal, plane.
        axis: Unit vector along the disc, front to back, plane.
        length: Along the axis, plane units.
        confidence: Probability of the name.
        doubt: Why the name is doubtful, or None.
    """

    name: str
    shape: DiscShape | None
    centre: Points
    posterior: Points
    axis: Points
    length: float
    confidence: float
    doubt: str | None


@dataclass(frozen=True, eq=False)
class NamedChain:
    """All named levels of one slice.

    Attributes:
        discs: Cranial to caudal.
        pitch: Usual distance of neighbouring discs, plane units.
        left_out: Number of discs outside the levels that can be named.
        is_anchored: True when a person named one.
    """

    discs: tuple[NamedDisc, ...]
    pitch: float
    left_out: int
    is_anchored: bool


def locate_levels(
    chain: DiscChain,
    view: View,
    maps: SliceMaps,
    names: tuple[str, ...],
    frame: SliceFrame,
    *,
    anchor: Anchor | None = None,
) -> NamedChain:
    """Name the discs of one slice.

    Args:
        chain: At least one disc.
        view: The chain's surroundings (``evidence.look_around``).
        maps: The network's output for this one slice (N = 1).
        names: Levels that may be given, cranial to caudal (``Protocol.named_levels``).
        frame: The slice's plane.
        anchor: One confirmed level; it fixes the numbering.

    Raises:
        ConfigError: If the anchor's name cannot be given, lies on no disc or contradicts the chain.
    """
    nodes = node_evidence(chain, view, names)
    if anchor is not None:
        nodes = _anchored(nodes, anchor, chain, names, frame)
    try:
        solution = solve(nodes / TEMPERATURE, step_evidence(chain, names) / TEMPERATURE)
    except ValueError as error:
        raise ConfigError(f"anchor {anchor[0] if anchor else ''}: {error}") from error
    doubts = find_doubts(chain, solution, view, names, is_anchored=anchor is not None)
    peaks = find_peaks(maps, frame)
    canal = maps.probabilities[0, maps.structures.index(Structure.SPINAL_CANAL.value)]
    margins = Margins.of(chain, canal, maps, frame)
    named = _name_discs(chain, solution, doubts, names, margins, is_anchored=anchor is not None)
    return NamedChain(
        discs=_with_missed(named, peaks, names, chain.pitch),
        pitch=chain.pitch,
        left_out=len(chain.discs) - len(named),
        is_anchored=anchor is not None,
    )


def _anchored(
    nodes: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    anchor: Anchor,
    chain: DiscChain,
    names: tuple[str, ...],
    frame: SliceFrame,
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    name, point_px = anchor
    if name not in names:
        raise ConfigError(f"anchor: expected one of {', '.join(names)}, got {name!r}")
    point = frame.to_plane(point_px)
    distances = [
        min(float(np.linalg.norm(disc.centre - point)), float(np.linalg.norm(disc.posterior - point)))
        for disc in chain.discs
    ]
    nearest = int(np.argmin(distances))
    if distances[nearest] > 0.6 * chain.pitch:
        raise ConfigError(
            f"anchor {name}: no disc was found near ({point_px[0]:.0f}, {point_px[1]:.0f}); "
            "give a point on the disc in pixels of the picture"
        )
    return anchor_evidence(nodes, nearest, 1 + names.index(name))


def _name_discs(
    chain: DiscChain,
    solution: Solution,
    doubts: tuple[str | None, ...],
    names: tuple[str, ...],
    margins: Margins,
    *,
    is_anchored: bool,
) -> list[NamedDisc]:
    named = []
    for index, disc in enumerate(chain.discs):
        state = int(solution.path[index])
        name = state_name(state, names)
        if name is None:
            continue
        sure = is_anchored and doubts[index] is None
        named.append(
            NamedDisc(
                name=name,
                shape=disc,
                centre=disc.centre,
                posterior=posterior_margin(disc, name, margins),
                axis=disc.axis,
                length=disc.length,
                confidence=1.0 if sure else float(solution.marginals[index, state]),
                doubt=doubts[index],
            )
        )
    return named


def _with_missed(
    named: list[NamedDisc], peaks: dict[str, Peak], names: tuple[str, ...], pitch: float
) -> tuple[NamedDisc, ...]:
    """Add levels whose map answers clearly, one regular step beside a named neighbour."""
    found = {disc.name: disc for disc in named}
    for name in (*names, *reversed(names)):
        peak = peaks.get(name)
        if name in found or peak is None or peak.value < PEAK_CLEAR:
            continue
        beside = _neighbours(names.index(name), found, names)
        if beside and all(_is_regular(peak, name, disc, names, pitch) for disc in beside):
            found[name] = _from_peak(name, peak, beside)
    filled = {name for name in found if name not in {disc.name for disc in named}}
    return tuple(_settled(found[name], filled) for name in names if name in found)


def _neighbours(index: int, found: dict[str, NamedDisc], names: tuple[str, ...]) -> list[NamedDisc]:
    beside = [names[k] for k in (index - 1, index + 1) if 0 <= k < len(names)]
    return [found[name] for name in beside if name in found and found[name].shape is not None]


def _is_regular(peak: Peak, name: str, disc: NamedDisc, names: tuple[str, ...], pitch: float) -> bool:
    """Return True when the peak lies one usual step from a neighbour, on the right side."""
    low, high = sorted((names.index(name), names.index(disc.name)))
    offset = peak.point - disc.posterior
    is_below = names.index(name) > names.index(disc.name)
    share = float(np.linalg.norm(offset)) / (pitch * expected_step(low, high, names))
    return 0.55 <= share <= 1.5 and (offset[1] > 0) == is_below


def _from_peak(name: str, peak: Peak, beside: list[NamedDisc]) -> NamedDisc:
    """Make a level of a peak; direction and length come from its neighbours."""
    axis = np.mean([disc.axis for disc in beside], axis=0)
    axis = axis / np.linalg.norm(axis)
    length = float(np.mean([disc.length for disc in beside]))
    return NamedDisc(
        name=name,
        shape=None,
        centre=peak.point - axis * length / 2,
        posterior=peak.point,
        axis=axis,
        length=length,
        confidence=min(disc.confidence for disc in beside) * peak.value,
        doubt="disc not outlined; located by its level map only",
    )


def _settled(disc: NamedDisc, filled: set[str]) -> NamedDisc:
    """Drop the doubt about a gap whose every level was found by its map."""
    if disc.doubt is None:
        return disc
    parts = [
        part for part in disc.doubt.split("; ") if not (missing_levels(part) and missing_levels(part) <= filled)
    ]
    return replace(disc, doubt="; ".join(parts) or None)
