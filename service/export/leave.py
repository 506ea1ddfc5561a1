"""Letting a report out: read at one moment, written in the format asked for, told to the audit log."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reporting.export.content import RESEARCH_USE, Outgoing
from reporting.export.text import to_html, to_markdown
from service.accounts.actor import Actor
from service.audit import append
from service.export.content import build_outgoing
from service.review.case import Case, load_case
from service.review.change import content_of
from service.review.provenance import provenance_of
from service.review.rows import dump_sections
from service.services import Services
from service.store.tables import ReadingFile
from service.store.words import ReportStatus

SCHEMA = "spinescribe.report-export/1"
_OVERLAY = "overlay.png"


class Format(StrEnum):
    """What a report can leave as."""

    MARKDOWN = "md"
    HTML = "html"
    PDF = "pdf"
    JSON = "json"


_MEDIA = {
    Format.MARKDOWN: "text/markdown; charset=utf-8",
    Format.HTML: "text/html; charset=utf-8",
    Format.PDF: "application/pdf",
    Format.JSON: "application/json",
}


@dataclass(frozen=True)
class Exported:
    """A report that may be handed out.

    Attributes:
        name: File name: study key and version, nothing a user typed.
        media_type: Media type.
        content: Bytes.
        status: Status of the report in them.
    """

    name: str
    media_type: str
    content: bytes
    status: ReportStatus


def export_report(services: Services, actor: Actor, study_id: str, kind: Format) -> Exported:
    """Return a report as it stands, and write to the audit log that it left.

    Raises:
        NotFoundError: If there is none, or the actor may not see it.
    """
    with services.database.read() as session:
        case = load_case(session, actor, study_id)
        overlay = _overlay_sha256(session, case.reading_id)
    needs_picture = overlay is not None and kind in (Format.HTML, Format.PDF)
    picture = services.blobs.read(overlay) if needs_picture and overlay is not None else None
    outgoing = build_outgoing(case, picture)
    content = _content(outgoing, case, kind)
    digest = hashlib.sha256(content).hexdigest()
    details = {"format": kind.value, "status": case.status.value, "version": case.version, "sha256": digest}
    with services.database.begin() as session:
        append(
            session,
            actor.name,
            "report.export",
            subject=f"study:{study_id}",
            details={**details, **provenance_of(case)},
        )
    return Exported(_name(outgoing, kind), _MEDIA[kind], content, case.status)


def _content(outgoing: Outgoing, case: Case, kind: Format) -> bytes:
    if kind is Format.MARKDOWN:
        return to_markdown(outgoing).encode()
    if kind is Format.HTML:
        return to_html(outgoing).encode()
    if kind is Format.PDF:
        from reporting.export.pdf import to_pdf

        return to_pdf(outgoing)
    return (json.dumps(_plain(outgoing, case), indent=2, ensure_ascii=False) + "\n").encode()


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


def _name(outgoing: Outgoing, kind: Format) -> str:
    key = "".join(sign for sign in outgoing.study_key if sign.isalnum() and sign.isascii())
    draft = "draft-" if outgoing.mark else ""
    return f"report-{draft}{key}-v{outgoing.version}.{kind.value}"


def _overlay_sha256(session: Session, reading_id: str) -> str | None:
    query = select(ReadingFile.sha256).where(ReadingFile.reading_id == reading_id, ReadingFile.name == _OVERLAY)
    return session.scalar(query)
