"""Rules on what is seen at the sacroiliac joints, slice by slice: the SPARCC score and a positive MRI by ASAS.

Plain tables in, figures out: the same rules count the drawn lesions of a phantom and the lesions that a network
sees.
Sources: CLINICAL.md section 2 (SPARCC SIJ inflammation; ASAS 2009).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

QUADRANTS = ("upper_ilium", "lower_ilium", "lower_sacrum", "upper_sacrum")
"""Quadrants of one joint on one semicoronal slice."""
SPARCC_ITEMS = (*QUADRANTS, "intense", "deep")
"""What SPARCC counts of one joint on one slice, one point each: 6 slices x 2 joints x 6 items = 72."""
STRUCTURAL = ("erosion", "sclerosis", "fat", "backfill", "ankylosis")
"""Structural lesions that the stages rest on."""
SPARCC_SLICES = 6
"""Consecutive slices that are scored."""


@dataclass(frozen=True)
class SparccWindow:
    """The slices that the score rests on.

    Attributes:
        score: 0 to 72.
        first: Index of the first slice.
        count: How many consecutive slices; fewer than six where the joints show on fewer.
    """

    score: int
    first: int
    count: int


def sparcc_window(points: Sequence[int], eligible: Iterable[int], *, slices: int = SPARCC_SLICES) -> SparccWindow:
    """Return the best run of consecutive slices, the first of equals.

    Args:
        points: SPARCC points of each slice of the series, both joints together.
        eligible: Slices that cross the cartilaginous joint; a run starts on one of them.
        slices: Length of the run.
    """
    there = sorted(eligible)
    count = min(slices, len(there))
    if count == 0:
        return SparccWindow(0, 0, 0)
    runs = [
        SparccWindow(sum(points[start : start + count]), start, count) for start in there[: len(there) - count + 1]
    ]
    return max(runs, key=lambda run: (run.score, -run.first))


def is_asas_positive(oedema: Sequence[Sequence[bool]], has_several: Sequence[bool]) -> bool:
    """Tell a positive joint: oedema of one quadrant on two consecutive slices, or several lesions on one slice.

    Args:
        oedema: For each slice, whether each quadrant shows subchondral oedema.
        has_several: For each slice, whether it shows two or more separate lesions.
    """
    consecutive = any(
        here and there for first, second in pairwise(oedema) for here, there in zip(first, second, strict=True)
    )
    return consecutive or any(many and any(row) for many, row in zip(has_several, oedema, strict=True))
