"""Reads a group of the corpus in a process with little memory and no right to write; reports each outcome.

``python -m tests.imaging.corpus.runner FOLDER GROUP FIRST``: the cases lie under FOLDER; outcomes go to the
standard output as JSON lines. A decoder that crashes ends this process, not the tests.
"""

import json
import logging
import os
import signal
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from imaging import load_study
from imaging.isolate.sandbox import give_up_rights, limit_resources
from imaging.limits import Limits
from imaging.types import Study
from tests.imaging.corpus import CORPUS_LIMITS, load_group

MEMORY_BYTES = 2 * 1024**3
"""Half of the default limit: no case may come near it."""

ALARM_SECONDS = 12
"""A case that is not done by then hangs."""


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(level=logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.name}: {record.getMessage()}")


def main() -> None:
    """Read the cases of a group from number FIRST on."""
    folder, group, first = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    collector = _Collector()
    logging.basicConfig(level=logging.DEBUG, handlers=[collector], force=True)
    with tempfile.TemporaryFile() as spoken:
        os.dup2(spoken.fileno(), 1)  # what C libraries print
        os.dup2(spoken.fileno(), 2)
        give_up_rights()
        limit_resources(Limits(memory_bytes=MEMORY_BYTES, seconds=600))
        for number, case in list(enumerate(load_group(group).cases.values()))[first:]:
            _tell(answers, {"start": case.name})
            signal.alarm(ALARM_SECONDS)  # its default action ends the process, C code and all
            collector.lines.clear()
            outcome = _read(Path((folder / f"{number}.path").read_text("ascii").encode().decode("unicode_escape")))
            spoken.seek(0)
            printed = spoken.read().decode("latin-1")
            spoken.truncate(0)
            spoken.seek(0)
            _tell(answers, {"name": case.name, "logs": collector.lines, "printed": printed, **outcome})


def _tell(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


def _read(path: Path) -> dict[str, Any]:
    _reset_peak()
    before = _peak_bytes()
    started = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome = _outcome(path)
    outcome["seconds"] = time.monotonic() - started
    outcome["grown_bytes"] = _peak_bytes() - before
    outcome["warnings"] = [f"{item.category.__name__}: {item.message}" for item in caught]
    return outcome


def _outcome(path: Path) -> dict[str, Any]:
    try:
        study = load_study(path, limits=CORPUS_LIMITS)
    except Exception as error:  # the test judges it
        return {"kind": type(error).__name__, "message": str(error), "code": getattr(error, "code", None)}
    return {"kind": "", "message": _words(study), "code": None, **_measures(study)}


def _measures(study: Study) -> dict[str, Any]:
    import numpy as np

    volumes = [series.volume for series in study.series]
    return {
        "shape": list(volumes[0].shape),
        "is_finite": all(
            bool(np.isfinite(item.array).all()) and (item.affine is None or bool(np.isfinite(item.affine).all()))
            for item in volumes
        ),
        "says": "\n".join([*study.notices, *(reason for series in study.series for reason in series.reasons)]),
    }


def _words(study: Study) -> str:
    """Return all that a study holds but its voxels."""
    bare = [replace(series, volume=None) for series in study.series]  # type: ignore[arg-type]
    return repr(replace(study, series=())) + repr(bare)


def _reset_peak() -> None:
    """Set the peak of resident memory back to the present use (Linux)."""
    try:
        _CLEAR.write("5")
        _CLEAR.flush()
    except OSError:
        return


def _peak_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    _CLEAR = open("/proc/self/clear_refs", "w")  # noqa: SIM115, opened before writing is given up
    main()
