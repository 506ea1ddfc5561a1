"""The Penn Treebank tokens of English text, as Stanford CoreNLP 3.4.1 cuts them; pure Python, no Java.

At each place every rule is tried and the longest match wins, the first of equals; what a rule looks ahead at
counts as match, and its group, where it has one, is the token. Rules see a *shadow* of the text in which each
character outside ASCII is replaced by one that stands for its kind, so they stay short; tokens are cut from the
text itself.

The rules were written from what the tokeniser does (its output on reports, on every short word, on every character
of the Basic Multilingual Plane and on strings of punctuation), not from its source. Characters that it drops
(pictographs, for one) end a word. Opening and closing quotation marks are not told apart: the metrics drop both.
"""

import csv
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import yaml

_STAND_INS = {"letter": "é", "mark": "\u0301", "symbol": "§", "run": "²"}
_SAME_KIND = {
    " ": "\x85\u2028\u2029", "\xa0": "\xa0", "’": "\x92’›", "‘": "\x91‘‛‹", "“": "\x93«“", "”": "\x94»”",
    "–": "\x96\x97–—―", "‐": "֊‐‑", "…": "…", "⁄": "⁄", "٫": "٫٬", "§": "¢£¤\x80₠€¼½¾⅓⅔",
}  # fmt: skip
"""Characters with a part of their own in the rules, by the one that stands for them."""
_DROPPED = "\x01"
_BLANKS = " \t\n\r\x0b\x0c\xa0"
_WRITTEN = {
    "¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3", "¢": "cents", "£": "#", "¤": "$", "\x80": "$",
    "₠": "$", "€": "$", "…": "...", "--": "--", "---": "--", "----": "--", "[": "-lsb-", "]": "-rsb-",
    "{": "-lcb-", "}": "-rcb-", '"': "''", "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "''", "&apos;": "'",
    "&nbsp;": "-", "&mdash;": "--", "&ndash;": "--",
}  # fmt: skip
"""Tokens that are printed in another form."""
_WRITTEN_AS_KIND = {"`": "`", "‘": "`", "'": "'", "’": "'", "“": "``", "”": "''", "–": "--"}
_CONTRACTION = re.compile(r"(n?)(?:(['’])|([`‘])|&apos;)(t|s|m|d|ll|re|ve)", re.IGNORECASE)


def split(text: str) -> Iterator[str]:
    """Yield the tokens of a text read as one line, in lower case; quotation marks and stops are tokens too.

    A token may hold a no-break space (U+00A0): in numbers and tags that are written with a space.
    """
    text = text.replace("\xad", "")  # a soft hyphen leaves no trace in a word
    shadow = (text if text.isascii() else text.translate(_shadows())) + "  "  # the longest look-ahead
    place = 0
    while place < len(shadow):
        if shadow[place] in _BLANKS:
            place += 1
            continue
        end = _end_of_token(shadow, place)
        if end > place + 1 or shadow[place] > " ":  # alone, a character that counts for nothing is dropped
            yield _as_printed(text[place:end], shadow[place:end])
        place = end


def _end_of_token(shadow: str, place: int) -> int:
    longest, end = place, place + 1
    for rule in _rules():
        match = rule.match(shadow, place)
        if match and match.end() > longest:
            longest = match.end()
            end = match.end(match.lastindex or 0)
    return end


def _as_printed(token: str, shadow: str) -> str:
    if token in _WRITTEN:
        return _WRITTEN[token]
    if all(char in _WRITTEN_AS_KIND for char in shadow):
        return "".join(_WRITTEN_AS_KIND[char] for char in shadow)
    contraction = _CONTRACTION.fullmatch(shadow)
    if contraction:
        apostrophe = "`" if contraction[3] else "'"
        return f"{contraction[1]}{apostrophe}{contraction[4]}".lower()
    if token.startswith("..."):
        return "..."
    return token.lower().replace(" ", "\xa0").replace("(", "-lrb-").replace(")", "-rrb-")


class _Shadows(dict[int, str]):
    """Code point -> its stand-in, found when first asked for."""

    def __init__(self) -> None:
        with (Path(__file__).parent / "characters.csv").open(encoding="utf-8", newline="") as stream:
            rows = [(int(row["first"], 16), int(row["last"], 16), row["kind"]) for row in csv.DictReader(stream)]
        self._first = [first for first, _, _ in rows]
        self._rows = rows
        super().__init__({ord(char): kind for kind, chars in _SAME_KIND.items() for char in chars})

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if code >= 0x80:
            first, last, kind = self._rows[max(0, bisect_right(self._first, code) - 1)]
            char = _STAND_INS[kind] if first <= code <= last else _DROPPED
        self[code] = char
        return char


@cache
def _shadows() -> _Shadows:
    return _Shadows()


_WORD = r"[A-Za-zé\u0301][A-Za-zé\u03010-9]*"
_MIXED = r"[A-Za-zé0-9]+"
_FROM_DIGIT = r"[0-9]+[A-Za-zé][A-Za-zé0-9]*"
_NUMBER = r"[-+]?(?:[0-9]*(?:[.,:٫][0-9]+)+|[0-9]+)"
_PART = rf"(?:[dDoOlL]['`’‘][A-Za-zé0-9]{{2,}}|{_MIXED})"
_DASHED = rf"{_PART}(?:[-_‐]{_PART})+"
_ACRONYM = r"[A-Za-z](?:\.[A-Za-z])+\."
_COMPOUND = rf"[A-Za-z0-9][A-Za-z0-9.,]*(?:-(?:{_ACRONYM}|[A-Za-z0-9]+))+"
"""Hyphens after a stretch that may hold stops and commas: ``T2.-weighted``, ``mild,left-sided``."""
_SLASH_PART = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
_GAP = r"[- \xa0]"
_APOSTROPHE = r"(?:['`’‘]|&apos;)"
_TAG_NAME = r"[A-Za-z][A-Za-z0-9_:.-]*"
_IN_ADDRESS = r"[^\s\xa0<>|(){}\"]"
_ENDS_ADDRESS = r"[^\s\xa0<>|(){}\".!?,;:-]"


@cache
def _rules() -> tuple[re.Pattern[str], ...]:
    """Return the rules; of two that match equally far the first wins."""
    words = yaml.safe_load((Path(__file__).parent / "treebank.yaml").read_text(encoding="utf-8"))
    starts = [form(word) for word in words["sentence_starts"].split() for form in (str.capitalize, str.upper)]
    rules = (
        *_split_words(),
        *_numbers(),
        rf"([A-Za-z])\.\s+(?:{_any_of(starts)})\s",
        *_words(),
        *_addresses(words["file_endings"]),
        rf"({_keeps_stop(**words['may_end'])}\.)[\s\S]{{2}}",
        rf"{_keeps_stop(**words['never_end'])}\.",
        rf"((?i:{_any_of(words['before_number'])})\.)\s?[0-9]",
        *_compounds(),
        *_signs(),
    )
    return tuple(re.compile(rule) for rule in rules)


def _any_of(words: str | Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in (words.split() if isinstance(words, str) else words))


def _keeps_stop(any_case: str, lower_or_title: str = "", title_or_upper: str = "") -> str:
    """Return the expression of words that keep their stop, each in the cases in which it does."""
    cased = [form(word) for word in lower_or_title.split() for form in (str.lower, str.capitalize)]
    cased += [form(word) for word in title_or_upper.split() for form in (str.upper, str.capitalize)]
    return f"(?:(?i:{_any_of(any_case)})|{_any_of(cased)})" if cased else f"(?i:{_any_of(any_case)})"


def _split_words() -> tuple[str, ...]:
    """Words that count as two, contractions, and apostrophes within words."""
    letter, quote, typed = r"[A-Za-zé\u0301]", _APOSTROPHE, "['`’‘]"
    ending = r"(?i:(?:['’]|&apos;)(?:ll|re|ve|[sdm]))"
    return (
        r"(?i:(can)not)", r"(?i:(gon|wan)na)", r"(?i:(got)ta)", r"(?i:(lem|gim)me)", r"(?i:('t)(?:is|was))",
        rf"([A-Za-z]*[A-MO-Za-mo-z])(?i:n{quote}t)", rf"(?i:n{quote}t)", rf"({letter}+){ending}",
        rf"{ending}(?:(?<!'..)(?<!'.)|(?![A-Za-z]))",
        rf"[yY]{typed}(?={letter})", rf"[dDoOlL]{typed}[A-Za-zé\u03010-9]{{2,}}", rf"[nN]{typed}{letter}{{2,}}",
        rf"[A-HJ-XZ]{typed}{letter}{{2,}}", r"[dDjJlL]['’]", r"(?i:ol['’]|somethin['’])",
        r"(?i:['’](?:em|till?|cause|n['’]))", r"(?i:(['’]n)\s)",
        rf"{letter}+[aeiouyAEIOUY]{typed}[aeiouA-Z]{letter}*",
        r"(?i:c'mon|e'er|ev'ry|li'l|nat'l|s'mores|nor'easter)", r"(['’][0-9]{2})\s", r"['’][2-9]0s",
    )  # fmt: skip


def _numbers() -> tuple[str, ...]:
    """Numbers, dates, fractions and telephone numbers, these two also with a space in them."""
    area = rf"(?:\([0-9]{{2,3}}\)[ \xa0]?|(?:\+\+?)?(?:[0-9]{{2,4}}{_GAP})?[0-9]{{2,4}}{_GAP})"
    return (
        _NUMBER,
        rf"(?:[0-9]{{1,4}}{_GAP})?[0-9]{{1,4}}(?:\\?/|⁄)[0-9]{{1,4}}",
        r"[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}",
        rf"{area}[0-9]{{3,4}}{_GAP}?[0-9]{{3,5}}",
    )


def _words() -> tuple[str, ...]:
    """Words and initials, and words with stops in them."""
    return (
        _WORD, _FROM_DIGIT, rf"{_WORD}(?:[.!?]{_WORD})+", _ACRONYM, r"[A-Za-z]\.",
        rf"((?:{_WORD}(?:[.!?]{_WORD})*|{_PART}|{_DASHED}|{_COMPOUND})\.)[,;:]",
    )  # fmt: skip


def _compounds() -> tuple[str, ...]:
    """Words and numbers in one with others."""
    return (
        _DASHED, _COMPOUND, rf"{_SLASH_PART}(?:\\?/{_SLASH_PART}){{1,2}}", r"[A-Z]+(?:[&+][A-Z]+)+",
    )  # fmt: skip


def _addresses(endings: str) -> tuple[str, ...]:
    """Addresses of mail and web, names of files and tags; a text with one is rare but should not score oddly."""
    label, host = r"[^\s\xa0<>|(){}\".]+", r"[^\s\xa0<>|(){}\[\]\".!?,/:;'@0-9_-]+"
    value = r"""(?:\"[^\"]*\"|'[^']*')"""
    return (
        rf"<?[A-Za-z0-9]{_IN_ADDRESS}*@{label}(?:\.{label})*>?", r"@[A-Za-z_][A-Za-z0-9_]*", r"#[A-Za-zé]+",
        rf"(?i:https?)://{_IN_ADDRESS}+{_ENDS_ADDRESS}",
        rf"(?:{host}\.)+(?i:com|net|org|edu)(?:/{_IN_ADDRESS}+{_ENDS_ADDRESS})?",
        rf"(?i:www)\.(?:{host}\.)+[A-Za-z]{{2,4}}/{_IN_ADDRESS}+{_ENDS_ADDRESS}",
        rf"({_MIXED}(?:\.{_MIXED})*\.(?i:{_any_of(endings)}))[\s.,]",
        rf"<{_TAG_NAME}(?:\s+{_TAG_NAME}(?:={value})?)*\s*/?>", rf"</{_TAG_NAME}\s*>", r"<[!?][A-Za-z-][^>]*>",
    )  # fmt: skip


def _signs() -> tuple[str, ...]:
    """Runs of one sign, money, entities and faces."""
    return (
        r"[!?]+", r"\.{3,}", r"-{2,}", r"_+", r"\*+", r"\\\*", r"#+", r"@@+", r"²+", r"\u0301+", r"<<", r">>",
        r"''", r"[`‘’“”]{1,2}", r"[A-Z]+\$", r"[CcFf]#", r"[Cc]\+\+",
        r"(?i:&(?:amp|lt|gt|quot|nbsp|apos|[mn]dash);)", r"&[aeiouAEIOU](?:acute|grave|uml);", r"&#[0-9]+;",
        r"([<>]?[:;=][-o*']?[()DPdpO\\@|\[\]{])(?![A-Za-z0-9])", r"[x=~<>\-^']_[x=~<>\-^']",
    )  # fmt: skip
