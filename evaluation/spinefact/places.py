"""Facts put at the places where they can be compared: sides and levels that a sentence leaves to the reader.

* A denial without a side denies both sides of a paired condition.
* A denial without a level denies the condition at every level that the references name, and at those where the
  other report speaks of it; where a report names a level itself, that counts.
* A level that is called unremarkable denies there what the other report speaks of.
* Sacroiliitis with a side is that of a joint (``SIJ``); without side and level it is the study's.
* The one normal step of a scale says the same as a denial (``Modic type 0``); named beside abnormal ones
  (``normal or mild to moderate``) it says the same as a hedge.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from anatomy import CONDITIONS, SIJ, Condition, Side
from evaluation.spinefact.grades import split_zero_steps
from evaluation.spinefact.reading import Statements, named_levels
from reporting.types import Fact


@dataclass(frozen=True, order=True)
class Place:
    """What a fact speaks of.

    Attributes:
        condition: Value of ``anatomy.Condition``.
        level: Disc level, ``SIJ``, or empty when none is named.
        side: ``left``, ``right``, or empty.
    """

    condition: str
    level: str
    side: str

    def __str__(self) -> str:
        return " ".join(part for part in (self.level, self.side, self.condition) if part)


PlacedFacts = Mapping[Place, Fact]


def place_of(fact: Fact) -> Place:
    """Return the place of a fact."""
    return Place(fact.condition.value, fact.level or "", "" if fact.side is None else fact.side.value)


def place_pair(stated: Statements, referenced: Statements) -> tuple[PlacedFacts, PlacedFacts]:
    """Return the facts of a report and of its reference by place, ready to be compared."""
    told, truth = [_plain(fact) for fact in stated.facts], [_plain(fact) for fact in referenced.facts]
    levels = (named_levels(truth) | referenced.normal_levels) - {SIJ}
    own, other = _placed(told, truth, levels), _placed(truth, told, levels)
    return _with_normal(own, other, stated.normal_levels), _with_normal(other, own, referenced.normal_levels)


def _with_normal(own: PlacedFacts, other: PlacedFacts, levels: frozenset[str]) -> PlacedFacts:
    """Add denials of what the other report speaks of at the levels that this one calls unremarkable."""
    named = {(place.condition, place.level) for place in own}
    denied = {
        place: replace(fact, grade=None, negated=True, uncertain=False)
        for place, fact in other.items()
        if place.level in levels and (place.condition, place.level) not in named
    }
    return {**own, **denied}


def _plain(fact: Fact) -> Fact:
    if fact.condition is Condition.SACROILIITIS and fact.side is not None and fact.level is None:
        fact = replace(fact, level=SIJ)
    zero, rest = split_zero_steps(fact)
    if not zero:
        return fact
    return replace(fact, negated=not rest, grade="|".join(rest) or None, uncertain=bool(rest))


def _placed(facts: Sequence[Fact], others: Sequence[Fact], levels: frozenset[str]) -> PlacedFacts:
    """Expand denials; what is said of a place itself counts before what is said of all places, presence first."""
    own: dict[Place, Fact] = {}
    named = {(fact.condition, fact.level) for fact in facts}
    plain = [fact for fact in facts if not _is_wide(fact)]
    for fact in plain:
        own.setdefault(place_of(fact), fact)
    for fact in (item for item in facts if _is_wide(item)):
        for part in _sided(fact):
            own.setdefault(place_of(part), part)
    for fact in (item for item in facts if _is_everywhere(item)):
        where = levels | named_levels([item for item in others if item.condition is fact.condition]) - {SIJ}
        if where:
            own.pop(place_of(fact), None)
        for level in sorted(where):
            if (fact.condition, level) in named:
                continue
            for part in _sided(replace(fact, level=level)):
                own.setdefault(place_of(part), part)
    return own


def _is_everywhere(fact: Fact) -> bool:
    return fact.negated and fact.level is None and fact.condition is not Condition.SACROILIITIS


def _is_wide(fact: Fact) -> bool:
    """Return whether a fact denies a paired condition at a level without a side."""
    is_pair = CONDITIONS[fact.condition].is_sided and fact.level is not None
    return fact.negated and fact.side is None and is_pair


def _sided(fact: Fact) -> Iterator[Fact]:
    if CONDITIONS[fact.condition].is_sided and fact.side is None:
        yield from (replace(fact, side=side) for side in Side)
    else:
        yield fact
