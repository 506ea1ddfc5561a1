"""Corrections as training data: a line of JSON per decided finding and per changed sentence of signed reports.

Nothing in a line leads back to a patient: the study has a pseudonym made with the service's own key, of the time
only the month of the reading stays, notes stay behind, and a sentence that ``free_text`` does not know to be free
of identity is dropped and counted. docs/corrections.md tells the format.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session

from grading.types import Findings, GradeStatus
from reporting import serialise_level
from reporting.stored import read_findings
from service.accounts.actor import Actor
from service.research.free_text import suspicion_of
from service.research.signed import SentenceChange, SignedReport, sentence_changes, signed_reports
from service.store.tables import Decision, Study
from service.store.words import Verdict

SCHEMA = "spinescribe.correction/1"
_LABEL = b"spinescribe correction study\0"
_PSEUDONYM_DIGITS = 20
"""80 bits: no two studies of one service share one."""

Line = dict[str, Any]


@dataclass(frozen=True)
class Corrections:
    """An export.

    Attributes:
        lines: Of findings and sentences, by pseudonym.
        studies: Signed reports looked at.
        dropped: Reason -> sentences left out.
    """

    lines: tuple[Line, ...]
    studies: int
    dropped: Mapping[str, int]

    def of_kind(self, kind: str) -> list[Line]:
        """Return the lines of ``finding`` or ``sentence``."""
        return [line for line in self.lines if line["kind"] == kind]

    def summary(self) -> Line:
        """Return what the export holds and lacks; its last line."""
        return {
            "schema": SCHEMA,
            "kind": "summary",
            "studies": self.studies,
            "findings": len(self.of_kind("finding")),
            "sentences": len(self.of_kind("sentence")),
            "dropped_sentences": dict(sorted(self.dropped.items())),
        }

    def jsonl(self) -> str:
        """Return the file: a line each, the summary last."""
        return "".join(
            json.dumps(line, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
            for line in (*self.lines, self.summary())
        )

    def grades_csv(self, whose: str) -> str:
        """Return the decided findings as ``spinescribe evaluate grading`` reads them.

        Args:
            whose: ``human`` (references) or ``machine`` (predictions). Rejected findings are in neither: what is
                right instead was not said.
        """
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["id", "level", "side", "condition", "scale", "grade", "probabilities", "prediction_set"])
        for line in self.of_kind("finding"):
            if line["verdict"] != Verdict.REJECT.value:
                writer.writerow(_csv_row(line, is_machine=whose == "machine"))
        return stream.getvalue()


def collect_corrections(session: Session, actor: Actor, key: bytes) -> Corrections:
    """Return the corrections of all signed reports that an actor may see.

    Args:
        session: Open transaction.
        actor: Researcher.
        key: The service's secret key: the same one gives the same pseudonyms.
    """
    lines: list[Line] = []
    dropped: Counter[str] = Counter()
    studies = 0
    for report in signed_reports(session, actor):
        studies += 1
        name = pseudonym(report.study, key)
        lines += _finding_lines(report, name)
        for change in sentence_changes(report):
            reason = _suspicion(change)
            if reason is None:
                lines.append(_sentence_line(report, change, name))
            else:
                dropped[reason] += 1
    ordered = sorted(enumerate(lines), key=lambda pair: (pair[1]["study"], pair[0]))
    return Corrections(tuple(line for _, line in ordered), studies, dropped)


def pseudonym(study: Study, key: bytes) -> str:
    """Return the study's name in exports: the same for one study read twice, of no use without the key."""
    message = _LABEL + (study.study_key or study.id).encode()
    return "S-" + hmac.new(key, message, hashlib.sha256).hexdigest()[:_PSEUDONYM_DIGITS]


def counts_by_condition(corrections: Corrections) -> list[tuple[str, dict[str, int]]]:
    """Return for each condition, sorted, how often its findings were accepted, edited and rejected."""
    counted: dict[str, Counter[str]] = {}
    for line in corrections.of_kind("finding"):
        counted.setdefault(line["condition"], Counter())[line["verdict"]] += 1
    return [
        (name, {verdict.value: counted[name][verdict.value] for verdict in Verdict}) for name in sorted(counted)
    ]


def _finding_lines(report: SignedReport, name: str) -> Iterator[Line]:
    rows = {row["id"]: row for row in report.reading.document["grades"]}
    for decision in report.decisions:
        row = rows.get(decision.finding_id)
        if row is None:
            continue
        yield {
            **_head(report, name, "finding"),
            "finding_id": row["id"],
            "level": row["level"],
            "side": row["side"],
            "condition": row["condition"],
            "scale": row["scale"],
            "machine": {
                "status": row["status"],
                "grade": row["grade"],
                "probabilities": row["probabilities"],
                "prediction_set": row["prediction_set"],
            },
            "verdict": decision.verdict,
            "human_grade": _human_grade(row, decision),
        }


def _human_grade(row: Mapping[str, Any], decision: Decision) -> str | None:
    """Return the grade that the reader stands for; None when rejected, as what is right was not said."""
    if decision.verdict == Verdict.ACCEPT.value:
        grade: str | None = row["grade"]
        return grade
    return decision.grade if decision.verdict == Verdict.EDIT.value else None


def _sentence_line(report: SignedReport, change: SentenceChange, name: str) -> Line:
    findings = _corrected(report)
    named = set(change.finding_ids)
    levels = list(dict.fromkeys(grade.level for grade in findings.grades if grade.id in named))
    return {
        **_head(report, name, "sentence"),
        "section": change.section,
        "change": change.kind,
        "origin": None if change.signed is None else change.signed.get("origin"),
        "finding_ids": list(change.finding_ids),
        "levels": levels,
        "facts": [serialise_level(findings, level) for level in levels],
        "machine_sentence": None if change.machine is None else change.machine["text"],
        "signed_sentence": None if change.signed is None else change.signed["text"],
    }


def _corrected(report: SignedReport) -> Findings:
    """Return the findings as the reader left them: edited grades in place, rejected ones gone."""
    findings = read_findings(report.reading.document)
    decided = {decision.finding_id: decision for decision in report.decisions}
    grades = []
    for grade in findings.grades:
        decision = decided.get(grade.id)
        if decision is not None and decision.verdict == Verdict.REJECT.value:
            continue
        if decision is not None and decision.verdict == Verdict.EDIT.value and decision.grade is not None:
            grade = replace(
                grade,
                grade=decision.grade,
                probabilities={},
                prediction_set=(decision.grade,),
                status=GradeStatus.GRADED,
                reason=None,
            )
        grades.append(grade)
    return replace(findings, grades=tuple(grades))


def _suspicion(change: SentenceChange) -> str | None:
    """Return why a change may not leave: one of its two sentences may not."""
    for sentence in (change.signed, change.machine):
        found = None if sentence is None else suspicion_of(str(sentence["text"]))
        if found is not None:
            return found.value
    return None


def _head(report: SignedReport, name: str, kind: str) -> Line:
    document = report.reading.document
    told = document["provenance"]
    return {
        "schema": SCHEMA,
        "kind": kind,
        "study": name,
        "month": report.reading.created_at.strftime("%Y-%m"),
        "protocol": document["study"]["protocol"],
        "models": {
            "spinescribe": told["spinescribe"],
            "writer": report.reading.writer,
            "weights": told["weights"],
            "config_hash": told["config_hash"],
        },
    }


def _csv_row(line: Line, *, is_machine: bool) -> list[str]:
    place = [line["study"], line["level"] or "", line["side"] or "", line["condition"], line["scale"]]
    machine = line["machine"]
    if not is_machine:
        return [*place, line["human_grade"] or "", "", ""]
    shares = ";".join(f"{step}={share:g}" for step, share in machine["probabilities"].items())
    return [*place, machine["grade"] or "", shares, "|".join(machine["prediction_set"])]
