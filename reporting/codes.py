"""Codes of what a report says: conditions, scales, steps, levels, sides, measurements, units; for all formats.

``codes.csv`` gives each thing its code. It is public where DICOM's own tables (PS3.16) or a public list show it
with its name, and that source stands beside it; else it is of our scheme ``99SPINESCRIBE``. ``equivalents.csv``
holds the codes of other schemes that mean the same, such as RadLex, with their sources too
(docs/interoperability.md says where these are). A code is never given to another thing once a release has written
it. Steps of several scales may share a public code, such as Moderate: a step is read with its scale.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from runtime.errors import ConfigError

Pair = tuple[str, str]
"""Code value and coding scheme designator."""

SCHEME = "99SPINESCRIBE"
"""Coding scheme of what no public code names; designators that begin with 99 are private (PS3.16, chapter 8)."""

_FOLDER = Path(__file__).parent


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
    REPORT = "report"
    CONCEPT = "concept"


@dataclass(frozen=True)
class Code:
    """A code of a scheme, with where it was seen beside its name.

    Attributes:
        value: Code value, at most 16 characters.
        scheme: Coding scheme designator of DICOM, such as ``SCT`` or ``RADLEX``.
        meaning: Code meaning, at most 64 characters.
        source: Where the code comes from; ``ours`` for our own scheme.
    """

    value: str
    scheme: str
    meaning: str
    source: str

    @property
    def pair(self) -> Pair:
        """Return code value and coding scheme designator."""
        return self.value, self.scheme


@dataclass(frozen=True)
class CodeRow:
    """A thing and its codes.

    Attributes:
        kind: What it names.
        name: Our name; steps and probabilities are ``scale/step``.
        code: Its code.
        equivalents: Codes of other schemes that mean the same.
        structure: For measurements, what of the label map it is taken on: ``disc``, ``vertebra``, ``canal``,
            ``cord``, ``joint`` or nothing.
    """

    kind: Kind
    name: str
    code: Code
    equivalents: tuple[Code, ...]
    structure: str

    @property
    def codes(self) -> tuple[Code, ...]:
        """Return its code, then those that mean the same."""
        return self.code, *self.equivalents


@cache
def code_rows() -> dict[tuple[Kind, str], CodeRow]:
    """Return the table: (kind, name) -> row.

    Raises:
        ConfigError: If a row of ``equivalents.csv`` names what ``codes.csv`` has not.
    """
    others: dict[tuple[Kind, str], list[Code]] = {}
    for row in _rows("equivalents.csv"):
        others.setdefault((Kind(row["kind"]), row["name"]), []).append(_code(row))
    table = {}
    for row in _rows("codes.csv"):
        key = Kind(row["kind"]), row["name"]
        table[key] = CodeRow(*key, _code(row), tuple(others.pop(key, ())), row["structure"])
    if others:
        raise ConfigError(f"reporting/equivalents.csv: expected names of codes.csv, found {sorted(others)}")
    return table


def row_of(kind: Kind, name: str) -> CodeRow:
    """Return the codes of something we name.

    Raises:
        ConfigError: If the table lacks it.
    """
    row = code_rows().get((kind, name))
    if row is None:
        raise ConfigError(f"reporting/codes.csv: expected a {kind.value} named {name!r}, found none")
    return row


def name_of(kind: Kind, code: Pair, among: Iterable[str] | None = None) -> str | None:
    """Return our name of a code, its own or one that means the same; None when the table has none.

    Args:
        kind: What it should name.
        code: (code value, coding scheme designator) as read.
        among: Names that can be meant; None for all of the kind.
    """
    names = _names().get((kind, code), ())
    meant = names if among is None else [name for name in among if name in names]
    return meant[0] if meant else None


def report_row(protocol: str) -> CodeRow:
    """Return the kind of report of a protocol: an MR report of the spine, or of any body region."""
    found = code_rows().get((Kind.REPORT, protocol))
    return row_of(Kind.REPORT, "any") if found is None else found


def structure_of(measurement: str) -> str:
    """Return what of the label map a measurement is taken on; nothing where no single structure is."""
    row = code_rows().get((Kind.MEASUREMENT, measurement))
    return "" if row is None else row.structure


@cache
def _names() -> dict[tuple[Kind, Pair], list[str]]:
    found: dict[tuple[Kind, Pair], list[str]] = {}
    for (kind, name), row in code_rows().items():
        for code in row.codes:
            found.setdefault((kind, code.pair), []).append(name)
    return found


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def _code(row: dict[str, str]) -> Code:
    return Code(row["value"], row["scheme"], row["meaning"], row["source"])
