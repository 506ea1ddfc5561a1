"""The table of codes: every code has a source that was seen, and every name of ours has a code."""

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
from reporting import codes
from reporting.codes import SCHEME, Code, Kind, code_rows, name_of, report_row, row_of
from runtime.errors import ConfigError
from segmentation.measure import load_quantities

ROWS = tuple(code_rows().values())
CODES = [code for row in ROWS for code in row.codes]
PUBLIC = [code for code in CODES if code.scheme != SCHEME]
VALUE_SET = "VSAC value set 2.16.840.1.113762.1.4.1021.95"
FILE = "RadLex in radlex-mapper 143d5e2"
PAPER = f"{FILE}; Tan 2018 table 2"
MODELS = "RadLex in OIFM"
SEEN = {
    ("76107001", "SCT", "Spinal stenosis", VALUE_SET),
    ("371000119109", "SCT", "Stenosis of intervertebral foramina", VALUE_SET),
    ("77547008", "SCT", "Degeneration of intervertebral disc", VALUE_SET),
    ("55146009", "SCT", "Inflammation of sacroiliac joint", VALUE_SET),
    ("240212007", "SCT", "Tear of the annulus fibrosus of intervertebral disc", VALUE_SET),
    ("73589001", "SCT", "Herniation of intervertebral disc", "MITRE value set AstronautBackPain 0.5.4"),
    ("274152003", "SCT", "Spondylolisthesis", "HPO HP:0003302"),
    ("71286001", "SCT", "Spinal cord compression", "HPO HP:0002176"),
    ("RID5029", "RADLEX", "central spinal stenosis", PAPER),
    ("RID5034", "RADLEX", "foraminal spinal stenosis", PAPER),
    ("RID5033", "RADLEX", "subarticular spinal stenosis", FILE),
    ("RID5086", "RADLEX", "intervertebral disc degeneration", PAPER),
    ("RID5109", "RADLEX", "endplate marrow change", FILE),
    ("RID5088", "RADLEX", "disc height loss", PAPER),
    ("RID5089", "RADLEX", "disc bulge", PAPER),
    ("RID5090", "RADLEX", "disc herniation", PAPER),
    ("RID4780", "RADLEX", "spondylolisthesis", PAPER),
    ("RID4717", "RADLEX", "annular tear of intervertebral disc", PAPER),
    ("RID5110", "RADLEX", "type 1 endplate marrow change", PAPER),
    ("RID5112", "RADLEX", "type 2 endplate marrow change", FILE),
    ("RID5114", "RADLEX", "type 3 endplate marrow change", FILE),
    ("RID5672", "RADLEX", "moderate", MODELS),
    ("RID5673", "RADLEX", "severe", MODELS),
    ("RID28473", "RADLEX", "absent", MODELS),
    ("RID28472", "RADLEX", "present", MODELS),
}
"""Codes that PS3.16 does not list, as the named source shows them (docs/interoperability.md, Codes). A new one
needs a source that shows it with its name."""


@pytest.mark.parametrize("code", PUBLIC, ids=lambda code: f"{code.scheme}-{code.value}")
def test_a_public_code_is_in_the_standard_or_as_its_source_shows_it(code: Code) -> None:
    listed = {value: meaning for rows in concepts[code.scheme].values() for value, (meaning, _) in rows.items()}
    if code.source.startswith("PS3.16"):
        assert code.value in listed
    else:
        assert (code.value, code.scheme, code.meaning, code.source) in SEEN


def test_nothing_is_listed_as_seen_that_is_not_used() -> None:
    assert {(code.value, code.scheme, code.meaning, code.source) for code in PUBLIC} >= SEEN


def test_snomed_codes_have_their_check_digit() -> None:
    snomed = {code.value for code in CODES if code.scheme == "SCT"}
    assert [value for value in snomed if not _is_checked(value)] == []
    assert not _is_checked("76107010")


def test_our_own_codes_are_short_and_tell_apart() -> None:
    own = [code for code in CODES if code.scheme == SCHEME]
    assert {code.source for code in own} == {"ours"}
    assert len({code.value for code in own}) == len(own)
    assert all(len(code.value) <= 16 and 0 < len(code.meaning) <= 64 for code in CODES)


def test_every_name_of_ours_has_a_code() -> None:
    for condition in CONDITIONS:
        assert name_of(Kind.CONDITION, row_of(Kind.CONDITION, condition.value).code.pair) == condition.value
    for level in (*DISC_LEVELS, *VERTEBRAE, SIJ):
        assert name_of(Kind.LEVEL, row_of(Kind.LEVEL, level).code.pair) == level
    for side in Side:
        assert name_of(Kind.SIDE, row_of(Kind.SIDE, side.value).code.pair) == side.value
    for protocol in protocol_names():
        row_of(Kind.PROCEDURE, protocol)


def test_a_code_that_means_the_same_is_read_too() -> None:
    assert name_of(Kind.CONDITION, ("RID5034", "RADLEX")) == "neural_foraminal_narrowing"
    assert name_of(Kind.CONDITION, ("cond-foraminal", SCHEME)) == "neural_foraminal_narrowing"
    assert name_of(Kind.STEP, ("RID5672", "RADLEX"), ["canal_ap/moderate"]) == "canal_ap/moderate"


def test_no_two_conditions_share_a_code() -> None:
    pairs = [code.pair for row in ROWS if row.kind is Kind.CONDITION for code in row.codes]
    assert len(pairs) == len(set(pairs))


@pytest.mark.parametrize("scale", SCALES)
def test_every_step_of_a_scale_is_told_from_the_others(scale: str) -> None:
    names = [f"{scale}/{step}" for step in SCALES[scale].grades]
    for kind in (Kind.STEP, Kind.PROBABILITY):
        assert [name_of(kind, row_of(kind, name).code.pair, names) for name in names] == names
    row_of(Kind.SCALE, scale)


def test_every_quantity_has_a_code_and_a_ucum_unit() -> None:
    for name, quantity in load_quantities().items():
        assert name_of(Kind.MEASUREMENT, row_of(Kind.MEASUREMENT, name).code.pair) == name
        assert row_of(Kind.UNIT, quantity.unit).code.scheme == "UCUM"


def test_vertebrae_agree_with_the_codes_of_the_label_map() -> None:
    with (Path(anatomy.__file__).parent / "codes.csv").open(encoding="utf-8", newline="") as stream:
        snomed = {int(row["label"]): row["snomed_ct"] for row in csv.DictReader(stream)}
    assert disc_label("L5-S1") in snomed
    for name in VERTEBRAE:
        assert snomed[vertebra_label(name)] in ("", row_of(Kind.LEVEL, name).code.value)


def test_a_report_has_the_code_of_its_region() -> None:
    assert {report_row(protocol).code.pair for protocol in ("lumbar", "cervical")} == {("18756-7", "LN")}
    assert report_row("sacroiliac").code.pair == ("25056-3", "LN")


def test_what_has_no_code_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a level named 'L9-L10'"):
        row_of(Kind.LEVEL, "L9-L10")
    assert name_of(Kind.LEVEL, ("1", "SCT")) is None
    (tmp_path / "codes.csv").write_text("kind,name,value,scheme,meaning,structure,source\n")
    (tmp_path / "equivalents.csv").write_text("kind,name,value,scheme,meaning,source\nlevel,L9,1,SCT,L9,nobody\n")
    monkeypatch.setattr(codes, "_FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"expected names of codes\.csv"):
        code_rows.__wrapped__()


def _is_checked(value: str) -> bool:
    """Tell whether the last digit of a SNOMED CT identifier is its Verhoeff check digit."""
    check = 0
    for place, digit in enumerate(reversed(value)):
        shifted = int(digit)
        for _ in range(place % 8):
            shifted = int("1576283094"[shifted])
        check = _turned(check, shifted)
    return check == 0


def _turned(first: int, second: int) -> int:
    """Return the product in the dihedral group of order 10."""
    if first < 5:
        return (first + second) % 5 if second < 5 else 5 + (first + second - 5) % 5
    return 5 + (first - second) % 5 if second < 5 else (first - second) % 5
