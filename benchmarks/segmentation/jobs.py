"""The screen's runs: each a process of its own, two at a time, gone on with where it was broken off.

A job's folder ``<variant>-s<seed>`` keeps its training files, models and ``scores.json``; one that was made by
other settings (its fingerprint tells) is emptied first. Scores of finished jobs are appended to one CSV table.
"""

import csv
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import yaml

from benchmarks.segmentation.models import load_model
from benchmarks.segmentation.plan import Job
from benchmarks.segmentation.scoring import Row, score_all
from runtime.errors import ConfigError
from runtime.settings import load_settings
from segmentation import train

FOLDER = Path("runs/segmentation/screen")
DRY_FOLDER = Path("runs/segmentation/screen-dry")
TABLE = Path("runs/benchmarks/screen.csv")
SCORES = "scores.json"
_COLUMNS = ("variant", "seed", "fingerprint", "task", "patient", "value")
_JEMALLOC = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"


def run_jobs(jobs: Sequence[Job], command: Sequence[str], *, processes: int = 2, folder: Path = FOLDER) -> None:
    """Run all jobs that have no scores yet, several at a time, one thread each.

    Args:
        jobs: All of one screen.
        command: Arguments of ``python -m benchmarks.segmentation`` that, with variant and seed, run one job.
        processes: How many at a time.
        folder: Of all jobs.

    Raises:
        RuntimeError: If a job failed; the others are run first.
    """
    open_jobs = [job for job in jobs if read_scores(job, folder) is None]
    if not open_jobs:
        return
    warm_caches(open_jobs, folder)
    started = time.monotonic()

    def run(job: Job) -> str | None:
        call = [sys.executable, "-m", "benchmarks.segmentation", *command, "--one", job.variant, str(job.seed)]
        done = subprocess.run(call, env=environment(), capture_output=True, text=True, check=False)
        minutes = (time.monotonic() - started) / 60
        print(f"{job.name}: {'done' if done.returncode == 0 else 'FAILED'}, {minutes:.1f} min", flush=True)
        return None if done.returncode == 0 else f"{job.name}: {done.stderr.strip().splitlines()[-1:]}"

    with ThreadPoolExecutor(processes) as pool:
        failed = [message for message in pool.map(run, open_jobs) if message is not None]
    if failed:
        raise RuntimeError("screen: runs failed: " + "; ".join(failed))


def environment() -> dict[str, str]:
    """Return the environment of a run: one thread, and jemalloc where it is installed."""
    values = {**os.environ, "OMP_NUM_THREADS": "1"}
    if Path(_JEMALLOC).is_file() and "LD_PRELOAD" not in values:
        values["LD_PRELOAD"] = _JEMALLOC
    return values


def warm_caches(jobs: Sequence[Job], folder: Path = FOLDER) -> None:
    """Take one step of each kind of run, so that no two processes build the same cache of training slices."""
    seen: set[str] = set()
    for job in jobs:
        for values in (job.start, job.run):
            if values is None:
                continue
            key = json.dumps([values["network"].get("long_side_px"), values["training"].get("phantoms")])
            if key not in seen:
                seen.add(key)
                file = _write(values, folder / "warm" / "run.yaml")
                train(file, fold=job.fold, output=folder / "warm" / "model", steps=1)


def run_one(job: Job, folder: Path = FOLDER) -> list[Row]:
    """Train and score one job, or go on with it; return its rows."""
    with alone(folder / f"{job.name}.lock"):
        rows = read_scores(job, folder)
        return _run(job, folder / job.name) if rows is None else rows


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when the process ends, however it ends.

    Raises:
        ConfigError: If another process holds it.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(f"{lock.stem}: expected a run that nobody runs, but another process does") from error
        yield


def _run(job: Job, own: Path) -> list[Row]:
    _empty_if_other(job, own)
    values = dict(job.run)
    if job.start is not None:
        start = train(_write(job.start, own / "start.yaml"), fold=job.fold, output=own / "start", resume=True)
        values["training"] = {**values["training"], "start": str(start)}
    model = train(_write(values, own / "run.yaml"), fold=job.fold, output=own / "model", resume=True)
    rows = score_all(load_settings().data_dir, {job.fold: load_model(model)})
    record = {"fingerprint": job.fingerprint, "rows": [[row.task, row.patient, row.value] for row in rows]}
    _write_whole(own / SCORES, json.dumps(record) + "\n")
    return rows


def read_scores(job: Job, folder: Path = FOLDER) -> list[Row] | None:
    """Return the rows of a finished job; None when it is not finished, or was made by other settings."""
    file = folder / job.name / SCORES
    if not file.is_file():
        return None
    record = json.loads(file.read_text(encoding="utf-8"))
    return [Row(*row) for row in record["rows"]] if record["fingerprint"] == job.fingerprint else None


def append_table(jobs: Sequence[Job], folder: Path = FOLDER, table: Path = TABLE) -> int:
    """Append the rows of finished jobs that the table does not have yet; return how many jobs those were."""
    known = {(row["variant"], int(row["seed"]), row["fingerprint"]) for row in _table_rows(table)}
    added = 0
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        if stream.tell() == 0:
            writer.writerow(_COLUMNS)
        for job in jobs:
            rows = read_scores(job, folder)
            if rows is not None and (job.variant, job.seed, job.fingerprint) not in known:
                for row in rows:
                    writer.writerow([job.variant, job.seed, job.fingerprint, row.task, row.patient, row.value])
                added += 1
    return added


def table_rows(jobs: Sequence[Job], table: Path = TABLE) -> dict[tuple[str, int], list[Row]]:
    """Return (variant, seed) -> rows of those jobs that the table has with these very settings."""
    wanted = {(job.variant, job.seed): job.fingerprint for job in jobs}
    found: dict[tuple[str, int], list[Row]] = {}
    for row in _table_rows(table):
        key = (row["variant"], int(row["seed"]))
        if wanted.get(key) == row["fingerprint"]:
            found.setdefault(key, []).append(Row(row["task"], int(row["patient"]), float(row["value"])))
    return found


def _table_rows(table: Path) -> list[dict[str, str]]:
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream)
        if tuple(rows.fieldnames or ()) != _COLUMNS:
            raise ConfigError(f"{table.name}: expected the columns {_COLUMNS!r}, got {rows.fieldnames!r}")
        return list(rows)


def _empty_if_other(job: Job, own: Path) -> None:
    """Remove what other settings left in a job's folder."""
    mark = own / "fingerprint"
    if own.is_dir() and (not mark.is_file() or mark.read_text(encoding="utf-8") != job.fingerprint):
        shutil.rmtree(own)
    own.mkdir(parents=True, exist_ok=True)
    mark.write_text(job.fingerprint, encoding="utf-8")


def _write(values: object, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    _write_whole(file, yaml.safe_dump(values, sort_keys=False))
    return file


def _write_whole(file: Path, text: str) -> None:
    part = file.with_name(file.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(file)
