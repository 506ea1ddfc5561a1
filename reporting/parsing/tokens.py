"""Text to sentences, sentences to tokens: words in canonical spelling, numbers, punctuation and disc levels.

A disc level is one token, whatever its spelling (``L4/5``, ``D12/L1``, ``L5 over S1``); a range of vertebrae
(``L3-S1``) is one token with several levels. Offsets point into the sentence as written.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from anatomy import DISC_LEVELS, SIJ, parse_level
from reporting.parsing.spelling import canonical, compound_phrases

_SENTENCE_END = re.compile(r"(?<=[.!])(?<!\b[A-HJ-UW-Za-hj-uw-z][.!])(?=\s|[A-Z\-])|/{2,}")
_SPACE = re.compile(r"\s+")
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[a-z]+(?:_[a-z]+)?|[^\w\s]")
_VERTEBRA = r"(?<![A-Za-z0-9])([CTDLScdtls])\s?(\d{1,2})"
_LEVEL = re.compile(
    _VERTEBRA + r"(?:\s?[-/–—_]\s?|\s(?:over|on|upon|to|through|thru)\s)([CTDLScdtls]?)\s?(\d{1,2})(?!\d)"
)
_NOT_A_LEVEL = re.compile(
    r"^\s?(?:nerves?|roots?|exit\w*(?!\s+(?:neural\s+)?foram)|travers\w*|weighted|signal|w|wi|images?)\b",
    re.IGNORECASE,
)
_JOINTS = re.compile(r"^(?:(sacroiliac joints)(?= ?[:\-–])|at (?:the )?(sacroiliac joints)\b)", re.IGNORECASE)
"""The joints as the place of a whole sentence: ``Sacroiliac joints: ...``, ``At the sacroiliac joints ...``."""
_VERTEBRAE = (*(level.split("-")[0] for level in DISC_LEVELS), "S1")
_HEADING_WORDS = frozenset({"<level>", "level", "levels", "at", ",", "and", "&", ":", "-", "to", "."})
_LONGEST_HEADING = 80
_LONGEST_SENTENCE = 600
_TWO = 2
_UNFINISHED = frozenset(
    {"compressing", "encroaching", "indenting", "abutting", "and", "or", "with", "the", "upon"}
)


@dataclass(frozen=True)
class Token:
    """One token.

    Attributes:
        text: Canonical word, number, sign, or ``<level>``.
        start: First character in the sentence.
        end: One past the last.
        levels: Disc levels, cranial to caudal, or ``SIJ``; empty for other tokens.
    """

    text: str
    start: int
    end: int
    levels: tuple[str, ...] = ()


def split_sentences(text: str) -> list[str]:
    """Split a report into sentences: at full stops, line ends and double slashes.

    A line that breaks off after a verb or a joining word, or that is only a level with a colon, runs on into the
    next. Levels alone at the end of a line (``Disc bulges.- L3-L4 & L4-L5``) belong to the sentence before them.
    """
    sentences: list[str] = []
    for line in text.splitlines():
        pieces: list[str] = []
        for piece in _SENTENCE_END.split(line):
            cleaned = _SPACE.sub(" ", piece).strip()
            pieces += [part for part in _cut(cleaned) if any(letter.isalnum() for letter in part)]
        sentences += _join_trailing_levels(pieces)
    return _join_unfinished(sentences)


def tokenise(sentence: str) -> list[Token]:
    """Return the tokens of a sentence."""
    tokens: list[Token] = []
    place = 0
    joints = _JOINTS.match(sentence)
    if joints is not None:
        start, place = joints.span(joints.lastindex or 0)
        tokens += [*_words(sentence, 0, start), Token("<level>", start, place, (SIJ,))]
    for match in _LEVEL.finditer(sentence):
        levels = _levels_of(match)
        if not levels or match.start() < place or _NOT_A_LEVEL.match(sentence[match.end() : match.end() + 14]):
            continue
        tokens += _words(sentence, place, match.start())
        tokens.append(Token("<level>", match.start(), match.end(), levels))
        place = match.end()
    tokens += _words(sentence, place, len(sentence))
    return _join_compounds(tokens)


def expand(first: str, last: str) -> tuple[str, ...]:
    """Return the disc levels from one to another, both included; empty when they are none."""
    if first not in DISC_LEVELS or last not in DISC_LEVELS:
        return ()
    start, stop = DISC_LEVELS.index(first), DISC_LEVELS.index(last)
    return DISC_LEVELS[start : stop + 1]


def _cut(sentence: str) -> list[str]:
    """Cut what is far longer than any sentence, so that reading stays linear in the text."""
    parts = []
    while len(sentence) > _LONGEST_SENTENCE:
        place = sentence.rfind(" ", 0, _LONGEST_SENTENCE)
        place = _LONGEST_SENTENCE if place <= 0 else place
        parts.append(sentence[:place].strip())
        sentence = sentence[place:].strip()
    return [*parts, sentence]


def _join_trailing_levels(pieces: list[str]) -> list[str]:
    """Join levels that end a line to the sentence before them, when that names none."""
    if len(pieces) < _TWO or _is_level_heading(pieces[-1]) or not _is_only_levels(pieces[-1]):
        return pieces
    if _names_level(pieces[-2]):
        return pieces
    joined = f"{pieces[-2].rstrip('. ')} {pieces[-1]}"
    return [*pieces[:-2], joined] if len(joined) <= _LONGEST_SENTENCE else pieces


def _is_only_levels(sentence: str) -> bool:
    if len(sentence) > _LONGEST_HEADING:
        return False
    return _names_level(sentence) and all(token.text in _HEADING_WORDS for token in tokenise(sentence))


def _names_level(sentence: str) -> bool:
    return any(token.levels for token in tokenise(sentence))


def _join_unfinished(sentences: list[str]) -> list[str]:
    joined: list[str] = []
    for sentence in sentences:
        if (
            joined
            and len(joined[-1]) < _LONGEST_SENTENCE
            and (joined[-1].split()[-1].lower() in _UNFINISHED or _is_level_heading(joined[-1]))
        ):
            joined[-1] = f"{joined[-1]} {sentence}"
        else:
            joined.append(sentence)
    return joined


def _is_level_heading(sentence: str) -> bool:
    return sentence.endswith(":") and _is_only_levels(sentence)


def _words(sentence: str, start: int, stop: int) -> list[Token]:
    part = sentence[start:stop].lower()
    return [Token(canonical(item[0]), start + item.start(), start + item.end()) for item in _TOKEN.finditer(part)]


def _levels_of(match: re.Match[str]) -> tuple[str, ...]:
    upper_letter, upper_number, lower_letter, lower_number = match.groups()
    upper = f"{upper_letter.upper().replace('D', 'T')}{int(upper_number)}"
    lower = f"{(lower_letter or '').upper().replace('D', 'T')}{int(lower_number)}"
    if upper in _VERTEBRAE and lower in _VERTEBRAE:
        start, stop = _VERTEBRAE.index(upper), _VERTEBRAE.index(lower)
        return DISC_LEVELS[start:stop]
    single = parse_level(f"{upper_letter}{upper_number}-{lower_letter}{lower_number}")
    return () if single is None else (single,)


@cache
def _compounds() -> dict[tuple[str, ...], str]:
    return {tuple(key.split()): value for key, value in compound_phrases().items()}


@cache
def _compound_widths() -> dict[str, tuple[int, ...]]:
    """Return first word -> lengths of the phrases that start with it, longest first."""
    widths: dict[str, set[int]] = {}
    for key in _compounds():
        widths.setdefault(key[0], set()).add(len(key))
    return {word: tuple(sorted(found, reverse=True)) for word, found in widths.items()}


def _join_compounds(tokens: list[Token]) -> list[Token]:
    """Replace phrases of several tokens by their canonical words."""
    joined: list[Token] = []
    place = 0
    while place < len(tokens):
        width = _compound_at(tokens, place)
        if width == 0:
            joined.append(tokens[place])
            place += 1
            continue
        group = tokens[place : place + width]
        words = _compounds()[tuple(token.text for token in group)].split()
        joined += [Token(word, group[0].start, group[-1].end) for word in words]
        place += width
    return joined


def _compound_at(tokens: list[Token], place: int) -> int:
    for width in _compound_widths().get(tokens[place].text, ()):
        if tuple(token.text for token in tokens[place : place + width]) in _compounds():
            return width
    return 0


def starts_of(tokens: Sequence[Token]) -> dict[int, int]:
    """Return where each token begins in the tokens' texts joined by single spaces: place -> index."""
    starts: dict[int, int] = {}
    place = 0
    for index, token in enumerate(tokens):
        starts[place] = index
        place += len(token.text) + 1
    return starts
