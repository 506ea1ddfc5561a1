"""Codes: public ones are those of DICOM's own dictionary, and everything has at least one of ours."""

import csv
from pathlib import Path

from pydicom.sr._concepts_dict import concepts

import reporting.fhir
from anatomy import CONDITIONS, DISC_LEVELS, SCALES, SIJ, VERTEBRAE, Side
from reporting.fhir import codes


def _known(scheme: str) -> set[tuple[str, str]]:
    return {(code, meaning) for rows in concepts[scheme].values() for code, (meaning, _) in rows.items()}


def test_snomed_codes_are_those_of_dicom() -> None:
    table = Path(reporting.fhir.__file__).parent / "snomed.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    known = _known("SCT")
    assert len(rows) == len({(row["kind"], row["key"]) for row in rows}) > 50
    assert [row for row in rows if (row["code"], row["display"]) not in known] == []


def test_loinc_dicom_and_ucum_codes_are_in_the_dictionary() -> None:
    loinc = {code for code, _ in _known("LN")}
    for protocol in ("lumbar", "cervical", "sacroiliac"):
        assert codes.report_concept(protocol, "t")["coding"][0]["code"] in loinc
    assert ("123110", "Artificial Intelligence") in _known("DCM")
    assert ("MR", "Magnetic Resonance") in _known("DCM")
    ucum = {code for code, _ in _known("UCUM")}
    assert {codes.quantity(1, unit)["code"] for unit in ("mm", "mm2", "deg", "%", "1")} <= ucum


def test_every_place_has_a_public_code() -> None:
    for level in (*DISC_LEVELS, *VERTEBRAE, SIJ):
        assert {row["system"] for row in codes.level_concept(level)["coding"]} == {codes.LEVEL, codes.SNOMED}
    assert [codes.side_concept(side)["coding"][0]["code"] for side in Side] == ["7771000", "24028007"]


def test_every_condition_and_step_has_a_code() -> None:
    for condition in CONDITIONS:
        assert codes.condition_concept(condition)["coding"][0]["code"] == condition.value
    for scale in SCALES.values():
        for step in scale.grades:
            first = codes.step_concept(scale.name, step)["coding"][0]
            assert (first["system"], first["code"]) == (codes.scale_system(scale.name), step)
    assert len(codes.step_concept("rsna", "normal_mild")["coding"]) == 1


def test_a_unit_that_ucum_does_not_name_is_only_shown() -> None:
    assert codes.quantity(2.0, "furlong") == {"value": 2.0, "unit": "furlong"}
