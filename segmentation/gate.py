"""The gate: is there a spine in this slice at all? A refusal says what was missing.

Random pictures, photographs and other body parts must not get a report; the thresholds are set on expert masks and
predictions of SPIDER (must pass) and on the mixed planes of Sudirman et al. (axial slices must not), see
docs/lab-log.md.
"""

import numpy as np

from runtime.errors import NotEligibleError
from segmentation.chain import DiscChain

MIN_PROBABILITY = 0.6
"""Least mean disc probability over the chain."""
MIN_CANAL_SHARE = 0.4
"""Least share of discs with the canal close behind them."""
MIN_VERTEBRA_SHARE = 0.5
"""Least mean share of vertebra between neighbouring discs."""
MAX_IRREGULAR_SHARE = 0.5
"""Largest share of steps outside 0.55 to 1.7 pitches."""


def refuse_no_spine(chain: DiscChain, min_levels: int) -> None:
    """Raise unless the chain is a plausible spine.

    Args:
        chain: Best chain of the slice.
        min_levels: Fewest discs (``Protocol.min_levels``).

    Raises:
        NotEligibleError: With code ``no_spine_found`` and one sentence.
    """
    reason = missing_of_spine(chain, min_levels)
    if reason is not None:
        raise NotEligibleError(f"no spine was found: {reason}", code="no_spine_found")


def missing_of_spine(chain: DiscChain, min_levels: int) -> str | None:
    """Return what speaks against a spine, None when nothing does."""
    count = len(chain.discs)
    if count < min_levels:
        return f"{count} disc{'' if count == 1 else 's'} in a row, at least {min_levels} are needed"
    if np.mean([disc.probability for disc in chain.discs]) < MIN_PROBABILITY:
        return "what looks like discs is too uncertain"
    if chain.canal_share < MIN_CANAL_SHARE:
        return "there is no spinal canal behind what looks like discs"
    if np.mean(chain.vertebra_shares) < MIN_VERTEBRA_SHARE:
        return "there are no vertebrae between what looks like discs"
    steps = np.array(chain.steps) / chain.pitch
    if np.mean((steps < 0.55) | (steps > 1.7)) > MAX_IRREGULAR_SHARE:
        return "what looks like discs does not form a regular chain"
    return None
