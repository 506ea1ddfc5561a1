"""A reader that takes a fixed time and leaves the files of one real reading.

The load is on the service, not on the networks. The worker opens it by name; the environment tells it where the
files lie and how long to take.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runtime.progress import Progress

READER = "benchmarks.service_load.reader:open_kept_reader"
FOLDER, SECONDS = "SPINESCRIBE_LOAD_READING", "SPINESCRIBE_LOAD_SECONDS"


class KeptReader:
    """Gives the same reading of every file."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._folder, self._seconds = folder, seconds

    def read(self, source: Path, folder: Path, options: dict[str, Any]) -> Iterator[Progress | dict[str, Any]]:
        """Wait and copy."""
        for part, stage in enumerate(("imaging", "segmentation", "grading", "writing")):
            yield Progress(stage, part / 4, stage)
            time.sleep(self._seconds / 4)
        for file in self._folder.iterdir():
            shutil.copy(file, folder / file.name)
        yield {"writer": "composer", "alert": None, "is_critical": False, "seconds": {}}


def open_kept_reader() -> KeptReader:
    return KeptReader(Path(os.environ[FOLDER]), float(os.environ[SECONDS]))


def make_reading(folder: Path) -> Path:
    """Read a lumbar phantom once with the shipped networks; what is there already is kept."""
    from imaging.phantom import build_phantom, write_phantom_study
    from service.jobs.reading import open_reader

    if not (folder / "viewer.json").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_phantom_study(build_phantom("lumbar", seed=11), folder.with_name("study"))
        source = folder.with_name("study") / "study.zip"
        for _ in open_reader().read(source, folder, {"writer": "composer", "prior": None}):
            pass
    return folder
