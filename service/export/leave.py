"""Letting a report out: read at one moment, written in the format asked for, told to the audit log."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from reporting.export.content import RESEARCH_USE, Outgoing
from service.accounts.actor import Actor
from service.audit import append
from service.export.gather import gather
from service.export.isolated import export_isolated
from service.export.make import NO_IMAGES, make_export
from service.export.request import Answer, Format, Request
from service.review.case import Case
from service.review.change import content_of
from service.review.provenance import provenance_of
from service.review.rows import dump_sections
from service.services import Services
from service.store.words import ReportStatus

SCHEMA = "spinescribe.report-export/1"
_CHUNK = 2**20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Exported:
    """A report that may be handed out.

    Attributes:
        name: File name: study key and version, nothing a user typed.
        media_type: Media type.
        status: Status of the report in it.
        stream: The bytes: in memory, or a file without a name that closing removes.
        size: How many.
    """

    name: str
    media_type: str
    status: ReportStatus
    stream: IO[bytes]
    size: int

    @property
    def content(self) -> bytes:
        """Return all bytes."""
        self.stream.seek(0)
        return self.stream.read()

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in pieces and close the file at the end, also when the reader went away."""
        with self.stream:
            self.stream.seek(0)
            yield from iter(lambda: self.stream.read(_CHUNK), b"")


def export_report(services: Services, actor: Actor, study_id: str, kind: Format) -> Exported:
    """Return a report as it stands, and write to the audit log that it left.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
        InvalidError: If the format needs DICOM and the study is none, or its upload is not kept.
        BusyError: If too many exports are made at one time.
        StudyError: If the study cannot be read again.
    """
    case, request = gather(services, actor, study_id, kind)
    answer, stream = _made(services, request, case)
    try:
        _tell(services, actor, case, kind, answer, stream)
    except BaseException:
        stream.close()
        raise
    return Exported(answer.name, answer.media_type, case.status, stream, stream.seek(0, io.SEEK_END))


def _made(services: Services, request: Request, case: Case) -> tuple[Answer, IO[bytes]]:
    """Make the file: in a process of its own when the upload is opened."""
    if request.source is not None:
        answer, file = export_isolated(request, services.config.work_dir)
        if NO_IMAGES in answer.left_out:
            logger.warning("an export of study %s left without its images", request.outgoing.study_key)
        return answer, file
    stream = io.BytesIO()
    if request.kinds == (Format.JSON,):
        stream.write((json.dumps(_plain(request.outgoing, case), indent=2, ensure_ascii=False) + "\n").encode())
        return Answer(f"{request.outgoing.stem}.json", "application/json", {}), stream
    return make_export(request, stream), stream


def _tell(services: Services, actor: Actor, case: Case, kind: Format, answer: Answer, stream: IO[bytes]) -> None:
    stream.seek(0)
    digest = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
    details: dict[str, Any] = {
        "format": kind.value, "status": case.status.value, "version": case.version, "sha256": digest,
    }  # fmt: skip
    if answer.left_out:
        details["left_out"] = sorted(answer.left_out)
    with services.database.begin() as session:
        append(
            session,
            actor.name,
            "report.export",
            subject=f"study:{case.study_id}",
            details={**details, **provenance_of(case)},
        )


def _plain(outgoing: Outgoing, case: Case) -> dict[str, Any]:
    """Return all of a report as data: what stands, what the machine proposed, what was decided, what made it."""
    content = content_of(case)
    users = {item["user_id"] for item in content["decisions"]} | set(content["acknowledged"].values())
    users |= set() if case.signature is None else {case.signature.user_id}
    return {
        "schema": SCHEMA,
        "mark": outgoing.mark,
        "notice": RESEARCH_USE,
        "study_key": outgoing.study_key,
        "status": outgoing.status.value,
        "version": outgoing.version,
        "standing": outgoing.standing,
        "report": content,
        "names": {user: case.name(user) for user in sorted(users)},
        "proposed": dump_sections(case.proposed),
        "findings": [grade.to_dict() for grade in outgoing.findings.grades],
        "burden": outgoing.findings.burden.to_dict(),
        "machine_findings": list(case.document["grades"]),
        "provenance": dict(outgoing.provenance),
    }
