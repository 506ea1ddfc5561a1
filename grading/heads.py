"""The graded conditions (``heads.yaml``): scale, kind of head and the sequences each one needs. No torch."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml

from anatomy import CONDITIONS, SCALES, Condition


class HeadKind(StrEnum):
    """Shape of a head's output."""

    ORDINAL = "ordinal"
    BINARY = "binary"
    CATEGORICAL = "categorical"


@dataclass(frozen=True)
class HeadInfo:
    """One graded condition.

    Attributes:
        condition: Which.
        scale: Name in ``anatomy.SCALES``; the head's steps are the scale's, in its order.
        kind: Ordered steps, two steps, or steps without order.
        needs: Sequences (``t1``, ``t2``) without which it is not assessable.
        alpha: Accepted share of misses of its prediction sets, per step.
    """

    condition: Condition
    scale: str
    kind: HeadKind
    needs: tuple[str, ...]
    alpha: float

    @property
    def grades(self) -> tuple[str, ...]:
        """Return the scale's steps."""
        return SCALES[self.scale].grades

    @property
    def logit_count(self) -> int:
        """Return the number of logits: one a step for categories, one fewer for ordered steps."""
        return len(self.grades) if self.kind is HeadKind.CATEGORICAL else len(self.grades) - 1


@cache
def load_heads() -> tuple[HeadInfo, ...]:
    """Read the table of heads."""
    rows = yaml.safe_load((Path(__file__).parent / "heads.yaml").read_text(encoding="utf-8"))
    heads = tuple(
        HeadInfo(
            Condition(row["condition"]), row["scale"], HeadKind(row["kind"]), tuple(row["needs"]), row["alpha"]
        )
        for row in rows
    )
    for head in heads:
        assert head.scale in CONDITIONS[head.condition].scales, head
        assert head.kind is not HeadKind.BINARY or len(head.grades) == 2, head
    return heads
