"""Label numbers of other tools and ours: one table (``conventions.csv``) and who wrote each part (``.yaml``).

A convention is written ``tool`` or ``tool:kind``, such as ``spider`` or ``totalspineseg:step2``. Every number that
a convention defines has a row; what has no counterpart among ours says why. Numbers without a row are unknown.
Plain lookups, no images: ``imaging.label_import`` applies them.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

import yaml

_HERE = Path(__file__).parent


class Match(StrEnum):
    """How a structure of theirs relates to one of ours."""

    SAME = "same"
    """The same structure; the only kind that is also written back."""
    PARTIAL = "partial"
    """The same, cut off by the border of the image."""
    PART = "part"
    """One of several that make up ours."""
    POINT = "point"
    """A mark on ours, no outline."""
    NONE = "none"
    """No counterpart; the note says why."""


class LabelKind(StrEnum):
    """What a file of a convention holds."""

    OUTLINES = "outlines"
    POINTS = "points"


@dataclass(frozen=True)
class LabelRule:
    """One number of a convention.

    Attributes:
        their_label: Their number.
        their_name: Their name for it.
        our_label: Number of ``codes.csv``, or None.
        match: How the two relate.
        unless: Their numbers whose presence in the file makes this row void.
        note: Why, or what to know; may be empty.
    """

    their_label: int
    their_name: str
    our_label: int | None
    match: Match
    unless: frozenset[int]
    note: str

    def is_void(self, present: Collection[int]) -> bool:
        """Return whether another number of the file changes what this one means."""
        return not self.unless.isdisjoint(present)


@dataclass(frozen=True)
class Convention:
    """How one kind of file of one tool numbers the spine.

    Attributes:
        name: ``tool`` or ``tool:kind``.
        title: For people.
        version: Of the tool or data, as the sources say.
        licence: Of the tool or data.
        kind: Outlines or points.
        needs: At least one of these numbers is in such a file.
        is_named: False where numbers may count from the top of the picture.
        grows_down: True where every number lies below the one before it, though none is a vertebra or disc.
        description: What to know.
        sources: Where the numbers are written.
        rules: Their number -> rule.
    """

    name: str
    title: str
    version: str
    licence: str
    kind: LabelKind
    needs: frozenset[int]
    is_named: bool
    grows_down: bool
    description: str
    sources: tuple[str, ...]
    rules: dict[int, LabelRule]

    @property
    def family(self) -> str:
        """Return the tool's name, without the kind of file."""
        return self.name.split(":")[0]

    def their_labels(self) -> dict[int, int]:
        """Return our number -> theirs, for every structure that both know."""
        return {
            rule.our_label: rule.their_label
            for rule in self.rules.values()
            if rule.our_label is not None and rule.match is Match.SAME
        }


@cache
def conventions() -> dict[str, Convention]:
    """Return all conventions by name.

    Raises:
        ValueError: If the two files of the table do not fit together.
    """
    with (_HERE / "conventions.yaml").open(encoding="utf-8") as stream:
        heads = yaml.safe_load(stream)
    rules = _rules()
    if set(rules) != set(heads):
        raise ValueError(f"conventions: table and descriptions differ in {sorted(set(rules) ^ set(heads))}")
    return {
        name: Convention(
            name=name,
            title=head["title"],
            version=head["version"],
            licence=head["licence"],
            kind=LabelKind(head["kind"]),
            needs=_numbers(head["needs"]),
            is_named=head.get("is_named", True),
            grows_down=head.get("grows_down", False),
            description=head["description"],
            sources=tuple(head["sources"]),
            rules=rules[name],
        )
        for name, head in heads.items()
    }


def convention_families() -> tuple[str, ...]:
    """Return the tools' names, in the order of the table."""
    return tuple(dict.fromkeys(item.family for item in conventions().values()))


def matching_conventions(name: str) -> tuple[Convention, ...]:
    """Return the conventions that a name stands for: one, or all kinds of a tool; empty when there is none."""
    return tuple(item for item in conventions().values() if name in (item.name, item.family))


def _rules() -> dict[str, dict[int, LabelRule]]:
    found: dict[str, dict[int, LabelRule]] = {}
    with (_HERE / "conventions.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rule = LabelRule(
                their_label=int(row["their_label"]),
                their_name=row["their_name"],
                our_label=int(row["our_label"]) if row["our_label"] else None,
                match=Match(row["match"]),
                unless=_numbers(row["unless"]),
                note=row["note"],
            )
            rules = found.setdefault(row["convention"], {})
            if rule.their_label in rules:
                raise ValueError(f"conventions.csv: {row['convention']} numbers {rule.their_label} twice")
            rules[rule.their_label] = rule
    return found


def _numbers(text: str) -> frozenset[int]:
    """Read numbers and ranges: ``1-24 100`` (both ends included)."""
    numbers: set[int] = set()
    for part in text.split():
        first, _, last = part.partition("-")
        numbers.update(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
