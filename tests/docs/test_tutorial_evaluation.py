"""The tutorial's bash blocks run as they stand, in an empty folder (about a minute of drawing and scoring)."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial-evaluation.md"
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_block_of_the_tutorial_runs(tmp_path: Path) -> None:
    assert len(BLOCKS) == 6
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, words in (("spinescribe", "-m cli.main"), ("python", "")):
        script = f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n'
        (commands / name).write_text(script, encoding="utf-8")
        (commands / name).chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(BLOCKS)],
        cwd=work,
        env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "detection: skipped" in done.stdout
    assert (work / "scores" / "all" / "report.html").is_file()
    assert "lead" in done.stdout
