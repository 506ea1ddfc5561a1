"""Reports: what is sent to change one, and how one is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from service.api.schemas.plain import FindingId, PlainText, Version
from service.review.editing import MAX_SENTENCE
from service.review.signing import MAX_REASON
from service.store.words import Verdict

_MAX_SENTENCES = 300


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Version


class SentenceIn(BaseModel):
    """A sentence as it shall stand; no id for a new one."""

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str, Field(max_length=100)] | None = None
    text: Annotated[PlainText, Field(min_length=1, max_length=MAX_SENTENCE)]


class SectionIn(BaseModel):
    """A section: all its sentences in order; what is left out is deleted."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=40)]
    sentences: Annotated[list[SentenceIn], Field(max_length=_MAX_SENTENCES)]


class TextIn(_Request):
    """The text of a report."""

    sections: Annotated[list[SectionIn], Field(max_length=10)]


class DecisionIn(_Request):
    """A decision on one finding, or the same on several (``finding_ids``)."""

    finding_id: FindingId | None = None
    finding_ids: Annotated[list[FindingId], Field(max_length=300)] = []
    verdict: Verdict
    grade: Annotated[str, Field(max_length=40)] | None = None
    note: Annotated[PlainText, Field(max_length=2000)] = ""


class BaseIn(_Request):
    """Another reading that the report shall stand on."""

    reading_id: Annotated[str, Field(min_length=1, max_length=64)]


class AcknowledgementIn(_Request):
    """A critical finding that was taken note of."""

    finding_id: FindingId


class ReviewIn(_Request):
    """Marks a report as reviewed."""


class SignIn(_Request):
    """Signs a report. ``password``: of users without one, the name they sign in with."""

    password: Annotated[SecretStr, Field(min_length=1, max_length=1000)]


class AmendIn(_Request):
    """Opens a signed report."""

    reason: Annotated[PlainText, Field(min_length=1, max_length=MAX_REASON)]


class PlaceOut(BaseModel):
    """Where a finding lies: box (x0, y0, x1, y1) in pixels of the original slice."""

    finding_id: str
    series: str
    slice: int
    box_px: list[float]


class SentenceOut(BaseModel):
    """A sentence; ``origin`` is ``machine``, ``follow`` (written anew after a decision) or ``human``."""

    id: str
    text: str
    proposed_text: str | None
    finding_ids: list[str]
    source: str
    status: str
    origin: str
    places: list[PlaceOut]
    reason: str | None


class SectionOut(BaseModel):
    """A section."""

    name: str
    sentences: list[SentenceOut]


class ChoiceOut(BaseModel):
    """A step of a finding's scale."""

    grade: str
    words: str


class DecisionOut(BaseModel):
    """What was decided of a finding."""

    verdict: Verdict
    grade: str | None
    note: str
    user: str
    at: datetime


class FindingOut(BaseModel):
    """A finding as the machine gave it, with what was decided of it."""

    id: str
    level: str | None
    side: str | None
    condition: str
    condition_words: str
    scale: str
    grade: str | None
    grade_words: str
    probabilities: dict[str, float]
    prediction_set: list[str]
    status: str
    reason: str | None
    is_positive: bool
    is_critical: bool
    series: str | None
    slice: int | None
    box_px: list[float] | None
    choices: list[ChoiceOut]
    decision: DecisionOut | None
    acknowledged: bool


class StampOut(BaseModel):
    """Who and when."""

    by: str
    at: datetime


class ReportOut(BaseModel):
    """A report as it stands; ``source`` is what the study was read from: ``dicom``, ``nifti`` or ``picture``."""

    study_id: str
    reading_id: str
    source: str
    status: str
    version: int
    sections: list[SectionOut]
    findings: list[FindingOut]
    blockers: list[str]
    warnings: list[str]
    may_edit: bool
    may_review: bool
    may_sign: bool
    may_amend: bool
    signed: StampOut | None
    updated: StampOut | None


class VersionOut(BaseModel):
    """A version in the list."""

    version: int
    status: str
    what: str
    author: str
    at: datetime


class WordsOut(BaseModel):
    """Words that stayed (``equal``), went (``delete``) or came (``insert``)."""

    op: str
    text: str


class SectionDiffOut(BaseModel):
    """A section in two versions."""

    name: str
    words: list[WordsOut]


class DecisionDiffOut(BaseModel):
    """A finding that was decided otherwise."""

    finding_id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class DiffOut(BaseModel):
    """What differs between two versions."""

    first: int
    second: int
    sections: list[SectionDiffOut]
    decisions: list[DecisionDiffOut]
