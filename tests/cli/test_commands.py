"""The other commands: parse, ask, phantom, evaluate, train, demo, and the command line as a process."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.main import main
from tests.pipeline.fakes import fake_reader

ROOT = Path(__file__).resolve().parents[2]
REPORT = "L4-L5: disc bulge. No spinal canal stenosis at L5-S1.\n"


def spinescribe(*words: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        input=text,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
        check=False,
    )


class TestParse:
    def test_prints_one_json_line_a_fact(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "report.txt"
        file.write_text(REPORT, encoding="utf-8")
        assert main(["parse", str(file)]) == 0
        facts = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        found = {(fact["level"], fact["condition"], fact["negated"]) for fact in facts}
        assert found == {("L4-L5", "disc_bulging", False), ("L5-S1", "spinal_canal_stenosis", True)}
        assert set(facts[0]) == {"level", "side", "condition", "grade", "negated", "uncertain", "sentence"}

    def test_standard_input_in_a_process_without_torch(self) -> None:
        program = (
            "import sys; from cli.main import main; code = main(['parse', '-']);"
            "heavy = {'torch', 'transformers', 'pydicom', 'gradio', 'matplotlib', 'scipy'} & set(sys.modules);"
            "print(sorted(heavy), file=sys.stderr); sys.exit(code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=REPORT, capture_output=True, text=True, cwd=ROOT, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stderr.strip() == "[]"
        assert len(done.stdout.splitlines()) == 2

    def test_empty_text_has_no_facts(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        file = tmp_path / "empty.txt"
        file.touch()
        assert main(["parse", str(file)]) == 0
        assert capsys.readouterr().out == ""

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "report.txt: expected a text file, found none"),
            (b"\xff\xfe\x00bad", "report.txt: expected text in UTF-8, found other bytes at 0"),
            (b"a\0b", "report.txt: expected report text, found binary data"),
        ],
    )
    def test_what_is_no_text_is_refused(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, words: str
    ) -> None:
        file = tmp_path / "report.txt"
        if content is not None:
            file.write_bytes(content)
        assert main(["parse", str(file)]) == 2
        assert words in capsys.readouterr().err


class TestAsk:
    @pytest.fixture
    def reading_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setattr("cli.read.open_reader", lambda *_: fake_reader())
        assert main(["read", "scan.png", "--out", str(tmp_path / "out")]) == 0
        return tmp_path / "out" / "reading.json"

    def test_answers_with_ids(self, reading_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        assert main(["ask", str(reading_file), "Is there a disc bulge at L4-L5?"]) == 0
        assert capsys.readouterr().out == "L4-L5: Disc bulge.\n[g14]\n"

    def test_json_and_refusal(self, reading_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        capsys.readouterr()
        assert main(["ask", str(reading_file), "Should I have surgery?", "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert answer["refused"] is True
        assert answer["finding_ids"] == []

    def test_lines_of_standard_input_are_one_conversation(
        self, reading_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = b"Is there a disc bulge at L4-L5?\n\nAnd at L5-S1?\n\xff\n"
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
        capsys.readouterr()
        assert main(["ask", str(reading_file), "--json"]) == 0
        first, second, third = map(json.loads, capsys.readouterr().out.splitlines())
        assert first["finding_ids"] == ["g14"]
        assert second["text"] == "L5-S1: No disc bulge."
        assert third["refused"] is True

    def test_no_reading(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["ask", str(tmp_path / "reading.json"), "Hello?"]) == 2
        assert "expected a reading.json of schema spinescribe.reading/1" in capsys.readouterr().err


class TestOthers:
    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["phantom", "--count", "0"], "--count: expected 1 or more, got 0"),
            (["phantom", "--seed", "-4"], "--seed: expected 0 or more, got -4"),
        ],
    )
    def test_phantom_options(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
    ) -> None:
        assert main([*words, "--out", str(tmp_path)]) == 2
        assert message in capsys.readouterr().err

    def test_phantom_writes_one_folder_a_seed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written: list[tuple[object, Path]] = []
        monkeypatch.setattr(
            "imaging.phantom.build_phantom", lambda protocol, *, seed, setup: (protocol, seed, setup)
        )
        monkeypatch.setattr(
            "imaging.phantom.write_phantom_study", lambda phantom, folder: written.append((phantom, folder))
        )
        assert main(["phantom", "--count", "3", "--seed", "9", "--out", str(tmp_path)]) == 0
        assert written == [(("lumbar", seed, None), tmp_path / f"phantom_{seed:04d}") for seed in (9, 10, 11)]
        assert capsys.readouterr().out.splitlines() == [str(folder) for _, folder in written]

    def test_demo_makes_reads_and_prints(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("imaging.phantom.build_phantom", lambda protocol, *, seed: (protocol, seed))
        monkeypatch.setattr("imaging.phantom.write_phantom_study", lambda phantom, folder: None)
        monkeypatch.setattr("cli.demo.open_reader", lambda device: fake_reader())
        assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
        said = capsys.readouterr().out
        assert "study.zip: 5 levels, 20 grades" in said
        assert "Disc bulge at L4-L5." in said
        assert str(tmp_path / "demo" / "phantom" / "truth.json") in said
        assert (tmp_path / "demo" / "reading" / "reading.json").is_file()

    def test_train_needs_its_configuration(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["train", "grading", "--config", str(tmp_path / "absent.yaml")]) == 2
        assert "--config: expected a YAML file" in capsys.readouterr().err

    @pytest.mark.parametrize("stage", ["segmentation", "grading", "vlm"])
    def test_train_reaches_the_stage(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, stage: str
    ) -> None:
        seen: dict[str, object] = {}

        def train(config: Path, **options: object) -> Path:
            seen.update(options, config=config)
            return tmp_path / "result"

        monkeypatch.setattr(f"{stage}.train", train, raising=False)
        config = tmp_path / "c.yaml"
        config.touch()
        words = ["train", stage, "--config", str(config), "--fold", "2", "--resume", "--out", str(tmp_path / "o")]
        assert main(words) == 0
        assert seen.pop("out", None) or seen.pop("output", None) == tmp_path / "o"
        assert seen == {"config": config, "fold": 2, "resume": True}
        assert capsys.readouterr().out == f"{tmp_path / 'result'}\n"

    def test_no_command_is_a_usage_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main([])
        assert stop.value.code == 2
        assert "COMMAND" in capsys.readouterr().err

    def test_help_names_every_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stop:
            main(["--help"])
        assert stop.value.code == 0
        shown = capsys.readouterr().out
        for command in ("read", "ask", "parse", "phantom", "train", "evaluate", "serve", "demo"):
            assert f"\n    {command} " in shown
        assert "Research use only" in shown


class TestBadInput:
    """Bad files through the real readers; none needs a model, so each ends before one is loaded."""

    @pytest.fixture
    def bad(self, tmp_path: Path) -> Path:
        folder = tmp_path / "bad"
        (folder / "empty").mkdir(parents=True)
        (folder / "text.png").write_text("this is no picture", encoding="utf-8")
        (folder / "zero.dcm").touch()
        rng = np.random.default_rng(0)
        Image.fromarray(np.zeros((300, 300), dtype=np.uint8)).save(folder / "black.png")
        Image.fromarray(rng.integers(0, 255, (300, 300), dtype=np.uint8)).save(folder / "noise.png")
        colour = np.zeros((300, 300, 3), dtype=np.uint8)
        colour[:, :150, 0], colour[:, 150:, 2] = 200, 200
        Image.fromarray(colour).save(folder / "colour.png")
        content = io.BytesIO()
        Image.fromarray(rng.integers(0, 255, (300, 300), dtype=np.uint8)).save(content, format="PNG")
        (folder / "cut.png").write_bytes(content.getvalue()[:2000])
        with zipfile.ZipFile(folder / "notes.zip", "w") as archive:
            archive.writestr("readme.txt", "no DICOM here")
        return folder

    def test_each_ends_in_its_code_and_one_sentence(self, bad: Path, tmp_path: Path) -> None:
        expected = {
            "text.png": 2, "zero.dcm": 2, "empty": 2, "colour.png": 2, "cut.png": 2, "notes.zip": 2,
            "absent.png": 2,
            "black.png": 3, "noise.png": 3,
        }  # fmt: skip
        out = tmp_path / "out"
        done = spinescribe("read", *(str(bad / name) for name in expected), "--out", str(out))
        assert "Traceback" not in done.stderr
        codes = {}
        for name in expected:
            error = json.loads((out / Path(name).stem / "error.json").read_text(encoding="utf-8"))
            codes[name] = error["exit_code"]
            assert error["file"] == name
            assert len(error["message"]) > 20
            assert "\n" not in error["message"]
            assert str(bad) not in error["message"]
        assert codes == expected
        assert done.returncode == 2

    def test_parse_of_a_missing_file(self) -> None:
        done = spinescribe("parse", "absent.txt")
        assert done.returncode == 2
        assert done.stderr == (
            "spinescribe: absent.txt: expected a text file, found none (No such file or directory)\n"
        )
