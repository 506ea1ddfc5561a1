"""How far a negation or a hedge reaches: to the end of its clause, through lists joined by commas and ``or``."""

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.parsing.lexicon import find_phrases, word_values, words
from reporting.parsing.tokens import Token

_HARD_STOPS = frozenset({";", ":", ".", "(", ")"})
_ENOUGH = frozenset({"noted", "seen", "present", "identified", "evident", "demonstrated", "found", "visible"})
_NEW_PHRASE = frozenset({"a", "an", "there", "the", "<level>"})
_FINITE = frozenset({"is", "are", "noted", "seen", "shows", "there", "appears", "appear"})


@dataclass(frozen=True)
class Scopes:
    """What holds at each token.

    Attributes:
        negated: Under a negation before it.
        hedged: Under a hedge before it.
        back_negators: Spans that deny what stands before them (``is not seen``).
        back_hedges: Spans that doubt what stands before them (``cannot be excluded``).
        not_assessed: Spans that say that something was not assessable.
        pre_hedges: Spans that doubt what follows (``cannot exclude``).
    """

    negated: list[bool]
    hedged: list[bool]
    back_negators: list[tuple[int, int]]
    back_hedges: list[tuple[int, int]]
    not_assessed: list[tuple[int, int]]
    pre_hedges: list[tuple[int, int]]


def read_scopes(tokens: list[Token]) -> Scopes:
    """Return the scopes of a sentence."""
    not_assessed = find_phrases(tokens, "not_assessed")
    back_hedges = find_phrases(tokens, "post_hedges")
    pre_hedges = find_phrases(tokens, "pre_hedges")
    taken = _covered(not_assessed + back_hedges + pre_hedges, len(tokens))
    back_negators = [span for span in find_phrases(tokens, "post_negators") if not taken[span[0]]]
    taken = [a or b for a, b in zip(taken, _covered(back_negators, len(tokens)), strict=True)]
    negated = [False] * len(tokens)
    hedged = [False] * len(tokens)
    for index, token in enumerate(tokens):
        if not taken[index] and _is_negator(tokens, index):
            _mark(negated, index + 1, _negation_end(tokens, index + 1))
        if token.text in words("hedges") and not taken[index]:
            _mark(hedged, index + 1, _hedge_end(tokens, index + 1))
    for _, stop in pre_hedges:
        _mark(hedged, stop, _negation_end(tokens, stop))
    return Scopes(negated, hedged, back_negators, back_hedges, not_assessed, pre_hedges)


def scope_tokens(scopes: Scopes) -> set[int]:
    """Return the tokens of all spans that deny, doubt or say that something was not assessable."""
    spans = [*scopes.back_negators, *scopes.back_hedges, *scopes.not_assessed, *scopes.pre_hedges]
    return {index for start, stop in spans for index in range(start, stop)}


def _is_negator(tokens: Sequence[Token], index: int) -> bool:
    text = tokens[index].text
    pair = f"{text} {tokens[index + 1].text}" if index + 1 < len(tokens) else text
    if pair in words("not_negators"):  # "no change of the endplates" denies; "no change since" compares
        return any(token.text.startswith("endplate") for token in tokens[index + 2 : index + 7])
    return text in words("negators") or pair in words("negator_phrases")


def _negation_end(tokens: Sequence[Token], start: int) -> int:
    """Return the token where the scope of a negation ends."""
    for index in range(start, len(tokens)):
        text = tokens[index].text
        following = tokens[index + 1].text if index + 1 < len(tokens) else ""
        if text in _HARD_STOPS or text in words("scope_breakers") or text in words("negators"):
            return index  # another negation has a scope of its own
        if text in {"with", "and", "&"} and _opens_new_phrase(tokens, index + 1):
            return index
        if text in _ENOUGH and following not in {"or", "nor", "of", ""}:
            return index
        if text == "," and not _list_goes_on(tokens, index + 1):
            return index
    return len(tokens)


def _opens_new_phrase(tokens: Sequence[Token], start: int) -> bool:
    """Tell whether a positive phrase starts: a grade, a level, an article, or a sentence of its own."""
    if start >= len(tokens):
        return False
    text = tokens[start].text
    return text in word_values("grades") or text in _NEW_PHRASE or text in words("hedges")


def _list_goes_on(tokens: Sequence[Token], start: int) -> bool:
    """Tell whether a comma inside a negation joins a list (``no bulge, protrusion or stenosis``)."""
    segment: list[str] = []
    for index in range(start, len(tokens)):
        text = tokens[index].text
        if text in _HARD_STOPS or text in words("scope_breakers") or text in words("negators") - {"nor"}:
            break
        if text == ",":
            if _is_positive_segment(segment):
                return False
            segment = []
            continue
        if text in {"or", "nor"} and not _is_positive_segment(segment):
            return True
        segment.append(text)
    return False


def _is_positive_segment(segment: Sequence[str]) -> bool:
    return any(text in word_values("grades") or text in _FINITE or text == "<level>" for text in segment)


def _hedge_end(tokens: Sequence[Token], start: int) -> int:
    for index in range(start, len(tokens)):
        if tokens[index].text in _HARD_STOPS or tokens[index].text in {",", "and", "with", "but", "&"}:
            return index
    return len(tokens)


def _mark(flags: list[bool], start: int, stop: int) -> None:
    for index in range(start, stop):
        flags[index] = True


def _covered(spans: list[tuple[int, int]], length: int) -> list[bool]:
    flags = [False] * length
    for start, stop in spans:
        _mark(flags, start, min(stop, length))
    return flags
