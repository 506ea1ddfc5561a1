"""The graded conditions (``heads.yaml``): scale, kind of head and the sequences each one needs. No torch."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml

from anatomy import CONDITIONS, SCALES, Condition
from runtime.errors import ConfigError


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
        needs: Inputs without which it is not assessable: sequences of the midline crops (``t1``, ``t2``) or views;
            several joined by ``|`` stand in for each other.
        alpha: Accepted share of misses of its prediction sets, per step.
        views: Windows it sees beyond the crops of the midline (``grading.views``).
        is_real: Whether it learned from real discs; else from phantoms only.
    """

    condition: Condition
    scale: str
    kind: HeadKind
    needs: tuple[str, ...]
    alpha: float
    views: tuple[str, ...] = ()
    is_real: bool = True

    @property
    def key(self) -> str:
        """Return its name in weights and tables: the condition, with the scale where that is not the usual one."""
        usual = CONDITIONS[self.condition].scales[0]
        return self.condition.value if self.scale == usual else f"{self.condition.value}_{self.scale}"

    @property
    def is_sided(self) -> bool:
        """Return whether it is graded for left and right apart."""
        return CONDITIONS[self.condition].is_sided

    def is_met(self, at_hand: Collection[str]) -> bool:
        """Return whether what it needs is among the sequences and views at hand."""
        return all(any(name in at_hand for name in need.split("|")) for need in self.needs)

    @property
    def grades(self) -> tuple[str, ...]:
        """Return the scale's steps."""
        return SCALES[self.scale].grades

    @property
    def logit_count(self) -> int:
        """Return the number of logits: one a step for categories, one fewer for ordered steps."""
        return len(self.grades) if self.kind is HeadKind.CATEGORICAL else len(self.grades) - 1


@cache
def load_heads(region: str = "lumbar") -> tuple[HeadInfo, ...]:
    """Read the table of a body region's heads.

    Raises:
        ConfigError: If the region has none.
    """
    table = yaml.safe_load((Path(__file__).parent / "heads.yaml").read_text(encoding="utf-8"))
    if region not in table:
        raise ConfigError(f"heads: expected one of {', '.join(table)}, got {region!r}")
    heads = tuple(
        HeadInfo(
            Condition(row["condition"]),
            row["scale"],
            HeadKind(row["kind"]),
            tuple(row["needs"]),
            row["alpha"],
            tuple(row.get("views", ())),
            row.get("real", True),
        )
        for row in table[region]
    )
    for head in heads:
        assert head.scale in CONDITIONS[head.condition].scales, head
        assert head.kind is not HeadKind.BINARY or len(head.grades) == 2, head
    return heads


def heads_seen(region: str, views: Sequence[str]) -> tuple[HeadInfo, ...]:
    """Return the heads of a network that has these views: those that need none, or see one of them."""
    return tuple(head for head in load_heads(region) if not head.views or set(head.views) & set(views))


def label_columns(heads: Sequence[HeadInfo]) -> dict[str, tuple[int, ...]]:
    """Return the columns of a table of labels that belong to each head: one, or (left, right) of a sided one."""
    columns: dict[str, tuple[int, ...]] = {}
    taken = 0
    for head in heads:
        count = 2 if head.is_sided else 1
        columns[head.key] = tuple(range(taken, taken + count))
        taken += count
    return columns
