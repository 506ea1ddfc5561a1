"""An earlier reading through the pipeline: the block, the section, the notices, the errors, the same bytes."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anatomy import Condition
from grading.types import Findings
from imaging.types import Spacing, Study
from pipeline import Reader, Reading, ReadOptions, reading_to_dict, validate_document, write_reading
from pipeline.stages import Models
from reporting import compose_report, verify_draft
from reporting.types import SentenceStatus
from runtime.errors import ReportError, StudyError
from segmentation.types import SegmentedStudy
from tests.pipeline.fakes import FakeGrader, FakeSegmenter, fake_findings, fake_load_study, fake_stages

SCAN = Path("scan.png")
MM = Spacing(0.6, 0.6)


def reader(**study: Any) -> Reader:
    """Return a reader of fakes with the real composer and verifier; ``study`` changes the loaded study."""

    def load(path: Path, **options: Any) -> Study:
        return replace(fake_load_study(path, **options), **study)

    stages = fake_stages(load_models=lambda protocol: Models(FakeSegmenter(), FakeGrader(), None))
    stages = replace(stages, compose_report=compose_report, verify_draft=verify_draft)
    return Reader(replace(stages, load_study=load, load_study_isolated=load))


def read(options: ReadOptions, **study: Any) -> Reading:
    *_, reading = reader(**study).read(SCAN, options)
    assert isinstance(reading, Reading)
    return reading


@pytest.fixture(scope="module")
def prior() -> dict[str, Any]:
    """Return an earlier reading of other images: L4-L5 without bulge, with a moderate canal 4 mm wider."""

    def earlier(study: Study, segmented: SegmentedStudy) -> Findings:
        found = fake_findings(study, segmented)
        steps = {Condition.DISC_BULGING: "absent", Condition.SPINAL_CANAL_STENOSIS: "moderate"}
        grades = tuple(
            replace(grade, grade=steps[grade.condition], prediction_set=(steps[grade.condition],))
            if grade.level == "L4-L5" and grade.condition in steps
            else grade
            for grade in found.grades
        )
        return replace(found, grades=grades)

    base = read(ReadOptions(spacing=MM), key="feedbeef", sex="F", age_years=50.0)
    findings = earlier(base.study, base.segmented)
    report = verify_draft(compose_report(findings), findings)
    return reading_to_dict(replace(base, findings=findings, report=report))


def with_prior(prior: dict[str, Any], **study: Any) -> Reading:
    return read(ReadOptions(spacing=MM, prior=prior, prior_name="old.json"), **study)


def test_the_table_and_the_section_are_in_the_reading(prior: dict[str, Any]) -> None:
    document = reading_to_dict(with_prior(prior))
    rows = {(row["level"], row["condition"]): row for row in document["comparison"]["grades"]}
    bulge = rows["L4-L5", "disc_bulging"]
    assert (bulge["change"], bulge["before"]["grade"], bulge["now"]["grade"]) == ("new", "absent", "present")
    assert rows["L4-L5", "spinal_canal_stenosis"]["change"] == "worse"
    assert rows["L5-S1", "disc_degeneration"]["change"] == "unchanged"
    assert rows["L5-S1", "modic"]["reason"] == "not assessed in either reading"
    section = next(part for part in document["report"]["sections"] if part["name"] == "comparison")
    texts = [item["text"] for item in section["sentences"]]
    assert "L4-L5: New since the earlier reading: a disc bulge." in texts
    assert "L4-L5: Progressed: spinal canal stenosis from moderate to severe." in texts
    line = section["sentences"][texts.index("L4-L5: New since the earlier reading: a disc bulge.")]
    assert (line["finding_ids"], line["prior_finding_ids"]) == (["g14"], ["g14"])


def test_without_a_prior_there_is_no_trace_of_one() -> None:
    document = reading_to_dict(read(ReadOptions(spacing=MM)))
    assert "comparison" not in document
    assert "comparison" not in [part["name"] for part in document["report"]["sections"]]
    lines = [line for part in document["report"]["sections"] for line in part["sentences"]]
    assert not any("prior_finding_ids" in line for line in lines)


def test_everything_said_with_a_prior_is_supported(prior: dict[str, Any]) -> None:
    report = with_prior(prior).report
    assert {line.status for part in report.sections for line in part.sentences} == {SentenceStatus.SUPPORTED}


def test_repeated_runs_write_the_same_bytes(prior: dict[str, Any], tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_reading(with_prior(copy.deepcopy(prior)), tmp_path / name)
    for file in ("reading.json", "report.md"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_report_shows_table_and_notices_once_and_nothing_of_the_priors_identity(
    prior: dict[str, Any], tmp_path: Path
) -> None:
    marked = copy.deepcopy(prior)
    for row in (*marked["grades"], *marked["measurements"]):
        row["reason"] = "seen on 1961-04-01" if row["reason"] else row["reason"]
    marked["notices"] = ["Jane Doe"]
    marked["study"]["notices"] = ["Jane Doe"]
    marked["levels"][0]["doubt"] = "Jane Doe"
    write_reading(with_prior(marked, sex="M", age_years=40.0), tmp_path)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "## Comparison" in text
    assert "| L4-L5 | – | disc bulge | absent | present | new | – | g14, earlier g14 |" in text
    for notice in ("The sex recorded for the earlier reading is another", "The age recorded", "was in doubt"):
        assert text.count(notice) == 1
    both = text + (tmp_path / "reading.json").read_text(encoding="utf-8")
    assert "Jane" not in both
    assert "1961" not in both
    assert both.count("feedbeef") == 1, "only provenance.prior_study_key of reading.json"


def test_notices_name_what_makes_a_comparison_doubtful(prior: dict[str, Any]) -> None:
    assert with_prior(prior).comparison is not None
    other = copy.deepcopy(prior)
    other["provenance"]["weights"]["grading"] = "older"
    notices = with_prior(other).notices
    assert any("made with other grading weights" in notice for notice in notices)
    assert not any("other grading weights" in notice for notice in with_prior(prior).notices)
    same = with_prior(prior, key="feedbeef").notices
    assert "The earlier reading is of the very same images." in same


def test_a_prior_of_another_region_is_an_error_that_names_the_file(prior: dict[str, Any]) -> None:
    neck = copy.deepcopy(prior)
    neck["study"]["protocol"] = "cervical"
    with pytest.raises(
        StudyError, match=r"old\.json: expected an earlier reading of the lumbar protocol"
    ) as caught:
        with_prior(neck)
    assert caught.value.code == "prior_other_region"


def test_the_content_of_the_prior_is_part_of_the_configuration(prior: dict[str, Any]) -> None:
    other = copy.deepcopy(prior)
    other["grades"][0]["prediction_set"] = ["I", "II"]
    hashes = {with_prior(item).provenance.config_hash for item in (prior, other)}
    assert len(hashes | {read(ReadOptions(spacing=MM)).provenance.config_hash}) == 3
    laid_out = json.loads(json.dumps(prior, indent=4, sort_keys=True))
    assert with_prior(laid_out).provenance.config_hash in hashes


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda d: d["comparison"]["grades"][0]["now"].update(id="g999"), "the comparison refers to g999"),
        (
            lambda d: d["comparison"]["grades"][0].update(change="vanished"),
            "breaks spinescribe.reading/1 at comparison",
        ),
        (
            lambda d: d["report"]["sections"][2]["sentences"][-1].update(prior_finding_ids=["g999"]),
            "refers to g999 of a prior that is not compared",
        ),
    ],
)
def test_broken_comparisons_are_refused(prior: dict[str, Any], break_it: Any, words: str) -> None:
    document = reading_to_dict(with_prior(prior))
    break_it(document)
    with pytest.raises(ReportError, match=words):
        validate_document(document)
