"""The rules: the table of the Basic Profile, and what it leaves to us.

``basic_profile.csv`` holds the action codes of DICOM PS3.15 Table E.1-1 as transcribed in dicom-anonymizer 2.1.0
(BSD licence, edition 2026c) and checked against other transcriptions (docs/decisions/0004-deidentification.md);
curve and overlay groups are removed whole. ``policy.yaml`` is ours.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydicom.datadict import keyword_for_tag

EDITION = "DICOM PS3.15 2026c, Table E.1-1"
REMOVE, EMPTY, DUMMY, UID = "X", "Z", "D", "U"
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Policy:
    """``policy.yaml``, ready to look up; all names are DICOM keywords.

    Attributes:
        descriptors: Free text that is rewritten in ``words``.
        characteristics: Of the patient, kept when asked.
        dates_not_moved: Dates that are treated by the table.
        may_be_empty: Type 2 attributes of images.
        must_have: Type 1 attributes of images -> stand-in.
        must_have_enhanced: The same, of enhanced multi-frame images.
        patterns: Text that stays when the whole value matches.
        bulk: Bytes that belong to the pixels.
        words: Controlled words.
        stems: Beginning of another word -> the controlled word for it.
        codes: Values a coded string may keep.
    """

    descriptors: frozenset[str]
    characteristics: frozenset[str]
    dates_not_moved: frozenset[str]
    may_be_empty: frozenset[str]
    must_have: dict[str, str]
    must_have_enhanced: dict[str, str]
    patterns: dict[str, re.Pattern[str]]
    bulk: frozenset[str]
    words: frozenset[str]
    stems: dict[str, str]
    codes: frozenset[str]


def table_action(tag: int) -> str | None:
    """Return the action codes of a tag in the Basic Profile, such as ``X/Z/D``; None when it has no row."""
    group = tag >> 16
    if group % 2 or group & 0xFF00 in (0x5000, 0x6000):
        return REMOVE
    return _table().get(tag)


def is_identity(tag: int, vr: str) -> bool:
    """Say whether the value of a tag tells who or where: what the check after cleaning looks for."""
    if vr == "PN":
        return True
    return table_action(tag) is not None and bool(_IDENTITY.search(keyword_for_tag(tag)))


_IDENTITY = re.compile(
    r"Name|ID(?:s|Trial)?$|IDIssuer|IssuerOf|Address|Institution|Telephone|Telecom|Accession|Number|Organization|"
    r"Physician|Operator|Station|Location|AE(?:Title)?$|Identifier|Serial|Department|Residence|Author|Recorder|"
    r"Locator|Person"
)


@cache
def policy() -> Policy:
    """Return ``policy.yaml``."""
    raw: dict[str, Any] = yaml.safe_load((_HERE / "policy.yaml").read_text(encoding="utf-8"))
    patterns = {name: re.compile(f"(?:{text})", re.IGNORECASE) for name, text in raw["patterns"].items()}
    return Policy(
        descriptors=frozenset(raw["descriptors"]),
        characteristics=frozenset(raw["characteristics"]),
        dates_not_moved=frozenset(raw["dates_not_moved"]),
        may_be_empty=frozenset(raw["may_be_empty"]),
        must_have=dict(raw["must_have"]),
        must_have_enhanced=dict(raw["must_have_enhanced"]),
        patterns=patterns,
        bulk=frozenset(raw["bulk"]),
        words=frozenset(raw["words"].split()),
        stems=dict(raw["stems"]),
        codes=frozenset(code.replace("~", " ") for code in raw["codes"].split()),
    )


@cache
def _table() -> dict[int, str]:
    with (_HERE / "basic_profile.csv").open(encoding="utf-8", newline="") as stream:
        rows = [(row["tag"], row["action"]) for row in csv.DictReader(stream)]
    return {int(tag.replace(",", ""), 16): action for tag, action in rows if "x" not in tag}
