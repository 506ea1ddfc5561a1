"""Files that no row names any more: removed with their study, and those that a crash left behind.

A file is named by a row only after it was kept, and removed only when no row names it. Both happen in transactions
that wait for each other (``lock_files``); who is about to name a file checks there that it is still on the disk.
"""

from __future__ import annotations

import logging
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from service.services import Services
from service.store.blobs import INCOMING
from service.store.tables import Evaluation, Job, ReadingFile, Study
from service.store.words import JobState

logger = logging.getLogger(__name__)

_LOCK = 0x46494C4553  # PostgreSQL; SQLite has one writer anyway
_NAME = re.compile(r"[0-9a-f]{64}")
_LEFT_ALONE_S = 6 * 3600.0
_BATCH = 500
WORK_PREFIX = "job-"
"""How the folders of readings under way begin, in ``work_dir``: ``job-<job>-<attempt>``."""


def lock_files(session: Session) -> None:
    """Wait for all others who name or remove kept files, until this transaction ends."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def remove_unnamed(services: Services, names: Iterable[str]) -> int:
    """Remove kept files that no row names; return how many."""
    with services.database.begin() as session:
        lock_files(session)
        orphans = unnamed(session, names)
        for name in orphans:
            services.blobs.remove(name)
    return len(orphans)


def unnamed(session: Session, names: Iterable[str]) -> set[str]:
    """Return those of some kept files that no row names."""
    left = set(names)
    for column in (Study.upload_sha256, ReadingFile.sha256):
        for part in batched(sorted(left)):
            left -= set(session.scalars(select(column).where(column.in_(part))))
    for files in session.scalars(select(Evaluation.files)):
        left -= set(_names_in(files))
    return left


def clean_up(services: Services, *, left_alone_s: float = _LEFT_ALONE_S) -> None:
    """Remove what a crash left behind: files that no row names, halves of uploads, folders of ended readings.

    Args:
        services: The open service.
        left_alone_s: What is younger may belong to something under way.
    """
    before = time.time() - left_alone_s
    for file in services.config.blob_dir.glob(f"{INCOMING}*"):
        if _written_at(file) < before:
            file.unlink(missing_ok=True)
    old = [name for name in services.blobs.names() if _written_at(services.blobs.path(name)) < before]
    with services.database.read() as session:
        orphans = unnamed(session, old)
    if orphans and (removed := remove_unnamed(services, orphans)):
        logger.warning("%d kept files that nothing names were removed", removed)
    _remove_work(services)


def _remove_work(services: Services) -> None:
    with services.database.read() as session:
        running = select(Job.id, Job.attempt).where(Job.state == JobState.RUNNING.value)
        kept = {f"{WORK_PREFIX}{job_id}-{attempt}" for job_id, attempt in session.execute(running)}
    for folder in services.config.work_dir.glob(f"{WORK_PREFIX}*"):
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)


def batched(names: list[str]) -> Iterator[list[str]]:
    """Yield names in parts that fit into one statement."""
    for start in range(0, len(names), _BATCH):
        yield names[start : start + _BATCH]


def _written_at(file: Path) -> float:
    """Return when a file was written, in seconds; now for one that is gone."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return time.time()


def _names_in(value: Any) -> Iterator[str]:
    """Yield every SHA-256 in plain data."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _names_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _names_in(item)
