"""A server and a worker as processes of their own, in a home of their own, with users who can sign in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks.service_load import reader
from service.accounts.passwords import hash_password
from service.config import ServiceConfig
from service.services import Services
from service.store.tables import User

PASSWORD = "ten quiet lumbar discs"
_START_S = 400.0


@dataclass(frozen=True)
class Running:
    """What runs: the server's address and both processes."""

    address: str
    server: psutil.Process
    worker: psutil.Process

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time so far: of the server, of the worker with its reading process, of ours."""
        families = {"server": self.server, "worker": self.worker, "client": psutil.Process()}
        return {name: _cpu_s(process, name != "client") for name, process in families.items()}


def _cpu_s(process: psutil.Process, has_family: bool) -> float:
    family = [process, *(process.children(recursive=True) if has_family else [])]
    return sum(sum(member.cpu_times()[:2]) for member in family)


@contextmanager
def running_service(
    home: Path, *, users: int, max_queued: int, reading: Path, seconds: float
) -> Iterator[Running]:
    """Start server and worker; end both."""
    _add_users(home, users)
    port = _free_port()
    environment = {
        **os.environ,
        "SPINESCRIBE_HOME": str(home),
        "SPINESCRIBE_MAX_QUEUED": str(max_queued),
        reader.FOLDER: str(reading.resolve()),
        reader.SECONDS: str(seconds),
    }
    commands = (
        [sys.executable, "-m", "cli.main", "serve", "--no-worker", "--port", str(port)],
        [sys.executable, "-m", "service.jobs", "--reader", reader.READER],
    )
    processes = [subprocess.Popen(command, env=environment) for command in commands]
    try:
        address = f"http://127.0.0.1:{port}"
        _wait_until_ready(address, processes)
        yield Running(address, psutil.Process(processes[0].pid), psutil.Process(processes[1].pid))
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def user_name(index: int) -> str:
    return f"reader{index:03d}"


def _add_users(home: Path, count: int) -> None:
    """Add radiologists who have the same password, hashed once."""
    services = Services.open(ServiceConfig(home=home))
    hashed = hash_password(PASSWORD)
    with services.database.begin() as session:
        session.add_all(User(name=user_name(index), password_hash=hashed) for index in range(count))
    services.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait_until_ready(address: str, processes: list[subprocess.Popen[bytes]]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if any(process.poll() is not None for process in processes):
            raise RuntimeError("the server or the worker ended at its start")
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise RuntimeError(f"the service was not ready after {_START_S:.0f} s")
