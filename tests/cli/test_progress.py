"""Progress: plain lines in a log, a bar on a terminal."""

import io
import sys

import pytest

from cli.progress import ProgressDisplay
from runtime.progress import Progress

EVENTS = (
    Progress("imaging", 0.0, "reading"),
    Progress("grading", 0.6, "grading 5 levels"),
    Progress("done", 1.0, "done"),
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def draw() -> None:
    with ProgressDisplay("[1/2] scan.png") as display:
        for event in EVENTS:
            display.show(event)


def test_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    draw()
    assert capsys.readouterr().err.splitlines() == [
        "[1/2] scan.png:   0% reading",
        "[1/2] scan.png:  60% grading 5 levels",
        "[1/2] scan.png: 100% done",
    ]


def test_a_bar_on_a_terminal_that_is_wiped_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    draw()
    shown = terminal.getvalue()
    assert "[1/2] scan.png   0% |" in shown
    assert "\n" not in shown
    assert shown.endswith("\r")
