"""A reader without networks, for the reading process: what it does is written in the file it reads.

A picture of eight bytes (the PNG signature) and a line of JSON: ``{"do": "read", "seconds": 0.1}``.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.errors import NotEligibleError, StudyError
from runtime.progress import Progress

READER = "tests.service.jobs.fakes:open_fake_reader"
PNG = b"\x89PNG\r\n\x1a\n"
_READING = Path(__file__).parents[1] / "data" / "lumbar_reading.json"


def picture(do: str = "read", **words: Any) -> bytes:
    """Return an upload that tells the fake reader what to do."""
    return PNG + json.dumps({"do": do, **words}).encode()


class FakeReader:
    """Does what the file says."""

    def __init__(self) -> None:
        self.count = 0

    def read(self, source: Path, folder: Path, options: dict[str, Any]) -> Iterator[Progress | dict[str, Any]]:
        order = json.loads(source.read_bytes()[len(PNG) :])
        self.count += 1
        yield Progress("imaging", 0.1, "reading the images")
        getattr(self, f"_{order['do']}")(order)
        yield Progress("grading", 0.6, "grading")
        shutil.copy(_READING, folder / "reading.json")
        (folder / "report.md").write_text(f"report of attempt {self.count}")
        (folder / "overlay.png").write_bytes(PNG)
        writer = options.get("writer") or "spine-tiny"
        alert = "look first" if order.get("critical") else None
        seconds = {"process": float(os.getpid()), "with_prior": float(options["prior"] is not None)}
        yield {"writer": writer, "alert": alert, "is_critical": bool(order.get("critical")), "seconds": seconds}

    def _read(self, order: dict[str, Any]) -> None:
        time.sleep(order.get("seconds", 0.0))

    def _refuse(self, _order: dict[str, Any]) -> None:
        raise NotEligibleError("no spine was found in the picture", code="no_spine_found")

    def _break(self, _order: dict[str, Any]) -> None:
        raise StudyError("study.png: expected an image, found text")

    def _fault(self, order: dict[str, Any]) -> None:
        raise ZeroDivisionError(order["words"])

    def _hang(self, _order: dict[str, Any]) -> None:
        time.sleep(600)

    def _eat(self, order: dict[str, Any]) -> None:
        self.eaten = b"x" * (order["megabytes"] * 2**20)
        time.sleep(600)

    def _die(self, order: dict[str, Any]) -> None:
        """Die as if the system had killed it, as often as the file beside ``tally`` says."""
        tally = Path(order["tally"])
        died = int(tally.read_text()) if tally.exists() else 0
        if died < order["times"]:
            tally.write_text(str(died + 1))
            os.kill(os.getpid(), signal.SIGKILL)


def open_fake_reader() -> FakeReader:
    return FakeReader()
