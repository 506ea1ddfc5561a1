"""Codes: our own for every condition, scale and measurement, public ones beside them where they mean the same.

The public ones (SNOMED CT, RadLex, LOINC) are those of ``reporting.codes``, which DICOM's structured report holds
too. What has none, such as the steps of Pfirrmann or Kang, carries our code alone. No code stands for something
near it.
"""

from __future__ import annotations

from anatomy import CONDITIONS, SCALES, SIJ, Condition, Side
from reporting.codes import CodeRow, Kind, code_rows, report_row
from reporting.fhir.context import Resource
from reporting.quantities import quantity_words, unit_words

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RADLEX = "http://radlex.org"
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

_SYSTEMS = {"SCT": SNOMED, "RADLEX": RADLEX, "LN": LOINC, "DCM": DCM, "UCUM": UCUM}
"""Coding scheme designators of DICOM as FHIR names them. Source: HL7 Terminology (terminology.hl7.org)."""


def coding(system: str, code: str, display: str = "") -> Resource:
    """Return a Coding."""
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(text: str, *codings: Resource) -> Resource:
    """Return a CodeableConcept."""
    return {**({"coding": list(codings)} if codings else {}), "text": text}


def scale_system(scale: str) -> str:
    """Return the code system of the steps of a scale."""
    return f"urn:spinescribe:scale:{scale}"


def condition_concept(condition: Condition) -> Resource:
    """Return a condition."""
    words = CONDITIONS[condition].words
    return concept(words, coding(CONDITION, condition.value, words), *public(Kind.CONDITION, condition.value))


def step_concept(scale: str, step: str) -> Resource:
    """Return a step of a scale."""
    words = SCALES[scale].step(step).words
    return concept(words, coding(scale_system(scale), step, words), *public(Kind.STEP, f"{scale}/{step}"))


def level_concept(level: str) -> Resource:
    """Return a disc level, a vertebra or the sacroiliac joints."""
    words = "sacroiliac joints" if level == SIJ else level
    return concept(words, coding(LEVEL, level, words), *public(Kind.LEVEL, level))


def side_concept(side: Side) -> Resource:
    """Return the patient's side."""
    return concept(side.value, *public(Kind.SIDE, side.value))


def part_concept(part: str) -> Resource:
    """Return what a component of an Observation tells."""
    known = public(Kind.CONCEPT, "laterality") if part == "side" else []
    return concept(part.replace("-", " "), coding(PART, part), *known)


def measurement_concept(name: str) -> Resource:
    """Return a measured quantity."""
    words = quantity_words(name)
    return concept(words, coding(MEASUREMENT, name, words), *public(Kind.MEASUREMENT, name))


def report_concept(protocol: str, title: str) -> Resource:
    """Return the kind of report: LOINC's MR report of the spine, or of any body region (PS3.16 CID 7000)."""
    return concept(title, *_codings(report_row(protocol)), coding(PROTOCOL, protocol, title))


def quantity(value: float, unit: str) -> Resource:
    """Return a Quantity; a unit that UCUM does not name is only shown."""
    known = public(Kind.UNIT, unit)
    shown = unit_words(unit)
    return {
        "value": value,
        **({"unit": shown} if shown else {}),
        **({"system": known[0]["system"], "code": known[0]["code"]} if known else {}),
    }


def public(kind: Kind, name: str) -> list[Resource]:
    """Return the public codes of something; none where there is none that means the same."""
    row = code_rows().get((kind, name))
    return [] if row is None else _codings(row)


def _codings(row: CodeRow) -> list[Resource]:
    return [
        coding(_SYSTEMS[code.scheme], code.value, code.meaning) for code in row.codes if code.scheme in _SYSTEMS
    ]
