"""Mentions of conditions in one sentence: heads that name them, and objects to which something is done.

An object (``thecal sac``, ``exit canal``) means nothing alone. The action is looked for in this order: after it
(``spinal canal is narrowed``, ``sac or root compression``), directly before it (``narrow spinal canal``, ``loss of
disc height``), and as the verb that governs it from further left (``compressing the sac and encroaching ...``).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from anatomy import Condition, Side
from reporting.parsing import modifiers
from reporting.parsing.actions import CONJUNCTIONS, Owners, action_after, action_before, governs, is_place
from reporting.parsing.lexicon import Item, find_items, objects
from reporting.parsing.modifiers import Modifiers, join_grades
from reporting.parsing.steps import SCALE_CONDITIONS, grade_text, step_numbers, step_scale
from reporting.parsing.tokens import Token

_FINE = "fine"
_RELEASES = frozenset({";", ":", "but", "where", "leading", "associated", "with", "without", "no"})
_ROOTS = frozenset({"root", "exit_root", "traversing_root"})
_ARTICLES = frozenset({"the", "a", "an"})
_PAIRED = _ROOTS | {"foramen", "recess"}
_SHARING = frozenset({"and", "&", "or", "/"})
_STAGED = frozenset({Condition.SACROILIITIS})


@dataclass
class Mention:
    """A condition as one sentence mentions it, before levels and scopes are known.

    Attributes:
        condition: Which; None for unnamed endplates.
        start: First token, words before it included.
        stop: One past the last token of the object or action.
        anchor: Token that negation and hedges have to reach.
        pairs: (grade, sides) of each part.
        is_fine: The words deny it themselves (``adequate spinal canal``).
        is_hedged: A hedge stands among its own words.
        is_positive_anyway: Steps of a scale in brackets are stated even after ``no``.
        leaning: Sides after ``more to the``.
        object_name: Name of the object; empty for heads.
        is_step: It is the step of a named scale (``Kang grade 1``).
        used: Tokens that were read.
    """

    condition: Condition | None
    start: int
    stop: int
    anchor: int
    pairs: list[tuple[str | None, tuple[Side, ...]]]
    is_fine: bool = False
    is_hedged: bool = False
    is_positive_anyway: bool = False
    leaning: tuple[Side, ...] = ()
    object_name: str = ""
    is_step: bool = False
    used: set[int] = field(default_factory=set)


def find_mentions(tokens: list[Token]) -> list[Mention]:
    """Return the mentions of a sentence, left to right."""
    items = find_items(tokens)
    owners = _owners(tokens, items)
    skipped = _inside_modic(tokens, items)
    mentions: list[Mention] = []
    governor: Item | None = None
    place = 0
    for item in items:
        if any(
            token.text in _RELEASES and _lets_go(tokens, index, item)
            for index, token in _range(tokens, place, item)
        ):
            governor = None
        place = item.stop
        if item in skipped:
            continue
        if item.tag in {"head", "step"}:
            governor = None
            mentions += _head(tokens, item, items, owners, skipped)
        elif item.tag == "action":
            governor = item if governs(tokens, item, owners) else None if item.form == "noun" else governor
        else:
            mentions += _object(tokens, item, items, owners, governor)
    absorbed = _share_sides(tokens, _absorb_steps(tokens, mentions), items)
    return _in_recess(tokens, [*absorbed, *_narrowed_levels(tokens, items)])


def _range(tokens: Sequence[Token], start: int, item: Item) -> list[tuple[int, Token]]:
    return [(index, tokens[index]) for index in range(start, item.start)]


def _lets_go(tokens: Sequence[Token], index: int, item: Item) -> bool:
    """Tell whether a joining word ends the reach of a verb; ``canal with S1 nerve root`` stays."""
    return not (tokens[index].text == "with" and item.tag == "object" and item.name in _ROOTS)


def _owners(tokens: Sequence[Token], items: Sequence[Item]) -> list[Item | None]:
    owners: list[Item | None] = [None] * len(tokens)
    for item in items:
        for index in range(item.start, item.stop):
            owners[index] = item
    return owners


def _keep_either(tokens: Sequence[Token], side_read: set[int], item: Item, owners: Owners) -> None:
    """Give ``on either side`` to what it follows: ``no stenosis on either side, slip`` is no sided slip."""
    if any(tokens[index].text == "either" for index in side_read):
        for index in side_read:
            owners[index] = item


def _head(
    tokens: Sequence[Token], item: Item, items: Sequence[Item], owners: Owners, spelled_out: set[Item]
) -> list[Mention]:
    condition, steps = _head_condition(tokens, item)
    if condition is None:
        return []
    near = modifiers.before(tokens, item.start, owners, stage_words=condition in _STAGED)
    after, read = modifiers.grade_after(tokens, item.stop, owners, stage_words=condition in _STAGED)
    sides, leans, side_read = modifiers.sides_after(tokens, item.stop, owners)
    _keep_either(tokens, side_read, item, owners)
    own = steps or _step_grade(tokens, near.steps, condition)
    later, later_read = _step_after(tokens, item.stop, items, condition)
    pairs = [
        (join_grades(own or None, grade, after, later), pair_sides or (() if leans else sides))
        for grade, pair_sides in near.pairs
    ]
    used = near.used | read | side_read | later_read | _tokens_of([item, *near.steps])
    if condition is Condition.MODIC:
        used |= _tokens_of(spelled_out)
    return [
        Mention(
            condition, near.start, item.stop, item.start, pairs, is_hedged=near.is_hedged,
            is_positive_anyway=item.tag == "step" and condition is Condition.DISC_DEGENERATION,
            leaning=near.leaning or (sides if leans else modifiers.leaning_after(tokens, item.stop, owners)),
            is_step=item.tag == "step", used=used,
        )
    ]  # fmt: skip


def _head_condition(tokens: Sequence[Token], item: Item) -> tuple[Condition | None, str]:
    if item.tag == "head":
        return Condition(item.name), ""
    part = list(tokens[item.start : item.stop])
    condition = SCALE_CONDITIONS.get(step_scale(part))
    return condition, "" if condition is None else grade_text(step_numbers(part), condition)


def _step_grade(tokens: Sequence[Token], steps: Sequence[Item], condition: Condition) -> str:
    """Return the numbered step among the words before a head, unless its scale belongs to another condition."""
    for step in steps:
        part = list(tokens[step.start : step.stop])
        if SCALE_CONDITIONS.get(step_scale(part), condition) is condition:
            return grade_text(step_numbers(part), condition)
    return ""


def _tokens_of(items: Iterable[Item]) -> set[int]:
    return {index for item in items for index in range(item.start, item.stop)}


def _step_after(
    tokens: Sequence[Token], stop: int, items: Sequence[Item], condition: Condition
) -> tuple[str | None, set[int]]:
    """Return a numbered step that follows (``spondylolisthesis grade 1``, ``stenosis (Schizas grade C)``)."""
    step = next((item for item in items if item.start >= stop), None)
    if step is None or step.tag != "step" or step.start > stop + 2:
        return None, set()
    part = list(tokens[step.start : step.stop])
    if step_scale(part) in SCALE_CONDITIONS and SCALE_CONDITIONS[step_scale(part)] is not condition:
        return None, set()
    if any(token.text not in {",", "(", "of", "is", ":"} for token in tokens[stop : step.start]):
        return None, set()
    if any(item.start == step.stop and item.tag in {"head", "object"} for item in items):
        return None, set()
    return grade_text(step_numbers(part), condition) or None, set(range(stop, step.stop))


def _object(
    tokens: Sequence[Token], item: Item, items: Sequence[Item], owners: Owners, governor: Item | None
) -> list[Mention]:
    staged = objects()[item.name].condition in _STAGED
    near = modifiers.before(tokens, item.start, owners, stage_words=staged)
    action = action_after(tokens, item, owners, direct_only=governor is not None) or action_before(
        tokens, item, near, owners
    )
    if action is None and governor is not None and not is_place(tokens, item, near):
        action = governor
    entry = objects()[item.name]
    if action is None or (action.name not in entry.kinds and action.name != _FINE):
        return []
    if action.name == _FINE and item.name in {"cord", "sacroiliac"}:
        return []
    mention = _object_mention(tokens, item, action, near, owners)
    if entry.condition is not None:
        _take_step(mention, entry.condition, tokens, near, items)
    return [mention]


def _object_mention(tokens: Sequence[Token], item: Item, action: Item, near: Modifiers, owners: Owners) -> Mention:
    entry = objects()[item.name]
    used = near.used | set(range(item.start, item.stop)) | set(range(action.start, action.stop))
    stop = max(item.stop, action.stop if action.start >= item.stop else item.stop)
    after, read = modifiers.grade_after(tokens, stop, owners, stage_words=entry.condition in _STAGED)
    sides, leans, side_read = modifiers.sides_after(tokens, stop, owners)
    _keep_either(tokens, side_read, item, owners)
    grade, hedged, start = after, near.is_hedged, near.start
    if action.start < item.start:
        led = modifiers.before(tokens, action.start, owners, stage_words=entry.condition in _STAGED)
        is_near = action.form != "active"
        grade = join_grades(led.pairs[0][0], near.pairs[0][0], after)
        hedged = hedged or led.is_hedged
        start = min(led.start, near.start) if is_near else near.start
        sides = sides or (led.pairs[0][1] if is_near else ())
        used |= led.used
    else:
        grade = join_grades(modifiers.grade_between(tokens, item.stop, action.start), after)
        used |= set(range(item.stop, action.start)) if action.start - item.stop <= 6 else set()
    pairs = [(join_grades(own, grade), own_sides or (() if leans else sides)) for own, own_sides in near.pairs]
    anchor = action.start if start <= action.start < item.start else item.start
    return Mention(
        entry.condition, start, stop, anchor, pairs, is_fine=action.name == _FINE, is_hedged=hedged,
        leaning=near.leaning or (sides if leans else ()), object_name=item.name, used=used | read | side_read,
    )  # fmt: skip


def _take_step(
    mention: Mention, condition: Condition, tokens: Sequence[Token], near: Modifiers, items: Sequence[Item]
) -> None:
    """Give an object's mention a numbered step (``Lee grade 2 narrowing``, ``stenosis (Schizas grade C)``)."""
    before = _step_grade(tokens, near.steps, condition)
    after, read = _step_after(tokens, mention.stop, items, condition)
    mention.pairs = [(join_grades(before or None, grade, after), sides) for grade, sides in mention.pairs]
    mention.used |= read | (_tokens_of(near.steps) if before else set())


def _inside_modic(tokens: Sequence[Token], items: Sequence[Item]) -> set[Item]:
    """Return endplate and change items that only spell out a Modic mention beside them."""
    inside: set[Item] = set()
    for index, item in enumerate(items):
        is_modic = (item.tag == "head" and item.name == "modic") or (
            item.tag == "step" and step_scale(list(tokens[item.start : item.stop])) == "modic"
        )
        if is_modic:
            for other in [*items[max(0, index - 1) : index], *items[index + 1 : index + 3]]:
                first, last = sorted((item, other), key=lambda part: part.start)
                gap = [token.text for token in tokens[first.stop : last.start]]
                limit = 2 if first is item else 0
                if len(gap) <= limit and not set(gap) & CONJUNCTIONS and (other.name in {"endplate", "irregular"}):
                    inside.add(other)
    return inside


def _absorb_steps(tokens: Sequence[Token], mentions: Sequence[Mention]) -> list[Mention]:
    """Make a step in brackets part of the mention before it: ``possible cord compression (Kang grade 1)``.

    A normal Pfirrmann step stays apart: ``no disc degeneration (Pfirrmann grade I)`` states grade I.
    """
    kept: list[Mention] = []
    for mention in mentions:
        last = kept[-1] if kept else None
        is_apart = mention.is_positive_anyway and states_normal_steps(mention)
        if last is not None and mention.is_step and last.condition is mention.condition and not is_apart:
            gap = {token.text for token in tokens[last.stop : mention.start]}
            if gap <= {"(", ","} and mention.start >= last.stop:
                grade = mention.pairs[0][0]
                last.pairs = [(join_grades(own, grade), sides) for own, sides in last.pairs]
                last.used |= mention.used
                last.stop = mention.stop
                continue
        kept.append(mention)
    return kept


def _share_sides(tokens: Sequence[Token], mentions: list[Mention], items: Sequence[Item]) -> list[Mention]:
    """Give a mention the side written before the one it is joined to.

    Two words for one thing share it (``left paracentral protrusion and sequestration``), and so do two objects of
    one verb (``compressing left thecal sac and exit root``), when the second is a singular part that has sides.
    """
    for first, second in pairwise(mentions):
        sides = {pair_sides for _, pair_sides in first.pairs}
        if len(sides) != 1 or any(own for _, own in second.pairs) or not _is_joined(tokens, first, second):
            continue
        is_same = first.condition is second.condition and not (first.object_name or second.object_name)
        if is_same or _is_joined_part(tokens, first, second, items):
            shared = next(iter(sides))
            second.pairs = [(grade, shared) for grade, _ in second.pairs]
    return mentions


def _is_joined(tokens: Sequence[Token], first: Mention, second: Mention) -> bool:
    """Tell whether a joining word alone stands between two mentions, with no article that opens a new phrase."""
    between = [token.text for token in tokens[first.stop : second.start]]
    own_words = {token.text for token in tokens[second.start : second.anchor]}
    return len(between) == 1 and between[0] in _SHARING and not own_words & _ARTICLES


def _is_joined_part(tokens: Sequence[Token], first: Mention, second: Mention, items: Sequence[Item]) -> bool:
    """Tell whether both are objects of one verb further left and the second is one root, canal or recess."""
    has_action = any(item.tag == "action" and first.start <= item.start < second.stop for item in items)
    is_one = not tokens[second.stop - 1].text.endswith(("s", "foramina"))
    return bool(first.object_name) and second.object_name in _PAIRED and is_one and not has_action


def states_normal_steps(mention: Mention) -> bool:
    """Tell whether only normal Pfirrmann steps are written."""
    return all(set((grade or "").split("|")) <= {"I", "II"} for grade, _ in mention.pairs)


def _in_recess(tokens: Sequence[Token], mentions: list[Mention]) -> list[Mention]:
    """Give a root compressed within a recess or foramen the condition of that place."""
    for mention in mentions:
        if mention.object_name not in _ROOTS:
            continue
        window = [token.text for token in tokens[mention.stop : mention.stop + 6]]
        if not window or window[0] not in {"within", "in", "at"}:
            continue
        if "recess" in window:
            mention.condition = Condition.SUBARTICULAR_STENOSIS
        elif {"foramen", "foramina", "canal"} & set(window) and "spinal" not in window:
            mention.condition = Condition.NEURAL_FORAMINAL_NARROWING
    return mentions


def _narrowed_levels(tokens: Sequence[Token], items: Sequence[Item]) -> list[Mention]:
    """Read ``narrowed L5-S1 level``: a level that is narrowed is a disc space that is."""
    found = []
    for item in items:
        if (
            item.name != "narrow"
            or item.form != "state"
            or item.stop >= len(tokens)
            or not tokens[item.stop].levels
        ):
            continue
        after = tokens[item.stop + 1].text if item.stop + 1 < len(tokens) else ""
        if after in {"level", "disc", "space"}:
            used = {item.start, item.stop, item.stop + 1}
            found.append(
                Mention(Condition.DISC_NARROWING, item.start, item.stop + 2, item.start, [(None, ())], used=used)
            )
    return found
