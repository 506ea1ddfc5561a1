"""`make reproduce`: figures inside and outside their tolerances, what is missing, stale or fails, and the plan."""

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from benchmarks.reproduce.__main__ import main
from benchmarks.reproduce.compare import Outcome, State, Verdict, compare, find_number, table_text
from benchmarks.reproduce.plan import COLUMNS, Figure, choose, load_plan, write_expected
from runtime.errors import ConfigError
from runtime.paths import weights_dir

FAKE = "tests.benchmarks.fake_part"
RECORD = {"f1": {"value": 0.9}, "rows": [{"hits": 3}]}
Rows = Sequence[tuple[str, str, str, str]]


class Plan:
    """Files of a plan in a folder, and its run."""

    def __init__(self, folder: Path) -> None:
        self.parts, self.expected = folder / "parts.yaml", folder / "expected.csv"
        self.folder, self.out = folder / "runs", folder / "reproduce.json"

    def write(self, parts: object, rows: Rows) -> "Plan":
        self.parts.write_text(yaml.safe_dump(parts), encoding="utf-8")
        with self.expected.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([COLUMNS, *rows])
        return self

    def run(self, *words: str) -> int:
        places = {"parts": self.parts, "expected": self.expected, "folder": self.folder, "out": self.out}
        options = [text for name, place in places.items() for text in (f"--{name}", str(place))]
        return main([*options, *words])

    def record(self, part: str) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.out.read_text(encoding="utf-8"))["parts"][part]
        return found


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setenv("SPINESCRIBE_DATA", str(tmp_path / "data"))
    return Plan(tmp_path)


def fake(record: object = RECORD, **more: object) -> dict[str, object]:
    command = f"{FAKE} {{out}}/record.json '{json.dumps(record)}'"
    return {"about": "a fake", "commands": [command], "record": "record.json", **more}


FAILING = {"about": "fails", "commands": [f"{FAKE} fail"], "record": "record.json"}


def test_a_figure_inside_its_tolerance_is_reproduced(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write({"one": fake()}, [("one", "/f1/value", "0.905", "0.01"), ("one", "/rows/0/hits", "3", "0")])
    assert plan.run() == 0
    told = capsys.readouterr().out
    assert "| one | /f1/value | 0.905 | 0.9 | -0.005 | 0.01 | reproduced |" in told
    assert "2 figures of 1 parts: 2 reproduced." in told
    assert plan.record("one")["state"] == "run"


def test_a_figure_outside_its_tolerance_fails_the_run(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write({"one": fake()}, [("one", "/f1/value", "0.92", "0.01"), ("one", "/rows/0/hits", "3", "0")])
    assert plan.run() == 1
    assert "| one | /f1/value | 0.92 | 0.9 | -0.02 | 0.01 | **differs** |" in capsys.readouterr().out


def test_a_figure_that_the_record_lacks_fails_the_run(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write({"one": fake()}, [("one", "/f1/low", "0.9", "1")])
    assert plan.run() == 1
    assert "| one | /f1/low | 0.9 | - | - | 1 | **not found in the record** |" in capsys.readouterr().out


def test_a_figure_without_a_stored_value_is_no_pass(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write({"one": fake()}, [("one", "/f1/value", "", "0.01")])
    assert plan.run() == 1
    assert "| one | /f1/value | - | 0.9 | - | 0.01 | **no expected value stored** |" in capsys.readouterr().out


def test_a_failing_part_does_not_stop_the_others(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"bad": FAILING, "good": fake()}
    plan.write(parts, [("bad", "/f1", "1", "0"), ("good", "/f1/value", "0.9", "1e-6")])
    assert plan.run() == 1
    told = capsys.readouterr().out
    assert "| bad | all | - | - | - | - | **failed**:" in told
    assert "ended with 1: fake part: no such weights" in told
    assert "| good | /f1/value | 0.9 | 0.9 | +0 | 1e-06 | reproduced |" in told
    assert plan.record("bad")["figures"] == {}


def test_what_an_earlier_run_left_is_not_taken_for_a_result(plan: Plan) -> None:
    silent = {
        "about": "writes elsewhere",
        "commands": [f"{FAKE} {{out}}/other.json {{}}"],
        "record": "record.json",
    }
    plan.write({"one": silent}, [("one", "/f1/value", "0.9", "1")])
    old = plan.folder / "one" / "record.json"
    old.parent.mkdir(parents=True)
    old.write_text(json.dumps(RECORD), encoding="utf-8")
    assert plan.run() == 1
    assert not old.exists()
    assert "but its commands wrote none" in str(plan.record("one")["reason"])


def test_a_record_that_is_no_json_fails_its_part(plan: Plan) -> None:
    broken = {"about": "half", "commands": [f"{FAKE} {{out}}/record.json '[1,'"], "record": "record.json"}
    assert plan.write({"one": broken}, [("one", "/0", "1", "1")]).run() == 1
    assert "expected JSON in" in str(plan.record("one")["reason"])


def test_a_part_without_its_data_or_programs_is_named_as_skipped(
    plan: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {"one": fake(data=["spider/a.csv"], programs=["no-such-program"]), "two": fake()}
    plan.write(parts, [("one", "/f1/value", "0.9", "0.1"), ("two", "/f1/value", "0.9", "0.1")])
    assert plan.run() == 0
    told = capsys.readouterr().out
    reason = "no spider/a.csv in the data folder (SPINESCRIBE_DATA); no no-such-program on the path"
    assert f"| one | all | - | - | - | - | **skipped**: {reason} |" in told
    assert "1 figures of 1 parts: 1 reproduced; skipped: one." in told
    assert plan.run("--list") == 0
    assert f"| one | a fake | - | 1 | - | skipped: {reason} |" in capsys.readouterr().out


def test_one_part_alone(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.write({"bad": FAILING, "good": fake()}, [("bad", "/a", "1", "0"), ("good", "/f1/value", "0.9", "0")])
    assert plan.run("--only", "good") == 0
    assert plan.run("--only", "best") == 2
    assert "--only: expected parts among ['bad', 'good'], got ['best']" in capsys.readouterr().err


def test_update_stores_what_was_found_and_keeps_all_else(plan: Plan) -> None:
    parts = {"one": fake(), "two": fake(), "skipped": fake(data=["absent"])}
    rows = [
        ("one", "/f1/value", "0.5", "0.01"),
        ("two", "/rows/0/hits", "", "2e-3"),
        ("skipped", "/f1/value", "0.7", "0.25"),
    ]
    assert plan.write(parts, rows).run("--update") == 0
    with plan.expected.open(encoding="utf-8", newline="") as stream:
        assert list(csv.reader(stream)) == [
            list(COLUMNS),
            ["one", "/f1/value", "0.9", "0.01"],
            ["two", "/rows/0/hits", "3", "2e-3"],
            ["skipped", "/f1/value", "0.7", "0.25"],
        ]
    assert plan.run() == 0


def test_update_does_not_hide_a_figure_that_was_not_found(plan: Plan) -> None:
    assert plan.write({"one": fake()}, [("one", "/f2", "0.5", "0.01")]).run("--update") == 1
    assert write_expected({}, plan.expected) == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"figures": []}, r"parts.yaml: 'one': expected the keys .* got the unknown \['figures'\]"),
        ({"record": None}, r"parts.yaml: 'one': expected \['record'\], found none"),
        ({"data": "spider"}, "parts.yaml: 'one': data: expected a list of texts, got 'spider'"),
        ({"minutes": "long"}, "parts.yaml: 'one': minutes: expected a number, got 'long'"),
    ],
)
def test_a_wrong_part_is_refused(plan: Plan, change: dict[str, object], message: str) -> None:
    plan.write({"one": {**fake(), **change}}, [("one", "/f1", "1", "0")])
    with pytest.raises(ConfigError, match=message):
        load_plan(plan.parts, plan.expected)
    assert plan.run() == 2


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], r"expected.csv: expected figures for every part, found none for \['one'\]"),
        ([("two", "/f1", "1", "0")], r"expected.csv, line 2: expected a part among \['one'\], got 'two'"),
        ([("one", "f1", "1", "0")], "line 2: figure: expected a JSON Pointer such as /f1/value, got 'f1'"),
        ([("one", "/f1", "1", "-1")], "line 2: tolerance: expected 0 or more, got -1.0"),
        ([("one", "/f1", "1", "")], "line 2: tolerance: expected a number, got ''"),
        ([("one", "/f1", "nan", "0")], "line 2: expected: expected a finite number, got 'nan'"),
        ([("one", "/f1", "1", "0"), ("one", "/f1", "2", "0")], "line 3: expected each figure once"),
        ([("one", "/f1", "1")], "line 2: expected 4 cells"),
    ],
)
def test_a_wrong_row_is_refused(plan: Plan, rows: Rows, message: str) -> None:
    plan.write({"one": fake()}, rows)
    with pytest.raises(ConfigError, match=message):
        load_plan(plan.parts, plan.expected)


def test_missing_files_and_wrong_columns_are_refused(plan: Plan) -> None:
    with pytest.raises(ConfigError, match="expected the parts to run at"):
        load_plan(plan.parts, plan.expected)
    plan.write({"one": fake()}, [])
    plan.expected.write_text("part,figure\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="expected the columns"):
        load_plan(plan.parts, plan.expected)
    plan.expected.unlink()
    with pytest.raises(ConfigError, match="expected the figures at"):
        load_plan(plan.parts, plan.expected)


def test_pointers_are_those_of_rfc_6901() -> None:
    record = {"a/b": {"m~n": 1}, "rows": [1.5, None, True, "2"], "8": 4}
    assert find_number(record, "/a~1b/m~0n") == 1.0
    assert find_number(record, "/rows/0") == 1.5
    assert find_number(record, "/8") == 4.0
    for nothing in ("/rows/1", "/rows/2", "/rows/3", "/rows/4", "/rows/-1", "/rows", "/absent/x"):
        assert find_number(record, nothing) is None


def test_a_value_that_is_not_finite_differs() -> None:
    assert compare(Figure("/a", 1.0, 9e9), math.nan).verdict is Verdict.DIFFERS
    assert compare(Figure("/a", 1.0, math.inf), math.inf).verdict is Verdict.DIFFERS


def test_a_reason_keeps_the_table_whole() -> None:
    text = table_text([Outcome("one", State.FAILED, "a | b\nc")])
    assert text.splitlines()[2] == "| one | all | - | - | - | - | **failed**: a \\| b c |"


def test_the_plan_that_is_shipped_judges_all_weights() -> None:
    parts = load_plan()
    judged = {name for part in parts for name in part.weights}
    assert judged == {folder.parent.name for folder in weights_dir().glob("*/config.json")}
    assert choose(parts, ["notes"])[0].data == ("sudirman/notes.csv",)
    assert all("{out}" in " ".join(part.commands[-1]) for part in parts)
