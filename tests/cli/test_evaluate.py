"""``spinescribe evaluate``: files, exit codes, what it prints, and each kind of bad input."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.main import main
from imaging.types import Spacing
from pipeline import Reading, ReadOptions, write_reading
from tests.pipeline.fakes import fake_reader

REPORTS = {
    "s1": "L4-L5: Disc bulge. No spinal canal stenosis.",
    "s2": "L4-L5: Severe spinal canal stenosis. L5-S1: No disc bulge.",
    "s3": "L3-L4: Pfirrmann grade IV disc degeneration.",
}


def run(task: str, told: Path, truth: Path, out: Path, *more: str) -> int:
    words = ["evaluate", task, "--predictions", str(told), "--references", str(truth), "--out", str(out)]
    return main([*words, "--resamples", "20", *more])


def fill(folder: Path, *, boxes: bool = False) -> Path:
    """Write a folder as another tool might: texts, label maps, grades."""
    (folder / "reports").mkdir(parents=True)
    (folder / "label_maps").mkdir()
    lines = ["id,level,side,condition,grade"]
    for name, text in REPORTS.items():
        (folder / "reports" / f"{name}.txt").write_text(text, encoding="utf-8")
        labels = np.zeros((30, 30), dtype=np.uint8)
        labels[5:10, 5:25] = 202
        Image.fromarray(labels).save(folder / "label_maps" / f"{name}.png")
        lines.append(f"{name},L4-L5,,disc_bulging,{'present' if 'Disc bulge' in text else 'absent'}")
    (folder / "grades.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    if boxes:
        (folder / "boxes.csv").write_text("id,label,x0,y0,x1,y1,score\ns1,cord,1,1,9,9,0.9\n", encoding="utf-8")
    return folder


def metrics(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def test_all_runs_what_it_finds_and_names_what_it_skips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, truth, out = fill(tmp_path / "a"), fill(tmp_path / "b", boxes=True), tmp_path / "out"
    assert run("all", told, truth, out, "--metrics", "bleu,cider,spinefact", "--spacing", "0.5") == 0
    said = capsys.readouterr()
    assert "detection: skipped, no readings and no boxes.csv or boxes.jsonl in the predictions" in said.out
    assert "Reports: 3 reports of 3 patients" in said.out
    assert "constant_normal" in said.out
    assert said.err == ""  # no progress where the error stream is no terminal
    found = metrics(out)
    assert (found["bleu_1"], found["dice_disc"], found["accuracy"], found["hd95_mm_disc"]) == (1.0, 1.0, 1.0, 0.0)
    for task in ("report", "segmentation", "grading"):
        assert (out / task / "per_case.csv").is_file()
        assert (out / task / "plots").is_dir()
    assert (out / "report.html").is_file()


def test_all_on_folders_of_readings(tmp_path: Path) -> None:
    *_, reading = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(reading, Reading)
    for side in ("a", "b"):
        for case in ("one", "two"):
            write_reading(reading, tmp_path / side / case)
    assert run("all", tmp_path / "a", tmp_path / "b", tmp_path / "out", "--metrics", "bleu,spinefact") == 0
    found = metrics(tmp_path / "out")
    assert found["tasks"].keys() == {"report", "segmentation", "grading", "detection"}  # type: ignore[attr-defined]
    assert (found["accuracy"], found["level_found_share"], found["spinefact_f1"]) == (1.0, 1.0, 1.0)


def test_one_bad_part_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, truth = fill(tmp_path / "a"), fill(tmp_path / "b")
    (told / "grades.csv").write_text("id,grade\ns1,absent\n", encoding="utf-8")
    assert run("all", told, truth, tmp_path / "out", "--metrics", "bleu") == 2
    assert "failed: grading: grades.csv: expected columns" in capsys.readouterr().err
    assert metrics(tmp_path / "out")["dice_disc"] == 1.0


def test_a_failure_writes_everything_and_ends_in_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, truth = fill(tmp_path / "a"), fill(tmp_path / "b")
    splits = tmp_path / "splits.csv"
    splits.write_text("id,patient,split\ns1,p,train\ns2,p,test\n", encoding="utf-8")
    assert (
        run("grading", told / "grades.csv", truth / "grades.csv", tmp_path / "out", "--splits", str(splits)) == 2
    )
    assert "failed: leakage: " in capsys.readouterr().err
    assert metrics(tmp_path / "out")["accuracy"] == 1.0
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_command_stands_in_the_pages(tmp_path: Path) -> None:
    told, truth = fill(tmp_path / "a") / "grades.csv", fill(tmp_path / "b") / "grades.csv"
    groups = tmp_path / "groups.csv"
    groups.write_text("id,sex\ns1,F\ns2,F\ns3,M\n", encoding="utf-8")
    assert run("grading", told, truth, tmp_path / "out", "--subgroups", str(groups), "--seed", "3") == 0
    command = metrics(tmp_path / "out")["provenance"]["command"]  # type: ignore[index]
    assert command.startswith(f"spinescribe evaluate grading --predictions {told} --references {truth}")
    assert command.endswith("--resamples 20 --seed 3")
    assert f"--subgroups {groups}" in command


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--metrics", "bleu,rouge"], "--metrics: expected some of bleu, rouge_l"),
        (["--tolerance", "0"], "tolerance_mm: expected a number above 0, got 0.0"),
        (["--spacing", "wide"], "spacing"),
        (["--subgroups", "none.csv"], "--subgroups: none.csv: expected a file or folder, found none"),
        (["--images", "."], "images: expected a table of splits with it"),
    ],
)
def test_bad_options(tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str) -> None:
    told = fill(tmp_path / "a")
    assert run("all", told, told, tmp_path / "out", *more) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("task", "name", "content", "words"),
    [
        ("report", "reports.csv", "id,text\ns1,\n", "empty"),
        ("report", "reports.csv", "id,text\ns9,L4-L5: Disc bulge.\n", "in one only"),
        ("report", "reports.csv", "name,text\ns1,x\n", "expected an id and a text"),
        (
            "grading",
            "grades.csv",
            "id,level,side,condition,grade\ns1,L4-L5,,disc_bulging,V\n",
            "expected grades absent",
        ),
        (
            "grading",
            "grades.csv",
            "id,level,side,condition,grade\ns9,L4-L5,,disc_bulging,absent\n",
            "the first is 's1'",
        ),
        ("grading", "grades.csv", "\x00\x01", "missing id"),
        ("detection", "boxes.csv", "id,label\ns1,cord\n", "missing x0, y0, x1, y1"),
    ],
)
def test_bad_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], task: str, name: str, content: str, words: str
) -> None:
    truth = fill(tmp_path / "b", boxes=True)
    (tmp_path / name).write_text(content, encoding="utf-8")
    reference = truth / ("reports" if task == "report" else name)
    assert run(task, tmp_path / name, reference, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


def test_all_writes_the_same_folders_for_one_task_and_minds_no_other_json(tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "settings.json").write_text("{}", encoding="utf-8")
        content = "id,level,side,condition,grade\ns1,L4-L5,,disc_bulging,absent\n"
        (tmp_path / side / "grades.csv").write_text(content, encoding="utf-8")
    assert run("all", tmp_path / "a", tmp_path / "b", tmp_path / "out") == 0
    assert (tmp_path / "out" / "grading" / "per_case.csv").is_file()
    assert not (tmp_path / "out" / "per_case.csv").exists()
    assert set(metrics(tmp_path / "out")["tasks"]) == {"grading"}  # type: ignore[call-overload]


def test_nothing_to_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
    assert run("all", tmp_path / "a", tmp_path / "b", tmp_path / "out") == 2
    assert "a: nothing could be scored: report: skipped" in capsys.readouterr().err


def test_a_missing_input_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("grading", tmp_path / "a.csv", tmp_path, tmp_path / "out") == 2
    assert "--predictions: a.csv: expected a file or folder, found none" in capsys.readouterr().err
