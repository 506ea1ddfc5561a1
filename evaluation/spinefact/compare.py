"""Two reports compared fact by fact: what agrees, and for what does not, the one reason that explains it.

A fact matches in full when the reference has a fact at the same place (level, side, condition) with the same
negation, hedge and grade. As a finding it matches when place and negation agree. Every fact that does not match in
full is explained once, in this order: the other side, another grade or hedge, the next level, the other negation,
then the other side and the next level again with a different grade; what is left was invented or omitted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from anatomy import DISC_LEVELS
from anatomy.levels import neighbours
from evaluation.spinefact.grades import is_normal_step, same_grade
from evaluation.spinefact.places import Place, PlacedFacts, place_pair
from evaluation.spinefact.reading import Statements
from reporting.types import Fact

Agrees = Callable[[Fact, Fact], bool]


class Outcome(StrEnum):
    """What became of a fact."""

    MATCH = "match"
    GRADE = "grade"
    HEDGE = "hedge"
    SIDE = "side"
    LEVEL = "level"
    NEGATION = "negation"
    INVENTED = "invented"
    OMITTED = "omitted"


@dataclass(frozen=True)
class Pair:
    """A fact of the report and the fact of the reference that it stands against; None where there is none."""

    stated: Fact | None
    referenced: Fact | None
    outcome: Outcome


@dataclass(frozen=True)
class Comparison:
    """A report beside one reference.

    Attributes:
        stated: Facts of the report, placed.
        referenced: Facts of the reference, placed.
        findings: Pairs that agree on level, side, condition and negation.
        pairs: Every fact of both, once.
    """

    stated: tuple[Fact, ...]
    referenced: tuple[Fact, ...]
    findings: tuple[tuple[Fact, Fact], ...]
    pairs: tuple[Pair, ...]

    def of(self, outcome: Outcome) -> tuple[Pair, ...]:
        """Return the pairs with an outcome."""
        return tuple(pair for pair in self.pairs if pair.outcome is outcome)


def compare_reports(stated: Statements, referenced: Statements) -> Comparison:
    """Compare what a report states with what one reference states."""
    told, truth = place_pair(stated, referenced)
    shared = sorted(told.keys() & truth.keys())
    findings = tuple((told[place], truth[place]) for place in shared if says_the_same(told[place], truth[place]))
    return Comparison(
        tuple(told.values()), tuple(truth.values()), findings, tuple(_Explainer(told, truth).pairs())
    )


def is_full_match(first: Fact, second: Fact) -> bool:
    """Return whether two facts agree on negation, hedge and grade."""
    return first.negated == second.negated and first.uncertain == second.uncertain and same_grade(first, second)


def says_the_same(first: Fact, second: Fact) -> bool:
    """Return whether two facts agree on negation; a bare denial agrees with a step that is normal."""
    if first.negated == second.negated:
        return True
    denial, other = (first, second) if first.negated else (second, first)
    return denial.grade is None and is_normal_step(other)


class _Explainer:
    """Takes facts off two heaps, pair by pair."""

    def __init__(self, told: PlacedFacts, truth: PlacedFacts) -> None:
        self.told, self.truth = told, truth
        self.left = dict(told)
        self.wanted = dict(truth)
        self.found: list[Pair] = []

    def pairs(self) -> list[Pair]:
        """Return every fact once."""
        self._same_place(is_full_match, lambda first, second: Outcome.MATCH)
        self._elsewhere(_other_side, is_full_match, Outcome.SIDE)
        self._same_place(says_the_same, _grade_or_hedge)
        self._elsewhere(_next_level, is_full_match, Outcome.LEVEL)
        self._negated()
        self._elsewhere(_other_side, says_the_same, Outcome.SIDE)
        self._elsewhere(_next_level, says_the_same, Outcome.LEVEL)
        self.found += [Pair(fact, None, Outcome.INVENTED) for fact in self.left.values()]
        self.found += [Pair(None, fact, Outcome.OMITTED) for fact in self.wanted.values()]
        return self.found

    def _take(self, place: Place, other: Place, outcome: Outcome) -> None:
        self.found.append(Pair(self.left.pop(place), self.wanted.pop(other), outcome))

    def _same_place(self, agrees: Agrees, outcome: Callable[[Fact, Fact], Outcome]) -> None:
        for place in sorted(self.left.keys() & self.wanted.keys()):
            first, second = self.left[place], self.wanted[place]
            if agrees(first, second):
                self._take(place, place, outcome(first, second))

    def _elsewhere(self, is_near: Callable[[Place, Place], bool], agrees: Agrees, outcome: Outcome) -> None:
        for place in sorted(self.left):
            for other in sorted(self.wanted):
                if place not in self.left or not is_near(place, other):
                    continue
                if not agrees(self.left[place], self.wanted[other]):
                    continue
                if self._is_swap(place, other, agrees):
                    self._take(place, other, outcome)
                    self._take(other, place, outcome)
                elif self._is_free(place, other, outcome):
                    self._take(place, other, outcome)

    def _is_swap(self, place: Place, other: Place, agrees: Agrees) -> bool:
        if other not in self.left or place not in self.wanted:
            return False
        return agrees(self.left[other], self.wanted[place])

    def _is_free(self, place: Place, other: Place, outcome: Outcome) -> bool:
        """Return whether one fact alone may have moved; a denial at one more level is no moved finding."""
        if outcome is Outcome.LEVEL and self.left[place].negated:
            return False
        return place not in self.truth or other not in self.told

    def _negated(self) -> None:
        for place in sorted(self.left):
            for other in sorted(self.wanted):
                if place not in self.left or not _is_same_or_open_side(place, other):
                    continue
                if not says_the_same(self.left[place], self.wanted[other]):
                    self._take(place, other, Outcome.NEGATION)


def _grade_or_hedge(first: Fact, second: Fact) -> Outcome:
    is_hedge = first.negated == second.negated and same_grade(first, second)
    return Outcome.HEDGE if is_hedge else Outcome.GRADE


def _other_side(place: Place, other: Place) -> bool:
    return (place.condition, place.level) == (other.condition, other.level) and place.side != other.side


def _next_level(place: Place, other: Place) -> bool:
    if (place.condition, place.side) != (other.condition, other.side) or place.level == other.level:
        return False
    if not place.level or not other.level:
        return True
    return place.level in DISC_LEVELS and other.level in neighbours(place.level)


def _is_same_or_open_side(place: Place, other: Place) -> bool:
    if (place.condition, place.level) != (other.condition, other.level):
        return False
    return place.side == other.side or not place.side or not other.side
