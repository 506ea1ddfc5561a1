"""Text for the font of the PDF, which has no East Asian signs and knows no writing from the right: names, mostly.

A PDF sets signs one after another from the left. So Hebrew and Arabic are put into the order in which they are
seen, and Arabic letters into their joined forms; text copied out of such a PDF has that order. Chinese, Japanese
and Korean are set in the fonts that programs for PDF bring (they are not embedded). What no font has shows as an
empty box. DOCX and HTML need none of this: whatever shows them finds fonts and order by itself.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from xml.sax.saxutils import escape

EAST_ASIAN_FONTS = ("STSong-Light", "HeiseiMin-W3", "HYSMyeongJo-Medium")
"""Chinese, Japanese, Korean. Source: the standard CID fonts of Adobe's Asian font packs."""

_CHINESE, _JAPANESE, _KOREAN = EAST_ASIAN_FONTS
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef]+")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff]")
_KANA = re.compile("[\u3040-\u30ff]")
_FROM_RIGHT = "\u0590-\u05ff\u0600-\u065f\u066a-\u06ef\u06fa-\u06ff\u0750-\u077f"
"""Hebrew and Arabic without their digits, which run from the left."""

_RUN = re.compile(f"[{_FROM_RIGHT}](?:[{_FROM_RIGHT}\\s.,'\"-]*[{_FROM_RIGHT}])?")
_LETTER = re.compile("\u0644[\u0622\u0623\u0625\u0627]|.", re.DOTALL)
"""A letter; lam before alef is one sign with it."""

_PRESENTATION_FORMS = (*range(0xFB50, 0xFBB2), *range(0xFBD3, 0xFBEA), *range(0xFE80, 0xFEFD))
"""Source: Unicode, Arabic Presentation Forms-A (letters of other languages) and -B."""


def marked_up(text: str) -> str:
    """Return a text as reportlab's markup, in the order in which its signs are seen."""
    return _EAST_ASIAN.sub(_in_its_font, escape(in_seen_order(text)))


def in_seen_order(text: str) -> str:
    """Return a text whose Hebrew and Arabic runs from left to right, Arabic letters joined."""
    return _RUN.sub(lambda found: _reversed(_joined(found.group())), text)


def _in_its_font(found: re.Match[str]) -> str:
    run = found.group()
    name = _KOREAN if _HANGUL.search(run) else _JAPANESE if _KANA.search(run) else _CHINESE
    return f'<font name="{name}">{run}</font>'


def _reversed(run: str) -> str:
    """Return a run from its end, each vowel mark after the letter that it belongs to."""
    signs: list[str] = []
    for sign in run:
        if signs and unicodedata.combining(sign):
            signs[-1] += sign
        else:
            signs.append(sign)
    return "".join(reversed(signs))


def _joined(run: str) -> str:
    """Return a run whose Arabic letters have the form that their neighbours give them."""
    letters: list[str] = _LETTER.findall(run)
    return "".join(_form(letters, place) for place in range(len(letters)))


def _form(letters: list[str], place: int) -> str:
    own = _forms().get(letters[place], {})
    before, after = _neighbour(letters, place, -1), _neighbour(letters, place, 1)
    is_joined_before = "final" in own and "initial" in _forms().get(before, {})
    is_joined_after = "initial" in own and "final" in _forms().get(after, {})
    if is_joined_before:
        name = "medial" if is_joined_after else "final"
    else:
        name = "initial" if is_joined_after else "isolated"
    return own.get(name, letters[place])


def _neighbour(letters: list[str], place: int, step: int) -> str:
    """Return the next letter in a direction; marks above and below letters do not part them."""
    place += step
    while 0 <= place < len(letters) and unicodedata.combining(letters[place][0]):
        place += step
    return letters[place] if 0 <= place < len(letters) else ""


@cache
def _forms() -> dict[str, dict[str, str]]:
    """Return letter -> ``isolated``, ``initial``, ``medial`` or ``final`` -> sign, as far as there are any."""
    forms: dict[str, dict[str, str]] = {}
    for code in _PRESENTATION_FORMS:
        name, *parts = unicodedata.decomposition(chr(code)).split()
        forms.setdefault("".join(chr(int(part, 16)) for part in parts), {})[name.strip("<>")] = chr(code)
    return forms
