"""The written pages: what stands in each file, and that the page needs nothing from outside."""

import base64
import csv
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from evaluation.bootstrap import Interval
from evaluation.options import EvaluationOptions
from evaluation.pages import write_pages
from evaluation.pages.document import plain_data
from evaluation.pages.plots import draw_plots
from evaluation.result import Evaluation
from evaluation.run import EvaluationRun

COMMAND = "spinescribe evaluate grading --predictions a.csv"
FILES = {"metrics.json", "per_case.csv", "report.md", "report.html", "model_card_section.md"}
PNG = b"\x89PNG\r\n\x1a\n"


def evaluation(task: str = "grading", *, failures: tuple[str, ...] = ()) -> Evaluation:
    group = {
        "patients": 3,
        "cases": 3,
        "is_few": True,
        "metric": "accuracy",
        "value": 0.5,
        "low": 0.2,
        "high": 0.8,
    }
    return Evaluation(
        task=task,
        unit="study",
        figures={"accuracy": Interval(0.75, 0.5, 1.0, 4), "spread_mm": 2.5, "auc": None},
        per_case=[
            {"id": f"s{n}", "patient": "p1", "accuracy": n / 4, "note": "a|b" if n else None} for n in range(4)
        ],
        tables={
            "subgroups": [
                {"subgroup": "sex", "group": "F", **group},
                {"subgroup": "level", "group": "L4-L5", **group},
            ],
            "confusion": [{"condition": "modic", "truth": a, "named": b, "places": 2} for a in "01" for b in "01"],
            "reliability": [
                {
                    "condition": "modic",
                    "from": 0.5,
                    "to": 0.6,
                    "places": 4,
                    "stated": 0.55,
                    "true_share": np.float64(0.5),
                }
            ],
            "baselines": [
                {"report": "a|b <i>", "accuracy": 0.1, "lead": 0.2, "lead_low": 0.1, "lead_high": 0.3, "p": 1e-4}
            ],
            "coverage": [],
        },
        notices=("auc: no probabilities",),
        failures=failures,
        headline=("accuracy",),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = EvaluationRun("grading", (evaluation(),))
    files = write_pages(run, tmp_path / "out", EvaluationOptions(seed=7), command=COMMAND)
    assert {file.name for file in files} == FILES
    return tmp_path / "out"


class Links(HTMLParser):
    """Collects what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in ("script", "link", "iframe", "object")
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


def test_metrics_have_plain_names_and_intervals_beside_them(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert (metrics["schema"], metrics["task"], metrics["patients"]) == ("spinescribe.metrics/1", "grading", 1)
    assert (metrics["accuracy"], metrics["spread_mm"], metrics["auc"]) == (0.75, 2.5, None)
    assert metrics["intervals"] == {"accuracy": {"low": 0.5, "high": 1.0, "patients": 4}}
    assert metrics["tasks"] == {"grading": {"unit": "study", "cases": 4, "patients": 1}}
    assert metrics["subgroups"][0]["is_few"] is True
    assert set(metrics["tables"]) == {"confusion", "reliability", "coverage"}
    assert metrics["notices"] == ["auc: no probabilities"]
    assert metrics["provenance"]["command"] == COMMAND
    assert metrics["provenance"]["seed"] == 7
    assert metrics["provenance"]["tools"]["numpy"] == np.__version__


def test_rows_of_cases(folder: Path) -> None:
    with (folder / "per_case.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["id"] for row in rows] == ["s0", "s1", "s2", "s3"]
    assert rows[0] == {"id": "s0", "patient": "p1", "accuracy": "0.0", "note": ""}


def test_the_page_stands_alone(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    links = Links()
    links.feed(text)
    assert len(links.sources) == 5
    for source in links.sources:
        assert source.startswith("data:image/png;base64,")
        assert base64.b64decode(source.partition(",")[2]).startswith(PNG)
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert "a|b &lt;i&gt;" in text
    assert "3 (few)" in text
    assert "0.200 (0.100 to 0.300)" in text
    assert "0.0001" in text
    assert "4 studies of 1 patient" in text


def test_the_markdown_page_names_its_plots(folder: Path) -> None:
    text = (folder / "report.md").read_text(encoding="utf-8")
    named = re.findall(r"\]\((plots/[^)]+)\)", text)
    assert len(named) == 5
    for name in named:
        assert (folder / name).read_bytes().startswith(PNG)
    assert "| accuracy | 0.750 | 0.500 to 1.000 |" in text
    assert "a\\|b <i>" in text
    assert "- auc: no probabilities" in text
    assert COMMAND in text


def test_the_model_card_section_has_subgroups_and_what_was_left_out(folder: Path) -> None:
    text = (folder / "model_card_section.md").read_text(encoding="utf-8")
    assert text.startswith("## Evaluation\n")
    assert "Scored on 4 studies of 1 patient." in text
    assert "| sex | F | 3 (few) | 0.500 (0.200 to 0.800) |" in text
    assert "| level | L4-L5 | 3 (few) |" in text
    assert "- auc: no probabilities" in text
    assert "Failed" not in text


def test_failures_stand_first_everywhere(tmp_path: Path) -> None:
    run = EvaluationRun("grading", (evaluation(failures=("reports collapsed",)),))
    write_pages(run, tmp_path, EvaluationOptions(), command=COMMAND)
    for name in ("report.md", "report.html", "model_card_section.md"):
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert text.index("Failed: reports collapsed") < text.index("Grading")
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["failures"] == ["reports collapsed"]


def test_several_tasks_have_a_folder_each(tmp_path: Path) -> None:
    run = EvaluationRun(
        "all", (evaluation(), evaluation("report")), ("detection: skipped",), ("segmentation: bad",)
    )
    write_pages(run, tmp_path, EvaluationOptions(), command=COMMAND)
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert set(metrics["tasks"]) == {"grading", "report"}
    assert set(metrics["tables"]) >= {"grading_confusion", "report_confusion"}
    assert metrics["subgroups"][0]["task"] == "grading"
    assert metrics["notices"][:2] == ["detection: skipped", "grading: auc: no probabilities"]
    assert metrics["failures"] == ["segmentation: bad"]
    assert not (tmp_path / "per_case.csv").exists()
    for task in ("grading", "report"):
        assert {file.name for file in (tmp_path / task).iterdir()} == FILES | {"plots"}
    assert "detection: skipped" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_plots_are_drawn_only_where_there_is_data() -> None:
    names = [plot.name for plot in draw_plots(evaluation())]
    kinds = ("intervals", "distributions", "levels", "confusion", "reliability")
    assert names == [f"grading_{kind}" for kind in kinds]
    assert draw_plots(Evaluation("grading", "study", {"auc": None}, [], {}, (), ())) == []


def test_plain_data_has_no_nan() -> None:
    found = plain_data({"a": np.float32(0.5), "b": math.nan, "c": (np.int64(2), None), "d": np.bool_(True)})
    assert found == {"a": 0.5, "b": None, "c": [2, None], "d": True}
