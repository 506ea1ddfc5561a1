"""Words of time in drafted text: supported only when the change table of an earlier reading holds just that.

Without an earlier reading no such word is supported. With one, a sentence is taken apart: the words that compare
say which change is claimed, what is left must hold of this reading (of a resolved finding: of the earlier one),
and each fact or value of it must have the claimed change in the table. A sentence of the composed comparison is
supported as it stands. Two different claims in one sentence are not told apart and count as unsupported.
"""

import re
from dataclasses import dataclass, replace
from functools import cache

from anatomy import Condition
from grading.types import Findings
from reporting.checker import Checker, SentenceContext
from reporting.compare import grades_for, value_for
from reporting.parsing import SentenceReading, read_sentence, split_sentences
from reporting.parsing.lexicon import words
from reporting.phrases import read_template
from reporting.prior.types import Change, Comparison
from reporting.prior.wording import compose_comparison
from reporting.types import Fact, Verdict, VerdictStatus

_TEMPLATE = "comparison.yaml"
_NEUTRAL, _REFUSED = "neutral", "refused"
_OF_GRADES = {
    "new": Change.NEW,
    "worse": Change.WORSE,
    "unchanged": Change.UNCHANGED,
    "better": Change.BETTER,
    "resolved": Change.RESOLVED,
    "increased": Change.WORSE,
    "decreased": Change.BETTER,
}
_OF_VALUES = {
    "unchanged": Change.WITHIN_ERROR,
    "increased": Change.INCREASED,
    "decreased": Change.DECREASED,
}
_EITHER_WAY = frozenset({Condition.DISC_NARROWING})
"""Conditions of which "decreased" may mean the finding or the height: no claim is read from it."""


@dataclass(frozen=True)
class TemporalWords:
    """What a sentence says of time.

    Attributes:
        found: The words, as written in lower case.
        claims: Classes of ``templates/comparison.yaml`` they belong to, without ``neutral``.
        rest: The sentence without them.
    """

    found: tuple[str, ...]
    claims: frozenset[str]
    rest: str


def find_temporal(text: str) -> TemporalWords:
    """Return the words of a sentence that compare with an earlier study, and what is left of it."""
    found: list[str] = []
    claims: set[str] = set()
    for match in _pattern().finditer(text):
        found.append(match[0].strip().lower())
        claims.add(next(name for name, value in match.groupdict().items() if value is not None))
    rest = _tidy(_pattern().sub(" ", text)) if found else text
    return TemporalWords(tuple(found), frozenset(claims - {_NEUTRAL}), rest)


class TemporalChecker(Checker):
    """Checks sentences against one study's findings and, where there is one, its comparison.

    Args:
        findings: The only source of facts on this study.
        comparison: The change table; None without an earlier reading.
    """

    def __init__(self, findings: Findings, comparison: Comparison | None = None) -> None:
        super().__init__(findings)
        self.comparison = comparison
        self._told: dict[str, tuple[str, ...]] = {}
        if comparison is not None:
            self._told = {item.text: item.finding_ids for item in compose_comparison(comparison, findings)}
            self._before = Checker(comparison.prior)

    def check(self, text: str, context: SentenceContext) -> Verdict:
        """Compare a sentence with the findings and the change table."""
        if text in self._told:
            return Verdict(VerdictStatus.SUPPORTED, (), (), self._told[text], context.levels)
        temporal = find_temporal(text)
        if text in self._known or not temporal.found:
            return super().check(text, context)
        if self.comparison is None:
            why = f"a comparison without an earlier study: {', '.join(temporal.found)}"
            return _refuse(super().check(text, context), why)
        return self._check_comparison(temporal, context, self.comparison)

    def _check_comparison(
        self, temporal: TemporalWords, context: SentenceContext, comparison: Comparison
    ) -> Verdict:
        is_past = temporal.claims == {"resolved"}
        if is_past:
            verdict = self._before.check(temporal.rest, SentenceContext(context.levels))
        else:
            verdict = super().check(temporal.rest, context)
        if verdict.status is not VerdictStatus.SUPPORTED:
            return verdict
        if len(temporal.claims) != 1 or _REFUSED in temporal.claims:
            return _refuse(verdict, f"no single change is claimed: {', '.join(temporal.found)}")
        (claim,) = temporal.claims
        wrong, ids = _unlike(temporal.rest, context.levels, claim, comparison, self.findings)
        if wrong is not None:
            return _refuse(verdict, wrong)
        return replace(verdict, finding_ids=tuple(dict.fromkeys(ids))) if is_past else verdict


def _unlike(
    text: str, levels: tuple[str, ...], claim: str, comparison: Comparison, findings: Findings
) -> tuple[str | None, list[str]]:
    """Return what does not have the claimed change (None when all has it), and the ids of this reading."""
    ids: list[str] = []
    for part in split_sentences(text):
        reading = read_sentence(part, levels)
        levels = reading.levels
        if reading.not_assessed or not (reading.facts or reading.measured):
            return f"nothing that can be {claim}", ids
        for fact in reading.facts:
            found = _changes_of(fact, claim, comparison, findings, ids)
            if found != {_OF_GRADES[claim]}:
                return f"{fact.condition.value} at {fact.level}: not {claim} in the comparison", ids
        if not _values_fit(reading, claim, comparison, findings):
            return f"a value that is not {claim} in the comparison", ids
    return None, ids


def _changes_of(
    fact: Fact, claim: str, comparison: Comparison, findings: Findings, ids: list[str]
) -> set[Change | None]:
    """Return the changes of the grades that a fact speaks of; None stands for one that has no row."""
    if claim in _OF_VALUES and claim != "unchanged" and fact.condition in _EITHER_WAY:
        return {None}
    if claim == "resolved":
        meant = {grade.id for grade in grades_for(fact, comparison.prior)}
        rows = [row for row in comparison.grades if row.before is not None and row.before.id in meant]
    else:
        meant = {grade.id for grade in grades_for(fact, findings)}
        rows = [row for row in comparison.grades if row.now is not None and row.now.id in meant]
    ids += [row.now.id for row in rows if row.now is not None]
    return {row.change for row in rows} if len(rows) == len(meant) else {None}


def _values_fit(reading: SentenceReading, claim: str, comparison: Comparison, findings: Findings) -> bool:
    """Tell whether the values have the claimed change; beside a finding that changed they are only its values."""
    if reading.facts and claim != "unchanged":
        return True
    if reading.measured and claim not in _OF_VALUES:
        return False
    found = [value_for(item.name, item.level, findings) for item in reading.measured]
    rows = [None if item is None else comparison.value(item.id) for item in found]
    return all(row is not None and row.change is _OF_VALUES[claim] for row in rows)


def _refuse(verdict: Verdict, why: str) -> Verdict:
    """Return a verdict with one more reason; what is contradicted stays so."""
    is_contradicted = verdict.status is VerdictStatus.CONTRADICTED
    status = VerdictStatus.CONTRADICTED if is_contradicted else VerdictStatus.UNSUPPORTED
    return replace(verdict, status=status, reasons=tuple(dict.fromkeys((*verdict.reasons, why))))


@cache
def _pattern() -> re.Pattern[str]:
    """Return all comparing words as one pattern; each class is a named group."""
    table = read_template(_TEMPLATE)
    groups = [f"(?P<{name}>{_auxiliary(name)}(?:{'|'.join(rows)}))" for name, rows in table["words"].items()]
    listed = re.compile("|".join(f"(?:{row})" for rows in table["words"].values() for row in rows))
    others = sorted(word for word in words("comparison") if listed.fullmatch(word) is None)
    if others:
        groups.insert(0, f"(?P<unknown>{'|'.join(map(re.escape, others))})")
    return re.compile(rf"(?<![\w-])(?:{'|'.join(groups)})(?![\w-])", re.IGNORECASE)


def _auxiliary(name: str) -> str:
    text: str = "" if name in (_NEUTRAL, _REFUSED) else read_template(_TEMPLATE)["auxiliary"]
    return text


def _tidy(text: str) -> str:
    """Close the gaps that taken-out words leave: doubled spaces, commas and brackets with nothing between."""
    text = re.sub(r"\(\s*\)", " ", text)
    text = " ".join(text.split())
    text = re.sub(r"\s+([,.;:])", r"\1", text)
    text = re.sub(r"[,;](?=[.,;]|$)", "", text)
    text = re.sub(r":\s*[,;]", ":", text).lstrip(",; ")
    return text[:1].upper() + text[1:]
