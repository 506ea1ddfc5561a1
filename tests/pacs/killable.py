"""A listener in a process of its own that stops at a chosen point and waits to be killed."""

import logging
import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Event
from typing import Any

from service.config import ServiceConfig
from service.pacs import intake
from service.pacs.inbox import Delivery, Inbox
from service.pacs.listen import listen
from service.pacs.listener_config import ListenerConfig
from service.services import Services
from service.store import BlobStore

POINTS = ("taken", "zipped", "before commit", "after commit", "half removed")


def start(config: ServiceConfig, listener: ListenerConfig, point: str, folder: Path) -> tuple[BaseProcess, int]:
    """Start a listener; return its process and port. At ``point`` it writes the file ``there`` and waits."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.pacs.killable"])
    folder.mkdir()
    process = context.Process(target=_run, args=(config, listener, point, folder))
    process.start()
    wait_for(folder / "port")
    return process, int((folder / "port").read_text())


def kill(process: BaseProcess) -> None:
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()


def wait_for(file: Path, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, f"{file.name} did not come in time"
        time.sleep(0.02)


def _run(config: ServiceConfig, listener: ListenerConfig, point: str, folder: Path) -> None:
    logging.disable(logging.WARNING)
    _pause_at(point, folder / "there")
    intake._LOOK_S = 0.1

    def told(port: int) -> None:
        (folder / "port.part").write_text(str(port))
        (folder / "port.part").rename(folder / "port")

    listen(Services.open(config), listener, stop=Event(), told=told)


def _pause_at(point: str, marker: Path) -> None:
    if point == "taken":
        Inbox.take = _then_pause(Inbox.take, marker)  # type: ignore[method-assign]
    elif point == "zipped":
        BlobStore.put_file = _then_pause(BlobStore.put_file, marker)  # type: ignore[method-assign]
    elif point == "before commit":
        intake.audit.append = _then_pause(intake.audit.append, marker, "study.arrive")
    elif point == "after commit":
        Inbox.drop = _pause(marker)  # type: ignore[method-assign]
    elif point == "half removed":
        Inbox.drop = _remove_one_and_pause(marker)  # type: ignore[method-assign]


def _pause(marker: Path) -> Any:
    def pause(*_arguments: Any, **_words: Any) -> None:
        marker.touch()
        time.sleep(600)

    return pause


def _remove_one_and_pause(marker: Path) -> Any:
    def pause(_inbox: Inbox, delivery: Delivery) -> None:
        delivery.files[0].unlink()
        marker.touch()
        time.sleep(600)

    return pause


def _then_pause(function: Any, marker: Path, only: str = "") -> Any:
    def run(*arguments: Any, **words: Any) -> Any:
        result = function(*arguments, **words)
        if not only or only in arguments:
            marker.touch()
            time.sleep(600)
        return result

    return run
