"""Records of the reporting room: facts read from text, drafts, verified reports. Loads without torch."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from anatomy import Condition, Side


@dataclass(frozen=True)
class Fact:
    """One statement read from report text, as LANGUAGE.md defines it; one per level and condition.

    Attributes:
        level: Disc level as written (expanded from lists and ranges); None when the text names none.
        side: Patient's side, or None. ``bilateral`` text becomes two facts.
        condition: Which.
        grade: Grading word or step as written, normalised: ``mild``, ``moderate``, ``severe``, ``IV`` (Pfirrmann),
            ``2`` (Modic) ...; several with ``|`` between them, best first (``III|IV``); None when the text gives
            none.
        negated: True when the text says it is not there.
        uncertain: True under a hedge (probably, suspected, cannot be excluded).
        sentence: The sentence it was read from.
    """

    level: str | None
    side: Side | None
    condition: Condition
    grade: str | None
    negated: bool
    uncertain: bool
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """Return one line of ``spinescribe parse``."""
        return {
            "level": self.level,
            "side": None if self.side is None else self.side.value,
            "condition": self.condition.value,
            "grade": self.grade,
            "negated": self.negated,
            "uncertain": self.uncertain,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class MeasuredFact:
    """One named value read from report text.

    Attributes:
        name: Name of the measurement, such as ``canal_ap_diameter``.
        level: Disc level; None when the text names none, or several.
        value: As written.
        unit: ``mm``, ``cm``, ``%``, ``deg``, or ``1`` when none is written.
        sentence: The sentence it was read from.
    """

    name: str
    level: str | None
    value: float
    unit: str
    sentence: str


class SentenceSource(StrEnum):
    """Who wrote a sentence."""

    VLM = "vlm"
    COMPOSER = "composer"


class SentenceStatus(StrEnum):
    """What the verifier says of a sentence in a report."""

    SUPPORTED = "supported"
    REPAIRED = "repaired"


@dataclass(frozen=True)
class DraftSentence:
    """A sentence before verification.

    Attributes:
        text: One sentence.
        finding_ids: Ids of grades and measurements it is meant to state.
        source: Who wrote it.
        prior_finding_ids: Ids of the earlier reading that it compares them with.
        consistency: Share of sampled drafts that state the same facts, 0 to 1; None where none were sampled.
    """

    text: str
    finding_ids: tuple[str, ...]
    source: SentenceSource
    prior_finding_ids: tuple[str, ...] = ()
    consistency: float | None = None


@dataclass(frozen=True)
class DraftSection:
    """A section of a draft: ``technique``, ``findings`` or ``impression``."""

    name: str
    sentences: tuple[DraftSentence, ...]


@dataclass(frozen=True)
class Draft:
    """Text with evidence, not yet checked."""

    sections: tuple[DraftSection, ...]


class VerdictStatus(StrEnum):
    """What a comparison with Findings says of a sentence."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True)
class Verdict:
    """A sentence compared with Findings.

    Attributes:
        status: ``supported``; ``contradicted`` when Findings rule out what it says; ``unsupported`` when Findings
            do not hold what it says, or the words say more than the facts that were read.
        facts: Facts that did not agree.
        reasons: Why, one short phrase each, for people.
        finding_ids: Grades and measurements that the sentence states and that agree.
        levels: Levels that the next sentence carries.
    """

    status: VerdictStatus
    facts: tuple[Fact, ...]
    reasons: tuple[str, ...]
    finding_ids: tuple[str, ...]
    levels: tuple[str, ...]


@dataclass(frozen=True)
class ReportSentence:
    """A sentence of a report: checked, or written anew by the composer.

    Attributes:
        text: One sentence.
        finding_ids: Grades and measurements it states.
        source: ``vlm`` or ``composer``.
        status: ``supported``, or ``repaired`` when the composer replaced what did not agree with Findings.
        replaced_text: What was there before a repair; None otherwise.
        prior_finding_ids: Ids of the earlier reading that it compares them with; only in ``comparison``.
        consistency: As of the drafted sentence.
    """

    text: str
    finding_ids: tuple[str, ...]
    source: SentenceSource
    status: SentenceStatus
    replaced_text: str | None = None
    prior_finding_ids: tuple[str, ...] = ()
    consistency: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return an item of ``sentences`` of reading.json."""
        prior = {"prior_finding_ids": list(self.prior_finding_ids)} if self.prior_finding_ids else {}
        return {
            "text": self.text,
            "finding_ids": list(self.finding_ids),
            **prior,
            "source": self.source.value,
            "status": self.status.value,
            "replaced_text": self.replaced_text,
            **({} if self.consistency is None else {"consistency": round(self.consistency, 3)}),
        }


@dataclass(frozen=True)
class ReportSection:
    """A section of a report."""

    name: str
    sentences: tuple[ReportSentence, ...]


class ReportState(StrEnum):
    """Where a report stands; only a person moves it on."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    SIGNED = "signed"
    AMENDED = "amended"


@dataclass(frozen=True)
class Report:
    """A verified report."""

    state: ReportState
    sections: tuple[ReportSection, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the ``report`` block of reading.json."""
        return {
            "state": self.state.value,
            "sections": [
                {"name": section.name, "sentences": [item.to_dict() for item in section.sentences]}
                for section in self.sections
            ],
        }
