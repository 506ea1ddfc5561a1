"""Every case of the malformed-input corpus, read in a process with bounded memory and no right to write."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from imaging import load_study_isolated
from runtime.errors import SpineScribeError
from tests.imaging.corpus import CORPUS_LIMITS, GROUPS, SECRETS, Case, load_group

ROOT = Path(__file__).resolve().parents[2]
MAX_SECONDS = 10.0
MAX_GROWN_BYTES = 1024**3


def write_group(folder: Path, name: str) -> list[Case]:
    """Write all cases of a group, each into a folder of its own, and beside it where its input is."""
    cases = list(load_group(name).cases.values())
    for number, case in enumerate(cases):
        home = folder / str(number)
        home.mkdir()
        path = str(case.write(home))
        (folder / f"{number}.path").write_text(path.encode("unicode_escape").decode("ascii"))
    return cases


def outcomes(folder: Path, name: str, count: int) -> dict[str, dict[str, Any]]:
    """Read all cases; a case that ends the process is reported as such, and the next one goes on."""
    found: dict[str, dict[str, Any]] = {}
    while len(found) < count:
        command = [sys.executable, "-m", "tests.imaging.corpus.runner", str(folder), name, str(len(found))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found |= {line["name"]: line for line in lines if "name" in line}
        if len(found) < count:
            started = [line["start"] for line in lines if "start" in line]
            assert started, done.stderr
            found[started[-1]] = {"kind": f"died ({done.returncode})", "message": done.stderr[-500:], "seconds": 0}
    return found


def faults_of(case: Case, outcome: dict[str, Any]) -> list[str]:
    """Return what is wrong with an outcome; empty when all is as it must be."""
    kind, message = outcome["kind"], outcome["message"]
    if kind.startswith("died"):
        return [f"{kind}: {message}"]
    faults = []
    spoken = "\n".join([message, *outcome["logs"], *outcome["warnings"], outcome["printed"]])
    faults += [f"tells {secret!r}: {spoken[:300]!r}" for secret in SECRETS if secret in spoken]
    faults += [f"warned: {outcome['warnings'][:2]}"] if outcome["warnings"] else []
    faults += [f"took {outcome['seconds']:.1f} s"] if outcome["seconds"] > MAX_SECONDS else []
    faults += [f"grew by {outcome['grown_bytes']} bytes"] if outcome["grown_bytes"] > MAX_GROWN_BYTES else []
    if case.refused is None:
        return faults + _faults_of_study(case, outcome)
    faults += [f"expected {case.kind}, found {kind or 'a study'}: {message[:200]}"] if kind != case.kind else []
    if kind and not re.search(case.refused, message):
        faults.append(f"expected {case.refused!r}, found {message[:300]!r}")
    faults += (
        [f"expected code {case.code}, found {outcome['code']}"] if case.code not in (None, outcome["code"]) else []
    )
    faults += [f"no single short line: {message!r}"] if "\n" in message or len(message) > 900 else []
    return faults


def _faults_of_study(case: Case, outcome: dict[str, Any]) -> list[str]:
    if outcome["kind"]:
        return [f"expected a study, found {outcome['kind']}: {outcome['message'][:300]}"]
    faults = [] if outcome["is_finite"] else ["not finite"]
    faults += [] if tuple(outcome["shape"]) == case.shape else [f"expected {case.shape}, found {outcome['shape']}"]
    if case.says and not re.search(case.says, outcome["says"]):
        faults.append(f"expected words {case.says!r}, found {outcome['says'][:300]!r}")
    return faults


def tree(folder: Path) -> list[tuple[str, int, int]]:
    """Return every path below a folder with its size and time of change."""
    found = []
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        found.append((str(path.relative_to(folder)), status.st_size, status.st_mtime_ns))
    return found


@pytest.mark.parametrize("name", GROUPS)
def test_every_case_ends_as_it_must(tmp_path: Path, name: str) -> None:
    cases = write_group(tmp_path, name)
    before = tree(tmp_path)
    found = outcomes(tmp_path, name, len(cases))
    faults = {case.name: faults_of(case, found[case.name]) for case in cases}
    report = "\n".join(f"{case}: {'; '.join(items)}" for case, items in faults.items() if items)
    assert not report, f"{sum(map(bool, faults.values()))} of {len(cases)} cases:\n{report}"
    assert tree(tmp_path) == before


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", GROUPS)
def test_every_case_ends_the_same_in_a_process_of_its_own(tmp_path: Path, name: str) -> None:
    """As above, one process a case: the way the command line and the web page read."""
    cases = write_group(tmp_path, name)
    faults = []
    for number, case in enumerate(cases):
        text = (tmp_path / f"{number}.path").read_text("ascii")
        path = Path(text.encode().decode("unicode_escape"))
        try:
            study = load_study_isolated(path, limits=CORPUS_LIMITS)
            found, spoken = "", repr(study.to_dict())
        except SpineScribeError as error:
            found, spoken = type(error).__name__, str(error)
        expected = case.kind if case.refused else ""
        is_as_said = found == expected and (not case.refused or re.search(case.refused, spoken))
        is_silent = not any(secret in spoken for secret in SECRETS)
        faults += [] if is_as_said and is_silent else [f"{case.name}: {found}: {spoken[:200]}"]
    assert not faults, "\n".join(faults)
