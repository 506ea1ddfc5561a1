"""Items of code sequences: kept when the code is in the vocabularies that pydicom carries, with their meaning.

The meaning that the file gives is free text and is never kept; a local code (``99...``) cannot be told from a
number of a person and is dropped.
"""

from functools import cache

from pydicom.dataset import Dataset
from pydicom.sr.codedict import Collection
from pydicom.sr.coding import Code

from imaging.dicom.values import text

_SCHEMES = ("DCM", "SCT", "UCUM", "LN", "RADLEX", "FMA", "NCIt", "MDC", "RXNORM")


def is_code(item: Dataset) -> bool:
    """Say whether an item of a sequence is a code."""
    return "CodingSchemeDesignator" in item or "CodeValue" in item or "LongCodeValue" in item


def known_code(item: Dataset) -> Dataset | None:
    """Return a fresh item of a known code with the vocabulary's meaning, else None; SRT counts as SNOMED CT."""
    value, scheme = text(item, "CodeValue"), text(item, "CodingSchemeDesignator")
    if not value or not scheme:
        return None
    meaning = _meanings().get(Code(value, scheme, ""))
    if meaning is None:
        return None
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = scheme
    code.CodeMeaning = meaning[:64]
    return code


def method_codes(*, keeps_characteristics: bool) -> list[Dataset]:
    """Return the items of De-identification Method Code Sequence. Source: PS3.16 CID 7050."""
    rows = [
        ("113100", "Basic Application Confidentiality Profile"),
        ("113105", "Clean Descriptors Option"),
        ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ]
    if keeps_characteristics:
        rows.append(("113108", "Retain Patient Characteristics Option"))
    items = []
    for value, meaning in rows:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
        items.append(item)
    return items


@cache
def _meanings() -> dict[Code, str]:
    found = {}
    for scheme in _SCHEMES:
        for code in Collection(scheme).concepts.values():
            for one in code if isinstance(code, list) else [code]:
                found[one] = one.meaning
    return found
