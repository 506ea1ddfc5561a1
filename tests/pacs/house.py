"""A SpineScribe of its own, as a hospital runs it: reading room, worker and listener, each a process."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.pacs.clients import OUR_TITLE, SECRET
from tests.pacs.orthanc import Orthanc
from tests.pacs.ports import LOOPBACK, end, free_port, wait_until

OWNER = "rita"
PASSWORD = "four words of phantom"
QUIET_S = 1.5
FORMATS = ("seg", "sr", "dicom-pdf", "key-images")
_ROOT = Path(__file__).parents[2]
_START_S = 90.0
_RUN_S = 120.0


@dataclass
class House:
    """The processes and how to speak to them.

    Attributes:
        folder: Home, configuration and logs.
        archive: The archive that it takes studies from and sends results to.
        dicom_port: Port of the listener.
        http_port: Port of the reading room.
        processes: What runs, by name.
    """

    folder: Path
    archive: Orthanc
    dicom_port: int = field(default_factory=free_port)
    http_port: int = field(default_factory=free_port)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """Return SPINESCRIBE_HOME."""
        return self.folder / "home"

    @property
    def config(self) -> Path:
        """Return the PACS configuration."""
        return self.folder / "pacs.yaml"

    @property
    def written(self) -> str:
        """Return what the processes wrote to their error streams."""
        return "".join(file.read_text() for file in sorted(self.folder.glob("*.log")))

    def command(self, *words: str, given: str = "") -> str:
        """Run a command of SpineScribe to its end; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "cli.main", *words], cwd=self.folder, env=self._environment(), input=given,
            capture_output=True, text=True, timeout=_RUN_S, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str, *words: str) -> None:
        """Start a command of SpineScribe."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "cli.main", *words], cwd=self.folder, env=self._environment(),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    def start_listener(self) -> None:
        """Start the listener."""
        self.start("listener", "pacs", "listen", "--config", str(self.config), "--debug")

    def wait_for_listener(self) -> None:
        """Wait until the archive reaches the listener."""
        is_up = lambda: _echoes(self.archive)  # noqa: E731
        wait_until(is_up, self.processes["listener"], what="the listener", limit_s=_START_S)

    def wait_for_room(self) -> None:
        """Wait until the reading room answers."""
        wait_until(lambda: _serves(self), self.processes["room"], what="the reading room", limit_s=_START_S)

    def kill_listener(self) -> None:
        """Kill the listener, as a crash would."""
        self.processes["listener"].kill()
        self.processes.pop("listener").wait(10)

    def wait(self, is_done: Callable[[], bool], what: str, seconds: float) -> None:
        """Wait until something holds; fails with what the processes wrote."""
        until = time.monotonic() + seconds
        while not is_done():
            assert time.monotonic() < until, f"{what} did not come about in {seconds:.0f} s:\n{self.written}"
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.written}"
            time.sleep(0.25)

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ, "SPINESCRIBE_HOME": str(self.home), "PYTHONPATH": str(_ROOT),
            SECRET: self.archive.password,
        }  # fmt: skip


class Room:
    """The reading room over HTTP.

    Args:
        client: Of its API, with somebody signed in.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, path: str) -> Any:
        """Return the JSON of an address."""
        return self._answer(self._client.get(path))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Send JSON; return that of the answer."""
        return self._answer(self._client.post(path, json=body))

    def studies(self) -> list[dict[str, Any]]:
        """Return the worklist."""
        found: list[dict[str, Any]] = self.get("studies")["items"]
        return found

    def sign(self, study_id: str) -> dict[str, Any]:
        """Accept all that is positive, take note of what is critical, review and sign; return the report."""
        report: dict[str, Any] = self.get(f"studies/{study_id}/report")
        positive = [row["id"] for row in report["findings"] if row["is_positive"]]
        critical = [row["id"] for row in report["findings"] if row["is_critical"]]
        steps: list[tuple[str, dict[str, Any]]] = []
        if positive:
            steps.append(("decisions", {"finding_ids": positive, "verdict": "accept"}))
        steps += [("acknowledgements", {"finding_id": key}) for key in critical]
        for step, body in (*steps, ("review", {}), ("sign", {"password": PASSWORD})):
            report = self.post(f"studies/{study_id}/{step}", {**body, "version": report["version"]})
        return report

    def _answer(self, answer: httpx.Response) -> Any:
        assert answer.is_success, answer.text
        return answer.json()


@contextmanager
def entered_room(house: House) -> Iterator[Room]:
    """Sign the owner in."""
    address = f"http://{LOOPBACK}:{house.http_port}/api/v1"
    with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
        room = Room(client)
        begun = room.post("session", {"name": OWNER, "password": PASSWORD})
        client.headers["X-CSRF-Token"] = begun["csrf_token"]
        yield room


@contextmanager
def running_house(folder: Path, archive: Orthanc) -> Iterator[House]:
    """Set up a SpineScribe by its own commands, start it without waiting for it, and end it.

    Args:
        folder: Empty; for its home, configuration and logs.
        archive: Where studies come from and results go to; it gets to know us.
    """
    house = House(folder, archive)
    house.config.write_text(yaml.safe_dump(_configuration(house)), encoding="utf-8")
    house.command("user", "add", OWNER, "--role", "radiologist", "--password-stdin", given=f"{PASSWORD}\n")
    archive.know(OUR_TITLE, house.dicom_port)
    try:
        house.start("room", "serve", "--port", str(house.http_port))
        house.start_listener()
        yield house
    finally:
        for process in house.processes.values():
            end(process)


def _configuration(house: House) -> dict[str, Any]:
    archive = house.archive
    return {
        "own": {"ae_title": OUR_TITLE},
        "nodes": {
            "archive": {
                "kind": "dimse", "host": LOOPBACK, "port": archive.dicom_port, "ae_title": archive.ae_title,
            },
            "web": {
                "kind": "dicomweb", "url": archive.dicomweb_url, "user": archive.user, "secret_variable": SECRET,
            },
        },
        "listener": {
            "callers": [archive.ae_title], "owner": OWNER, "port": house.dicom_port, "quiet_s": QUIET_S,
            "push": "draft", "push_to": "archive", "push_formats": list(FORMATS),
        },
    }  # fmt: skip


def _echoes(archive: Orthanc) -> bool:
    try:
        archive.request("POST", f"/modalities/{OUR_TITLE}/echo", {})
    except httpx.HTTPStatusError:
        return False
    return True


def _serves(house: House) -> bool:
    try:
        return httpx.get(f"http://{LOOPBACK}:{house.http_port}/healthz", trust_env=False, verify=False).is_success
    except httpx.TransportError:
        return False
