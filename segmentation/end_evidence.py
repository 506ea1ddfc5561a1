"""What the ends of a chain say: the sacrum below the last lumbar disc, the tall second vertebra of a neck.

The sacrum often has no mask, so often no vertebra follows L5-S1: a vertebra, a level map's answer or a faint disc
below the lowest disc make a higher level more likely. Above C2-C3 stands C2 with its dens, twice as tall as any
other cervical body, and no disc.
"""

import numpy as np

from segmentation.naming import EndOdds
from segmentation.solver import FloatArray
from segmentation.view import LUMBOSACRAL, MAP_SEEN, View

UPPERMOST = "C2-C3"
"""The level below the second vertebra; no disc lies above it."""
TALL = 1.5
"""Vertebra that goes on this far above a disc without another one, in pitches, is C2 with its dens: bodies end
after 1.0, C2 without its dens reaches about 1.3, with it 2.1 (drawn necks, ``first_vertebra``)."""
_TALL_ODDS = (0.7, 0.03)
"""How often so above C2-C3 and above any other disc (a missed disc, say); own choice: the dens is often
outlined in part."""
_DISC_ABOVE_C2 = 0.02
"""Share of necks with a false disc above C2-C3 (own choice)."""


def lowest_evidence(view: View, names: tuple[str, ...], odds: EndOdds) -> FloatArray:
    """Return (S,) log-likelihoods of the lowest disc's state from the view below it."""
    scores = np.zeros(len(names) + 2)
    if LUMBOSACRAL not in names:
        return scores
    state = 1 + names.index(LUMBOSACRAL)
    ends = np.arange(len(scores)) >= state
    if view.is_complete:
        scores += np.where(ends, np.log(odds.lumbosacral), np.log(1.0 - odds.lumbosacral))
    for share, rows in ((view.vertebra_below, odds.vertebra_below), (view.sacrum_below, odds.sacrum_below)):
        if share is not None:
            ending, going_on = next(odd for limit, *odd in rows if share <= limit)
            scores += np.where(ends, np.log(ending), np.log(going_on))
    if view.has_landmark:
        _add_sign(scores, state, odds.answer_below, is_seen=view.response_below >= MAP_SEEN)
    if view.is_complete:
        _add_sign(scores, state, odds.faint_below, is_seen=view.faint_below is not None)
    return scores


def first_evidence(view: View, names: tuple[str, ...]) -> FloatArray:
    """Return (S,) log-likelihoods of the uppermost disc's state from the view above it; only a neck has any."""
    scores = np.zeros(len(names) + 2)
    if names[0] != UPPERMOST:
        return scores
    scores[0] = np.log(_DISC_ABOVE_C2)
    if view.tall_above is not None:
        is_tall = view.tall_above >= TALL
        is_first = np.arange(len(scores)) == 1
        own, other = (share if is_tall else 1.0 - share for share in _TALL_ODDS)
        scores += np.where(is_first, np.log(own), np.log(other))
    return scores


def _add_sign(scores: FloatArray, state: int, odds: tuple[float, float], *, is_seen: bool) -> None:
    """Add a sign that is rare below L5-S1 and frequent below a higher disc; inside the sacrum it says nothing."""
    own, higher = (share if is_seen else 1.0 - share for share in odds)
    scores[state] += np.log(own)
    scores[:state] += np.log(higher)
