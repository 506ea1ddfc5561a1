import csv
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.sequences import sequence_from_header, sequence_from_name
from imaging.timing import stir_window
from imaging.types import Sequence
from imaging.words import contrast_words, plain_text, region_words

SE = frozenset({"SE"})


@pytest.mark.parametrize(
    ("echo", "repetition", "expected", "is_other"),
    [
        (100.0, 3500.0, Sequence.T2, False),
        (124.0, 1000.0, Sequence.T2, False),
        (11.0, 600.0, Sequence.T1, False),
        (11.0, 3000.0, Sequence.UNKNOWN, True),
        (45.0, 2000.0, Sequence.UNKNOWN, False),
    ],
)
def test_timing_tells_the_weighting_of_spin_echo(
    echo: float, repetition: float, expected: Sequence, is_other: bool
) -> None:
    facts = {"echo_time_ms": echo, "repetition_time_ms": repetition}
    finding = sequence_from_header(facts, scanning=SE, words="")
    assert (finding.sequence, finding.is_other) == (expected, is_other)
    assert finding.reasons


@pytest.mark.parametrize(
    ("inversion", "echo", "words", "expected"),
    [
        (160.0, 60.0, "", Sequence.STIR),
        (160.0, 60.0, "sag t2", Sequence.STIR),
        (860.0, 9.0, "", Sequence.T1),
        (2200.0, 100.0, "", Sequence.UNKNOWN),
        (None, 60.0, "sag tirm", Sequence.STIR),
        (None, 60.0, "", Sequence.UNKNOWN),
    ],
)
def test_inversion_time_tells_stir_from_flair(
    inversion: float | None, echo: float, words: str, expected: Sequence
) -> None:
    facts: dict[str, float | str] = {"echo_time_ms": echo, "repetition_time_ms": 4000.0}
    if inversion is not None:
        facts["inversion_time_ms"] = inversion
    finding = sequence_from_header(facts, scanning=frozenset({"SE", "IR"}), words=words)
    assert finding.sequence is expected


def test_a_stir_described_so_whose_header_hides_the_inversion_is_a_stir() -> None:
    facts = {"echo_time_ms": 70.0, "repetition_time_ms": 4000.0}
    assert sequence_from_header(facts, scanning=SE, words="sag stir").sequence is Sequence.STIR


def test_timing_wins_over_words_and_the_conflict_is_told() -> None:
    facts = {"echo_time_ms": 100.0, "repetition_time_ms": 3500.0}
    finding = sequence_from_header(facts, scanning=SE, words="sag t1 tse")
    assert finding.sequence is Sequence.T2
    assert any("names another kind" in reason for reason in finding.reasons)


def test_gradient_echo_needs_words() -> None:
    facts = {"echo_time_ms": 15.0, "repetition_time_ms": 500.0}
    assert sequence_from_header(facts, scanning=frozenset({"GR"}), words="").sequence is Sequence.UNKNOWN
    star = sequence_from_header(facts, scanning=frozenset({"GR"}), words=plain_text("ax T2* MEDIC"))
    assert (star.sequence, star.is_other) == (Sequence.UNKNOWN, True)


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("T2_space_sag_c4", Sequence.T2),
        ("SAG T1 TSE", Sequence.T1),
        ("T2_CS_TSE SAG", Sequence.T2),
        ("sT2W_TSE", Sequence.T2),
        ("STIR_longTE", Sequence.STIR),
        ("SAG T2 TSE STIR", Sequence.STIR),
        ("Sag CUBE T2 FS", Sequence.T2),
        ("t1_tse_sag_WARP", Sequence.T1),
        ("T2map sag", Sequence.UNKNOWN),
        ("T1 and T2", Sequence.UNKNOWN),
        ("T10-T12 block", Sequence.UNKNOWN),
        ("ep2d_diff_sag", Sequence.UNKNOWN),
    ],
)
def test_words_of_descriptions(description: str, expected: Sequence) -> None:
    assert sequence_from_header({}, scanning=frozenset(), words=plain_text(description)).sequence is expected


def test_fat_suppression_and_contrast_are_noted() -> None:
    facts = {"echo_time_ms": 11.0, "repetition_time_ms": 600.0}
    finding = sequence_from_header(facts, scanning=SE, words=plain_text("SAG T1 FS +C post Gd"))
    assert finding.has_contrast
    assert finding.is_fat_suppressed


@pytest.mark.parametrize(
    ("field", "inversion", "is_usual"),
    [(0.3, 95.0, True), (1.0, 140.0, True), (1.5, 160.0, True), (3.0, 220.0, True), (3.0, 100.0, False)],
)
def test_the_inversion_time_that_nulls_fat_grows_with_the_field(
    field: float, inversion: float, is_usual: bool
) -> None:
    facts: dict[str, float | str] = {
        "echo_time_ms": 45.0,
        "repetition_time_ms": 4000.0,
        "inversion_time_ms": inversion,
        "field_strength_t": field,
    }
    finding = sequence_from_header(facts, scanning=frozenset({"SE", "IR"}), words="")
    assert finding.sequence is Sequence.STIR
    assert ("nulls fat" in finding.reasons[0]) == is_usual
    low, high = stir_window(field)
    # the null of fat with a long repetition time, T1 x ln 2 (288, 371 ms), lies within
    if field >= 1.5:
        assert low < {1.5: 288.0, 3.0: 371.0}[field] * math.log(2) < high


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("SAJİTAL T2", "sajital t2"),
        ("kręgosłup lędźwiowy", "kregoslup ledzwiowy"),
        ("Après_Gadolinium", "apres gadolinium"),
        ("Т2 саг", "t2 саг"),
        ("腰椎T2矢状断", "腰椎 t2 矢状断"),
        ("Ｔ２ SAG", "t2 sag"),
        ("Schädel-Übersicht", "schadel ubersicht"),
        ("sag_t2*_a/b", "sag t2* a b"),
        ("", ""),
    ],
)
def test_plain_text_keeps_letters_of_all_scripts(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert plain_text(plain) == plain


@given(st.text(max_size=40))
def test_plain_text_of_any_text_is_stable_and_has_no_control_letters(text: str) -> None:
    plain = plain_text(text)
    assert plain_text(plain).split() == plain.split()
    assert all(letter.isprintable() for letter in plain)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("T1 sag post", True),
        ("t1 sag nach KM", True),
        ("T1 SAG +C", True),
        ("T1 sag ohne KM", False),
        ("SAG T1 NATIV", False),
        ("SAG T1 SANS INJECTION", False),
        ("T1 w/o contrast", False),
        ("без контраста", False),
        ("с контрастом", True),
        ("平扫", False),
        ("Lumbar w/wo", None),
        ("Lumbar w/wo T1 sag post", True),
        ("T2 sag", None),
    ],
)
def test_words_say_or_deny_contrast_medium(text: str, told: bool | None) -> None:
    assert contrast_words(plain_text(text)) is told


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("MRT LWS nativ", "lumbar"),
        ("IRM rachis lombaire", "lumbar"),
        ("RM colonna lombosacrale", "lumbar"),
        ("Lomber MR", "lumbar"),
        ("kręgosłup lędźwiowy", "lumbar"),
        ("МРТ пояснично-крестцового отдела", "lumbar"),
        ("腰椎 MRI", "lumbar"),
        ("MRT HWS", "cervical"),
        ("servikal MR", "cervical"),
        ("kręgosłup szyjny", "cervical"),
        ("шейный отдел", "cervical"),
        ("颈椎平扫", "cervical"),
        ("ISG beidseits", "sacroiliac"),
        ("articulaciones sacroiliacas", "sacroiliac"),
        ("крестцово-подвздошные сочленения", "sacroiliac"),
        ("骶髂关节", "sacroiliac"),
        ("грудной отдел", "thoracic"),
        ("MRT Schädel", "not_spine"),
        ("МРТ головного мозга", "not_spine"),
    ],
)
def test_words_of_the_body_in_many_languages(text: str, region: str) -> None:
    named = [item for item in region_words(plain_text(text)) if item != "spine"]
    assert named == [region]


def test_names_of_files_hint() -> None:
    assert sequence_from_name("4_t2").sequence is Sequence.T2
    assert sequence_from_name("sub-9604_run-1_T2starw").is_other
    assert "no token" in sequence_from_name("patient4").reasons[0]


def test_all_headers_of_spider_are_told_right(data_dir: Path) -> None:
    with (data_dir / "spider/midsagittal.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    wrong = []
    for row in rows:
        facts = {"echo_time_ms": float(row["EchoTime"]), "repetition_time_ms": float(row["RepetitionTime"])}
        by_timing = sequence_from_header(facts, scanning=SE, words="").sequence
        if by_timing.value != row["sequence"].split("_")[0]:
            wrong.append(row["file"])
    assert len(rows) == 360
    assert wrong == []
