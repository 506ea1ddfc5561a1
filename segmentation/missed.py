"""Levels that no outline shows: found by a clear level map, by a faint trace of the disc, or by a person's point.

Such a level lies one regular step beside a named neighbour; it has a point and a direction, is never measured, and
always says in doubt how it was found.
"""

from dataclasses import dataclass, replace

import numpy as np

from segmentation.chain import DiscChain
from segmentation.doubts import missing_levels
from segmentation.frame import Points
from segmentation.named import NamedDisc
from segmentation.naming import NamingTables
from segmentation.peaks import Peak
from segmentation.view import View

PEAK_CLEAR = 0.5
"""A level map's peak from here on stands for a disc that the mask missed."""
_REGULAR = (0.55, 1.5)
"""Steps to a neighbour within these shares of the usual one are regular."""
BY_MAP = "disc not outlined; located by its level map only"
BY_TRACE = "disc not outlined; located by a faint trace only"
BY_PERSON = "disc not outlined; located by the given point only"


@dataclass(frozen=True, eq=False)
class Trace:
    """What shows a level without an outline.

    Attributes:
        posterior: Posterior disc margin, plane.
        value: How surely, 0 to 1.
        words: How it was found.
    """

    posterior: Points
    value: float
    words: str


def with_missed(
    named: list[NamedDisc],
    traces: dict[str, list[Trace]],
    names: tuple[str, ...],
    pitch: float,
    tables: NamingTables,
) -> tuple[NamedDisc, ...]:
    """Add levels that a trace shows one regular step beside a named neighbour.

    Args:
        named: The outlined discs with names, cranial to caudal.
        traces: Level -> its traces, best first.
        names: All levels that may be given, cranial to caudal.
        pitch: Usual distance of neighbouring discs, plane units.
        tables: Usual steps.
    """
    found = {disc.name: disc for disc in named}
    outlined = set(found)
    for name in (*names, *reversed(names)):
        if name in found:
            continue
        beside = _neighbours(names.index(name), found, names)
        for trace in traces.get(name, ()):
            if beside and all(_is_regular(trace, name, disc, names, pitch, tables) for disc in beside):
                found[name] = _from_trace(name, trace, beside)
                break
    filled = set(found) - outlined
    return tuple(_settled(found[name], filled) for name in names if name in found)


def faint_traces(
    named: list[NamedDisc], chain: DiscChain, view: View, names: tuple[str, ...], peaks: dict[str, Peak]
) -> dict[str, list[Trace]]:
    """Return level -> the faint disc that shows it: below the lowest disc, or alone in a gap."""
    index_of = {id(disc.shape): names.index(disc.name) for disc in named if disc.shape is not None}
    given = [index_of.get(id(shape)) for shape in chain.discs]
    traces: dict[str, list[Trace]] = {}
    last = given[-1]
    if view.faint_below is not None and last is not None and last + 1 < len(names):
        traces[names[last + 1]] = [_trace(view.faint_below.posterior, view.faint_below.probability, chain, peaks)]
    for step, faint in view.faint_between.items():
        upper, lower = given[step], given[step + 1]
        if upper is not None and lower == upper + 2:
            traces[names[upper + 1]] = [_trace(faint.posterior, faint.probability, chain, peaks)]
    return traces


def _trace(posterior: Points, value: float, chain: DiscChain, peaks: dict[str, Peak]) -> Trace:
    """Return a faint disc's trace, its point moved to a level map's peak close by: a trace has no sure end."""
    near = [peak for peak in peaks.values() if np.linalg.norm(peak.point - posterior) <= 0.5 * chain.pitch]
    best = max(near, key=lambda peak: peak.value, default=None)
    return Trace(posterior if best is None else best.point, value, BY_TRACE)


def _neighbours(index: int, found: dict[str, NamedDisc], names: tuple[str, ...]) -> list[NamedDisc]:
    beside = [names[k] for k in (index - 1, index + 1) if 0 <= k < len(names)]
    return [found[name] for name in beside if name in found and found[name].shape is not None]


def _is_regular(
    trace: Trace, name: str, disc: NamedDisc, names: tuple[str, ...], pitch: float, tables: NamingTables
) -> bool:
    """Return True when a trace lies one usual step from a neighbour, on the right side."""
    low, high = sorted((names.index(name), names.index(disc.name)))
    offset = trace.posterior - disc.posterior
    is_below = names.index(name) > names.index(disc.name)
    share = float(np.linalg.norm(offset)) / (pitch * tables.distance(low, high, names))
    return _REGULAR[0] <= share <= _REGULAR[1] and (offset[1] > 0) == is_below


def _from_trace(name: str, trace: Trace, beside: list[NamedDisc]) -> NamedDisc:
    """Make a level of a trace; direction and length come from its neighbours."""
    axis = np.mean([disc.axis for disc in beside], axis=0)
    axis = axis / np.linalg.norm(axis)
    length = float(np.mean([disc.length for disc in beside]))
    return NamedDisc(
        name=name,
        shape=None,
        centre=trace.posterior - axis * length / 2,
        posterior=trace.posterior,
        axis=axis,
        length=length,
        confidence=min(disc.confidence for disc in beside) * trace.value,
        doubt=trace.words,
    )


def _settled(disc: NamedDisc, filled: set[str]) -> NamedDisc:
    """Drop the doubt about a gap whose every level was found."""
    if disc.doubt is None:
        return disc
    parts = [
        part for part in disc.doubt.split("; ") if not (missing_levels(part) and missing_levels(part) <= filled)
    ]
    return replace(disc, doubt="; ".join(parts) or None)
