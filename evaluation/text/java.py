"""The Java programs that pycocoevalcap carries: found, run once with a time limit, always ended.

Nothing is written beside them, so they work in a read-only installation and in parallel.
"""

import shutil
import subprocess
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from evaluation.text.base import MetricUnavailable

INSTALL_JAVA = "install one (Debian: apt-get install default-jre-headless) or leave this metric out"


def find_java(metric: str) -> str:
    """Return the path of ``java``.

    Raises:
        MetricUnavailable: If there is none on the PATH.
    """
    java = shutil.which("java")
    if java is None:
        raise MetricUnavailable(f"{metric}: expected a Java runtime on the PATH, found none; {INSTALL_JAVA}")
    return java


def find_jar(metric: str, name: str) -> Path:
    """Return a file of pycocoevalcap's folder of this metric.

    Raises:
        MetricUnavailable: If pycocoevalcap or the file is missing.
    """
    spec = find_spec("pycocoevalcap")
    folders = [] if spec is None or spec.submodule_search_locations is None else spec.submodule_search_locations
    for folder in folders:
        file = Path(folder) / metric / name
        if file.is_file():
            return file
    raise MetricUnavailable(f"{metric}: expected {name} of pycocoevalcap, found none; pip install pycocoevalcap")


def run_java(metric: str, arguments: Sequence[str], *, text: str = "", limit_s: float, folder: Path) -> str:
    """Run ``java`` in a folder and return what it prints.

    Args:
        metric: Name for messages.
        arguments: What follows ``java``.
        text: Its standard input.
        limit_s: Seconds after which it is ended.
        folder: Working folder; the program may write there.

    Raises:
        MetricUnavailable: If Java is missing, passes the limit or ends with an error.
    """
    command = [find_java(metric), "-XX:-UsePerfData", "-Dfile.encoding=UTF-8", *arguments]
    try:
        done = subprocess.run(
            command, input=text.encode(), capture_output=True, timeout=limit_s, cwd=folder, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise MetricUnavailable(f"{metric}: Java was still running after {limit_s:.0f} s and was ended") from error
    except OSError as error:
        raise MetricUnavailable(f"{metric}: Java did not start ({error.strerror}); {INSTALL_JAVA}") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
        raise MetricUnavailable(f"{metric}: Java ended with code {done.returncode}: {last[0]}")
    return done.stdout.decode(errors="replace")
