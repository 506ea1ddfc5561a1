"""Starts the process that evaluates, waits no longer than allowed, and says in one sentence how it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from imaging.limits import Limits
from runtime.errors import SpineScribeError, StudyError
from service.jobs.process import wait_or_kill

REQUEST, ANSWER, OUT = "request.json", "answer.json", "out"
"""Names in the folder that both processes share."""

LIMITS = Limits(
    file_bytes=2**29,
    study_bytes=2**31,
    entries=20_000,
    zip_ratio_from_bytes=2**26,
    seconds=300.0,
    memory_bytes=2**32,
)
"""Of one evaluation: 512 MiB a file, 2 GiB unpacked, five minutes, 4 GiB of memory. Own choice."""

START_SECONDS = 30.0
"""On top of the time limit, for the process to start."""

_ROOT = Path(__file__).resolve().parents[2]
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")


def evaluate_isolated(
    task: str, predictions: Path, references: Path, *, cache: Path, limits: Limits = LIMITS
) -> dict[str, Path]:
    """Run the evaluation suite on two uploads in a process of its own.

    Args:
        task: As for ``evaluation.run.evaluate``.
        predictions: Upload; in the folder that the process may write to.
        references: Upload in the same folder.
        cache: Folder that matplotlib keeps its list of fonts in.
        limits: How much it may take.

    Returns:
        Name, with folders, of each file written -> file.

    Raises:
        StudyError: If the uploads are bad or do not fit each other, in the words of the suite, or too much.
        SpineScribeError: If an error that nobody thought of came up, a fault of ours.
    """
    folder = predictions.parent
    request = {
        "task": task,
        "predictions": predictions.name,
        "references": references.name,
        "limits": asdict(limits),
    }
    (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
    code = _run(folder, cache, limits.seconds + START_SECONDS)
    _raise_cause(code, folder, limits)
    out = folder / OUT
    return {file.relative_to(out).as_posix(): file for file in sorted(out.rglob("*")) if file.is_file()}


def _run(folder: Path, cache: Path, seconds: float) -> int | None:
    """Run the child to its end; return its exit code, or None when it took too long and was ended."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-s", "-W", "ignore", "-m", "service.research.child", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=_environment(folder, cache),
        start_new_session=True,
    )
    return wait_or_kill(process, seconds)


def _environment(folder: Path, cache: Path) -> dict[str, str]:
    """Return what the child needs; no key or password of this process goes along."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **kept,
        **one_thread,
        "PYTHONPATH": str(_ROOT),
        "LC_ALL": "C.UTF-8",
        "HF_HUB_OFFLINE": "1",
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": str(cache),
        "TMPDIR": str(folder),
        "HOME": str(folder),
    }


def _raise_cause(code: int | None, folder: Path, limits: Limits) -> None:
    if code is None or code == -signal.SIGXCPU:
        raise StudyError(
            f"expected an evaluation that takes at most {limits.seconds:g} s, found one that takes longer and was "
            "stopped; evaluate in parts, or with `spinescribe evaluate`",
            code="limit_seconds",
        )
    answer = folder / ANSWER
    if code != 0 or not answer.is_file():
        raise StudyError(
            f"the evaluation ended without an answer ({_how(code)}); a file is damaged or made to do harm, or too "
            "large for the memory: evaluate in parts, or with `spinescribe evaluate`",
            code="evaluation_died",
        )
    told = json.loads(answer.read_text(encoding="utf-8"))
    if told["fault"] == "memory":
        raise StudyError(
            f"expected an evaluation that takes at most {limits.memory_bytes // 2**20} MiB of memory, found one "
            "that takes more; evaluate in parts, or with `spinescribe evaluate`",
            code="limit_memory_bytes",
        )
    if told["fault"] is not None:
        raise SpineScribeError(f"an unexpected error of ours while evaluating ({told['fault']})")
    if told["cause"] is not None:
        raise StudyError(told["cause"], code="evaluation_input")


def _how(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
