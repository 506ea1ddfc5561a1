"""Codes of a structured report: every one has a source, and every name of ours has a code."""

import csv
from pathlib import Path

import pytest
from pydicom.sr._concepts_dict import concepts

import anatomy
from anatomy import (
    CONDITIONS,
    DISC_LEVELS,
    SCALES,
    SIJ,
    VERTEBRAE,
    Side,
    disc_label,
    protocol_names,
    vertebra_label,
)
from reporting.dicom.codes import Kind, code_of, code_rows, name_of, probability_code, step_code
from reporting.dicom.common import SCHEME
from runtime.errors import ConfigError
from segmentation.measure import load_quantities

ROWS = tuple(code_rows().values())
PUBLIC = [row for row in ROWS if row.scheme != SCHEME]
SNOMED_OUTSIDE_DICOM = {"76107001", "77547008", "73589001", "274152003", "71286001"}
"""SNOMED CT codes that PS3.16 does not list; a new one needs a look at a SNOMED CT browser."""


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: f"{row.kind}-{row.name}")
def test_a_public_code_is_in_the_standard_or_says_where_it_is_from(row) -> None:
    listed = {value: meaning for codes in concepts[row.scheme].values() for value, (meaning, _) in codes.items()}
    if row.source.startswith("PS3.16"):
        assert row.value in listed
    else:
        assert row.value in SNOMED_OUTSIDE_DICOM
        assert row.source.startswith("SNOMED CT")


def test_our_own_codes_are_short_and_tell_apart() -> None:
    own = [row for row in ROWS if row.scheme == SCHEME]
    assert {row.source for row in own} == {"ours"}
    assert len({row.value for row in own}) == len(own)
    assert all(len(row.value) <= 16 and 0 < len(row.meaning) <= 64 for row in ROWS)


def test_every_name_of_ours_has_a_code() -> None:
    for condition in CONDITIONS:
        assert name_of(Kind.CONDITION, _pair(code_of(Kind.CONDITION, condition.value))) == condition.value
    for level in (*DISC_LEVELS, *VERTEBRAE, SIJ):
        assert name_of(Kind.LEVEL, _pair(code_of(Kind.LEVEL, level))) == level
    for side in Side:
        assert name_of(Kind.SIDE, _pair(code_of(Kind.SIDE, side.value))) == side.value
    for protocol in protocol_names():
        code_of(Kind.PROCEDURE, protocol)


@pytest.mark.parametrize("scale", SCALES)
def test_every_step_of_a_scale_is_told_from_the_others(scale: str) -> None:
    names = [f"{scale}/{step}" for step in SCALES[scale].grades]
    steps = [_pair(step_code(scale, step)) for step in SCALES[scale].grades]
    probabilities = [_pair(probability_code(scale, step)) for step in SCALES[scale].grades]
    assert [name_of(Kind.STEP, pair, names) for pair in steps] == names
    assert [name_of(Kind.PROBABILITY, pair, names) for pair in probabilities] == names
    code_of(Kind.SCALE, scale)


def test_every_quantity_has_a_code_and_a_ucum_unit() -> None:
    for name, quantity in load_quantities().items():
        assert name_of(Kind.MEASUREMENT, _pair(code_of(Kind.MEASUREMENT, name))) == name
        assert code_of(Kind.UNIT, quantity.unit).scheme_designator == "UCUM"


def test_vertebrae_agree_with_the_codes_of_the_label_map() -> None:
    with (Path(anatomy.__file__).parent / "codes.csv").open(encoding="utf-8", newline="") as stream:
        snomed = {int(row["label"]): row["snomed_ct"] for row in csv.DictReader(stream)}
    assert disc_label("L5-S1") in snomed
    for name in VERTEBRAE:
        assert snomed[vertebra_label(name)] in ("", code_of(Kind.LEVEL, name).value)


def test_what_has_no_code_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a level named 'L9-L10'"):
        code_of(Kind.LEVEL, "L9-L10")
    assert name_of(Kind.LEVEL, ("1", "SCT")) is None


def _pair(code) -> tuple[str, str]:
    return code.value, code.scheme_designator
