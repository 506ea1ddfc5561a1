"""Which disc levels a mention belongs to: named after it, before it, or carried from the last sentence."""

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.parsing.lexicon import find_phrases, words
from reporting.parsing.tokens import Token, expand

_JOINERS = frozenset({",", "and", "&", "or", "nor", "/", "+", "level", "levels", "also", "at", "the"})
_RANGES = frozenset({"to", "through", "thru", "-", "–", "until", "down"})
_LEADS = frozenset(
    {"at", "of", "in", "on", "over", "involving", "from", "(", "level", "across", "affecting", "within"}
)
_HEADER_START = 2
_FILLERS = frozenset({"the", "level", "levels", "of", "disc", "discs", "both", "disc_space", "and", "&", ","})


@dataclass(frozen=True)
class LevelGroup:
    """Levels named together.

    Attributes:
        start: First token.
        stop: One past the last.
        levels: As written, ranges filled.
        is_header: Opens a clause, with a colon or dash behind it: what follows is about these levels.
        is_emphasis: Only singles out levels (``noticeably at L4-L5``).
        is_led: A preposition ties it to what stands before.
    """

    start: int
    stop: int
    levels: tuple[str, ...]
    is_header: bool
    is_emphasis: bool
    is_led: bool


@dataclass(frozen=True)
class Span:
    """The tokens of a mention, and whether it is denied."""

    start: int
    stop: int
    is_negated: bool


def level_groups(tokens: Sequence[Token]) -> list[LevelGroup]:
    """Return the groups of levels in a sentence."""
    groups: list[LevelGroup] = []
    index = 0
    while index < len(tokens):
        if not tokens[index].levels:
            index += 1
            continue
        stop, levels = _group_end(tokens, index)
        groups.append(_group(tokens, index, stop, levels))
        index = stop
    return groups


def names_no_level(tokens: list[Token]) -> bool:
    """Tell whether the sentence speaks of unnamed levels (``multilevel``, ``elsewhere``, ``lower lumbar``)."""
    return bool(find_phrases(tokens, "no_level"))


def levels_for(
    mention: Span,
    others: Sequence[Span],
    groups: Sequence[LevelGroup],
    tokens: list[Token],
    carried: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the levels of a mention; empty when the text names none.

    Args:
        mention: Its tokens.
        others: The other mentions of the sentence.
        groups: Groups of levels of the sentence.
        tokens: The sentence.
        carried: Levels last named before this sentence.
    """
    ahead = [group for group in groups if group.stop <= mention.start]
    behind = [group for group in groups if group.start >= mention.stop and not group.is_header]
    inside = [group for group in groups if mention.start <= group.start and group.stop <= mention.stop]
    if inside:
        return inside[0].levels
    follower = behind[0] if behind else None
    if follower is not None and _ties(mention, follower, others, tokens, has_own=bool(ahead)):
        return follower.levels
    if ahead:
        return ahead[-1].levels
    if follower is not None and not mention.is_negated and not _has(tokens, mention.stop, follower.start, {";"}):
        return follower.levels
    return () if names_no_level(tokens) else carried


def _ties(
    mention: Span, group: LevelGroup, others: Sequence[Span], tokens: Sequence[Token], *, has_own: bool
) -> bool:
    if has_own and (group.is_emphasis or not group.is_led):
        return False
    if _has(tokens, mention.stop, group.start, {";", ":"}):
        return False
    if has_own and _has(tokens, mention.stop, group.start, {"associated"}):
        return False  # "L3-L4: bulge, associated with ligament hypertrophy at L4-L5": the ligament's level
    between = sorted(
        (item for item in others if mention.stop <= item.start < group.start), key=lambda item: item.start
    )
    place = mention.stop
    for item in between:
        if has_own or not _only_joins(tokens, place, item.start) or item.is_negated != mention.is_negated:
            return False
        place = item.stop
    return True


def _only_joins(tokens: Sequence[Token], start: int, stop: int) -> bool:
    allowed = {"and", "or", "&", ",", "nor", "with", "the", "a", "an"} | words("modifiers") | words("hedges")
    return all(token.text in allowed for token in tokens[start:stop])


def _has(tokens: Sequence[Token], start: int, stop: int, texts: set[str]) -> bool:
    return any(token.text in texts for token in tokens[start:stop])


def _group_end(tokens: Sequence[Token], start: int) -> tuple[int, tuple[str, ...]]:
    levels = list(tokens[start].levels)
    stop = start + 1
    place = stop
    while place < len(tokens) and place - stop <= 3:
        token = tokens[place]
        if token.levels:
            is_range = place - stop >= 1 and any(item.text in _RANGES for item in tokens[stop:place])
            levels += expand(levels[-1], token.levels[-1]) if is_range else token.levels
            stop = place + 1
        elif token.text not in _JOINERS | _RANGES:
            break
        place += 1
    return stop, tuple(dict.fromkeys(levels))


def _group(tokens: Sequence[Token], start: int, stop: int, levels: tuple[str, ...]) -> LevelGroup:
    after = stop
    while after < len(tokens) and tokens[after].text in {"level", "levels", "disc", "discs"} and after < stop + 2:
        after += 1
    opens = start <= _HEADER_START or tokens[start - 1].text in {",", ";", ".", ")"}
    is_header = opens and after < len(tokens) and tokens[after].text in {":", "-", "–"}
    before = start
    while before > 0 and tokens[before - 1].text in _FILLERS and before > start - 3:
        before -= 1
    lead = tokens[before - 1].text if before > 0 else ""
    wider = {token.text for token in tokens[max(0, before - 4) : before]}
    is_led = lead in _LEADS or any(token.text in _LEADS for token in tokens[before:start])
    return LevelGroup(start, stop, levels, is_header, bool(wider & words("emphasis")), is_led)
