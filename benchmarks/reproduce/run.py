"""Running a part: its commands in processes of their own, in an empty folder, with all they print kept in a log.

The folder is emptied before a part begins, so that nothing an earlier run left behind can be taken for a result.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.reproduce.compare import Outcome, State, compare_record
from benchmarks.reproduce.plan import OUT_WORD, WEIGHTS_WORD, Part
from runtime.settings import load_settings

LOG = "log.txt"
_FIXED = {"SPINESCRIBE_PRECISION": "float32", "HF_HUB_OFFLINE": "1", "MPLBACKEND": "Agg"}
"""Environment of every command: figures were stored with this precision, and nothing is fetched."""
_BEAT_S = 30.0


def run_part(part: Part, folder: Path, data_dir: Path) -> Outcome:
    """Run a part and compare its figures; whatever goes wrong in it is its outcome, not an exception.

    Args:
        part: To be run.
        folder: Of all parts; the part has one of its name in it.
        data_dir: Real data.
    """
    if missing := missing_needs(part, data_dir):
        return Outcome(part.name, State.SKIPPED, missing)
    own = folder / part.name
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    started = time.monotonic()
    for command in part.commands:
        words = [_filled(word, own) for word in command]
        code = _run_command(words, own / LOG)
        if code != 0:
            reason = f"`python -m {' '.join(words)}` ended with {code}: {_last_line(own / LOG)} (see {own / LOG})"
            return Outcome(part.name, State.FAILED, reason, time.monotonic() - started)
    return _compare(part, own / part.record, time.monotonic() - started)


def missing_needs(part: Part, data_dir: Path) -> str:
    """Return what a part cannot do without and is not there, in words; empty when all is."""
    data = [name for name in part.data if not (data_dir / name).exists()]
    programs = [name for name in part.programs if shutil.which(name) is None]
    texts = []
    if data:
        texts.append(f"no {', '.join(data)} in the data folder (SPINESCRIBE_DATA)")
    if programs:
        texts.append(f"no {', '.join(programs)} on the path")
    return "; ".join(texts)


def _filled(word: str, own: Path) -> str:
    return word.replace(OUT_WORD, str(own)).replace(WEIGHTS_WORD, str(load_settings().weights_dir))


def _compare(part: Part, record: Path, seconds: float) -> Outcome:
    if not record.is_file():
        reason = f"expected its record {record}, but its commands wrote none"
        return Outcome(part.name, State.FAILED, reason, seconds)
    try:
        figures = compare_record(record, part.figures)
    except json.JSONDecodeError as error:
        return Outcome(part.name, State.FAILED, f"expected JSON in {record}: {error}", seconds)
    return Outcome(part.name, State.RUN, seconds=seconds, figures=figures)


def _run_command(words: Sequence[str], log: Path) -> int:
    """Run ``python -m`` with some words; tell now and then that it still runs; return its exit code."""
    call = [sys.executable, "-m", *words]
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ python -m {' '.join(words)}\n")
        stream.flush()
        started = time.monotonic()
        process = subprocess.Popen(call, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, **_FIXED})
        try:
            while True:
                try:
                    return process.wait(_BEAT_S)
                except subprocess.TimeoutExpired:
                    print(f"    {words[0]}: {time.monotonic() - started:.0f} s", flush=True)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
