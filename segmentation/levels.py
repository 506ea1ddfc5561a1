"""Named levels of one slice: the chain of discs, named by the solver, with points, confidence and doubt.

A disc that the segmentation missed is added where its level map answers clearly, a faint trace shows it or a
person pointed at it (``missed``).
"""

from anatomy import Structure
from runtime.errors import ConfigError
from segmentation.anchors import Anchor, anchor_evidence, anchored_disc
from segmentation.chain import DiscChain
from segmentation.doubts import find_doubts, state_name
from segmentation.evidence import node_evidence, weighted_steps
from segmentation.frame import SliceFrame
from segmentation.missed import BY_MAP, BY_PERSON, PEAK_CLEAR, Trace, faint_traces, with_missed
from segmentation.named import NamedChain, NamedDisc
from segmentation.naming import NamingTables, shipped_tables
from segmentation.peaks import Peak, find_peaks
from segmentation.posterior import Margins, place_doubt, posterior_margin
from segmentation.solver import Solution, solve
from segmentation.types import SliceMaps
from segmentation.view import View

__all__ = ["Anchor", "NamedChain", "NamedDisc", "locate_levels"]


def locate_levels(
    chain: DiscChain,
    view: View,
    maps: SliceMaps,
    names: tuple[str, ...],
    frame: SliceFrame,
    *,
    anchor: Anchor | None = None,
    tables: NamingTables | None = None,
) -> NamedChain:
    """Name the discs of one slice.

    Args:
        chain: At least one disc.
        view: The chain's surroundings (``view.look_around``).
        maps: The network's output for this one slice (N = 1).
        names: Levels that may be given, cranial to caudal (``Protocol.named_levels``).
        frame: The slice's plane.
        anchor: One confirmed level; it fixes the numbering.
        tables: What naming rests on; None takes the shipped ones.

    Raises:
        ConfigError: If the anchor's name cannot be given, lies on no disc or contradicts the chain.
    """
    tables = tables or shipped_tables()
    nodes = node_evidence(chain, view, names, tables)
    is_on_disc = True
    if anchor is not None:
        disc, state, is_on_disc = anchored_disc(anchor, chain, names, frame)
        nodes = anchor_evidence(nodes, disc, state)
    steps = weighted_steps(chain, view, names, tables)
    try:
        solution = solve(nodes, steps)
    except ValueError as error:
        raise ConfigError(f"anchor {anchor[0] if anchor else ''}: {error}") from error
    doubts = find_doubts(chain, solution, view, names, tables, is_anchored=anchor is not None)
    peaks = find_peaks(maps, frame)
    margins = _margins(chain, maps, frame)
    named = _name_discs(chain, solution, doubts, names, margins, peaks, is_anchored=anchor is not None)
    traces = _traces(named, chain, view, names, peaks)
    if anchor is not None and not is_on_disc:
        traces.setdefault(anchor[0], []).append(Trace(frame.to_plane(anchor[1]), 1.0, BY_PERSON))
    return NamedChain(
        discs=with_missed(named, traces, names, chain.pitch, tables),
        pitch=chain.pitch,
        left_out=len(chain.discs) - len(named),
        is_anchored=anchor is not None,
    )


def _margins(chain: DiscChain, maps: SliceMaps, frame: SliceFrame) -> Margins:
    canal = maps.probabilities[0, maps.structures.index(Structure.SPINAL_CANAL.value)]
    return Margins.of(chain, canal, maps, frame)


def _traces(
    named: list[NamedDisc], chain: DiscChain, view: View, names: tuple[str, ...], peaks: dict[str, Peak]
) -> dict[str, list[Trace]]:
    """Return level -> its traces: its own map where that is clear, then a faint disc."""
    traces = {
        name: [Trace(peak.point, peak.value, BY_MAP)] for name, peak in peaks.items() if peak.value >= PEAK_CLEAR
    }
    for name, faint in faint_traces(named, chain, view, names, peaks).items():
        traces.setdefault(name, []).extend(faint)
    return traces


def _name_discs(
    chain: DiscChain,
    solution: Solution,
    doubts: tuple[str | None, ...],
    names: tuple[str, ...],
    margins: Margins,
    peaks: dict[str, Peak],
    *,
    is_anchored: bool,
) -> list[NamedDisc]:
    named = []
    for index, disc in enumerate(chain.discs):
        state = int(solution.path[index])
        name = state_name(state, names)
        if name is None:
            continue
        posterior = posterior_margin(disc, name, margins)
        others = [other.posterior for other in chain.discs if other is not disc]
        place = place_doubt(posterior, peaks.get(name), others, chain.pitch)
        doubt = "; ".join(part for part in (doubts[index], place) if part) or None
        sure = is_anchored and doubts[index] is None
        named.append(
            NamedDisc(
                name=name,
                shape=disc,
                centre=disc.centre,
                posterior=posterior,
                axis=disc.axis,
                length=disc.length,
                confidence=1.0 if sure else float(solution.marginals[index, state]),
                doubt=doubt,
            )
        )
    return named
