"""How far studies are, for all browsers that watch: one query a second, however many watch.

Whoever finds the state too old asks the database for all that are watched; the others wait for that answer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import select
from starlette.concurrency import run_in_threadpool

from service.store import Database
from service.store.tables import Study
from service.store.words import JobState
from service.studies.records import latest_jobs

POLL_S = 1.0
COMMENT_S = 15.0
"""A line that says nothing is sent so often, so that no proxy takes the connection for dead."""

LONGEST_S = 1800.0
"""After so long the stream ends without ``done``; a browser that still watches connects again."""

_OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)
State = dict[str, Any]


class ProgressBoard:
    """The state of the studies that are watched.

    Args:
        database: Where it is read from.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: Counter[str] = Counter()
        self._states: dict[str, State] = {}
        self._read_at = 0.0
        self._lock = asyncio.Lock()

    @contextmanager
    def watch(self, study_id: str) -> Iterator[None]:
        """Have a study's state kept as long as the context is open; what was known of it before counts no more."""
        self._watched[study_id] += 1
        self._states.pop(study_id, None)
        try:
            yield
        finally:
            self._watched -= Counter([study_id])

    async def state(self, study_id: str) -> State | None:
        """Return the state of a watched study, at most ``POLL_S`` old; None when it was deleted."""
        async with self._lock:
            if time.monotonic() - self._read_at >= POLL_S:
                self._states = await run_in_threadpool(self._read, list(self._watched))
                self._read_at = time.monotonic()
            elif study_id not in self._states:
                self._states |= await run_in_threadpool(self._read, [study_id])
        return self._states.get(study_id)

    def _read(self, study_ids: list[str]) -> dict[str, State]:
        with self._database.read() as session:
            statuses = session.execute(select(Study.id, Study.status).where(Study.id.in_(study_ids))).all()
            jobs = latest_jobs(session, study_ids)
        states = {}
        for study_id, status in statuses:
            job = jobs.get(study_id)
            states[study_id] = {
                "status": status,
                "state": None if job is None else job.state,
                "stage": "" if job is None else job.stage,
                "fraction": 0.0 if job is None else job.fraction,
                "message": "" if job is None else job.message,
                "queue_position": None if job is None else job.queue_position,
            }
        return states


async def progress_events(board: ProgressBoard, study_id: str) -> AsyncIterator[str]:
    """Yield server-sent events: ``progress`` with each change, and ``done`` when nothing waits or runs."""
    sent: State | None = None
    began = spoken = time.monotonic()
    with board.watch(study_id):
        while time.monotonic() - began < LONGEST_S:
            state = await board.state(study_id)
            if state is None:
                yield "event: done\ndata: null\n\n"
                return
            if state != sent:
                yield _event("progress", state)
                sent, spoken = state, time.monotonic()
            if state["state"] not in _OPEN:
                yield _event("done", state)
                return
            if time.monotonic() - spoken >= COMMENT_S:
                yield ": still here\n\n"
                spoken = time.monotonic()
            await asyncio.sleep(POLL_S)


def _event(name: str, state: State) -> str:
    return f"event: {name}\ndata: {json.dumps(state)}\n\n"
