"""Statements: everything that can be said of a region, in words, and whether it is true of a given one.

A region is a place on a slice (``crops``). What is known of it is a ``RegionFacts``; a statement is then true,
false or unknown. Unknown is the answer wherever the region does not show what the statement speaks of: a slice of
one vertebra says nothing of a disc's herniation.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import DISC_LEVELS, VERTEBRAE

_PHRASES = Path(__file__).parent / "phrases.yaml"
_SIDES = ("left", "right")
_PLACE = re.compile(r"{(level|upper|lower|vertebra|side)}")


@dataclass(frozen=True)
class RegionFacts:
    """What is known of a region.

    Attributes:
        structures: Names of ``phrases.yaml`` of what lies at its centre; None where that is not known.
        level: Disc level whose disc it shows, or None.
        margin: Whether it is centred on the posterior margin of that disc, not on the disc itself.
        vertebra: Vertebra at its centre, or None.
        side: Patient's side, of a joint; else None.
        grades: Condition -> grades of it that hold here (on any scale); a condition that is missing is unknown.
    """

    structures: frozenset[str] | None = None
    level: str | None = None
    margin: bool = False
    vertebra: str | None = None
    side: str | None = None
    grades: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Statement:
    """One thing to say.

    Attributes:
        kind: ``structure``, ``margin``, ``disc``, ``vertebra``, ``finding`` or ``words`` (never judged).
        name: Structure or finding; for words, the first wording.
        place: Disc level or vertebra it speaks of, or None.
        side: Side it speaks of, or None.
        conditions: Of a finding: condition -> grades, all of which must hold.
        wordings: Phrases that mean it.
    """

    kind: str
    name: str
    place: str | None
    side: str | None
    conditions: Mapping[str, frozenset[str]]
    wordings: tuple[str, ...]

    def holds(self, region: RegionFacts) -> bool | None:
        """Return whether the statement is true of a region; None when the region does not tell."""
        if self.kind == "finding":
            return self._finding_holds(region)
        if self.kind == "structure":
            return None if region.structures is None else self.name in region.structures
        if self.kind == "vertebra":
            return _named(region, "vertebra", region.vertebra, self.place)
        if self.kind == "margin":
            return self.place == region.level if region.margin else (None if region.structures is None else False)
        if self.kind == "disc":
            return None if region.margin else _named(region, "disc", region.level, self.place)
        return None

    def _finding_holds(self, region: RegionFacts) -> bool | None:
        if self.side is not None and region.side is not None and self.side != region.side:
            return False
        if self.place is not None and region.level is not None and self.place != region.level:
            return False
        known = [region.grades.get(condition) for condition in self.conditions]
        if any(
            grades is not None and not grades & wanted
            for grades, wanted in zip(known, self.conditions.values(), strict=True)
        ):
            return False
        return None if None in known else True


def _named(region: RegionFacts, structure: str, name: str | None, place: str | None) -> bool | None:
    """Whether the region shows the structure of that name."""
    if region.structures is not None and structure not in region.structures:
        return False
    return None if name is None else name == place


@cache
def statements() -> tuple[Statement, ...]:
    """Return every statement of ``phrases.yaml``, places and sides filled in."""
    table = yaml.safe_load(_PHRASES.read_text(encoding="utf-8"))
    result = [_plain("structure", name, wordings) for name, wordings in table["structures"].items()]
    for level in DISC_LEVELS:
        result += [_placed(kind, level, table["placed"][kind]) for kind in ("margin", "disc")]
    result += [_placed("vertebra", name, table["placed"]["vertebra"]) for name in VERTEBRAE]
    for name, entry in table["findings"].items():
        result += _findings(name, entry)
    for name, entry in table["sided"].items():
        result += [_sided(name, entry, side) for side in _SIDES]
    for wordings in table["words"]:
        result += _words(wordings)
    return tuple(result)


def phrases_version() -> str:
    """Return the version of the table of phrases."""
    return str(yaml.safe_load(_PHRASES.read_text(encoding="utf-8"))["version"])


def _plain(kind: str, name: str, wordings: list[str]) -> Statement:
    return Statement(kind, name, None, None, {}, tuple(wordings))


def _placed(kind: str, place: str, wordings: list[str]) -> Statement:
    return Statement(kind, kind, place, None, {}, _fill(wordings, place=place))


def _findings(name: str, entry: Mapping[str, Any]) -> list[Statement]:
    conditions = {condition: frozenset(grades) for condition, grades in entry["all"].items()}
    wordings = entry["wordings"]
    plain = Statement("finding", name, None, None, conditions, tuple(wordings))
    if not entry.get("at"):
        return [plain]
    said = [f"{wordings[0]} at {{level}}", *(f"{{level}} {wording}" for wording in wordings[1:])]
    return [
        plain,
        *(Statement("finding", name, level, None, conditions, _fill(said, place=level)) for level in DISC_LEVELS),
    ]


def _sided(name: str, entry: Mapping[str, Any], side: str) -> Statement:
    conditions = {condition: frozenset(grades) for condition, grades in entry["all"].items()}
    return Statement("finding", name, None, side, conditions, _fill(entry["wordings"], side=side))


def _words(wordings: list[str]) -> list[Statement]:
    holes = {hole for wording in wordings for hole in _PLACE.findall(wording)}
    levels = DISC_LEVELS if "level" in holes else (None,)
    sides = _SIDES if "side" in holes else (None,)
    return [
        Statement("words", said[0], level, side, {}, said)
        for level in levels
        for side in sides
        for said in [_fill(wordings, place=level, side=side)]
    ]


def _fill(wordings: list[str], *, place: str | None = None, side: str | None = None) -> tuple[str, ...]:
    upper, _, lower = (place or "").partition("-")
    values = {"level": place, "vertebra": place, "upper": upper, "lower": lower, "side": side}
    return tuple(_PLACE.sub(lambda hole: str(values[hole.group(1)]), wording) for wording in wordings)
