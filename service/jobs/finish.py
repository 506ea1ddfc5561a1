"""What came of a job, written in one transaction: a reading with its report, or why there is none.

The files are kept before: a file that no row names is harmless and removed later (``studies.upkeep``), a row whose
file is missing would not be. Nothing is written for a claim that no longer holds.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from runtime.errors import SpineScribeError
from service import audit
from service.jobs.claim import Claim, release, settle
from service.jobs.summary import finding_rows, levels_summary
from service.jobs.sweep import fail_ended
from service.services import Services
from service.store import Blob
from service.store.base import now
from service.store.tables import Job, ReadingFile, ReportVersion, StoredReading, Study, StudyReport
from service.store.words import JobState, ReportStatus, StudyStatus
from service.studies.upkeep import lock_files

logger = logging.getLogger(__name__)

READING = "reading.json"
REPORT_PAGE = "report.html"
CANCELLED_CAUSE = "cancelled by the user"
_MEDIA_TYPES = {
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".png": "image/png",
    ".gz": "application/gzip",
}


@dataclass(frozen=True)
class Outcome:
    """What the reading process tells of a finished reading beside its files.

    Attributes:
        writer: Who wrote the text.
        alert: What stands above the report; None for nothing.
        is_critical: Whether a finding should be looked at first.
        seconds: Stage -> seconds.
    """

    writer: str
    alert: str | None
    is_critical: bool
    seconds: dict[str, float]


def finish_reading(services: Services, held: Claim, folder: Path, outcome: Outcome) -> bool:
    """Keep the files of a reading and write all its rows.

    Returns:
        False when the job is somebody else's by now; then nothing was written.
    """
    document = json.loads((folder / READING).read_text(encoding="utf-8"))
    files = sorted(file for file in folder.iterdir() if file.is_file())
    kept = {file.name: services.blobs.put_file(file) for file in files}
    with services.database.begin() as session:
        if not settle(session, held, JobState.DONE):
            return False
        lock_files(session)
        for file in files:
            if not services.blobs.path(kept[file.name].sha256).is_file():  # removed with a study of equal files
                services.blobs.put_file(file)
        reading = _add_reading(session, held, document, outcome, kept)
        if session.get(StudyReport, held.study_id) is None:
            _add_first(session, reading, outcome)
        _tell(session, held, reading, outcome)
    return True


def finish_without(
    services: Services, held: Claim, *, job: JobState, study: StudyStatus, code: str, message: str
) -> bool:
    """End a job that has no reading; a study that was read before stays as it is.

    Returns:
        False when the job is somebody else's by now.
    """
    with services.database.begin() as session:
        if not settle(session, held, job, cause=message):
            return False
        row = session.get_one(Study, held.study_id)
        if row.status == StudyStatus.READING.value:
            row.status, row.finished_at = study.value, now()
            row.error_code, row.error_message = code, message
        details = {"job": held.job_id, "attempt": held.attempt, "code": code}
        verb = "reading.cancel" if job is JobState.CANCELLED else "reading.fail"
        audit.append(session, "system", verb, subject=f"study:{held.study_id}", details=details)
    return True


def retry_or_fail(services: Services, held: Claim) -> None:
    """Give a job whose process ended another attempt, or give it up after ``job_attempts``."""
    with services.database.begin() as session:
        if held.attempt < services.config.job_attempts:
            is_waiting = release(session, held, counts=True)
        else:
            is_waiting = False
            if settle(session, held, JobState.FAILED):
                job = session.get_one(Job, held.job_id)
                fail_ended(session, job, session.get_one(Study, held.study_id))
    if is_waiting:
        services.queue.put(held.job_id)


def give_back(services: Services, held: Claim) -> None:
    """Put a job back because the worker was asked to stop; the attempt does not count."""
    with services.database.begin() as session:
        is_waiting = release(session, held, counts=False)
    if is_waiting:
        services.queue.put(held.job_id)


def load_prior(services: Services, study_id: str | None) -> dict[str, Any] | None:
    """Return reading.json of an earlier study's first reading, or None when none is named or it is gone."""
    if study_id is None:
        return None
    with services.database.read() as session:
        report = session.get(StudyReport, study_id)
        return None if report is None else dict(report.reading.document)


def media_type(name: str) -> str:
    """Return the media type of a reading's file."""
    return _MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")


def _add_reading(
    session: Session, held: Claim, document: dict[str, Any], outcome: Outcome, kept: dict[str, Blob]
) -> StoredReading:
    reading = StoredReading(
        study_id=held.study_id, job_id=held.job_id, writer=outcome.writer[:80], document=document
    )
    reading.files = [
        ReadingFile(name=name, sha256=blob.sha256, bytes=blob.bytes, media_type=media_type(name))
        for name, blob in kept.items()
    ]
    session.add(reading)
    session.flush()
    return reading


def _add_first(session: Session, reading: StoredReading, outcome: Outcome) -> None:
    """Write what the first reading brings: the draft report, the study's own fields, the rows to filter by."""
    document = reading.document
    sections = document["report"]["sections"]
    study = session.get_one(Study, reading.study_id)
    study.status, study.finished_at = StudyStatus.READY.value, now()
    study.study_key, study.protocol = document["study"]["key"], document["study"]["protocol"]
    study.burden, study.burden_category = document["burden"]["score"], document["burden"]["category"]
    study.is_critical, study.alert = outcome.is_critical, outcome.alert
    study.levels_summary = levels_summary(document)
    study.error_code = study.error_message = None
    session.add_all(finding_rows(study.id, document))
    session.add(StudyReport(study_id=study.id, reading_id=reading.id, proposed=sections, current=sections))
    session.add(
        ReportVersion(
            study_id=study.id,
            version=1,
            status=ReportStatus.DRAFT.value,
            content={
                "reading_id": reading.id,
                "sections": sections,
                "decisions": [],
                "acknowledged": {},
                "signature": None,
            },
            what="drafted by the machine",
        )
    )


def _tell(session: Session, held: Claim, reading: StoredReading, outcome: Outcome) -> None:
    """Append the audit line: which models, rules and thresholds made the reading."""
    made = reading.document["provenance"]
    chance = reading.document["eligibility"].get("ood") or {}
    details = {
        "job": held.job_id,
        "attempt": held.attempt,
        "reading": reading.id,
        "writer": outcome.writer,
        "version": made["spinescribe"],
        "weights": made["weights"],
        "rules": made["prompts"],
        "thresholds": {"spine_likeness": chance.get("threshold")},
        "config_hash": made["config_hash"],
        "is_critical": outcome.is_critical,
    }
    audit.append(session, "system", "reading.finish", subject=f"study:{held.study_id}", details=details)


def outcome_of(answer: dict[str, Any]) -> Outcome:
    """Return the outcome that the reading process sent.

    Raises:
        SpineScribeError: If it is not one.
    """
    try:
        return Outcome(
            writer=str(answer["writer"]),
            alert=None if answer["alert"] is None else str(answer["alert"]),
            is_critical=bool(answer["is_critical"]),
            seconds={str(stage): float(value) for stage, value in answer["seconds"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpineScribeError("the reading process sent no outcome") from error
