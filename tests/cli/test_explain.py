"""``spinescribe explain``: files of one grade's saliency, and why there are none."""

import json
from pathlib import Path

import pytest
from PIL import Image

import anatomy
from cli.explain import METHODS
from cli.main import main
from grading.saliency import SaliencyMethod
from pipeline import Reader
from pipeline.stages import Models
from tests.grading.saliency.tiny import tiny_grader
from tests.pipeline.fakes import FakeSegmenter, fake_stages


def real_grader(protocol: anatomy.Protocol) -> Models:
    return Models(FakeSegmenter(), tiny_grader(), None)


class TestCommand:
    @pytest.fixture(autouse=True)
    def _reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cli.explain.open_reader", lambda device: Reader(fake_stages(load_models=real_grader)))

    def test_writes_a_picture_and_figures(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["explain", "scan.png", "--grade", "disc_bulging@L4-L5", "--out", str(tmp_path)]) == 0
        assert "saliency.json" in capsys.readouterr().out
        content = json.loads((tmp_path / "saliency.json").read_text(encoding="utf-8"))
        assert [item["method"] for item in content["saliency"]] == ["hires_cam"]
        with Image.open(tmp_path / "saliency_S1.png") as picture:
            assert picture.width == 3 * 440

    @pytest.mark.parametrize(
        ("grade", "code", "words"),
        [
            ("disc_bulging@T1", 2, "expected CONDITION@LEVEL"),
            ("spinal_canal_stenosis@L4-L5", 3, "could not be given"),
            ("modic@L4-L5", 3, "needs a sagittal T1 image of this level"),
        ],
    )
    def test_says_why_not(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], grade: str, code: int, words: str
    ) -> None:
        assert main(["explain", "scan.png", "--grade", grade, "--out", str(tmp_path)]) == code
        assert words in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []


def test_methods_of_the_command_are_those_of_the_room() -> None:
    assert set(METHODS) == {item.value for item in SaliencyMethod}
