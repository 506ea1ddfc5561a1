"""reading.json: the shipped schema, what it refuses, and that it says the same words as anatomy."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anatomy import DISC_LEVELS, SCALES, SIJ, Condition
from imaging.types import Spacing
from pipeline import Reading, ReadOptions, load_reading, reading_to_dict, validate_document
from pipeline.document import SCHEMA_FILE, SCHEMA_NAME
from reporting.types import ReportState, SentenceSource, SentenceStatus
from runtime.errors import ReportError, StudyError
from tests.pipeline.fakes import fake_reader

Document = dict[str, Any]


def read(options: ReadOptions | None = None) -> Reading:
    *_, reading = fake_reader().read(Path("scan.png"), options)
    assert isinstance(reading, Reading)
    return reading


@pytest.fixture(scope="module")
def document() -> Document:
    return reading_to_dict(read(ReadOptions(spacing=Spacing(0.6, 0.6))))


@pytest.fixture(scope="module")
def schema() -> Document:
    content: Document = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return content


def test_document_holds_what_the_contract_names(document: Document) -> None:
    assert list(document) == [
        "schema", "study", "eligibility", "levels", "measurements", "grades", "burden", "detections", "report",
        "notices", "label_maps", "provenance",
    ]  # fmt: skip
    assert document["schema"] == SCHEMA_NAME
    assert document["eligibility"] == {"eligible": True, "reasons": []}
    assert document["report"]["state"] == "draft"
    first = document["report"]["sections"][0]["sentences"][0]
    assert first["source"] == "vlm"
    assert first["status"] == "supported"
    assert {"text", "finding_ids", "replaced_text"} <= set(first)
    level = document["levels"][3]
    assert (level["name"], level["centre_px"], level["posterior_px"], level["series"]) == (
        "L4-L5", [65.0, 150.0], [90.0, 150.0], "S1",
    )  # fmt: skip


def test_unknown_spacing_is_a_reading_with_reasons() -> None:
    document = reading_to_dict(read())
    assert document["study"]["series"][0]["spacing_mm"] is None
    heights = [item for item in document["measurements"] if item["name"] == "disc_height"]
    assert len(heights) == 5
    assert all(item["value"] is None and item["reason"] == "pixel spacing unknown" for item in heights)
    stenosis = [grade for grade in document["grades"] if grade["condition"] == "spinal_canal_stenosis"]
    assert {grade["status"] for grade in stenosis} == {"not_assessable"}


def test_the_anchor_is_in_the_provenance_with_its_series() -> None:
    document = reading_to_dict(read(ReadOptions(anchor=("L5-S1", (201.0, 388.5)))))
    series = document["levels"][0]["series"]
    assert document["provenance"]["anchor"] == {"level": "L5-S1", "point_px": [201.0, 388.5], "series": series}
    assert reading_to_dict(read())["provenance"]["anchor"] is None


def test_numpy_numbers_become_plain_and_rounded() -> None:
    reading = read()
    level = replace(reading.findings.levels[0], centre_px=(np.float32(1.5), np.float64(1 / 3)))
    findings = replace(reading.findings, levels=(level, *reading.findings.levels[1:]))
    document = reading_to_dict(replace(reading, findings=findings))
    assert document["levels"][0]["centre_px"] == [1.5, 0.333333]
    json.dumps(document, allow_nan=False)


def test_nan_never_gets_out() -> None:
    reading = read()
    level = replace(reading.findings.levels[2], confidence=float("nan"))
    findings = replace(
        reading.findings, levels=(*reading.findings.levels[:2], level, *reading.findings.levels[3:])
    )
    with pytest.raises(ReportError, match="reading/levels/2/confidence: expected a finite number"):
        reading_to_dict(replace(reading, findings=findings))


def change(path: str, value: object) -> Callable[[Document], None]:
    """Return a change of one value, its place written ``grades/0/grade``."""

    def apply(document: Document) -> None:
        *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        place: Any = document
        for part in parents:
            place = place[part]
        place[last] = value

    return apply


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("schema", "spinescribe.reading/2", "at schema"),
        ("study/patient_name", "DOE^JANE", "at study: .*patient_name"),
        ("study/sex", "male", "at study/sex"),
        ("study/age_years", -3, "at study/age_years"),
        ("study/series", [], "at study/series"),
        ("eligibility/eligible", False, "at eligibility: 'overridden' is a required"),
        ("eligibility/reasons", ["too coarse"], "at eligibility/reasons"),
        ("eligibility/overridden", {"reason": "x", "codes": ["too_coarse"]}, "at eligibility"),
        ("eligibility/ood", {"score": 1.0, "p_value": 0.0, "threshold": 0.02}, "at eligibility/ood/p_value"),
        ("eligibility/ood", {"score": 1.0}, "at eligibility/ood"),
        ("eligibility/warnings", [], "at eligibility/warnings"),
        ("eligibility/warnings", [{"code": "Too bad", "text": "x", "series": None}], "at eligibility/warnings/0"),
        ("levels/0/name", "L9-L10", "at levels/0/name"),
        ("levels/0/confidence", 1.2, "at levels/0/confidence"),
        ("levels/0/centre_px", [1.0], "at levels/0/centre_px"),
        ("measurements/0/value", None, "at measurements/0/value"),
        ("measurements/0/id", "height", "at measurements/0/id"),
        ("grades/0/condition", "sciatica", "at grades/0/condition"),
        ("grades/0/grade", "VI", "at grades/0/grade"),
        ("grades/0/grade", "severe", "at grades/0/grade"),
        ("grades/0/scale", "schizas", "at grades/0/scale"),
        ("grades/0/side", "links", "at grades/0/side"),
        ("grades/0/probabilities", {"II": 1.4}, "at grades/0/probabilities"),
        ("grades/0/probabilities", {"mild": 0.4}, "at grades/0/probabilities"),
        ("grades/0/prediction_set", [], "at grades/0/prediction_set"),
        ("grades/0/evidence", None, "at grades/0/evidence"),
        ("grades/0/status", "not_assessable", "at grades/0"),
        ("grades/3/reason", None, "at grades/3/reason"),
        ("burden/score", 101, "at burden/score"),
        ("burden/interval", [30.0], "at burden/interval"),
        ("burden/completeness", 1.5, "at burden/completeness"),
        ("report/state", "final", "at report/state"),
        ("report/sections", [], "at report/sections"),
        ("report/sections/0/sentences/0/source", "ghost", "at report/sections/0/sentences/0/source"),
        ("report/sections/0/sentences/0/text", "", "at report/sections/0/sentences/0/text"),
        ("provenance/config_hash", "abc", "at provenance/config_hash"),
        ("extra", 1, "at the whole document"),
        # What a schema cannot say:
        ("grades/1/id", "g1", "the id g1 is used 2 times"),
        ("levels/1/name", "L1-L2", "the level L1-L2 is named 2 times"),
        ("levels/1/series", "S9", "the series S9 is not in the study"),
        ("grades/0/evidence/series", "S9", "g1: the series S9 is not in the study"),
        ("grades/0/prediction_set", ["III"], "g1: its prediction set does not hold its grade"),
        ("grades/0/measurements", ["m99"], "g1 rests on m99, which does not exist"),
        ("burden/terms/0/grade", "g99", "the burden score refers to g99"),
        ("burden/interval", [43.0, 50.0], "the burden score 42.0 is outside its interval 43.0 to 50.0"),
        ("report/sections/1/sentences/0/finding_ids", ["g99"], "a sentence of findings refers to g99"),
    ],
)  # fmt: skip
def test_a_broken_document_is_refused(document: Document, path: str, value: object, words: str) -> None:
    broken = copy.deepcopy(document)
    change(path, value)(broken)
    with pytest.raises(ReportError, match=words):
        validate_document(broken)


@pytest.mark.parametrize("key", ["schema", "study", "levels", "grades", "report", "provenance"])
def test_a_missing_block_is_refused(document: Document, key: str) -> None:
    broken = {name: value for name, value in document.items() if name != key}
    with pytest.raises(ReportError, match=f"'{key}' is a required property"):
        validate_document(broken)


def test_schema_says_the_same_words_as_the_records(schema: Document) -> None:
    names = schema["$defs"]
    assert names["level_name"]["enum"] == [*DISC_LEVELS, SIJ]
    grade = names["grade"]["properties"]
    assert grade["condition"]["enum"] == [condition.value for condition in Condition]
    assert grade["scale"]["enum"] == list(SCALES)
    steps = {
        rule["if"]["properties"]["scale"]["const"]: rule["then"]["properties"]["grade"]["enum"]
        for rule in names["grade"]["allOf"]
        if "scale" in rule["if"]["properties"]
    }
    assert steps == {name: [*scale.grades, None] for name, scale in SCALES.items()}
    sentence = names["sentence"]["properties"]
    assert sentence["source"]["enum"] == [source.value for source in SentenceSource]
    assert sentence["status"]["enum"] == [status.value for status in SentenceStatus]
    assert schema["properties"]["report"]["properties"]["state"]["enum"] == [state.value for state in ReportState]


def test_a_reading_is_read_back(document: Document, tmp_path: Path) -> None:
    file = tmp_path / "reading.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    assert load_reading(file) == document


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "expected a reading.json of schema spinescribe.reading/1, found none"),
        (b"\x89PNG\r\n", "found no valid JSON"),
        (b"{", "found no valid JSON"),
        (b'{"schema": NaN}', "found no valid JSON"),
        (b"[1, 2]", "found 'list'"),
        (b'{"schema": "spinescribe.error/1"}', "found 'spinescribe.error/1'"),
        (b'{"schema": "spinescribe.reading/1"}', "is a required property"),
        (b"[" * 100_000, "found no valid JSON"),
    ],
)
def test_what_is_no_reading_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "reading.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(StudyError, match=words):
        load_reading(file)
