"""What a report shows when it leaves: sentences, findings, decisions, who signed, what made it.

The mark of a draft comes from the state alone, here and nowhere else: every format writes ``mark`` on every page.
The service builds the record of a report as its readers left it (``service.export``), ``draft_of`` that of a
stored reading as the machine left it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from anatomy import SCALES, load_protocol
from grading.triage import triage_alert
from grading.types import Findings, Grade
from reporting.prior import Comparison
from reporting.restored import restore_comparison, restore_findings, restore_report
from reporting.types import Report, ReportState
from reporting.view import ReportView, build_view

RESEARCH_USE = "Research use only. Not a medical device."
NOT_SIGNED = "Not signed."

_MARKS = {
    ReportState.DRAFT: "DRAFT - not reviewed, not signed",
    ReportState.REVIEWED: "DRAFT - reviewed, not signed",
    ReportState.AMENDED: "DRAFT - opened for amendment, not signed again",
}


@dataclass(frozen=True)
class SignedBy:
    """Who signed a report, as it stands under it, and when."""

    name: str
    at: datetime


@dataclass(frozen=True)
class DecisionLine:
    """A decision in words."""

    finding_id: str
    what: str
    machine: str
    verdict: str
    by: str
    at: str


@dataclass(frozen=True)
class Outgoing:
    """A report on its way out.

    Attributes:
        title: Of the protocol.
        study_key: Our key of the study.
        status: Status.
        version: Version.
        mark: What stands on every page while it is not signed; None for a signed report.
        standing: Who signed and when, or that nobody did.
        report: Sentences as they stand.
        findings: The graph as decided, rejected findings as not assessable.
        comparison: The change table as decided; None without an earlier reading.
        alert: What must stand above the report; None for nothing.
        decisions: What was decided.
        provenance: Models, versions, rules, thresholds.
        notices: What the machine noticed of its run.
        at: When this version came to be.
        overlay_png: Picture with structures and levels; None without one.
        signature: Who signed; None while it is not signed.
        amended_version: The version that was signed last before this one, which an amendment follows; None when
            none was signed.
    """

    title: str
    study_key: str
    status: ReportState
    version: int
    mark: str | None
    standing: str
    report: Report
    findings: Findings
    comparison: Comparison | None
    alert: str | None
    decisions: tuple[DecisionLine, ...]
    provenance: Mapping[str, Any]
    notices: tuple[str, ...]
    at: datetime
    overlay_png: bytes | None = None
    signature: SignedBy | None = None
    amended_version: int | None = None

    @property
    def amends(self) -> bool:
        """Return whether an earlier version was signed: the report was opened for amendment since."""
        return self.amended_version is not None

    @property
    def view(self) -> ReportView:
        """Return the rows of text of the report and its tables."""
        return build_view(self.report, self.findings, None, self.comparison)

    @property
    def stem(self) -> str:
        """Return how names of files begin: study key and version, ``draft`` while it is not signed."""
        key = "".join(sign for sign in self.study_key if sign.isalnum() and sign.isascii())
        return f"report-{'draft-' if self.mark else ''}{key}-v{self.version}"

    @property
    def footer(self) -> str:
        """Return what stands at the foot of every page."""
        return f"{RESEARCH_USE} Study {self.study_key}, version {self.version}."


def mark_of(state: ReportState) -> str | None:
    """Return what stands on every page of a report in a state; None for a signed one."""
    return _MARKS.get(state)


def draft_of(document: Mapping[str, Any], at: datetime, overlay_png: bytes | None = None) -> Outgoing:
    """Return a stored reading as the machine's draft.

    Args:
        document: Content of its reading.json, validated.
        at: When it was made.
        overlay_png: Its overlay.png.
    """
    findings, report = restore_findings(document), restore_report(document)
    made = document["provenance"]
    gate = document["eligibility"].get("ood") or {}
    return Outgoing(
        title=load_protocol(findings.protocol).title,
        study_key=findings.study_key,
        status=ReportState.DRAFT,
        version=1,
        mark=mark_of(ReportState.DRAFT),
        standing=NOT_SIGNED,
        report=report,
        findings=findings,
        comparison=restore_comparison(document, findings),
        alert=triage_alert(findings.grades),
        decisions=(),
        provenance={"reading": _digest(document), **made_by(made, gate)},
        notices=tuple(document["notices"]),
        at=at,
        overlay_png=overlay_png,
    )


def _digest(document: Mapping[str, Any]) -> str:
    """Return what tells a reading from another of the same study, by other weights or rules."""
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()[:16]


def made_by(provenance: Mapping[str, Any], gate: Mapping[str, Any]) -> dict[str, Any]:
    """Return the models (by checksum), versions, rules and thresholds behind a reading; nothing of the patient.

    Args:
        provenance: ``provenance`` of reading.json.
        gate: ``eligibility.ood`` of reading.json, or nothing.
    """
    return {
        "spinescribe": provenance["spinescribe"],
        "models": dict(provenance["weights"]),
        "rules": dict(provenance["prompts"]),
        "config_hash": provenance["config_hash"],
        "thresholds": {"spine_likeness_p_value": gate["threshold"]} if "threshold" in gate else {},
    }


def grade_words(grade: Grade) -> str:
    """Return a grade as its scale says it, with what cannot be excluded."""
    if grade.grade is None:
        return "not assessable"
    scale = SCALES[grade.scale]
    others = [scale.step(step).words for step in grade.prediction_set if step != grade.grade]
    return scale.step(grade.grade).words + (f"; {', '.join(others)} not excluded" if others else "")


def provenance_lines(outgoing: Outgoing) -> Sequence[tuple[str, str]]:
    """Return the appendix on provenance as rows: what, value."""
    made = outgoing.provenance
    return [
        ("SpineScribe", str(made["spinescribe"])),
        ("Reading", str(made["reading"])),
        ("Configuration (SHA-256)", str(made["config_hash"])),
        *((f"Weights: {name}", str(value)) for name, value in sorted(made["models"].items())),
        *((f"Rule: {name.replace('_', ' ')}", str(value)) for name, value in sorted(made["rules"].items())),
        *((f"Threshold: {name.replace('_', ' ')}", str(value)) for name, value in made["thresholds"].items()),
    ]
