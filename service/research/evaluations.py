"""Evaluations of the screen and the API: uploads in, figures and pages out, kept in the database and as blobs.

One runs in a process of its own (``supervision``), watched by a thread; a page asks the row how far it is. A row
that still says ``running`` long after its time is of a service that was stopped meanwhile: it is closed as failed.
"""

from __future__ import annotations

import json
import logging
import mimetypes
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePath
from typing import BinaryIO

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from evaluation.run import ALL
from evaluation.sources import TASKS as SINGLE_TASKS
from runtime.errors import SpineScribeError, StudyError
from service.accounts.actor import Actor
from service.audit.log import append
from service.errors import BusyError, InvalidError, NotFoundError, TooLargeError
from service.research.supervision import LIMITS, START_SECONDS, evaluate_isolated
from service.services import Services
from service.store.base import now
from service.store.tables import Evaluation
from service.store.words import JobState

logger = logging.getLogger(__name__)

TASKS = (*SINGLE_TASKS, ALL)
SUFFIXES = (".csv", ".jsonl", ".json", ".zip")
MAX_RUNNING = 2
"""At one time, over all users; own choice: readings need the processors."""

MAX_LISTED = 200
METRICS = "metrics.json"
_STALE = timedelta(seconds=LIMITS.seconds + START_SECONDS + 60.0)
_CHUNK = 2**20
_STOPPED = "the service was stopped while this ran; upload the files again"
_FAULT = "something went wrong on our side; the server's log says more"


@dataclass(frozen=True)
class Upload:
    """One uploaded file.

    Attributes:
        name: As the user's machine called it; only its ending is used.
        stream: Its bytes.
    """

    name: str
    stream: BinaryIO


def start_evaluation(
    services: Services, actor: Actor, task: str, predictions: Upload, references: Upload
) -> Evaluation:
    """Take two uploads and begin to evaluate.

    Returns:
        The row; its state is ``running``.

    Raises:
        InvalidError: If there is no such task, or a file is of another kind.
        TooLargeError: If a file is.
        BusyError: If enough are running.
    """
    if task not in TASKS:
        raise InvalidError(f"task: expected one of {', '.join(TASKS)}")
    endings = [
        _ending(side, upload.name) for side, upload in (("predictions", predictions), ("references", references))
    ]
    row = _open_row(services, actor, task)
    folder = _folder(services, row.id)
    try:
        folder.mkdir(parents=True)
        files = [
            _save(upload, folder / f"{side}{ending}")
            for side, upload, ending in zip(
                ("predictions", "references"), (predictions, references), endings, strict=True
            )
        ]
    except BaseException:
        _close(services, row.id, actor.name, cause="the upload was not taken")
        shutil.rmtree(folder, ignore_errors=True)
        raise
    threading.Thread(
        target=_run, args=(services, actor.name, row.id, task, *files), name="evaluation", daemon=True
    ).start()
    return row


def list_evaluations(services: Services, actor: Actor) -> Sequence[Evaluation]:
    """Return the actor's own evaluations, newest first."""
    with services.database.read() as session:
        is_settled = session.scalar(_left().limit(1)) is None
    if not is_settled:
        with services.database.begin() as session:
            _settle(services, session)
    with services.database.read() as session:
        chosen = select(Evaluation).where(Evaluation.user_id == actor.user_id).order_by(Evaluation.at.desc())
        return session.scalars(chosen.limit(MAX_LISTED)).all()


def get_evaluation(services: Services, actor: Actor, evaluation_id: str) -> Evaluation:
    """Return one of the actor's evaluations.

    Raises:
        NotFoundError: If there is none, or it is another's.
    """
    with services.database.read() as session:
        row = session.get(Evaluation, evaluation_id)
    if row is None or row.user_id != actor.user_id:
        raise NotFoundError("there is no such evaluation, or it is not yours to see")
    return row


def evaluation_file(services: Services, actor: Actor, evaluation_id: str, name: str) -> tuple[bytes, str, str]:
    """Return a file of an evaluation: its bytes, media type and SHA-256.

    Raises:
        NotFoundError: If there is none of that name.
    """
    told = get_evaluation(services, actor, evaluation_id).files.get(name)
    if told is None:
        raise NotFoundError("this evaluation has no such file")
    return services.blobs.read(told["sha256"]), told["media_type"], told["sha256"]


def _ending(side: str, name: str) -> str:
    ending = PurePath(name.replace("\\", "/")).suffix.lower()
    if ending not in SUFFIXES:
        raise InvalidError(f"{side}: expected a file ending in {', '.join(SUFFIXES)}")
    return ending


def _open_row(services: Services, actor: Actor, task: str) -> Evaluation:
    with services.database.begin() as session:
        _settle(services, session)
        running = select(func.count()).where(Evaluation.state == JobState.RUNNING.value)
        if (session.scalar(running) or 0) >= MAX_RUNNING:
            raise BusyError(f"{MAX_RUNNING} evaluations are running; try again in a minute", retry_after_s=60)
        row = Evaluation(user_id=actor.user_id, task=task, state=JobState.RUNNING.value)
        session.add(row)
        session.flush()
        append(session, actor.name, "evaluation.start", subject=f"evaluation:{row.id}", details={"task": task})
    return row


def _save(upload: Upload, file: Path) -> Path:
    size = 0
    with file.open("xb") as sink:
        while chunk := upload.stream.read(_CHUNK):
            size += len(chunk)
            if size > LIMITS.file_bytes:
                raise TooLargeError(f"expected at most {LIMITS.file_bytes // 2**20} MiB in a file, got more")
            sink.write(chunk)
    if size == 0:
        raise InvalidError(f"{file.stem}: expected a file, got an empty one")
    return file


def _run(services: Services, actor: str, row_id: str, task: str, predictions: Path, references: Path) -> None:
    """Evaluate and close the row, whatever comes."""
    try:
        files = evaluate_isolated(task, predictions, references, cache=services.config.work_dir / "matplotlib")
        _close(services, row_id, actor, files=files)
    except StudyError as error:
        _close(services, row_id, actor, cause=str(error))
    except SpineScribeError as error:
        logger.error("evaluation %s: %s", row_id, error)
        _close(services, row_id, actor, cause=_FAULT)
    except Exception:
        logger.exception("evaluation %s failed", row_id)
        _close(services, row_id, actor, cause=_FAULT)
    finally:
        shutil.rmtree(predictions.parent, ignore_errors=True)


def _close(
    services: Services, row_id: str, actor: str, *, files: dict[str, Path] | None = None, cause: str | None = None
) -> None:
    """Write how an evaluation ended, with its files or its cause."""
    state = JobState.FAILED if files is None else JobState.DONE
    kept = {name: _kept(services, name, file) for name, file in (files or {}).items()}
    metrics = {} if files is None else json.loads(files[METRICS].read_text(encoding="utf-8"))
    with services.database.begin() as session:
        row = session.get_one(Evaluation, row_id)
        if row.state != JobState.RUNNING.value:
            return
        row.state, row.cause, row.files, row.metrics = state.value, cause, kept, metrics
        row.finished_at = now()
        append(session, actor, "evaluation.finish", subject=f"evaluation:{row_id}", details={"state": state.value})


def _kept(services: Services, name: str, file: Path) -> dict[str, str | int]:
    blob = services.blobs.put_file(file)
    kind = {".md": "text/markdown"}.get(file.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    return {"sha256": blob.sha256, "bytes": blob.bytes, "media_type": kind}


def _settle(services: Services, session: Session) -> None:
    """Close rows of a service that was stopped."""
    for row in session.scalars(_left()).all():
        row.state, row.cause, row.finished_at = JobState.FAILED.value, _STOPPED, now()
        append(
            session, "system", "evaluation.finish", subject=f"evaluation:{row.id}", details={"state": row.state}
        )
        shutil.rmtree(_folder(services, row.id), ignore_errors=True)


def _left() -> Select[Evaluation]:
    """Return the rows that say ``running`` long after their time."""
    return select(Evaluation).where(Evaluation.state == JobState.RUNNING.value, Evaluation.at < now() - _STALE)


def _folder(services: Services, row_id: str) -> Path:
    return services.config.work_dir / f"evaluation-{row_id}"
