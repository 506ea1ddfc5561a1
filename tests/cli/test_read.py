"""``spinescribe read``: folders, names, exit codes, error files and what is said."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import main
from cli.read import plan_jobs, study_stem, worst_code
from pipeline import load_reading
from tests.pipeline.fakes import fake_reader
from vlm.writers import WriterChoice

Run = Callable[..., int]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return ``read(name, ..., *options)``: runs the command on made-up stages, results in ``tmp_path/out``."""
    monkeypatch.setattr("cli.read.open_reader", lambda *_: fake_reader())

    def run(*words: str) -> int:
        return main(["read", *words, "--out", str(tmp_path / "out")])

    return run


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


READING_FILES = {"reading.json", "report.md", "overlay.png", "label_map.png"}


def test_one_path_goes_straight_into_the_folder(
    read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read("scan.png") == 0
    assert names(tmp_path / "out") == READING_FILES
    said = capsys.readouterr()
    assert said.out.startswith("scan.png: 5 levels, 20 grades, 3 sentences (0 repaired)")
    lines = said.err.splitlines()
    assert lines[0] == "scan.png:   0% reading the images"
    assert lines[-1] == "scan.png: 100% 20 grades at 5 levels"


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("broken.png", 2, "broken.png: expected an image, found text"),
        ("nospine.png", 3, "no spine was found in the picture"),
        ("black.png", 3, "the picture is black"),
    ],
)
def test_a_bad_study_ends_in_its_exit_code_and_one_sentence(
    read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, code: int, words: str
) -> None:
    assert read(name) == code
    error = json.loads((tmp_path / "out" / "error.json").read_text(encoding="utf-8"))
    assert (error["exit_code"], error["file"], error["message"]) == (code, name, words)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1] == f"spinescribe: {words}"
    assert "Traceback" not in said.err


def test_our_own_fault_is_one_sentence_and_a_log(
    read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read("crash.png") == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    log = tmp_path / "out" / "error.log"
    assert said.splitlines()[-1] == (
        f"spinescribe: an unexpected error of ours (ZeroDivisionError); the details are in {log}"
    )
    assert "something nobody thought of" in log.read_text(encoding="utf-8")
    error = json.loads((tmp_path / "out" / "error.json").read_text(encoding="utf-8"))
    assert (error["exit_code"], error["kind"]) == (1, "InternalError")


def test_debug_shows_the_traceback(read: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert read("crash.png", "--debug") == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_many_paths_get_a_folder_each_and_a_bad_one_stops_nothing(
    read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert read("a/scan.png", "broken.png", "b/scan.jpg", "nospine.png", "scan.nii.gz") == 2
    out = tmp_path / "out"
    assert names(out) == {"scan", "broken", "scan-2", "nospine", "scan-3"}
    for good in ("scan", "scan-2", "scan-3"):
        assert names(out / good) == READING_FILES
    assert names(out / "broken") == names(out / "nospine") == {"error.json"}
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/5] scan.png:   0% reading the images"


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        (("crash.png", "broken.png", "nospine.png", "scan.png"), 1),
        (("scan.png", "nospine.png", "broken.png"), 2),
        (("scan.png", "nospine.png"), 3),
        (("scan.png", "other.png"), 0),
    ],
)
def test_the_worst_outcome_decides_the_exit_code(read: Run, paths: tuple[str, ...], code: int) -> None:
    assert read(*paths) == code


def test_worst_code_ranks_our_fault_then_bad_then_not_eligible() -> None:
    assert worst_code([0, 3, 2, 1]) == 1
    assert worst_code([3, 2, 0]) == 2
    assert worst_code([0, 3]) == 3
    assert worst_code([0]) == 0


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("4_t2.png", "4_t2"),
        ("a/b/scan.nii.gz", "scan"),
        ("SCAN.NII.GZ", "SCAN"),
        ("scan.v2.tiff", "scan.v2"),
        ("1.2.840.113619", "1.2.840.113619"),
        ("IM0001", "IM0001"),
        (".png", ".png"),
    ],
)
def test_study_stem(name: str, stem: str) -> None:
    assert study_stem(Path(name)) == stem


def test_study_stem_of_a_folder_is_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "1.2.study"
    folder.mkdir()
    assert study_stem(folder) == "1.2.study"
    monkeypatch.chdir(folder)
    assert study_stem(Path()) == "1.2.study"


def test_a_free_name_never_meets_another(tmp_path: Path) -> None:
    paths = [Path(name) for name in ("a.png", "a-2.png", "a.jpg", "a.tif", "a-2.jpg")]
    folders = [job.folder.name for job in plan_jobs(paths, tmp_path)]
    assert folders == ["a", "a-2", "a-3", "a-4", "a-2-2"]


def test_spacing_reaches_the_study(read: Run, tmp_path: Path) -> None:
    assert read("scan.png", "--spacing", "0.7,0.6") == 0
    document = load_reading(tmp_path / "out" / "reading.json")
    assert document["study"]["series"][0]["spacing_mm"] == [0.6, 0.7, None]


def test_spacing_csv_wins_over_spacing_and_is_found_by_path_or_name(read: Run, tmp_path: Path) -> None:
    table = tmp_path / "spacing.csv"
    table.write_text("file,row_mm,col_mm\na/one.png,0.5,0.4\ntwo.png,0.9,0.8\n", encoding="utf-8")
    assert read("a/one.png", "b/two.png", "three.png", "--spacing", "0.6", "--spacing-csv", str(table)) == 0
    spacing = {
        name: load_reading(tmp_path / "out" / name / "reading.json")["study"]["series"][0]["spacing_mm"]
        for name in ("one", "two", "three")
    }
    assert spacing == {"one": [0.4, 0.5, None], "two": [0.8, 0.9, None], "three": [0.6, 0.6, None]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--spacing", "wide"], "spacing: expected MM or ROW,COL"),
        (["--spacing", "0"], "spacing: expected 0.1 to 5.0 mm"),
        (["--spacing-csv", "absent.csv"], "absent.csv: expected a readable CSV file"),
        (["--anchor", "L5-S1"], "anchor: expected LEVEL=X,Y in pixels"),
        (["--anchor", "L5-S1=12,up"], "anchor: expected LEVEL=X,Y in pixels"),
        (["--anchor", "L5-L6=12,30"], "anchor: expected a disc level such as L4-L5, got 'L5-L6'"),
        (["--anchor", "L5-S1=12,inf"], "anchor: expected a point in pixels"),
        (["other.png", "--anchor", "L5-S1=12,30"], "--anchor: expected one path"),
        (["--prior", "absent.json"], "absent.json: expected a reading.json"),
    ],
)
def test_a_wrong_option_stops_before_anything_is_read(
    read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert read("scan.png", *options) == 2
    assert words in capsys.readouterr().err
    assert names(tmp_path / "out") == set()


def test_wrong_protocol_is_a_usage_error(read: Run, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        read("scan.png", "--protocol", "knee")
    assert stop.value.code == 2
    assert "invalid choice: 'knee'" in capsys.readouterr().err


def test_out_that_is_a_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("cli.read.open_reader", lambda *_: fake_reader())
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    assert main(["read", "scan.png", "--out", str(tmp_path / "out")]) == 2
    assert "--out: expected a folder that can be written" in capsys.readouterr().err


def test_prior_is_validated_and_compared(read: Run, tmp_path: Path) -> None:
    assert read("scan.png") == 0
    assert "comparison" not in load_reading(tmp_path / "out" / "reading.json")
    prior = tmp_path / "prior.json"
    (tmp_path / "out" / "reading.json").rename(prior)
    assert read("scan.png", "--prior", str(prior)) == 0
    document = load_reading(tmp_path / "out" / "reading.json")
    assert document["provenance"]["prior_study_key"] == "0123456789abcdef"
    assert {row["change"] for row in document["comparison"]["grades"]} == {"unchanged", "not_comparable"}
    assert "The earlier reading is of the very same images." in document["notices"]
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "## Change since the earlier reading" in report
    assert report.count("0123456789abcdef") == 1, "only as the key of this study"


def test_one_prior_goes_with_one_path(read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert read("scan.png") == 0
    prior = tmp_path / "out" / "reading.json"
    assert read("scan.png", "other.png", "--prior", str(prior)) == 2
    assert "--prior: expected one path" in capsys.readouterr().err


def test_a_prior_of_another_region_is_refused_by_name(read: Run, tmp_path: Path) -> None:
    assert read("scan.png") == 0
    document = load_reading(tmp_path / "out" / "reading.json")
    document["study"]["protocol"] = "cervical"
    prior = tmp_path / "neck.json"
    prior.write_text(json.dumps(document), encoding="utf-8")
    assert read("scan.png", "--prior", str(prior)) == 2
    error = json.loads((tmp_path / "out" / "error.json").read_text(encoding="utf-8"))
    assert error["message"] == (
        "neck.json: expected an earlier reading of the lumbar protocol, as the study is, found one of the "
        "cervical protocol"
    )


def test_a_prior_that_is_no_reading_is_refused(
    read: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prior = tmp_path / "note.json"
    prior.write_text('{"schema": "something/9"}', encoding="utf-8")
    assert read("scan.png", "--prior", str(prior)) == 2
    message = capsys.readouterr().err
    assert "note.json: expected a reading.json of schema spinescribe.reading/1, found 'something/9'" in message


def test_stopping_by_hand_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.read.open_reader", stop)
    assert main(["read", "scan.png", "--out", str(tmp_path)]) == 130
    assert capsys.readouterr().err == "spinescribe: stopped\n"


def test_the_study_asked_for_reaches_the_reader(read: Run, tmp_path: Path) -> None:
    assert read("scan.png", "--study", "1") == 0
    assert read("scan.png", "--study", "3") == 2
    error = json.loads((tmp_path / "out" / "error.json").read_text(encoding="utf-8"))
    assert error["message"] == "scan.png: expected one of its studies, got '3'"


@pytest.mark.parametrize("text", ["L5-S1=201,388.5", " l5/s1 = 201.0 , 388.5 "])
def test_the_anchor_is_read_and_kept(read: Run, tmp_path: Path, text: str) -> None:
    assert read("scan.png", "--anchor", text) == 0
    anchor = load_reading(tmp_path / "out" / "reading.json")["provenance"]["anchor"]
    assert (anchor["level"], anchor["point_px"]) == ("L5-S1", [201.0, 388.5])


def test_attention_is_written_when_explain_asks_for_it(read: Run, tmp_path: Path) -> None:
    assert read("a.png", "--explain") == 0
    assert names(tmp_path / "out") == READING_FILES | {"attention.png", "attention.npz"}
    assert read("a.png") == 0
    assert names(tmp_path / "out") == READING_FILES


def test_the_writer_is_opened_by_name_with_its_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []

    def load(**options: object) -> object:
        seen.append(options["writer"])
        return fake_reader()

    monkeypatch.setattr("pipeline.Reader.load", load)
    out = ("--out", str(tmp_path / "out"))
    assert main(["read", "scan.png", *out]) == 0
    words = ("--writer", "smolvlm", "--writer-model", "models/smol", "--draft-seconds", "300")
    assert main(["read", "scan.png", *words, *out]) == 0
    assert seen == [None, WriterChoice("smolvlm", "models/smol")]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--writer", "nobody"), "writer: expected composer, biomedclip, llava-med"),
        (("--writer-model", "org/name"), "--writer-model: expected --writer beside it"),
        (("--draft-seconds", "-3"), "draft_seconds: expected a time above 0, got -3.0"),
    ],
)
def test_a_wrong_writer_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    assert main(["read", "scan.png", *words, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out" / "error.json").exists()
