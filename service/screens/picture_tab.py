"""The tab "Try a picture": one upload, read as every study is, with overlay, grades and draft on one page.

The study goes through the same upload wall, queue and worker as from the worklist and stays there as the user's
own; what is more (slices, decisions, signature) is in its reading room, one link away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr
from pydantic import ValidationError
from sqlalchemy.orm import Session

from anatomy import protocol_names
from reporting import NOTICE
from runtime.errors import SpineScribeError
from service.accounts.actor import Actor
from service.api.schemas.studies import UploadFields
from service.errors import InvalidError, TooLargeError
from service.screens import tables
from service.screens.users import actor_of
from service.services import Services
from service.store.tables import ReadingFile, StoredReading
from service.store.words import StudyStatus
from service.studies.accept import Incoming, accept_study
from service.studies.access import open_study
from service.studies.kinds import HEAD, check_head, suffix_of
from service.studies.records import StudyOut, study_records
from service.studies.samples import sample_study

FILE_TYPES = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".gz", ".zip", ".dcm"]
_AUTO = "auto"
_POLL_S = 0.5
_WAITING = (StudyStatus.QUEUED.value, StudyStatus.READING.value)
_FIRST_FILES = {"report.md": 0, "report.html": 1, "reading.json": 2, "overlay.png": 3}

Shown = dict[Any, Any]


@dataclass(frozen=True)
class _Widgets:
    """What a handler reads or writes."""

    upload: gr.File
    spacing: gr.Textbox
    protocol: gr.Dropdown
    read: gr.Button
    sample: gr.Button
    study: gr.State
    status: gr.HTML
    room: gr.HTML
    overlay: gr.HTML
    draft: gr.HTML
    only_abnormal: gr.Checkbox
    grades: gr.Dataframe
    files: gr.HTML

    @property
    def all(self) -> list[Any]:
        """Return every widget."""
        return [getattr(self, field.name) for field in fields(self)]


def build_picture_tab(services: Services) -> None:
    """Lay out the tab and connect it."""
    w = _lay_out()

    def read(path: str | None, spacing: str, protocol: str, request: gr.Request) -> Iterator[Shown]:
        try:
            if not path:
                raise InvalidError("Choose a file first: a picture, a NIfTI file or a zip of DICOM.")
            actor = actor_of(services, request)
            yield {w.upload: None, **_cleared(w)}
            yield from _follow(services, w, actor, _accept_upload(services, actor, Path(path), spacing, protocol))
        except SpineScribeError as error:
            yield {w.status: tables.error_html(str(error))}

    def read_sample(protocol: str, request: gr.Request) -> Iterator[Shown]:
        try:
            actor = actor_of(services, request)
            yield {w.status: tables.status_html("Making a sample study"), **_cleared(w)}
            yield from _follow(services, w, actor, _accept_sample(services, actor, protocol))
        except SpineScribeError as error:
            yield {w.status: tables.error_html(str(error))}

    def filter_grades(study_id: str, only_abnormal: bool, request: gr.Request) -> list[list[str]]:
        if not study_id:
            return []
        with services.database.read() as session:
            open_study(session, actor_of(services, request), study_id)
            document = _first_reading(session, study_id).document
        return tables.grade_rows(document, only_abnormal=only_abnormal)

    w.read.click(read, [w.upload, w.spacing, w.protocol], w.all, api_visibility="private", concurrency_limit=8)
    w.sample.click(read_sample, [w.protocol], w.all, api_visibility="private", concurrency_limit=8)
    w.only_abnormal.change(filter_grades, [w.study, w.only_abnormal], w.grades, api_visibility="private")


def _lay_out() -> _Widgets:
    gr.HTML(f'<div class="notice" role="note">{NOTICE}</div>')
    study = gr.State("")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            upload = gr.File(
                label="Study: picture, NIfTI, or zip of DICOM", file_types=FILE_TYPES, type="filepath", height=132,
                elem_id="picture",
            )  # fmt: skip
        with gr.Column(scale=1, min_width=220):
            spacing = gr.Textbox(
                label="Pixel spacing of a picture, mm", placeholder="0.625 or row,column", elem_id="spacing"
            )
            protocol = gr.Dropdown([_AUTO, *protocol_names()], value=_AUTO, label="Protocol", elem_id="protocol")
        with gr.Column(scale=1, min_width=180):
            read = gr.Button("Read the study", variant="primary", elem_id="read")
            sample = gr.Button("Read a sample study", elem_id="sample")
    status = gr.HTML(tables.status_html("No study yet."), elem_id="status")
    room = gr.HTML("", elem_id="room")
    with gr.Row():
        with gr.Column(scale=5, min_width=360):
            overlay = gr.HTML("", elem_id="overlay")
        with gr.Column(scale=6, min_width=420):
            with gr.Tab("Draft report"):
                draft = gr.HTML("", elem_id="draft")
            with gr.Tab("Grades"):
                only_abnormal = gr.Checkbox(False, label="Only abnormal or not assessable", elem_id="abnormal")
                grades = gr.Dataframe(
                    headers=tables.GRADE_HEADERS, interactive=False, wrap=True, max_height=560, elem_id="grades"
                )
            with gr.Tab("Downloads"):
                files = gr.HTML("", elem_id="files")
    return _Widgets(
        upload, spacing, protocol, read, sample, study, status, room, overlay, draft, only_abnormal, grades, files
    )


def _cleared(w: _Widgets) -> Shown:
    return {w.study: "", w.room: "", w.overlay: "", w.draft: "", w.grades: [], w.files: ""}


def _accept_upload(services: Services, actor: Actor, file: Path, spacing: str, protocol: str) -> str:
    """Take an upload into the queue and return the study's id; Gradio's own copy is removed."""
    try:
        options = UploadFields(spacing=spacing, protocol=protocol).model_dump(
            include={"spacing", "protocol", "writer"}
        )
        suffix = suffix_of(file.name)
        if file.stat().st_size > services.config.max_upload_bytes:
            raise TooLargeError(
                f"the file is larger than the {services.config.max_upload_bytes // 2**20} MB taken"
            )
        with file.open("rb") as stream:
            check_head(stream.read(HEAD), suffix)
        incoming = Incoming(blob=services.blobs.put_file(file), suffix=suffix, options=options)
    except ValidationError as error:
        raise InvalidError("; ".join(item["msg"] for item in error.errors())) from error
    finally:
        file.unlink(missing_ok=True)
    return accept_study(services, actor, incoming)


def _accept_sample(services: Services, actor: Actor, protocol: str) -> str:
    chosen = protocol if protocol in protocol_names() else protocol_names()[0]
    if "lumbar" in protocol_names() and protocol == _AUTO:
        chosen = "lumbar"
    incoming = Incoming(
        blob=services.blobs.put_file(sample_study(services.config, chosen)),
        suffix=".zip",
        options={"protocol": _AUTO, "spacing": "", "writer": ""},
        label=f"Sample, {chosen}",
        is_sample=True,
    )
    return accept_study(services, actor, incoming)


def _follow(services: Services, w: _Widgets, actor: Actor, study_id: str) -> Iterator[Shown]:
    """Yield how far the study is until it is read, then what was read."""
    while True:
        with services.database.read() as session:
            record = study_records(session, [open_study(session, actor, study_id)])[0]
            if record.status == StudyStatus.READY.value:
                yield {w.study: study_id, **_shown(w, record, _first_reading(session, study_id))}
                return
        if record.status not in _WAITING:
            yield {w.status: tables.error_html(_why_not(record)), w.room: _room_html(study_id)}
            return
        yield {w.status: _progress_html(record)}
        time.sleep(_POLL_S)


def _progress_html(record: StudyOut) -> str:
    job = record.job
    if job is None or job.queue_position is not None:
        place = "" if job is None else f", place {job.queue_position} in the queue"
        return tables.status_html(f"Waiting{place}", 0.0)
    return tables.status_html(job.message or job.stage, job.fraction)


def _why_not(record: StudyOut) -> str:
    if record.error is not None:
        return record.error.message
    return f"The study is {record.status}."


def _first_reading(session: Session, study_id: str) -> StoredReading:
    return (
        session.query(StoredReading).filter_by(study_id=study_id).order_by(StoredReading.created_at).limit(1).one()
    )


def _shown(w: _Widgets, record: StudyOut, reading: StoredReading) -> Shown:
    files = sorted(reading.files, key=lambda file: (_FIRST_FILES.get(file.name, 9), file.name))
    names = [file.name for file in files]
    overlay = tables.picture_html(
        _file_address(reading.id, "overlay.png"), "Slice with structures and level names"
    )
    return {
        w.status: tables.summary_html(reading.document, record.alert),
        w.room: _room_html(record.id),
        w.overlay: overlay if "overlay.png" in names else "",
        w.draft: tables.sentences_html(reading.document),
        w.grades: tables.grade_rows(reading.document),
        w.only_abnormal: False,
        w.files: tables.list_html(_file_link(reading.id, file) for file in files),
    }


def _room_html(study_id: str) -> str:
    return tables.link_html(f"/read/{study_id}", "Open it in the reading room")


def _file_address(reading_id: str, name: str) -> str:
    return f"{tables.API}/readings/{reading_id}/files/{name}"


def _file_link(reading_id: str, file: ReadingFile) -> str:
    words = f"{file.name} ({max(1, file.bytes // 1024)} KiB)"
    return tables.link_html(_file_address(reading_id, file.name), words, is_download=True)
