"""Series roles over a table of headers (``headers.csv``), with their descriptions and without.

The rows are made up by us from the habits of vendors and the words of hospitals; they are no real studies.
Orientation: ``S`` sagittal, ``S20`` turned by 20 degrees about the long axis of the body; ``P-50`` slices whose
normal has a pitch of -50 degrees (0 coronal, 90 axial, negative along the sacrum).
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from anatomy import load_protocol
from imaging.planes import find_plane
from imaging.roles import Candidate, assign_roles
from imaging.sequences import SequenceFinding, sequence_from_header
from imaging.types import Series, Spacing, Volume
from imaging.words import plain_text, plane_words

with (Path(__file__).parent / "headers.csv").open(encoding="utf-8", newline="") as _stream:
    ROWS = list(csv.DictReader(_stream))
IDS = [f"{row['vendor']}-{row['language']}-{number}" for number, row in enumerate(ROWS, start=2)]

FACTS = {
    "te_ms": "echo_time_ms",
    "tr_ms": "repetition_time_ms",
    "ti_ms": "inversion_time_ms",
    "flip_deg": "flip_angle_deg",
    "field_t": "field_strength_t",
}


def finding_of(row: dict[str, str], words: str) -> SequenceFinding:
    facts: dict[str, float | str] = {name: float(row[column]) for column, name in FACTS.items() if row[column]}
    return sequence_from_header(
        facts,
        scanning=codes(row, "scanning"),
        words=words,
        variant=codes(row, "variant"),
        options=codes(row, "options"),
        image_type=tuple(part for part in row["image_type"].split("\\") if part),
        has_contrast_agent=bool(row["agent"]),
    )


def codes(row: dict[str, str], column: str) -> frozenset[str]:
    return frozenset(part for part in row[column].split("\\") if part)


def normal_of(orientation: str) -> np.ndarray:
    angle = np.radians(float(orientation[1:] or 0))
    if orientation[0] == "S":
        return np.array([np.cos(angle), np.sin(angle), 0.0])
    return np.array([0.0, np.cos(angle), np.sin(angle)])


def role_of(row: dict[str, str], words: str) -> str | None:
    finding = finding_of(row, words)
    plane = find_plane(normal_of(row["orientation"]), named=plane_words(words)).plane
    volume = Volume(np.zeros((4, 4, 5), dtype=np.float32), Spacing(0.7, 0.7, 4.0), np.eye(4), (4, 4, 5))
    series = Series("S1", None, plane, finding.sequence, volume)
    return assign_roles([Candidate(series, finding)], load_protocol(row["protocol"]))[0][0].role


def test_the_table_covers_vendors_and_languages() -> None:
    assert len(ROWS) >= 80
    assert len({row["language"] for row in ROWS} - {"none"}) >= 11
    assert {"Siemens", "Philips", "GE", "Canon", "Hitachi", "UIH"} <= {row["vendor"] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_headers_with_their_description(row: dict[str, str]) -> None:
    words = plain_text(row["description"])
    finding = finding_of(row, words)
    assert finding.kind.value == row["kind"]
    assert finding.has_contrast == (row["contrast"] == "yes")
    assert finding.is_fat_suppressed == (row["fat_suppressed"] == "yes")
    assert role_of(row, words) == (row["role"] or None)
    assert all(finding.reasons)


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_headers_without_a_description(row: dict[str, str]) -> None:
    finding = finding_of(row, "")
    assert finding.kind.value == row["kind_without_text"]
    assert finding.is_other == finding.kind.is_other
    if row["agent"]:
        assert finding.has_contrast
    if row["kind_without_text"] == row["kind"]:
        plain_role = role_of(row, "")
        expected = row["role"] or None
        # words alone tell fat suppression in some rows: then the series is a plain T2
        assert plain_role == expected or finding.is_fat_suppressed != (row["fat_suppressed"] == "yes")


def test_a_lost_word_is_told() -> None:
    wrong = [row for row in ROWS if "named wrongly" in row["description"]]
    assert len(wrong) == 2
    for row in wrong:
        reasons = " ".join(finding_of(row, plain_text(row["description"])).reasons)
        assert "names another kind" in reasons
        assert "the timing was followed" in reasons


def test_reasons_never_quote_the_description() -> None:
    words = plain_text("Zzyzx Secret sag T2")
    for row in ROWS:
        assert "zzyzx" not in " ".join(finding_of(row, words).reasons).casefold()
