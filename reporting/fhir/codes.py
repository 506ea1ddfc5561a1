"""Codes: our own for every condition, scale and measurement, public ones beside them where they mean the same.

SNOMED CT codes (``snomed.csv``) are those that DICOM uses too (pydicom's dictionary; a test compares them). It has
none for the conditions, and none for the steps of Pfirrmann, Modic, Kang or of sacroiliitis: these carry our codes
alone. No code stands for something near it.
"""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side
from reporting.fhir.context import Resource

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
DICOM_UID = "urn:dicom:uid"

STUDY = "urn:spinescribe:study"
FINDING = "urn:spinescribe:finding"
CONDITION = "urn:spinescribe:condition"
MEASUREMENT = "urn:spinescribe:measurement"
LEVEL = "urn:spinescribe:level"
PART = "urn:spinescribe:part"
PROBABILITY = "urn:spinescribe:probability"
KIND = "urn:spinescribe:kind"
PROTOCOL = "urn:spinescribe:protocol"
SHA256 = "urn:spinescribe:sha256"
MARK = "urn:spinescribe:mark"

_UNITS = {"mm": "mm", "mm2": "mm2", "deg": "deg", "%": "%", "1": "1"}
_SHOWN = {"mm2": "mm²", "deg": "°", "1": ""}
_REPORTS = {"lumbar": "18756-7", "cervical": "18756-7", "thoracic": "18756-7"}
_ANY_MR_REPORT = "25056-3"


def coding(system: str, code: str, display: str = "") -> Resource:
    """Return a Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(text: str, *codings: Resource | None) -> Resource:
    """Return a CodeableConcept; what is None is left out."""
    told = [item for item in codings if item is not None]
    return {**({"coding": told} if told else {}), "text": text}


def scale_system(scale: str) -> str:
    """Return the code system of the steps of a scale."""
    return f"urn:spinescribe:scale:{scale}"


def condition_concept(condition: Condition) -> Resource:
    """Return a condition."""
    words = CONDITIONS[condition].words
    return concept(words, coding(CONDITION, condition.value, words))


def step_concept(scale: str, step: str) -> Resource:
    """Return a step of a scale."""
    words = SCALES[scale].step(step).words
    return concept(words, coding(scale_system(scale), step, words), snomed("step", f"{scale}/{step}"))


def level_concept(level: str) -> Resource:
    """Return a disc level, a vertebra or the sacroiliac joints."""
    words = "sacroiliac joints" if level == SIJ else level
    return concept(words, coding(LEVEL, level, words), snomed("level", level))


def side_concept(side: Side) -> Resource:
    """Return the patient's side."""
    return concept(side.value, snomed("side", side.value))


def part_concept(part: str) -> Resource:
    """Return what a component of an Observation tells."""
    public = snomed("word", "laterality") if part == "side" else None
    return concept(part.replace("-", " "), coding(PART, part), public)


def measurement_concept(name: str) -> Resource:
    """Return a measured quantity."""
    words = name.replace("_", " ")
    return concept(words, coding(MEASUREMENT, name, words))


def report_concept(protocol: str, title: str) -> Resource:
    """Return the kind of report: LOINC's MR report of the spine, or of any body region (PS3.16 CID 7000)."""
    code = _REPORTS.get(protocol, _ANY_MR_REPORT)
    return concept(title, coding(LOINC, code), coding(PROTOCOL, protocol, title))


def quantity(value: float, unit: str) -> Resource:
    """Return a Quantity; a unit that UCUM does not name is only shown."""
    code = _UNITS.get(unit)
    shown = _SHOWN.get(unit, unit)
    return {
        "value": value,
        **({"unit": shown} if shown else {}),
        **({} if code is None else {"system": UCUM, "code": code}),
    }


def snomed(kind: str, key: str) -> Resource | None:
    """Return the SNOMED CT code of something; None where there is none that means the same."""
    return _table().get((kind, key))


@cache
def _table() -> dict[tuple[str, str], Resource]:
    with (Path(__file__).parent / "snomed.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["kind"], row["key"]): coding(SNOMED, row["code"], row["display"]) for row in csv.DictReader(file)
        }
