"""What speaks for a disc being a level, as log-likelihoods for the solver.

Kinds of evidence, each bounded so that no single one decides alone, each with a weight (``naming.TERMS``):
 * maps: the network's response for each level at the disc's posterior end;
 * length: lumbar discs grow caudally, the remnant S1-S2 is short (``discs.csv``);
 * steps: spacing and tilt of neighbouring discs (``step_evidence``);
 * end: what lies below the lowest disc, and above the first one of a neck (``end_evidence``);
 * junction: whether each disc looks like the lumbosacral one (``junction``).
Besides, an anchor: a name given by a person.

A weight below 1 says that the witnesses of one slice err together (they all see the same sacrum). The weights are
fitted by the likelihood of the true names.
"""

import numpy as np

from segmentation.chain import DiscChain
from segmentation.end_evidence import first_evidence, lowest_evidence
from segmentation.junction import OFFSETS
from segmentation.naming import TERMS, NamingTables, shipped_tables
from segmentation.solver import FloatArray
from segmentation.step_evidence import log_normal, mixed, step_evidence
from segmentation.view import LUMBOSACRAL, View

MAP_WEIGHT = 0.08
"""Weight of the maps when they are asked alone (``doubts``): the best held-out likelihood of the numbering by maps
alone on two SPIDER folds (71 patients; 0.07 to 0.1 do equally well)."""
_MAP_SD = 0.18
_BLURS = (0.35, 0.5, 0.7, 0.9, 1.1, 1.3, 1.6)
"""Widths tried for the maps of a slice, in levels: a network unsure of the number answers at neighbours too."""
_LENGTH_SD, _SACRAL_LENGTH, _SACRAL_LENGTH_SD = 0.12, 0.52, 0.18


def weigh(view: View, tables: NamingTables) -> dict[str, float]:
    """Return the weights that hold for a view: with a look at the junction, or without."""
    chosen = tables.weights_alone if view.junction is None else tables.weights
    return {term: chosen[term] for term in TERMS}


def sure_from(view: View, tables: NamingTables) -> float:
    """Return the probability from which a name is sure."""
    return tables.sure_alone if view.junction is None else tables.sure


def node_evidence(
    chain: DiscChain, view: View, names: tuple[str, ...], tables: NamingTables | None = None
) -> FloatArray:
    """Return (n, S) weighted log-likelihoods; S = above, every name, below."""
    tables = tables or shipped_tables()
    weights = weigh(view, tables)
    terms = node_terms(chain, view, names, tables)
    nodes = np.asarray(sum(weights[name] * term for name, term in terms.items()), dtype=np.float64)
    nodes[0] += first_evidence(view, names)
    return nodes


def weighted_steps(
    chain: DiscChain, view: View, names: tuple[str, ...], tables: NamingTables | None = None
) -> FloatArray:
    """Return (n - 1, S, S) weighted log-likelihoods of going from state to state; -inf forbids."""
    tables = tables or shipped_tables()
    return weigh(view, tables)["steps"] * step_evidence(chain, names, tables)


def node_terms(
    chain: DiscChain, view: View, names: tuple[str, ...], tables: NamingTables
) -> dict[str, FloatArray]:
    """Return each kind of evidence on its own, (n, S), without its weight."""
    ends = np.zeros((len(chain.discs), len(names) + 2))
    ends[-1] += lowest_evidence(view, names, tables.end)
    return {
        "maps": map_evidence(view, names),
        "length": length_evidence(chain, names, tables),
        "end": ends,
        "junction": junction_evidence(view, names),
    }


def map_evidence(view: View, names: tuple[str, ...]) -> FloatArray:
    """Return (n, S) log-likelihoods of the level maps' responses; zeros when no map answers.

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
    return np.asarray(max(fits, key=lambda fit: float(fit.max(axis=1).sum())), dtype=np.float64)


def length_evidence(chain: DiscChain, names: tuple[str, ...], tables: NamingTables) -> FloatArray:
    """Return (n, S) log-likelihoods of each disc's length over the median of the chain."""
    median = float(np.median([disc.length for disc in chain.discs]))
    scores = np.zeros((len(chain.discs), len(names) + 2))
    for index, disc in enumerate(chain.discs):
        if disc.is_round or disc.touches_border:
            continue
        share = disc.length / median
        remnant = log_normal(share - _SACRAL_LENGTH, _SACRAL_LENGTH_SD)
        means = [tables.lengths.get(name, 1.0) for name in names]
        scores[index, 1:-1] = [mixed(log_normal(share - mean, _LENGTH_SD), remnant) for mean in means]
        scores[index, 0] = scores[index, 1]
        scores[index, -1] = remnant if names[-1] == LUMBOSACRAL else scores[index, -2]
    return scores


def junction_evidence(view: View, names: tuple[str, ...]) -> FloatArray:
    """Return (n, S) log-likelihoods of the junction's answers at the discs and below the lowest one."""
    count = len(view.responses)
    scores = np.zeros((count, len(names) + 2))
    if view.junction is None or LUMBOSACRAL not in names:
        return scores
    states = np.arange(len(names) + 2)
    offsets = 1 + names.index(LUMBOSACRAL) - states  # levels above L5-S1
    scores += view.junction[:count][:, _columns(offsets)]
    scores[-1] += view.junction[count][_columns(offsets - 1)]
    return scores


def _columns(offsets: np.ndarray[tuple[int, ...], np.dtype[np.intp]]) -> list[int]:
    """Return the place of each distance in ``OFFSETS``."""
    return [OFFSETS.index(int(offset)) for offset in np.clip(offsets, OFFSETS[0], OFFSETS[-1])]
