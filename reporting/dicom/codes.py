"""The codes of a report (``reporting.codes``) as DICOM holds them.

A code carries those of other schemes that mean the same in its Equivalent Code Sequence (PS3.3, 8.9): a reader
that knows RadLex alone finds it there, and one that knows the first code alone loses nothing.
"""

from __future__ import annotations

from functools import cache

from highdicom.sr.coding import CodedConcept
from pydicom import Dataset

from reporting.codes import SCHEME, Code, CodeRow, Kind, row_of

SCHEME_NAME = "SpineScribe codes"


@cache
def code_of(kind: Kind, name: str) -> CodedConcept:
    """Return the code of something we name; shared, not to be changed.

    Raises:
        ConfigError: If the table lacks it.
    """
    return concept_of(row_of(kind, name))


def concept_of(row: CodeRow) -> CodedConcept:
    """Return a code as DICOM holds it, with those that mean the same."""
    made = _concept(row.code)
    if row.equivalents:
        made.EquivalentCodeSequence = [_concept(code) for code in row.equivalents]
    return made


def step_code(scale: str, grade: str) -> CodedConcept:
    """Return the code of a step of a scale."""
    return code_of(Kind.STEP, f"{scale}/{grade}")


def probability_code(scale: str, grade: str) -> CodedConcept:
    """Return the code of the probability of a step."""
    return code_of(Kind.PROBABILITY, f"{scale}/{grade}")


def scheme_item() -> Dataset:
    """Return what names our coding scheme (Coding Scheme Identification Sequence, PS3.3 C.12.1.1.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = "SpineScribe"
    return item


def _concept(code: Code) -> CodedConcept:
    return CodedConcept(value=code.value, scheme_designator=code.scheme, meaning=code.meaning)
