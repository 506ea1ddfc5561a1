"""One sentence read to the end: mentions with levels, sides, grades, negation; values; and the words left over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from anatomy import SIJ, Condition, Side
from reporting.parsing.measures import Measure, hide_measures
from reporting.parsing.mentions import Mention, find_mentions, states_normal_steps
from reporting.parsing.places import LevelGroup, Span, level_groups, levels_for, names_no_level
from reporting.parsing.scope import Scopes, read_scopes, scope_tokens
from reporting.parsing.tokens import Token, tokenise
from reporting.types import Fact, MeasuredFact

_FORAMINAL = frozenset({"foramen", "exit_root"})
_CLAUSE_ENDS = frozenset({";", ":", ".", "but", "however"})
_REACH = 8
_ENDPLATES = (Condition.UPPER_ENDPLATE_CHANGE, Condition.LOWER_ENDPLATE_CHANGE)


@dataclass(frozen=True)
class SentenceReading:
    """What one sentence says.

    Attributes:
        facts: One per level, side and condition, in order.
        measured: Named values.
        decimals: Digits after the point of each value.
        not_assessed: Facts said to be not assessable (their grade and negation mean nothing).
        words: Canonical words, for the check of what no fact covers.
        covered: For each word, whether a fact, a value, a level or a scope word accounts for it.
        levels: Levels that the next sentence carries.
    """

    facts: tuple[Fact, ...]
    measured: tuple[MeasuredFact, ...]
    decimals: tuple[int, ...]
    not_assessed: tuple[Fact, ...]
    words: tuple[str, ...]
    covered: tuple[bool, ...]
    levels: tuple[str, ...]


@lru_cache(maxsize=4096)
def read_sentence(sentence: str, carried: tuple[str, ...] = ()) -> SentenceReading:
    """Read one sentence.

    Args:
        sentence: As written.
        carried: Levels last named before it.
    """
    tokens, measures = hide_measures(tokenise(sentence))
    scopes = read_scopes(tokens)
    mentions = find_mentions(tokens)
    groups = level_groups(tokens)
    denied = [_is_negated(mention, mentions, scopes, tokens) for mention in mentions]
    spans = [Span(item.start, item.stop, no) for item, no in zip(mentions, denied, strict=True)]
    facts: list[Fact] = []
    unassessed: list[Fact] = []
    for index, mention in enumerate(mentions):
        others = spans[:index] + spans[index + 1 :]
        levels = _levels(mention, levels_for(spans[index], others, groups, tokens, carried), tokens)
        made = _facts(mention, levels, denied[index], _is_hedged(mention, mentions, scopes, tokens), sentence)
        made = [_with_leaning(fact, mention, mentions) for fact in made]
        (unassessed if _is_unassessed(mention, mentions, scopes, tokens) else facts).extend(made)
    return SentenceReading(
        facts=tuple(merge_facts(facts)),
        measured=tuple(_measured(item, tokens, groups, carried, sentence) for item in measures),
        decimals=tuple(item.decimals for item in measures),
        not_assessed=tuple(merge_facts(unassessed)),
        words=tuple(token.text for token in tokens),
        covered=_coverage(tokens, mentions, scopes),
        levels=_carry(tokens, groups, carried),
    )


def merge_facts(facts: Sequence[Fact]) -> list[Fact]:
    """Return one fact per level, side and condition: said to be there wins over denied, certain over doubtful."""
    merged: dict[tuple[str | None, Side | None, Condition], Fact] = {}
    for fact in facts:
        key = _key(fact)
        merged[key] = _merge(merged[key], fact) if key in merged else fact
    return list(merged.values())


def merge_report(facts: Sequence[Fact]) -> list[Fact]:
    """Return one fact per level, side and condition, and a second where one sentence denies what another says."""
    said = merge_facts([fact for fact in facts if not fact.negated])
    denied = merge_facts([fact for fact in facts if fact.negated])
    first = {(*_key(fact), fact.negated): index for index, fact in reversed(list(enumerate(facts)))}
    return sorted([*said, *denied], key=lambda fact: first[(*_key(fact), fact.negated)])


def _key(fact: Fact) -> tuple[str | None, Side | None, Condition]:
    return fact.level, fact.side, fact.condition


def _merge(first: Fact, second: Fact) -> Fact:
    if first.negated != second.negated:
        return second if first.negated else first
    grade = first.grade if first.grade is not None else second.grade
    return replace(first, grade=grade, uncertain=first.uncertain and second.uncertain)


def _levels(mention: Mention, levels: tuple[str, ...], tokens: Sequence[Token]) -> tuple[str | None, ...]:
    """Return the levels of a mention; active sacroiliitis is the patient's, not a joint's."""
    if mention.object_name == "sacroiliac":
        return (SIJ,)
    if mention.condition is Condition.SACROILIITIS:
        is_active = any(token.text == "active" for token in tokens[mention.start : mention.stop])
        return (SIJ,) if levels == (SIJ,) and not is_active else (None,)
    levels = tuple(level for level in levels if level != SIJ)
    return levels or (None,)


def _facts(
    mention: Mention, levels: Sequence[str | None], negated: bool, hedged: bool, sentence: str
) -> list[Fact]:
    conditions = (mention.condition,) if mention.condition is not None else _ENDPLATES
    if mention.condition is None and not negated and mention.object_name != "both_endplates":
        return []
    return [
        Fact(level, side, condition, grade, negated, hedged and not negated, sentence)
        for level in levels
        for condition in conditions
        if condition is not None
        for grade, sides in mention.pairs
        for side in (sides or (None,))
    ]


def _with_leaning(fact: Fact, mention: Mention, mentions: Sequence[Mention]) -> Fact:
    """Give a bulge that leans to one side that side, when the only canal named is on it (LANGUAGE.md)."""
    if fact.side is not None or len(mention.leaning) != 1 or mention.object_name:
        return fact
    named = [
        side
        for item in mentions
        if item.object_name in _FORAMINAL
        for _, sides in item.pairs
        for side in (sides or (None,))
    ]
    return replace(fact, side=mention.leaning[0]) if named and set(named) == set(mention.leaning) else fact


def _is_negated(mention: Mention, mentions: Sequence[Mention], scopes: Scopes, tokens: Sequence[Token]) -> bool:
    if mention.is_positive_anyway and _in_brackets(mention, tokens) and states_normal_steps(mention):
        return False
    if any(_reaches_back(mention, mentions, span, tokens) for span in scopes.back_negators):
        return True
    denied = scopes.negated[mention.anchor] or scopes.negated[mention.start]
    return denied != mention.is_fine


def _in_brackets(mention: Mention, tokens: Sequence[Token]) -> bool:
    return mention.start > 0 and tokens[mention.start - 1].text == "("


def _is_hedged(mention: Mention, mentions: Sequence[Mention], scopes: Scopes, tokens: Sequence[Token]) -> bool:
    if mention.is_hedged or scopes.hedged[mention.anchor]:
        return True
    return any(_reaches_back(mention, mentions, span, tokens) for span in scopes.back_hedges)


def _is_unassessed(mention: Mention, mentions: Sequence[Mention], scopes: Scopes, tokens: Sequence[Token]) -> bool:
    """Tell whether the sentence says, before or after the mention, that it was not assessable."""
    opens = any(span[0] <= 1 and span[1] <= mention.start for span in scopes.not_assessed)
    return opens or any(_reaches_back(mention, mentions, span, tokens) for span in scopes.not_assessed)


def _reaches_back(
    mention: Mention, mentions: Sequence[Mention], span: tuple[int, int], tokens: Sequence[Token]
) -> bool:
    """Tell whether words after a mention are said of it, alone or through a list that ends before them."""
    stop = span[0]
    for other in sorted(mentions, key=lambda item: item.stop, reverse=True):
        if other.stop > stop:
            continue
        gap = [token.text for token in tokens[other.stop : stop]]
        is_last = stop == span[0]
        if len(gap) > _REACH or any(text in _CLAUSE_ENDS for text in gap):
            return False
        if not is_last and not set(gap) & {"and", "or", "nor", "&", ",", "/"}:
            return False
        if is_last and "," in gap:
            return False
        if other is mention:
            return True
        stop = other.start
    return False


def _measured(
    measure: Measure, tokens: list[Token], groups: Sequence[LevelGroup], carried: tuple[str, ...], sentence: str
) -> MeasuredFact:
    span = Span(measure.index, measure.index + 1, False)
    levels = levels_for(span, [], groups, tokens, carried)
    level = levels[0] if len(levels) == 1 else None
    return MeasuredFact(measure.name, level, measure.value, measure.unit, sentence)


def _coverage(tokens: Sequence[Token], mentions: Sequence[Mention], scopes: Scopes) -> tuple[bool, ...]:
    used = scope_tokens(scopes)
    for mention in mentions:
        if mention.condition is not None or mention.object_name:
            used |= mention.used
    return tuple(index in used or bool(token.levels) for index, token in enumerate(tokens))


def _carry(tokens: list[Token], groups: Sequence[LevelGroup], carried: tuple[str, ...]) -> tuple[str, ...]:
    if groups:
        return groups[-1].levels
    return () if names_no_level(tokens) else carried
