"""The ASAS rule and the SPARCC score applied to what the network sees on each slice (``rules/sacroiliitis.yaml``).

No torch. The rule is explicit: it can be checked by eye on the slices it names, whatever the network's own
answer is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from anatomy import Side
from anatomy.sacroiliac import QUADRANTS, SPARCC_ITEMS, is_asas_positive, sparcc_window

Seen = NDArray[np.bool_]
"""(K, 13) per slice: SPARCC items, several lesions, crosses the lined joint, then what no rule reads."""

_SEVERAL, _JOINT = len(SPARCC_ITEMS), len(SPARCC_ITEMS) + 1


@dataclass(frozen=True)
class SacroiliacRules:
    """The rules' table.

    Attributes:
        asas_id: Version of the ASAS rule.
        asas_words: What it says, for notices.
        sparcc_id: Version of the score.
        sparcc_slices: Slices it is read on.
        seen_from: Probability from which an item counts as seen.
    """

    asas_id: str
    asas_words: str
    sparcc_id: str
    sparcc_slices: int
    seen_from: float


@dataclass(frozen=True)
class RuleResult:
    """What the rules say of a patient.

    Attributes:
        positive: Side -> whether the ASAS rule is met.
        sparcc: Score, 0 to 72; of one joint alone at most 36.
        slices: Slice indices k the score was read on.
    """

    positive: Mapping[Side, bool]
    sparcc: int
    slices: tuple[int, ...]

    @property
    def is_positive(self) -> bool:
        """Return whether either joint meets the ASAS rule."""
        return any(self.positive.values())


@cache
def load_sacroiliac_rules() -> SacroiliacRules:
    """Read the table."""
    file = Path(__file__).parents[1] / "rules" / "sacroiliitis.yaml"
    table: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return SacroiliacRules(
        asas_id=table["asas"]["id"],
        asas_words=table["asas"]["words"],
        sparcc_id=table["sparcc"]["id"],
        sparcc_slices=int(table["sparcc"]["slices"]),
        seen_from=float(table["seen_from"]),
    )


def apply_rules(joints: Mapping[Side, tuple[NDArray[np.int64], NDArray[np.float64]]]) -> RuleResult:
    """Apply both rules to probabilities.

    Args:
        joints: Side -> (slice index k of each read slice (L,), probabilities (L, 13)). Slices of both sides come
            from one series, read at one stride.
    """
    rules = load_sacroiliac_rules()
    read = sorted({int(k) for slices, _ in joints.values() for k in slices})
    tables = {
        side: _on_slices(read, slices, probabilities >= rules.seen_from)
        for side, (slices, probabilities) in joints.items()
    }
    points = np.sum([_points(table) for table in tables.values()], axis=0)
    crosses = np.any([table[:, _JOINT] for table in tables.values()], axis=0)
    window = sparcc_window(points.tolist(), np.flatnonzero(crosses).tolist(), slices=rules.sparcc_slices)
    return RuleResult(
        positive={
            side: is_asas_positive(table[:, : len(QUADRANTS)].tolist(), table[:, _SEVERAL].tolist())
            for side, table in tables.items()
        },
        sparcc=window.score,
        slices=tuple(read[window.first : window.first + window.count]),
    )


def _on_slices(read: list[int], slices: NDArray[np.int64], seen: Seen) -> Seen:
    """Return the table of a joint on all read slices; nothing is seen where the joint was not read."""
    table = np.zeros((len(read), seen.shape[1]), dtype=bool)
    table[[read.index(int(k)) for k in slices]] = seen
    return table


def _points(table: Seen) -> NDArray[np.int64]:
    """Return SPARCC points of each slice: intense and deep count beside oedema only."""
    quadrants = table[:, : len(QUADRANTS)]
    further = table[:, len(QUADRANTS) : _SEVERAL] & quadrants.any(axis=1, keepdims=True)
    points: NDArray[np.int64] = quadrants.sum(axis=1) + further.sum(axis=1)
    return points
