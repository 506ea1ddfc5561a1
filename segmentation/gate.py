"""The gate: is there a spine in this slice at all? A refusal says what was missing.

Axial slices, photographs and other body parts must not get a report. No single sign is safe (a scoliotic spine
bends, a stenosis hides the canal), so the gate counts signs against a spine and refuses at ``MAX_SIGNS``, sooner
for a short chain. The limits lie outside what 95 % of the held-out predictions on SPIDER T2 middle slices show;
benchmarks/gate.py counts what passes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runtime.errors import NotEligibleError
from segmentation.chain import DiscChain

MAX_SIGNS = 5
"""This many signs refuse a chain: of 172 held-out T2 middle slices two show as many (spines hardly outlined)."""
MAX_SIGNS_SHORT = 2
"""The same for a chain of at most ``SHORT`` discs: three blobs in a row are found in many pictures."""
SHORT = 4
MIN_CANAL_SHARE = 0.2
"""Fewer discs than this share at a canal refuse alone (held out at least 0.28, there in a collapsed spine)."""


@dataclass(frozen=True)
class Sign:
    """One sign against a spine.

    Attributes:
        words: What it means, for the refusal.
        is_shown: Chain -> True when the chain shows it.
    """

    words: str
    is_shown: Callable[[DiscChain], bool]


SIGNS = (
    Sign("there is no spinal canal behind what looks like discs", lambda chain: chain.canal_share < 0.65),
    Sign("there is no spinal canal along what looks like discs", lambda chain: chain.canal_along < 0.75),
    Sign("there are no vertebrae between what looks like discs", lambda chain: _mean(chain.vertebra_shares) < 0.8),
    Sign("much of what looks like disc lies outside any chain", lambda chain: chain.disc_share < 0.72),
    Sign("what looks like discs is too uncertain", lambda chain: _probability(chain) < 0.92),
    Sign("what looks like discs is unequally spaced", lambda chain: _step_spread(chain) > 0.25),
    Sign("what looks like discs is of unequal length", lambda chain: _length_spread(chain) > 0.3),
    Sign("what looks like discs does not follow one line", lambda chain: _bend_deg(chain) > 20.0),
    Sign("what looks like discs does not lie across its chain", lambda chain: _tilt_deg(chain) > 18.0),
)


def refuse_no_spine(chain: DiscChain, min_levels: int, *, is_forced: bool = False) -> None:
    """Raise unless the chain is a plausible spine.

    Args:
        chain: Best chain of the slice.
        min_levels: Fewest discs (``Protocol.min_levels``).
        is_forced: A person says that it is a spine: only a chain too short to be named is refused.

    Raises:
        NotEligibleError: With code ``no_spine_found`` and one sentence.
    """
    reason = _too_short(chain, min_levels) if is_forced else missing_of_spine(chain, min_levels)
    if reason is not None:
        raise NotEligibleError(f"no spine was found: {reason}", code="no_spine_found")


def missing_of_spine(chain: DiscChain, min_levels: int) -> str | None:
    """Return what speaks against a spine, None when too little does."""
    too_short = _too_short(chain, min_levels)
    if too_short is not None:
        return too_short
    if chain.canal_share < MIN_CANAL_SHARE:
        return SIGNS[0].words
    shown = [sign.words for sign in SIGNS if sign.is_shown(chain)]
    most = MAX_SIGNS_SHORT if len(chain.discs) <= SHORT else MAX_SIGNS
    return "; ".join(shown[:2]) if len(shown) >= most else None


def _too_short(chain: DiscChain, min_levels: int) -> str | None:
    count = len(chain.discs)
    if count >= min_levels:
        return None
    return f"{count} disc{'' if count == 1 else 's'} in a row, at least {min_levels} are needed"


def _mean(values: tuple[float, ...]) -> float:
    return float(np.mean(values)) if values else 0.0


def _probability(chain: DiscChain) -> float:
    return float(np.mean([disc.probability for disc in chain.discs]))


def _step_spread(chain: DiscChain) -> float:
    """Return the standard deviation of the logarithm of the steps."""
    return float(np.std(np.log(chain.steps))) if chain.steps else 0.0


def _length_spread(chain: DiscChain) -> float:
    """Return the standard deviation of the disc lengths over their median."""
    lengths = np.array([disc.length for disc in chain.discs])
    return float(lengths.std() / np.median(lengths))


def _directions(chain: DiscChain) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    steps = np.diff(np.array([disc.centre for disc in chain.discs]), axis=0)
    return np.asarray(steps / np.linalg.norm(steps, axis=1, keepdims=True), dtype=np.float64)


def _bend_deg(chain: DiscChain) -> float:
    """Return the mean angle between one step and the next."""
    way = _directions(chain)
    cosines = np.clip((way[1:] * way[:-1]).sum(axis=1), -1.0, 1.0)
    return float(np.degrees(np.arccos(cosines)).mean()) if len(cosines) else 0.0


def _tilt_deg(chain: DiscChain) -> float:
    """Return the mean angle between a step and the normal of the disc it starts from."""
    way = _directions(chain)
    normals = np.array([disc.normal for disc in chain.discs[:-1]])
    cosines = np.clip((way * normals).sum(axis=1), -1.0, 1.0)
    return float(np.degrees(np.arccos(cosines)).mean()) if len(cosines) else 0.0
