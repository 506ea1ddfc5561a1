"""The CSV tables: equal to Findings, marked with the state, harmless in a spreadsheet."""

import csv
import io
from dataclasses import replace

import pytest

from reporting.export.package import Package
from reporting.export.tables import csv_files, guarded
from tests.reporting.export.packages import (
    HOSTILE,
    PROTOCOLS,
    Phantoms,
    hostile,
    package_of,
    signed,
    without_source,
)


def _tables(package: Package) -> dict[str, list[dict[str, str]]]:
    return {
        file.name: list(csv.DictReader(io.StringIO(file.content.decode("utf-8-sig"), newline="")))
        for file in csv_files(package)
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_tables_are_the_findings(phantoms: Phantoms, protocol: str) -> None:
    package = without_source(package_of(phantoms, protocol))
    tables, findings = _tables(package), package.outgoing.findings
    assert list(tables) == [f"csv/{name}.csv" for name in ("grades", "measurements", "levels", "sentences")]
    for row, grade in zip(tables["csv/grades.csv"], findings.grades, strict=True):
        assert (row["id"], row["condition"], row["grade"]) == (grade.id, grade.condition.value, grade.grade or "")
        assert row["prediction_set"] == "|".join(grade.prediction_set)
        assert row["reason"] == (grade.reason or "")
        if grade.evidence is not None:
            assert float(row["box_x1_px"]) == grade.evidence.box_px[2]
    for row, item in zip(tables["csv/measurements.csv"], findings.measurements, strict=True):
        assert row["value"] == ("" if item.value is None else str(item.value))
        assert row["value"] or row["reason"]
    assert [row["name"] for row in tables["csv/levels.csv"]] == [level.name for level in findings.levels]
    texts = [item.text for section in package.outgoing.report.sections for item in section.sentences]
    assert [row["text"] for row in tables["csv/sentences.csv"]] == texts


def test_every_row_says_of_which_study_and_in_which_state(phantoms: Phantoms) -> None:
    package = without_source(package_of(phantoms, "lumbar"))
    for file in csv_files(package):
        assert file.content.startswith(b"\xef\xbb\xbfstudy_key,status,mark,version,")
        assert b"\r\n" in file.content
    for rows in _tables(package).values():
        assert {(row["study_key"], row["status"]) for row in rows} == {(package.outgoing.study_key, "draft")}
        assert {row["mark"] for row in rows} == {package.outgoing.mark}
    for rows in _tables(signed(package)).values():
        assert {(row["status"], row["mark"]) for row in rows} == {("signed", "")}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", " =", "＝", "＋", "－", "＠"])
def test_a_text_is_no_formula(phantoms: Phantoms, start: str) -> None:
    text = f'{start}HYPERLINK("http://example.invalid")'
    assert guarded(text) == f"'{text}"
    package = hostile(without_source(package_of(phantoms, "sacroiliac")), text)
    assert _tables(package)["csv/sentences.csv"][-1]["text"] == f"'{text}"


def test_numbers_stay_numbers_and_text_stays_text(phantoms: Phantoms) -> None:
    assert guarded(-3.25) == "-3.25"
    assert guarded(None) == ""
    assert guarded(False) == "false"
    assert guarded('mild, "moderate"') == 'mild, "moderate"'
    package = hostile(without_source(package_of(phantoms, "sacroiliac")))
    assert _tables(package)["csv/sentences.csv"][-1]["text"] == HOSTILE


def test_a_grade_that_a_reader_rejected_says_so(phantoms: Phantoms) -> None:
    package = without_source(package_of(phantoms, "sacroiliac"))
    first, *rest = package.outgoing.findings.grades
    told = replace(first, reason="=the machine's grade was rejected")
    findings = replace(package.outgoing.findings, grades=(told, *rest))
    package = replace(package, outgoing=replace(package.outgoing, findings=findings))
    assert _tables(package)["csv/grades.csv"][0]["reason"] == "'=the machine's grade was rejected"
