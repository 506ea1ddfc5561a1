"""Codes: public ones are those of the common table, and everything has at least one of ours."""

from pydicom.sr._concepts_dict import concepts

from anatomy import CONDITIONS, DISC_LEVELS, SCALES, SIJ, VERTEBRAE, Side
from reporting.codes import Kind, row_of
from reporting.fhir import codes


def _known(scheme: str) -> set[tuple[str, str]]:
    return {(code, meaning) for rows in concepts[scheme].values() for code, (meaning, _) in rows.items()}


def test_public_codes_are_those_of_the_structured_report() -> None:
    found = codes.condition_concept(next(iter(CONDITIONS)))
    assert found["coding"][1:] == [
        {"system": codes.SNOMED, "code": "76107001", "display": "Spinal stenosis"},
        {"system": codes.RADLEX, "code": "RID5029", "display": "central spinal stenosis"},
    ]
    for condition in CONDITIONS:
        row = row_of(Kind.CONDITION, condition.value)
        told = [coding["code"] for coding in codes.condition_concept(condition)["coding"][1:]]
        assert told == [code.value for code in row.codes if code.scheme in ("SCT", "RADLEX")]


def test_loinc_dicom_and_ucum_codes_are_in_the_dictionary() -> None:
    loinc = {code for code, _ in _known("LN")}
    for protocol in ("lumbar", "cervical", "sacroiliac"):
        assert codes.report_concept(protocol, "t")["coding"][0]["code"] in loinc
    assert ("123110", "Artificial Intelligence") in _known("DCM")
    assert ("MR", "Magnetic Resonance") in _known("DCM")
    ucum = {code for code, _ in _known("UCUM")}
    assert {codes.quantity(1, unit)["code"] for unit in ("mm", "mm2", "deg", "%", "1")} <= ucum
    (own, public) = codes.measurement_concept("cobb_angle")["coding"]
    assert (own["code"], public["code"]) == ("cobb_angle", "285285000")


def test_quantities_and_units_are_told_in_the_words_of_the_report() -> None:
    told = codes.measurement_concept("canal_ap_diameter")
    assert (told["text"], told["coding"][0]["display"]) == ("canal AP diameter", "canal AP diameter")
    assert [codes.quantity(1, unit).get("unit") for unit in ("mm", "mm2", "deg", "1")] == ["mm", "mm²", "°", None]


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
