"""What is done to an object: the action after it, before it, or the verb that governs it from further left."""

from collections.abc import MutableSequence, Sequence

from reporting.parsing.lexicon import Item, word_values, words
from reporting.parsing.modifiers import Modifiers
from reporting.parsing.tokens import Token

Owners = MutableSequence[Item | None]
"""The item that holds each token, or None."""

_DETERMINERS = frozenset({"the", "a", "an", "its", "their", "still", "also", "of"})
CONJUNCTIONS = frozenset({"and", "or", "nor", "&", "/", ","})
_AUXILIARIES = frozenset(
    {"is", "are", "was", "were", "be", "been", "appear", "appears", "appeared", "noted", "seen", "also", "still",
     "remain", "remains", "look", "looks", "the", "significantly", "relatively", "now"}
)  # fmt: skip
_PLACES = frozenset({"within", "in", "into", "to", "behind", "inside", "at"})


def action_after(tokens: Sequence[Token], item: Item, owners: Owners, *, direct_only: bool) -> Item | None:
    """Return the noun or adjective that follows an object, through ``or root`` and ``is also mildly``."""
    place = item.stop
    is_joined = False
    while place < len(tokens):
        owner, text = owners[place], tokens[place].text
        if owner is not None and owner.tag == "action":
            is_free = not is_joined and owner.form in {"noun", "state"} and not governs(tokens, owner, owners)
            return owner if is_free else None
        if owner is not None and owner.tag == "object" and is_joined:
            place, is_joined = owner.stop, False
            continue
        if text in CONJUNCTIONS and not direct_only and owner is None:
            is_joined = True
        elif owner is not None or not _may_stand_between(text):
            return None
        place += 1
    return None


def _may_stand_between(text: str) -> bool:
    return (
        text in _AUXILIARIES or text in word_values("grades") or text in word_values("sides")
        or text in words("side_words") or text in words("hedges") or text in {"not", "no"}
        or text in words("modifiers") - {"disc", "discs", "foraminal"}
    )  # fmt: skip


def action_before(tokens: Sequence[Token], item: Item, near: Modifiers, owners: Owners) -> Item | None:
    """Return the adjective before an object (``narrow spinal canal``) or the noun of ``narrowing of it``."""
    place = near.start - 1
    while place >= 0 and owners[place] is None and tokens[place].text in _DETERMINERS:
        place -= 1
    owner = owners[place] if place >= 0 else None
    if owner is None or owner.tag != "action":
        return None
    if owner.form == "state":
        return owner
    joined = {token.text for token in tokens[owner.stop : item.start]}
    return owner if owner.form == "noun" and "of" in joined else None


def governs(tokens: Sequence[Token], action: Item, owners: Owners) -> bool:
    """Tell whether an action reaches for objects to its right: verbs do, nouns before ``of`` or an object do."""
    if action.form == "active":
        return True
    if action.form == "state":
        return False
    place = action.stop
    if place < len(tokens) and tokens[place].text in {"of", "on", "upon"} and owners[place] is None:
        return not _is_side_ahead(tokens, place + 1, owners)
    while place < len(tokens) and owners[place] is None and _is_filler(tokens[place].text):
        place += 1
    owner = owners[place] if place < len(tokens) else None
    return owner is not None and owner.tag == "object"


def _is_side_ahead(tokens: Sequence[Token], place: int, owners: Owners) -> bool:
    """Tell whether ``on the left`` follows, with no object behind it."""
    while place < len(tokens) and owners[place] is None and _is_filler(tokens[place].text):
        place += 1
    return not (place < len(tokens) and owners[place] is not None)


def _is_filler(text: str) -> bool:
    return (
        text in _DETERMINERS
        or text in word_values("sides")
        or text in words("side_words")
        or text in words("modifiers")
    )


def is_place(tokens: Sequence[Token], item: Item, near: Modifiers) -> bool:
    """Tell whether the object only says where (``within the lateral recess``)."""
    texts = [token.text for token in tokens[max(0, near.start - 2) : item.start]]
    return any(text in _PLACES for text in texts) and "more" not in texts
