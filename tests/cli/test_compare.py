"""``spinescribe compare``: graders side by side on one study, and what cannot be compared."""

from pathlib import Path

import pytest

import anatomy
from cli.main import main
from grading.predict import Grader
from pipeline import Reader
from pipeline.stages import Models
from tests.grading.saliency.tiny import tiny_grader
from tests.pipeline.fakes import FakeGrader, FakeSegmenter, fake_stages


def models(protocol: anatomy.Protocol) -> Models:
    return Models(FakeSegmenter(), FakeGrader(), None)


@pytest.fixture(autouse=True)
def _reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.compare.open_reader", lambda device: Reader(fake_stages(load_models=models)))


def _opened(monkeypatch: pytest.MonkeyPatch, *, region: str = "lumbar") -> list[tuple[str, Path | None]]:
    asked: list[tuple[str, Path | None]] = []

    def load(*, name: str, weights_root: Path | None, device: str) -> Grader:
        asked.append((name, weights_root))
        grader = tiny_grader()
        if region != "lumbar":
            object.__setattr__(grader.config, "region", region)
        return grader

    monkeypatch.setattr("grading.load_grader", load)
    return asked


def test_prints_and_writes_every_place_with_each_grader_and_the_vote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = _opened(monkeypatch)
    mine, file = tmp_path / "mine", tmp_path / "tables" / "compared.md"
    assert main(["compare", "scan.png", "--graders", "grading", str(mine), "--out", str(file)]) == 0
    assert asked == [("grading", None), ("mine", tmp_path)]
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0] == f"| level | side | condition | grading | {mine} | vote |"
    row = next(line for line in lines if line.startswith("| L4-L5 | - | disc_bulging (presence) |"))
    _, _, _, first, second, vote = [cell.strip() for cell in row.strip("|").split("|")]
    assert first == second  # the same network twice
    assert first.startswith(vote)
    assert "\n".join(lines) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("graders", "code", "words"),
    [
        (["grading"], 2, "expected two or more different ones, got grading"),
        (["grading", "grading"], 2, "expected two or more different ones"),
        (["grading", "grading-sacroiliac"], 2, "got grading-sacroiliac, which grades sacroiliac joints"),
        (["grading", "no-such"], 1, "weights 'no-such'"),
    ],
)
def test_says_what_cannot_be_compared(
    capsys: pytest.CaptureFixture[str], graders: list[str], code: int, words: str
) -> None:
    assert main(["compare", "scan.png", "--graders", *graders]) == code
    assert words in capsys.readouterr().err


def test_another_body_region_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _opened(monkeypatch, region="cervical")
    assert main(["compare", "scan.png", "--graders", "a", "b"]) == 2
    assert "expected graders of the lumbar protocol, got a (cervical)" in capsys.readouterr().err
