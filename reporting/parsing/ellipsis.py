"""What a part of a sentence leaves out is taken from its neighbours; where two readings differ there is none.

``Severe left and moderate right recess stenosis``: the noun comes from the next part. ``Severe on the left and
moderate on the right``: from the part before. ``Canal and foramina are normal``: the predicate comes from the next
part. ``No bulge, herniation or stenosis``: the denial runs through the list. ``No bulge, stenosis`` may mean two
things and is not read.
"""

from collections.abc import Sequence
from itertools import pairwise

from reporting.parsing.attributes import join_attributes
from reporting.parsing.parts import Part
from reporting.parsing.structures import causes, structure

PAIRED = frozenset({"neural_foraminal_narrowing", "subarticular_stenosis"})
_SOFT = frozenset({"comma", "and", "or"})
_NARROWED = frozenset({"spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis"})


def complete(parts: list[Part]) -> list[Part] | None:
    """Fill what the parts leave out.

    Args:
        parts: As ``read_parts`` returns them; they are changed.

    Returns:
        The parts that state something, or None when they can be read in two ways or not at all.
    """
    if any(part.is_clashing for part in parts) or not _causes_fit(parts):
        return None
    kept = join_attributes(parts)
    _name_general(kept)
    if not (_share_lists(kept) and _share_denials(kept)):
        return None
    kept = _name_all(kept)
    return kept if all(_is_whole(part) for part in kept) else None


def _causes_fit(parts: Sequence[Part]) -> bool:
    """Read ``bulge causing stenosis`` as both; false where that is no cause of it there, or one is denied."""
    for before, part in pairwise(parts):
        if part.join == "topic" and (before.is_denied or before.is_denied_behind):
            return False  # "no degeneration: L3-L4 grade II, L4-L5 grade IV"
        if part.join not in {"cause", "due"}:
            continue
        cause, effect = (before, part) if part.join == "cause" else (part, before)
        fits = causes()["by"] & {*cause.heads, *cause.objects} and causes()["of"] & set(effect.objects)
        denied = cause.is_denied or cause.is_denied_behind or effect.is_denied or effect.is_denied_behind
        if not fits or effect.heads or denied or (part.levels and part.levels != before.levels and before.levels):
            return False
        if cause.is_fine or effect.is_fine or cause.is_unassessed or effect.is_unassessed:
            return False
        part.join = "and"
    return True


def _share_lists(parts: list[Part]) -> bool:
    """Let structures joined in a list have what is said of the last of them."""
    for index in range(len(parts) - 1, -1, -1):
        part = parts[index]
        following = parts[index + 1] if index + 1 < len(parts) else None
        if not _waits(part) or following is None or following.join not in _SOFT:
            continue
        if following.heads or not following.objects or not (following.has_predicate or _denies_behind(following)):
            continue
        _give(part, following)
        _give_back(part, following)
    for before, part in pairwise(parts):
        if before.is_led and before.objects and _waits(part) and part.join in {"and", "or"} and not part.has_verb:
            part.actions, part.is_led = list(before.actions), True  # "severe narrowing of the foramen and recess"
            part.is_fine = before.is_fine
            part.grade = part.grade or before.grade
    return True


def _waits(part: Part) -> bool:
    """Tell whether a structure has no predicate of its own."""
    said = part.actions or part.is_fine or part.is_unassessed or part.numbers or part.steps
    is_open = (
        not said
        and (part.is_denied or not part.is_qualified)
        and not part.is_denied_behind
        and not part.is_hedged_behind
    )
    return bool(part.objects) and not part.heads and is_open and not (part.grade and part.is_graded_behind)


def _denies_behind(part: Part) -> bool:
    return part.is_denied_behind


def _give(part: Part, following: Part) -> None:
    """Give a structure the predicate of the next in its list."""
    part.actions = list(following.actions)
    part.is_fine, part.is_unassessed = following.is_fine, following.is_unassessed
    part.is_denied_behind = following.is_denied_behind
    part.denial = part.denial or (following.denial if following.is_denied_behind else "")
    part.is_hedged |= following.is_hedged_behind
    part.is_qualified |= following.is_qualified and following.is_denied_behind
    part.levels = part.levels or following.levels
    if following.is_graded_behind and not part.grade:
        part.grade = following.grade


def _give_back(part: Part, following: Part) -> None:
    """Give the next structure the side and grade that stand before the first: ``left foraminal and recess``."""
    if not following.sides and not following.grade and following.objects[0] in PAIRED:
        following.sides = part.sides
    if not following.grade and not following.is_denied:
        following.grade = part.grade
    if part.is_denied and not following.is_denied and not following.is_denied_behind and not following.is_fine:
        following.is_denied, following.denial = True, part.denial
    if part.is_hedged and not following.is_hedged:
        following.is_hedged = True


def _share_denials(parts: list[Part]) -> bool:
    """Let a denial or doubt run through a list; return whether each list can be read in one way only."""
    for index in range(1, len(parts)):
        before, part = parts[index - 1], parts[index]
        if before.is_denied and part.join == "or" and part.is_fine:
            return False
        if part.join not in _SOFT or not part.is_named:
            continue
        if before.is_denied and _is_bare(part) and not _is_contrast(part, before):
            is_list = part.join == "comma" and not _closes_list(parts, index - 1) and _ends_with_or(parts, index)
            own = part.has_verb or part.grade or part.levels
            is_free = part.join == "and" and before.denial == "free" and not own
            if part.join == "or" or is_list or is_free:
                part.is_denied, part.denial = True, before.denial
            else:
                return False
        if before.is_hedged and not before.is_hedged_behind and _is_bare(part):
            return False
    return _share_back(parts)


def _share_back(parts: list[Part]) -> bool:
    """Let a denial behind the last of a list (``bulge and herniation are absent``) reach the whole list."""
    for index in range(len(parts) - 1, 0, -1):
        part, before = parts[index], parts[index - 1]
        is_list = part.join in _SOFT and before.is_named and part.is_named and _is_bare(before)
        if not is_list or before.has_verb or (before.levels != part.levels and before.levels):
            continue
        if part.is_hedged_behind or (part.is_unassessed and not before.is_unassessed):
            return False
        is_plain = before.actions and not before.grade and part.join in {"and", "or"} and part.denial == "absent"
        if part.is_denied_behind and (before.heads or is_plain):
            before.is_denied_behind, before.denial = True, part.denial
    return True


def _is_bare(part: Part) -> bool:
    """Tell whether nothing in a part shows that it stands on its own."""
    own = part.is_fine or part.is_denied or part.is_denied_behind or part.is_unassessed or part.is_hedged
    return part.is_named and not (own or part.numbers or part.steps or part.exception)


def _closes_list(parts: Sequence[Part], index: int) -> bool:
    """Tell whether a part is the last of a list: ``or`` stands before it."""
    return parts[index].join == "or"


def _ends_with_or(parts: Sequence[Part], index: int) -> bool:
    for part in parts[index + 1 :]:
        if part.join == "or":
            return _is_bare(part) or part.is_denied
        if part.join != "comma" or not _is_bare(part):
            return False
    return False


def _name_all(parts: list[Part]) -> list[Part]:
    """Name the parts that name nothing, from the part before or, for the first ones, from the next."""
    dropped: set[int] = set()
    source: int | None = None
    for index, part in enumerate(parts):
        if part.is_named:
            if source is not None and part.join == "topic" and _waits(parts[source]):
                dropped.add(source)  # "Alignment: no spondylolisthesis", "Left SI joint: moderate sacroiliitis"
                part.sides = part.sides or parts[source].sides
                part.levels = part.levels or parts[source].levels
                part.header = part.header or parts[source].header
            _take_predicate(part, parts[source] if source is not None else None)
            source = index
            continue
        if part.is_headed and part.is_fine:
            continue
        if source is None:
            _take(part, next((item for item in parts[index:] if item.is_named), None), is_ahead=True)
            continue
        first = parts[source]
        ahead = next((item for item in parts[index:] if item.is_named), None)
        if part.sides and not _has_sides(first) and ahead is not None and _has_sides(ahead):
            _take(part, ahead, is_ahead=True)
            continue
        if (
            ahead is not None
            and part.join == "comma"
            and _repeats_side(part, first)
            and PAIRED & set(ahead.objects)
        ):
            _take(part, ahead, is_ahead=True)
            continue
        is_none = part.join == "topic" and part.denial == "none"  # "Modic changes: none"
        if _may_be_either(part, first, parts[index + 1 :]) or (_says_only_no(part) and not is_none):
            part.is_clashing = True
        if source not in dropped and _is_topic(first, part):
            dropped.add(source)
            part.sides = part.sides or (first.sides if part.join == "topic" else ())
            part.levels = part.levels or first.levels
            part.header = part.header or first.header
        elif source in dropped and first.join_sides:
            part.sides = part.sides or first.sides
        _take(part, first, is_ahead=False)
        if part.join == "topic" and first.sides:
            first.join_sides = True
    return [part for index, part in enumerate(parts) if index not in dropped]


def _name_general(parts: Sequence[Part]) -> None:
    """Name what narrows where nothing does: ``no stenosis`` is of anything, ``severe stenosis`` of the canal."""
    if any(_NARROWED & set(part.objects) for part in parts):
        return
    for part in parts:
        if not part.is_named and "stenose" in part.actions:
            part.is_clashing |= bool(part.sides) or part.is_hedged or part.is_unassessed or part.is_fine
            part.objects, part.is_general = ["spinal_canal_stenosis"], True


def _repeats_side(part: Part, before: Part) -> bool:
    """Tell whether a graded side was graded before, so that it belongs to the next noun."""
    return bool(part.grade and before.grade and part.sides) and part.sides == before.sides and not part.levels


def _has_sides(part: Part) -> bool:
    """Tell whether what a part speaks of comes in pairs."""
    return bool(PAIRED & set(part.objects)) or "sacroiliitis" in part.heads or "joint" in part.objects


def _may_be_either(part: Part, before: Part, rest: Sequence[Part]) -> bool:
    """Tell whether a side may belong to the noun before or behind: ``stenosis, left and right narrowing``."""
    following = next((item for item in rest if item.is_named), None)
    if following is None or part.levels or not part.sides or part.join not in {"and", "or", "comma"}:
        return False
    is_joined = all(item.join in _SOFT for item in rest[: rest.index(following) + 1])
    return is_joined and bool(following.sides) and bool(before.sides) and bool(PAIRED & set(following.objects))


def _says_only_no(part: Part) -> bool:
    said = part.levels or part.sides or part.scope or part.exception or part.has_predicate or part.is_hedged
    return not said


def _is_topic(first: Part, part: Part) -> bool:
    """Tell whether a part only names what the next ones say more of (``Modic changes: type 1 at L2-L3, ...``)."""
    if first.is_denied or first.is_denied_behind or first.is_hedged or first.grade or first.steps or first.numbers:
        return False
    if first.is_fine or first.is_unassessed:
        return False
    if part.join == "topic":
        return True
    lacks_side = bool(PAIRED & set(first.objects)) and not first.sides and bool(part.sides)
    return part.join in {"comma", "and"} and (lacks_side or (bool(part.steps) and not first.levels))


def _take(part: Part, source: Part | None, *, is_ahead: bool) -> None:
    if source is None:
        return
    if part.is_fine and part.levels and source.heads and not part.sides:
        return  # "disc bulge at L4-L5, L5-S1 normal": all of that level is
    part.heads, part.objects = list(source.heads), list(source.objects)
    if any(action in structure(name).actions for name in part.objects for action in part.actions):
        part.heads = []  # "the disc is degenerated and narrowed"
    part.is_taken = True
    if not (is_ahead or part.sides or part.is_fine or part.is_denied or part.is_denied_behind):
        part.sides = source.sides  # "left stenosis at L4-L5 (severe) and L5-S1 (moderate)"
    if not part.actions and not part.is_fine and not part.numbers:
        part.actions = list(source.actions)
    if is_ahead and source.is_denied and not part.is_denied and not _is_contrast(part, source):
        part.is_clashing = True
    if is_ahead and source.is_hedged:
        part.is_hedged = True


def _is_contrast(part: Part, source: Part) -> bool:
    """Tell whether a graded side stands against a denied one: ``moderate left and no right stenosis``."""
    return bool(part.grade and part.sides and source.sides) and part.sides != source.sides and not part.is_hedged


def _take_predicate(part: Part, source: Part | None) -> None:
    """``The foramina are narrowed; the canal is not``: the verb's predicate comes from the part before."""
    if source is not None and part.objects and not part.heads and part.is_denied_behind and part.denial == "not":
        bare = not (part.actions or part.is_fine or part.grade or part.numbers or part.is_unassessed)
        if bare and source.actions and not source.is_denied:
            part.actions = list(source.actions)


def _is_whole(part: Part) -> bool:
    return not part.is_clashing
