"""One attempt at one job: have it read, watch time, memory and the user's wish to stop, write what came of it."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from threading import Event
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from runtime.errors import SpineScribeError
from runtime.progress import Progress
from service.jobs.child import FAULT_WORDS, NOT_ELIGIBLE, STUDY
from service.jobs.claim import Claim, Order, beat
from service.jobs.finish import (
    CANCELLED_CAUSE,
    finish_reading,
    finish_without,
    give_back,
    load_prior,
    outcome_of,
    retry_or_fail,
)
from service.jobs.process import ProcessEndedError, ReadingProcess
from service.services import Services
from service.store.words import JobState, StudyStatus
from service.studies.upkeep import WORK_PREFIX

logger = logging.getLogger(__name__)

_HEAR_S = 0.1
_BEATS_PER_LEASE = 10
_LONGEST_BEAT_S = 1.0
_MEASURE_S = 0.5


class Stop(Enum):
    """Why the worker ended a reading before it was done."""

    CANCELLED = auto()
    TIME = auto()
    MEMORY = auto()
    LOST = auto()
    ENDED = auto()
    ASKED = auto()


@dataclass
class Attempt:
    """A reading under way.

    Attributes:
        services: The open service.
        held: The claim.
        process: Who reads.
        stop: Set when the worker is to end.
        pulse: Called a few times a second; the worker's own sign of life.
    """

    services: Services
    held: Claim
    process: ReadingProcess
    stop: Event
    pulse: Callable[[], None]
    _progress: Progress | None = None
    _began: float = field(default_factory=time.monotonic)
    _beaten: float = 0.0
    _measured: float = 0.0

    def run(self) -> None:
        """Read, and write what came of it; the folder of the attempt is removed whatever happens."""
        folder = self.services.config.work_dir / f"{WORK_PREFIX}{self.held.job_id}-{self.held.attempt}"
        try:
            self._settle(self._read(folder), folder)
        except BaseException:
            self.process.kill()  # its answer must not be taken for one to the next request
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _read(self, folder: Path) -> dict[str, Any] | Stop:
        """Return the reading process's last answer, or why it was stopped."""
        source = folder / f"study{self.held.upload_suffix}"
        results = folder / "reading"
        shutil.rmtree(folder, ignore_errors=True)
        results.mkdir(parents=True)
        try:
            _place(self.services.blobs.path(self.held.upload_sha256), source)
        except FileNotFoundError:
            logger.error("job %s: the upload of its study is missing from the kept files", self.held.job_id)
            return {"error": {"kind": "fault", "code": "upload_missing", "message": FAULT_WORDS}}
        options = {**self.held.options, "prior": load_prior(self.services, self.held.prior_study_id)}
        try:
            self.process.ask(source, results, options)
            answer = self._watch()
        except ProcessEndedError:
            answer = Stop.ENDED
        if isinstance(answer, Stop):
            self.process.kill()
        return answer

    def _watch(self) -> dict[str, Any] | Stop:
        while True:
            answer = self.process.hear(_HEAR_S)
            if answer is not None and "progress" not in answer:
                return answer
            is_new_stage = self._note(answer)
            self.pulse()
            stop = self._must_stop(is_new_stage)
            if stop is not None:
                return stop

    def _note(self, answer: dict[str, Any] | None) -> bool:
        """Keep the progress for the next beat; return whether it is a new stage."""
        if answer is None:
            return False
        stage, fraction, message = answer["progress"]
        is_new = self._progress is None or self._progress.stage != stage
        self._progress = Progress(str(stage), float(fraction), str(message))
        return is_new

    def _must_stop(self, is_new_stage: bool) -> Stop | None:
        clock = time.monotonic()
        if self.stop.is_set():
            return Stop.ASKED
        if clock - self._began > self.services.config.job_timeout_s:
            return Stop.TIME
        if clock - self._measured >= _MEASURE_S:
            self._measured = clock
            if self.process.memory_bytes() > self.services.config.job_memory_mb * 2**20:
                return Stop.MEMORY
        every_s = min(_LONGEST_BEAT_S, self.services.config.lease_s / _BEATS_PER_LEASE)
        if is_new_stage or clock - self._beaten >= every_s:
            self._beaten = clock
            return self._beat()
        return None

    def _beat(self) -> Stop | None:
        try:
            order = beat(self.services, self.held, self._progress)
        except SQLAlchemyError as error:
            logger.warning("job %s: %s; the reading goes on", self.held.job_id, type(error).__name__)
            return None
        return {Order.CANCEL: Stop.CANCELLED, Order.LET_GO: Stop.LOST}.get(order)

    def _settle(self, answer: dict[str, Any] | Stop, folder: Path) -> None:
        if isinstance(answer, Stop):
            self._settle_stop(answer)
        elif "done" in answer:
            self._settle_done(answer["done"], folder / "reading")
        else:
            self._settle_error(answer["error"])

    def _settle_done(self, told: dict[str, Any], folder: Path) -> None:
        if beat(self.services, self.held) is Order.CANCEL:
            self._settle_stop(Stop.CANCELLED)
            return
        try:
            is_kept = finish_reading(self.services, self.held, folder, outcome_of(told))
        except (SpineScribeError, KeyError, ValueError, OSError) as error:
            kind = type(error).__name__
            logger.error("job %s: its reading could not be kept (%s)", self.held.job_id, kind, exc_info=error)
            self._settle_error({"kind": "fault", "code": "internal", "message": FAULT_WORDS})
            return
        if not is_kept:
            self._settle_stop(Stop.LOST)

    def _settle_error(self, error: dict[str, Any]) -> None:
        status = StudyStatus.REFUSED if error["kind"] == NOT_ELIGIBLE else StudyStatus.FAILED
        code = error["code"] or (STUDY if error["kind"] == STUDY else "internal")
        self._end(JobState.FAILED, status, str(code)[:60], str(error["message"]))

    def _settle_stop(self, stop: Stop) -> None:
        config = self.services.config
        if stop is Stop.CANCELLED:
            self._end(JobState.CANCELLED, StudyStatus.CANCELLED, "cancelled", CANCELLED_CAUSE)
        elif stop is Stop.TIME:
            words = f"reading took longer than {config.job_timeout_s:g} seconds and was ended"
            self._end(JobState.FAILED, StudyStatus.FAILED, "time_limit", words)
        elif stop is Stop.MEMORY:
            words = f"reading took more than {config.job_memory_mb} MB of memory and was ended"
            self._end(JobState.FAILED, StudyStatus.FAILED, "memory_limit", words)
        elif stop is Stop.ENDED:
            logger.warning("job %s: the process that read it ended", self.held.job_id)
            retry_or_fail(self.services, self.held)
        elif stop is Stop.ASKED:
            give_back(self.services, self.held)
        else:
            logger.warning("job %s: given to another worker meanwhile", self.held.job_id)

    def _end(self, job: JobState, study: StudyStatus, code: str, message: str) -> None:
        finish_without(self.services, self.held, job=job, study=study, code=code, message=message)


def _place(kept: Path, source: Path) -> None:
    """Give the upload a name with its ending, without a copy where the file system can."""
    with suppress(OSError):
        os.link(kept, source)
        return
    shutil.copyfile(kept, source)
