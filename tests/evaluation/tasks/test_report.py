"""The report task: metrics, baselines, levels, a second system, failures."""

import json
from pathlib import Path

import pytest

from evaluation.bootstrap import Interval
from evaluation.options import EvaluationOptions
from evaluation.result import value_of
from evaluation.run import evaluate
from runtime import StudyError

QUICK = EvaluationOptions(resamples=20, metrics=("bleu", "rouge_l", "cider", "spinefact"))
WORDS = (
    "Disc bulge",
    "Severe spinal canal stenosis",
    "Pfirrmann grade IV disc degeneration",
    "No disc herniation",
)
LEVELS = ("L2-L3", "L3-L4", "L4-L5", "L5-S1")


def texts(count: int = 14, *, wrong: int = 0) -> dict[str, str]:
    """Return reports that differ; ``wrong`` turns the words of every so-many-th level."""
    found = {}
    for number in range(count):
        parts = []
        for place, level in enumerate(LEVELS):
            step = number // 4**place if place < 2 else number + place
            is_wrong = wrong and (number + place) % wrong == 0
            parts.append(f"{level}: {WORDS[(step + bool(is_wrong)) % 4]}.")
        found[f"r{number:02}"] = " ".join(parts)
    return found


def written(file: Path, reports: dict[str, str]) -> Path:
    lines = [json.dumps({"id": name, "text": text}) for name, text in reports.items()]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


def test_figures_baselines_and_levels(tmp_path: Path) -> None:
    told, truth = written(tmp_path / "a.jsonl", texts(wrong=5)), written(tmp_path / "b.jsonl", texts())
    (found,) = evaluate("report", told, truth, QUICK).evaluations
    for name in ("bleu_1", "bleu_4", "rouge_l", "cider", "spinefact_f1"):
        assert isinstance(found.figures[name], Interval)
    assert [row["report"] for row in found.tables["baselines"]][:2] == ["predictions", "constant_normal"]
    blind = found.tables["baselines"][1]
    assert number(blind["spinefact_f1"]) < number(value_of(found.figures["spinefact_f1"]))
    assert number(blind["lead_low"]) <= number(blind["lead"]) <= number(blind["lead_high"])
    levels = {row["group"]: row["value"] for row in found.tables["subgroups"] if row["subgroup"] == "level"}
    assert set(levels) == set(LEVELS)
    assert found.figures["unique_ratio"] == 1.0
    assert found.figures["copied_share"] is None
    assert found.failures == ()
    assert len(found.per_case) == 14


def test_copies_of_training_reports_are_counted(tmp_path: Path) -> None:
    reports = texts()
    told, truth = written(tmp_path / "a.jsonl", reports), written(tmp_path / "b.jsonl", texts(wrong=3))
    half = written(tmp_path / "t.jsonl", dict(list(reports.items())[:7]))
    options = EvaluationOptions(resamples=0, metrics=("bleu", "spinefact"), training=half)
    (found,) = evaluate("report", told, truth, options).evaluations
    assert found.figures["copied_share"] == pytest.approx(0.5)


def test_collapse_is_a_failure(tmp_path: Path) -> None:
    told = dict.fromkeys(texts(), "L4-L5: Disc bulge.")
    options = EvaluationOptions(resamples=0, metrics=("bleu", "spinefact"))
    run = evaluate("report", written(tmp_path / "a.jsonl", told), written(tmp_path / "b.jsonl", texts()), options)
    assert any("collapse" in failure for failure in run.all_failures)


def test_a_second_system_is_compared_report_by_report(tmp_path: Path) -> None:
    truth = written(tmp_path / "b.jsonl", texts())
    good, bad = written(tmp_path / "a.jsonl", texts(wrong=7)), written(tmp_path / "c.jsonl", texts(wrong=2))
    options = EvaluationOptions(resamples=0, metrics=("bleu", "spinefact"), against=bad)
    (found,) = evaluate("report", good, truth, options).evaluations
    rows = {row["metric"]: row for row in found.tables["against"]}
    assert number(rows["spinefact_f1"]["lead"]) > 0
    assert number(rows["spinefact_f1"]["p"]) < 0.05
    assert rows["spinefact_f1"]["patients"] == 14
    few = EvaluationOptions(resamples=0, metrics=("bleu",), against=written(tmp_path / "d.jsonl", texts(3)))
    with pytest.raises(StudyError, match="against: expected the ids of the references"):
        evaluate("report", good, truth, few)


def test_a_metric_that_cannot_run_is_skipped_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no Java here
    file = written(tmp_path / "a.jsonl", texts())
    options = EvaluationOptions(resamples=0, metrics=("bleu", "meteor"))
    (found,) = evaluate("report", file, file, options).evaluations
    assert "meteor" not in found.figures
    assert any(notice.startswith("skipped: meteor") for notice in found.notices)


def test_leakage_between_splits_is_a_failure(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", texts())
    splits = tmp_path / "splits.csv"
    splits.write_text("id,patient,split\nr00,p1,train\nr01,p1,test\n", encoding="utf-8")
    options = EvaluationOptions(resamples=0, metrics=("bleu",), splits=splits)
    run = evaluate("report", file, file, options)
    assert any("leakage" in failure for failure in run.all_failures)
    assert run.evaluations[0].figures["bleu_1"] == pytest.approx(1.0)


def test_ids_and_texts_must_fit(tmp_path: Path) -> None:
    truth = written(tmp_path / "b.jsonl", texts())
    with pytest.raises(StudyError, match="in one only"):
        evaluate("report", written(tmp_path / "a.jsonl", texts(3)), truth)
    with pytest.raises(StudyError, match="empty"):
        evaluate("report", written(tmp_path / "a.jsonl", {**texts(), "r03": " "}), truth)
