"""Nodes that misbehave, on loopback: they abort in the middle, are busy, or never answer."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pydicom.uid import MRImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelGet,
    Verification,
)

from tests.pacs.ports import LOOPBACK

TITLE = "FRAGILE"


@dataclass
class Fragile:
    """An archive that dies in the middle of its first transfers.

    Attributes:
        files: What it holds, all of one study.
        dies_after: For each transfer the instances after which it aborts; further transfers are whole.
        busy: For each C-STORE the status it answers; further ones are taken.
        told: How many instances it says the study has; None to say nothing.
        slow_s: Seconds before it answers a query.
        silent_s: Seconds of silence in place of each abort of a transfer.
        dies_storing: After so many instances that it took it aborts, once for each number.
        slow_storing_s: For each C-STORE the seconds before it answers; further ones are answered at once.
        callers: AE titles that may call; empty for all.
        port: Where it listens.
        stored: SOP Instance UIDs it took.
        transfers: How many it began.
    """

    files: tuple[Path, ...] = ()
    dies_after: list[int] = field(default_factory=list)
    busy: list[int] = field(default_factory=list)
    told: int | None = None
    slow_s: float = 0.0
    silent_s: float = 0.0
    dies_storing: list[int] = field(default_factory=list)
    slow_storing_s: list[float] = field(default_factory=list)
    callers: tuple[str, ...] = ()
    port: int = 0
    stored: list[str] = field(default_factory=list)
    transfers: int = 0

    def on_find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        time.sleep(self.slow_s)
        row = Dataset()
        row.QueryRetrieveLevel = "STUDY"
        row.StudyInstanceUID = event.identifier.StudyInstanceUID
        if self.told is not None:
            row.NumberOfStudyRelatedInstances = self.told
        yield 0xFF00, row

    def on_get(self, event: evt.Event) -> Iterator[Any]:
        dies_after = self.dies_after.pop(0) if self.dies_after else None
        self.transfers += 1
        yield len(self.files)
        for number, file in enumerate(self.files):
            if number == dies_after:
                time.sleep(self.silent_s)
                event.assoc.abort()
                return
            yield 0xFF00, dcmread(file)

    def on_store(self, event: evt.Event) -> int:
        if self.slow_storing_s:
            time.sleep(self.slow_storing_s.pop(0))
        if self.dies_storing and len(self.stored) >= self.dies_storing[0]:
            self.dies_storing.pop(0)
            event.assoc.abort()
            return 0xC000
        if self.busy:
            return self.busy.pop(0)
        self.stored.append(str(event.dataset.SOPInstanceUID))
        return 0x0000

    @contextmanager
    def running(self) -> Iterator["Fragile"]:
        entity = AE(ae_title=TITLE)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self.callers)
        for kind in (
            Verification, StudyRootQueryRetrieveInformationModelFind, StudyRootQueryRetrieveInformationModelGet,
        ):  # fmt: skip
            entity.add_supported_context(kind)
        entity.add_supported_context(MRImageStorage, scu_role=True, scp_role=True)
        handlers = [
            (evt.EVT_C_FIND, self.on_find), (evt.EVT_C_GET, self.on_get), (evt.EVT_C_STORE, self.on_store),
        ]  # fmt: skip
        server = entity.start_server((LOOPBACK, 0), block=False, evt_handlers=handlers)
        assert server is not None
        self.port = server.socket.getsockname()[1]
        try:
            yield self
        finally:
            entity.shutdown()


@contextmanager
def deaf_server() -> Iterator[int]:
    """Give the port of a server that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


@contextmanager
def refusing_server(result: int, source: int, reason: int) -> Iterator[int]:
    """Give the port of a server that refuses one association with these numbers (PS3.8, 9.3.4)."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(bytes([3, 0, 0, 0, 0, 4, 0, result, source, reason]))

    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
    thread.join(10)


@contextmanager
def http_server(*answers: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Give the port of an HTTP server that gives these bytes, one a connection, and what it was asked."""
    asked: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                if boundary := re.search(rb'boundary="?([^";\r\n]+)', request):  # what is stored comes in a body
                    while b"--" + boundary[1] + b"--" not in request:
                        request += connection.recv(65536)
                asked.append(request)
                connection.sendall(answer)

    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1], asked
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
