"""Grades, sides and hedges that belong to a mention: the words before it, and the few forms after it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anatomy import Side
from reporting.parsing.lexicon import Item, word_values, words
from reporting.parsing.tokens import Token

GRADE_ORDER = ("normal", "normal_mild", "mild", "early", "moderate", "severe", "advanced")
_JOINERS = frozenset({"and", "&", ",", "or", "to", "/", "-", "nor"})
_SPLITTERS = frozenset({"and", "&", ","})
_RANGE_WORDS = frozenset({"to", "-"})
_SMALL = frozenset(
    {"the", "a", "an", "more", "in", "is", "are", "was", "were", "appear", "appears", "appeared", "also"}
)
_AFTER = frozenset({",", "(", ":", "is", "are", "was", "were", "of", "graded", "as", "which", "appears", "-"})
_ENDS = frozenset({".", ",", ")", ";", "degree", "grade", "in", "on", "at", "<level>", "and", "with"})
_SIDE_LEADS = frozenset({"on", "at", "to", "the", "(", "more", ",", "-", "in", "side", "towards", "toward"})


@dataclass
class Modifiers:
    """What the words around a mention say of it.

    Attributes:
        pairs: (grade word, sides) of each part: one part, or two for ``moderate left and severe right``.
        is_hedged: A hedge stands among the words.
        steps: Numbered steps without a scale's name that stand among the words (``grade I``).
        start: First token of the words.
        leaning: Sides after ``more to the``.
        used: Tokens that were read.
    """

    pairs: list[tuple[str | None, tuple[Side, ...]]]
    is_hedged: bool
    steps: list[Item]
    start: int
    leaning: tuple[Side, ...] = ()
    used: set[int] = field(default_factory=set)


def before(
    tokens: Sequence[Token], start: int, owners: Sequence[Item | None], *, stage_words: bool = False
) -> Modifiers:
    """Read the words before a mention, back to the first that cannot belong to it.

    Args:
        tokens: The sentence.
        start: First token of the mention.
        owners: The item that holds each token, or None; words inside other items end the walk.
        stage_words: Whether ``early``, ``moderate`` and ``advanced`` are stages (sacroiliitis).
    """
    indices: list[int] = []
    steps: list[Item] = []
    place = start - 1
    while place >= 0:
        owner = owners[place]
        if owner is not None and owner.tag == "step" and owner.name == "":
            steps.insert(0, owner)
            indices += range(owner.stop - 1, owner.start - 1, -1)
            place = owner.start - 1
            continue
        if _is_side_in_brackets(tokens, place, owners):
            indices += [place, place - 1, place - 2]
            place -= 3
            continue
        if not _belongs(tokens, place, owners, [tokens[index].text for index in indices], stage_words):
            break
        indices.append(place)
        place -= 1
    ordered = indices[::-1]
    pairs = _pairs([tokens[index].text for index in ordered], stage_words)
    hedged = any(tokens[index].text in words("hedges") for index in ordered)
    leaning = _leaning([tokens[index].text for index in ordered])
    if leaning:
        pairs = [(grade, tuple(side for side in sides if side not in leaning)) for grade, sides in pairs]
    return Modifiers(pairs, hedged, steps, ordered[0] if ordered else start, leaning, set(ordered))


def grade_after(
    tokens: Sequence[Token], stop: int, owners: Sequence[Item | None], *, stage_words: bool = False
) -> tuple[str | None, set[int]]:
    """Return a grade word that follows a mention (``stenosis, severe``, ``is severe``), and the tokens read."""
    place = stop
    while place < len(tokens) and place < stop + 3 and tokens[place].text in _AFTER:
        place += 1
    first = place
    while place < len(tokens) and (
        _is_grade(tokens[place].text, stage_words) or _joins_grades(tokens, place, stage_words)
    ):
        place += 1
    if place == first or (place < len(tokens) and tokens[place].text not in _ENDS):
        return None, set()
    if place < len(tokens) and tokens[place].text in {"and", "with"} and first == stop:
        return None, set()
    grade = _grade([token.text for token in tokens[first:place]], stage_words)
    return grade, set(range(stop, place))


def sides_after(
    tokens: Sequence[Token], stop: int, owners: Sequence[Item | None]
) -> tuple[tuple[Side, ...], bool, set[int]]:
    """Return the sides that follow a mention, whether they are only leaned to (``more to``), and tokens read."""
    place = stop
    while place < len(tokens) and place < stop + 5 and tokens[place].text in _SIDE_LEADS:
        place += 1
    if place >= len(tokens) or tokens[place].text not in word_values("sides"):
        return (), False, set()
    lead = {token.text for token in tokens[stop:place]}
    last = place + 1
    while last < len(tokens) and tokens[last].text in words("side_words"):
        last += 1
    is_bare = not lead & {"on", "at", "to", "(", "in", "towards", "toward"} and tokens[place].text != "bilaterally"
    ends = last >= len(tokens) or tokens[last].text in {
        ".",
        ",",
        ")",
        ";",
        "and",
        "with",
        "<level>",
        "noted",
        "seen",
        "at",
    }
    if (is_bare and (lead & {","} or not ends)) or (
        last < len(tokens) and owners[last] is not None and last == place + 1
    ):
        return (), False, set()
    return _sides_of(tokens[place].text), "more" in lead, set(range(stop, last))


def leaning_after(tokens: Sequence[Token], stop: int, owners: Sequence[Item | None]) -> tuple[Side, ...]:
    """Return the side of ``more to the left`` between a mention and the next item."""
    for place in range(stop, len(tokens)):
        if owners[place] is not None:
            return ()
        if tokens[place].text == "more":
            return _sides([token.text for token in tokens[place : place + 4]])
    return ()


def sides_between(tokens: Sequence[Token], start: int, stop: int) -> tuple[Side, ...]:
    """Return the sides written between two tokens."""
    found = [side for token in tokens[start:stop] for side in _sides_of(token.text)]
    return tuple(dict.fromkeys(found))


def grade_between(tokens: Sequence[Token], start: int, stop: int) -> str | None:
    """Return the grade words between two tokens (``canal is severely narrowed``)."""
    return _grade([token.text for token in tokens[start:stop]], stage_words=False)


def join_grades(*grades: str | None) -> str | None:
    """Return the first grade that is there."""
    return next((grade for grade in grades if grade is not None), None)


def _belongs(
    tokens: Sequence[Token], place: int, owners: Sequence[Item | None], seen: Sequence[str], stage_words: bool
) -> bool:
    text = tokens[place].text
    owner = owners[place]
    if owner is not None and not (
        owner.tag == "object" and owner.stop - owner.start == 1 and text in words("modifiers")
    ):
        return False
    if text in _JOINERS:
        return place > 0 and owners[place - 1] is None and _joins(tokens, place, seen, stage_words)
    return _is_modifier(text, stage_words) or text in words("hedges") or text in _SMALL


def _is_side_in_brackets(tokens: Sequence[Token], place: int, owners: Sequence[Item | None]) -> bool:
    """Tell whether ``(left)`` ends here and leads what follows: after a noun it belongs to that noun."""
    first = place - 2
    if first < 0 or tokens[place].text != ")" or tokens[first].text != "(":
        return False
    owner = owners[first - 1] if first > 0 else None
    is_led = owner is None or (owner.tag == "action" and owner.form == "active")
    return is_led and bool(_sides_of(tokens[place - 1].text))


def _joins(tokens: Sequence[Token], place: int, seen: Sequence[str], stage_words: bool) -> bool:
    """Tell whether a joining word stands between two modifiers of the same mention.

    Args:
        tokens: The sentence.
        place: The joining word.
        seen: Words already taken, nearest to the mention first.
        stage_words: Whether stages count as grades.
    """
    text, left, right = tokens[place].text, tokens[place - 1].text, tokens[place + 1].text
    has_side = any(word in word_values("sides") for word in seen)
    if left in words("side_words") and (text != "," or has_side):
        return False
    if text in {"or", "nor"}:
        both_sides = left in word_values("sides") and right in word_values("sides")
        return both_sides or (_is_grade(left, stage_words) and _is_grade(right, stage_words))
    return _is_modifier(left, stage_words, strict=True)


def _is_modifier(text: str, stage_words: bool, *, strict: bool = False) -> bool:
    plain = text in word_values("sides") or text in words("side_words") or _is_grade(text, stage_words)
    if strict and text in {"disc", "discal", "of", "evidence", "material", "materials", "significant", "any"}:
        return False
    return plain or text in words("modifiers")


def _is_grade(text: str, stage_words: bool) -> bool:
    return text in word_values("grades") or (stage_words and text in word_values("stages"))


def _joins_grades(tokens: Sequence[Token], place: int, stage_words: bool) -> bool:
    if tokens[place].text not in {"or", "to", "-", "/", "and"} or place + 1 >= len(tokens) or place == 0:
        return False
    return _is_grade(tokens[place - 1].text, stage_words) and _is_grade(tokens[place + 1].text, stage_words)


def _pairs(texts: list[str], stage_words: bool) -> list[tuple[str | None, tuple[Side, ...]]]:
    """Split the words at ``and`` where each part has its own side and a grade, else read them as one part."""
    parts: list[list[str]] = [[]]
    for text in texts:
        if text in _SPLITTERS and any(item in word_values("sides") for item in parts[-1]):
            parts.append([])
        else:
            parts[-1].append(text)
    read = [(_grade(part, stage_words), _sides(part)) for part in parts]
    sided = [pair for pair in read if pair[1]]
    if len(sided) > 1 and any(grade is not None for grade, _ in sided[1:]):
        return _carry_grade(sided)
    return [(_grade(texts, stage_words), _sides(texts))]


def _carry_grade(
    pairs: list[tuple[str | None, tuple[Side, ...]]],
) -> list[tuple[str | None, tuple[Side, ...]]]:
    carried: list[tuple[str | None, tuple[Side, ...]]] = []
    for grade, sides in pairs:
        carried.append((grade if grade is not None or not carried else carried[-1][0], sides))
    return carried


def _grade(texts: Sequence[str], stage_words: bool) -> str | None:
    table = word_values("grades") | (word_values("stages") if stage_words else {})
    places = [index for index, text in enumerate(texts) if text in table]
    found = [table[texts[index]] for index in places]
    if not found:
        return None
    is_range = any(texts[index - 1] in _RANGE_WORDS for index in places[1:] if index > 0)
    ranked = sorted({GRADE_ORDER.index(grade) for grade in found})
    if is_range and {"mild", "severe"} <= set(found):
        return "mild|moderate|severe"
    return "|".join(GRADE_ORDER[rank] for rank in ranked)


def _sides(texts: Sequence[str]) -> tuple[Side, ...]:
    found = {side for text in texts for side in _sides_of(text)}
    return tuple(side for side in Side if side in found)


def _sides_of(text: str) -> tuple[Side, ...]:
    value = word_values("sides").get(text)
    if value is None:
        return ()
    return (Side.LEFT, Side.RIGHT) if value == "both" else (Side(value),)


def _leaning(texts: Sequence[str]) -> tuple[Side, ...]:
    """Return the side after ``more``: a bulge that is more to the left leans, it has no side."""
    if "more" not in texts:
        return ()
    return _sides(texts[texts.index("more") :])
