"""``spinescribe explain``: files of one grade's saliency, and why there are none."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import anatomy
from cli.explain import METHODS
from cli.main import main
from grading.saliency import SaliencyMethod
from pipeline import Reader, Reading, ReadOptions
from pipeline.stages import Models
from tests.grading.saliency.planted import BRIGHT, grader_of, pelvis, planted
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
            ("disc_bulging@L4-L5:left", 2, "expected no side behind the level"),
            ("sacroiliitis@SIJ", 2, "was not looked for at SIJ"),
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


class _Joints:
    """Stands for the reader of a drawn pelvis."""

    def __init__(self) -> None:
        self.grader = grader_of(planted())
        study, segmented = pelvis()
        findings = self.grader.grade(study, segmented, anatomy.load_protocol("sacroiliac"))
        *_, like = Reader(fake_stages()).read(Path("scan.png"), ReadOptions())
        assert isinstance(like, Reading)
        self.reading = replace(like, study=study, segmented=segmented, findings=findings)

    def read(self, path: Path, options: ReadOptions) -> Iterator[Reading]:
        yield self.reading

    def models(self, protocol: anatomy.Protocol) -> Models:
        return Models(FakeSegmenter(), self.grader, None)


class TestJoints:
    @pytest.fixture(autouse=True)
    def _reader(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("cli.explain.open_reader", lambda device: _Joints())

    def test_shows_the_slices_with_most_heat(self, tmp_path: Path) -> None:
        command = ["explain", "scan.zip", "--out", str(tmp_path), "--grade"]
        assert main([*command, "sacroiliitis@SIJ:left", "--slices", "2"]) == 0
        content = json.loads((tmp_path / "saliency.json").read_text(encoding="utf-8"))
        first, second = content["saliency"]
        assert (content["schema"], content["grade"]["side"]) == ("spinescribe.saliency/1", "left")
        assert (first["slice"], first["side"], first["view"]) == (BRIGHT, "left", "joint")
        assert first["window_share"] == pytest.approx(1.0)
        assert second["reason"] == "nothing in this picture speaks for it"
        with Image.open(tmp_path / f"saliency_S1_joint_left_{BRIGHT:03d}.png") as picture:
            assert picture.width == 3 * 440

    def test_a_count_of_slices_is_from_1(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["explain", "scan.zip", "--out", str(tmp_path), "--grade", "sacroiliitis@SIJ", "--slices", "0"])
        assert stop.value.code == 2
        assert "expected a whole number from 1, got '0'" in capsys.readouterr().err


def test_methods_of_the_command_are_those_of_the_room() -> None:
    assert set(METHODS) == {item.value for item in SaliencyMethod}
