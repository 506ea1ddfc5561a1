"""Processes that stop at a chosen point and wait to be killed, as by the system, with no chance to tidy up."""

import logging
import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event
from typing import Any

from service.config import ServiceConfig
from service.jobs import attempt, finish, worker
from service.jobs.worker import run_worker
from service.services import Services
from service.store.blobs import BlobStore
from service.studies import accept as accepting
from tests.service.jobs.steps import ONCE, accept

POINTS = ("before claim", "after claim", "between files", "before commit", "after commit")


def start(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process whose imports are done already."""
    context: ForkServerContext = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.service.jobs.killable"])
    process = context.Process(target=target, args=arguments)
    process.start()
    return process


def kill(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def run_until_killed(config: ServiceConfig, point: str, marker: Path) -> None:
    """Run a worker that writes ``marker`` and waits when it comes to a point; no point: it runs on."""
    logging.disable(logging.WARNING)
    _pause_at(point, marker)
    run_worker(Services.open(config), stop=Event(), options=ONCE)


def accept_until_killed(config: ServiceConfig, actor: Any, content: bytes, point: str, marker: Path) -> None:
    """Accept an upload as the server does, up to a point."""
    logging.disable(logging.WARNING)
    services = Services.open(config)
    if point == "before commit":
        accepting.audit.append = _then_pause(accepting.audit.append, marker)
    else:
        type(services.queue).put = _pause(marker)  # type: ignore[method-assign]
    accept(services, actor, content)


def _pause_at(point: str, marker: Path) -> None:
    if point == "before claim":
        worker.claim = _pause(marker)
    elif point == "after claim":
        worker.claim = _then_pause(worker.claim, marker)
    elif point == "between files":
        BlobStore.put_file = _then_pause(BlobStore.put_file, marker)  # type: ignore[method-assign]
    elif point == "before commit":
        finish._tell = _then_pause(finish._tell, marker)
    elif point == "after commit":
        attempt.finish_reading = _then_pause(attempt.finish_reading, marker)


def _pause(marker: Path) -> Any:
    def pause(*_arguments: Any, **_words: Any) -> None:
        marker.touch()
        time.sleep(600)

    return pause


def _then_pause(function: Any, marker: Path) -> Any:
    def run(*arguments: Any, **words: Any) -> Any:
        result = function(*arguments, **words)
        if result is not None or function.__name__ in ("_tell",):
            marker.touch()
            time.sleep(600)
        return result

    return run
