"""Codes of what a structured report says: conditions, scales, steps, levels, sides, measurements, units.

``codes.csv`` holds them all. A code is public where DICOM's own tables (PS3.16) or SNOMED CT name the thing, with
its source beside it; else it is of our scheme ``99SPINESCRIBE``. A code is never given to another thing once a
release has written it. Steps of several scales may share a public code, such as Moderate: a step is read with its
scale.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from highdicom.sr.coding import CodedConcept
from pydicom import Dataset

from reporting.dicom.common import SCHEME
from runtime.errors import ConfigError

Pair = tuple[str, str]
"""Code value and coding scheme designator."""

SCHEME_NAME = "SpineScribe codes"


class Kind(StrEnum):
    """What a row of the table names."""

    CONDITION = "condition"
    SCALE = "scale"
    STEP = "step"
    PROBABILITY = "probability"
    LEVEL = "level"
    SIDE = "side"
    MEASUREMENT = "measurement"
    UNIT = "unit"
    SECTION = "section"
    PROCEDURE = "procedure"
    CONCEPT = "concept"


@dataclass(frozen=True)
class CodeRow:
    """A row of ``codes.csv``.

    Attributes:
        kind: What it names.
        name: Our name; steps and probabilities are ``scale/step``.
        value: Code value, at most 16 characters.
        scheme: Coding scheme designator.
        meaning: Code meaning, at most 64 characters.
        structure: For measurements, what of the label map it is taken on: ``disc``, ``vertebra``, ``canal``,
            ``cord``, ``joint`` or nothing.
        source: Where the code comes from; ``ours`` for our own scheme.
    """

    kind: Kind
    name: str
    value: str
    scheme: str
    meaning: str
    structure: str
    source: str

    @property
    def concept(self) -> CodedConcept:
        """Return the code as DICOM holds it."""
        return CodedConcept(value=self.value, scheme_designator=self.scheme, meaning=self.meaning)


@cache
def code_rows() -> dict[tuple[Kind, str], CodeRow]:
    """Return the table: (kind, name) -> row."""
    with (Path(__file__).parent / "codes.csv").open(encoding="utf-8", newline="") as stream:
        rows = [CodeRow(**{**row, "kind": Kind(row["kind"])}) for row in csv.DictReader(stream)]  # type: ignore[arg-type]
    return {(row.kind, row.name): row for row in rows}


@cache
def code_of(kind: Kind, name: str) -> CodedConcept:
    """Return the code of something we name; shared, not to be changed.

    Raises:
        ConfigError: If the table lacks it.
    """
    row = code_rows().get((kind, name))
    if row is None:
        raise ConfigError(f"reporting/dicom/codes.csv: expected a {kind.value} named {name!r}, found none")
    return row.concept


def name_of(kind: Kind, code: Pair, among: Iterable[str] | None = None) -> str | None:
    """Return our name of a code; None when the table has none.

    Args:
        kind: What it should name.
        code: (code value, coding scheme designator) as read.
        among: Names that can be meant; None for all of the kind.
    """
    names = _names().get((kind, code), ())
    meant = names if among is None else [name for name in among if name in names]
    return meant[0] if meant else None


@cache
def _names() -> dict[tuple[Kind, Pair], list[str]]:
    found: dict[tuple[Kind, Pair], list[str]] = {}
    for (kind, name), row in code_rows().items():
        found.setdefault((kind, (row.value, row.scheme)), []).append(name)
    return found


def step_code(scale: str, grade: str) -> CodedConcept:
    """Return the code of a step of a scale."""
    return code_of(Kind.STEP, f"{scale}/{grade}")


def probability_code(scale: str, grade: str) -> CodedConcept:
    """Return the code of the probability of a step."""
    return code_of(Kind.PROBABILITY, f"{scale}/{grade}")


def structure_of(measurement: str) -> str:
    """Return what of the label map a measurement is taken on; nothing where no single structure is."""
    row = code_rows().get((Kind.MEASUREMENT, measurement))
    return "" if row is None else row.structure


def scheme_item() -> Dataset:
    """Return what names our coding scheme (Coding Scheme Identification Sequence, PS3.3 C.12.1.1.1)."""
    item = Dataset()
    item.CodingSchemeDesignator = SCHEME
    item.CodingSchemeName = SCHEME_NAME
    item.CodingSchemeResponsibleOrganization = "SpineScribe"
    return item
