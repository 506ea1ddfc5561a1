"""Free ports on loopback, waiting for what listens there, and where it may write."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

LOOPBACK = "127.0.0.1"
_MEMORY = Path("/dev/shm")
FOLDER = str(_MEMORY if os.access(_MEMORY, os.W_OK) else "/tmp")
"""Where servers of tests keep what they hold: in memory where we may, as each instance is synced to the disk."""


def free_port() -> int:
    """Return a port on which nothing listens now."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(is_up: Callable[[], bool], process: subprocess.Popen[bytes], *, what: str, limit_s: float) -> None:
    """Wait until a server answers.

    Raises:
        RuntimeError: If it ended before, or time is up.
    """
    until = time.monotonic() + limit_s
    while not is_up():
        if process.poll() is not None:
            raise RuntimeError(f"{what} ended with {process.returncode} before it answered")
        if time.monotonic() > until:
            raise RuntimeError(f"{what} does not answer after {limit_s:.0f} s")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server that we started: asked first, killed after 10 s."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
