"""Scripts that the PDF's font cannot set as they are written: order, joined letters, fonts of others."""

import unicodedata

import pytest

from reporting.export.scripts import in_seen_order, marked_up


def _names(text: str) -> list[str]:
    return [unicodedata.name(sign).removeprefix("ARABIC LETTER ") for sign in text]


def test_hebrew_is_put_into_the_order_in_which_it_is_seen() -> None:
    assert in_seen_order("Signed by דוד כהן on 2026-03-01.") == "Signed by ןהכ דוד on 2026-03-01."


def test_a_vowel_mark_stays_after_its_letter() -> None:
    assert in_seen_order("דָּו") == "ו" + "דָּ"


def test_arabic_letters_are_joined() -> None:
    assert _names(in_seen_order("محمد")[::-1]) == [
        "MEEM INITIAL FORM", "HAH MEDIAL FORM", "MEEM MEDIAL FORM", "DAL FINAL FORM",
    ]  # fmt: skip
    assert _names(in_seen_order("دار")[::-1]) == ["DAL ISOLATED FORM", "ALEF ISOLATED FORM", "REH ISOLATED FORM"]


def test_lam_and_alef_are_one_sign() -> None:
    assert [unicodedata.name(sign) for sign in in_seen_order("سلام")] == [
        "ARABIC LETTER MEEM ISOLATED FORM",
        "ARABIC LIGATURE LAM WITH ALEF FINAL FORM",
        "ARABIC LETTER SEEN INITIAL FORM",
    ]


def test_a_mark_between_letters_does_not_part_them() -> None:
    assert _names(in_seen_order("بُب")[::-1].replace("ُ", "")) == ["BEH INITIAL FORM", "BEH FINAL FORM"]


@pytest.mark.parametrize(
    ("text", "font"),
    [("山田さん", "HeiseiMin-W3"), ("김민수", "HYSMyeongJo-Medium"), ("王伟", "STSong-Light")],
)
def test_east_asian_signs_get_a_font_that_has_them(text: str, font: str) -> None:
    assert marked_up(f"Dr {text} & co") == f'Dr <font name="{font}">{text}</font> &amp; co'


@pytest.mark.parametrize("text", ["Dr. Łukasz Şahin", "Иванова Мария", "Παπαδόπουλος", "19 µm², −3 °"])
def test_other_text_stays(text: str) -> None:
    assert marked_up(text) == text
