"""Understanding a question: its levels, sides, steps of scales, conditions, quantities and intents.

Every word must be accounted for; ``Question.unknown`` holds those that are not.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from anatomy import DISC_LEVELS, SCALES, Side, parse_level
from vlm.chat.lexicon import SPELLING, Kind, Phrase, Sense, load_lexicon, split_words

MAX_CHARACTERS = 400

_LEVEL = re.compile(r"\b[ctdls]\s?\d{1,2}\s*(?:[-/–—]|\bto\b|\bover\b|\bon\b|\s)\s*[ctdls]?\s?\d{1,2}\b")
_BETWEEN = re.compile(r"\bbetween\s+([ctdls]\d{1,2})\s+and\s+([ctdls]\d{1,2})\b")
_VERTEBRA = re.compile(r"\b([ctls])\s?(\d{1,2})\b")
_OR_WORSE = re.compile(r"\b(or|and) (worse|higher|more|above|greater|beyond|up)\b|\bat least\b|\bor more severe\b")
_ROMAN = {"1": "I", "2": "II", "3": "III", "4": "IV", "5": "V"}
_NUMBERED = re.compile(
    r"\b(?P<scale>pfirr?mann?|modic|kang)?\s*(?P<word>grade|type|changes?)?\s*\b(?P<step>iv|v|i{1,3}|[0-5])\b"
)
_SIDES = {"left": (Side.LEFT,), "right": (Side.RIGHT,), "bilateral": (Side.LEFT, Side.RIGHT)}
_SIDES["bilaterally"] = _SIDES["bilateral"]
_SIDES |= {"left-sided": _SIDES["left"], "right-sided": _SIDES["right"], "left-hand": _SIDES["left"]}
_SIDES |= {"right-hand": _SIDES["right"]}
_ADVERBS = frozenset({"severely", "moderately", "mildly"})
_WORD_SCALES = ("rsna", "as_status", "as_stage", "presence")


@dataclass(frozen=True)
class Question:
    """A question, understood.

    Attributes:
        intents: What is asked for, such as ``worst``.
        levels: Disc levels named, as ``L4-L5``; each once.
        vertebrae: Vertebrae named alone; their neighbouring discs are among ``levels``.
        sides: Patient's sides named.
        steps: (scale, step) named, such as (``pfirrmann``, ``IV``).
        conditions: Conditions named.
        quantities: Measurement names.
        refusals: Refused topics touched.
        unknown: Words that mean nothing here.
        words: All words, lower case, levels as ``@0``, ``@1`` ...
    """

    intents: frozenset[str]
    levels: tuple[str, ...]
    vertebrae: tuple[str, ...]
    sides: tuple[Side, ...]
    steps: tuple[tuple[str, str], ...]
    conditions: tuple[str, ...]
    quantities: tuple[str, ...]
    refusals: tuple[str, ...]
    unknown: tuple[str, ...]
    words: tuple[str, ...] = ()

    def asks(self, *intents: str) -> bool:
        """Return whether any of some intents is there."""
        return not self.intents.isdisjoint(intents)


def understand(text: str, scales: Iterable[str]) -> Question:
    """Understand a question.

    Args:
        text: As typed.
        scales: Scales used in the reading; words such as ``moderate`` are steps only of these.
    """
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    plain = _BETWEEN.sub(r"\1-\2", plain)
    plain = " ".join(SPELLING.get(word, word) for word in plain.split())
    levels, plain = _take_levels(plain)
    steps, plain = _take_numbered_steps(plain)
    vertebrae, plain = _take_vertebrae(plain)
    words = split_words(plain)
    matches = _longest_matches(words)
    covered = {index for start, phrase, _ in matches for index in range(start, start + len(phrase))}
    sides, more_steps, known = _sides_and_word_steps(words, covered, tuple(scales))
    senses = [sense for _, _, found in matches for sense in found]
    unknown = [
        word
        for index, word in enumerate(words)
        if index not in covered and index not in known and not word.startswith("@")
    ]
    beside = [level for vertebra in vertebrae for level in DISC_LEVELS if vertebra in level.split("-")]
    return Question(
        intents=frozenset(_values(senses, Kind.INTENT)),
        levels=tuple(dict.fromkeys([*_expand_ranges(words, levels), *beside])),
        vertebrae=vertebrae,
        sides=sides,
        steps=tuple(dict.fromkeys(_with_worse([*steps, *more_steps], plain))),
        conditions=_values(senses, Kind.CONDITION),
        quantities=_values(senses, Kind.QUANTITY),
        refusals=_values(senses, Kind.REFUSAL),
        unknown=tuple(dict.fromkeys(unknown)),
        words=tuple(words),
    )


def _values(senses: list[Sense], kind: Kind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sense.value for sense in senses if sense.kind is kind))


def _take_levels(text: str) -> tuple[list[str], str]:
    """Return the disc levels and the text with ``@0``, ``@1`` ... in their places."""
    levels: list[str] = []

    def place(match: re.Match[str]) -> str:
        level = parse_level(re.sub(r"\b(?:to|over|on)\b", "-", match[0]))
        if level is None:
            return match[0]
        levels.append(level)
        return f" @{len(levels) - 1} "

    return levels, _LEVEL.sub(place, text)


def _expand_ranges(words: list[str], levels: list[str]) -> list[str]:
    """Return the levels with ``@0 to @1`` filled in between."""
    found = list(levels)
    for first, joint, last in zip(words, words[1:], words[2:], strict=False):
        if joint in {"to", "through"} and first.startswith("@") and last.startswith("@"):
            ends = [levels[int(word[1:])] for word in (first, last)]
            if all(end in DISC_LEVELS for end in ends):
                low, high = sorted(DISC_LEVELS.index(end) for end in ends)
                found += DISC_LEVELS[low : high + 1]
    order = {level: index for index, level in enumerate(DISC_LEVELS)}
    return sorted(dict.fromkeys(found), key=lambda level: order.get(level, len(order)))


def _take_vertebrae(text: str) -> tuple[tuple[str, ...], str]:
    """Return vertebrae that are named alone, and the text without them."""
    names = [f"{letter.upper()}{int(number)}" for letter, number in _VERTEBRA.findall(text)]
    known = [name for name in names if any(name in level.split("-") for level in DISC_LEVELS)]
    if len(known) < len(names):
        return tuple(known), text
    return tuple(dict.fromkeys(known)), _VERTEBRA.sub(" ", text)


def _take_numbered_steps(text: str) -> tuple[list[tuple[str, str]], str]:
    """Return steps named by number (``grade IV``, ``Modic type 2``), and the text without their numbers.

    A number needs the scale's name or the word grade or type before it: a bare one stays, and is unknown.
    """
    steps: list[tuple[str, str]] = []

    def place(match: re.Match[str]) -> str:
        scale, word, step = match["scale"], match["word"], match["step"]
        if scale is None and word not in {"grade", "type"}:
            return match[0]
        name = "pfirrmann" if scale is not None and scale.startswith("pf") else scale
        if name is None:
            name = "modic" if word == "type" else "pfirrmann"
        grade = _step_of(name, step)
        if grade is None:
            return match[0]
        steps.append((name, grade))
        return f" {word or ''} "

    return steps, _NUMBERED.sub(place, text)


def _with_worse(steps: list[tuple[str, str]], text: str) -> list[tuple[str, str]]:
    """Return the steps named, and all worse ones of their scales after ``or worse`` or ``at least``."""
    if not _OR_WORSE.search(text):
        return steps
    found = list(steps)
    for scale, step in steps:
        grades = SCALES[scale].grades
        found += [(scale, grade) for grade in grades[grades.index(step) :] if SCALES[scale].is_ordinal]
    return found


def _step_of(scale: str, step: str) -> str | None:
    """Return the scale's own identifier of a step written as an Arabic or Roman number; None when it has none."""
    upper = step.upper()
    arabic = next((digit for digit, roman in _ROMAN.items() if roman == upper), upper)
    for name in (_ROMAN.get(arabic, arabic), arabic):
        if name in SCALES[scale].grades:
            return name
    return None


def _longest_matches(words: list[str]) -> list[tuple[int, Phrase, tuple[Sense, ...]]]:
    """Return all known phrases with their first word, but none that lies inside a longer one."""
    lexicon = load_lexicon()
    found = []
    for start in range(len(words)):
        for length in range(1, lexicon.longest + 1):
            phrase = tuple(words[start : start + length])
            if len(phrase) == length and phrase in lexicon.senses:
                found.append((start, phrase, lexicon.senses[phrase]))
    return [match for match in found if not any(_is_inside(match, other) for other in found)]


def _is_inside(match: tuple[int, Phrase, tuple[Sense, ...]], other: tuple[int, Phrase, tuple[Sense, ...]]) -> bool:
    start, phrase, _ = match
    other_start, other_phrase, _ = other
    if len(phrase) >= len(other_phrase):
        return False
    return other_start <= start and start + len(phrase) <= other_start + len(other_phrase)


def _sides_and_word_steps(
    words: list[str], covered: set[int], scales: tuple[str, ...]
) -> tuple[tuple[Side, ...], list[tuple[str, str]], set[int]]:
    """Return sides, steps named by words (``severe``), and the indices of the words that named them."""
    sides: list[Side] = []
    steps: list[tuple[str, str]] = []
    known: set[int] = set()
    for index, word in enumerate(words):
        step_word = word.removesuffix("ly") if word in _ADVERBS else word
        if word in _SIDES:
            sides += _SIDES[word]
            known.add(index)
        if index in covered and word not in _ADVERBS:
            continue
        for scale in _WORD_SCALES:
            for grade in SCALES[scale].grades if scale in scales and scale != "presence" else ():
                if step_word in grade.split("_"):
                    steps.append((scale, grade))
                    known.add(index)
    return tuple(dict.fromkeys(sides)), steps, known
