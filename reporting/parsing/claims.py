"""The clause grammar's reading of a sentence: claims with level, side, grade, denial and doubt, and values.

It reads only sentences of which every word has a role (``clauses.yaml``) and whose ellipses have one reading.
All other text is left to the wider reading (``reading.py``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from anatomy import SIJ, Condition, Side
from reporting.parsing.ellipsis import complete
from reporting.parsing.lexemes import read_lexemes
from reporting.parsing.parts import Part, read_parts
from reporting.parsing.steps import grade_text
from reporting.parsing.structures import is_weak, structure
from reporting.types import Fact

_NARROWED = frozenset({"spinal_canal_stenosis", "neural_foraminal_narrowing", "subarticular_stenosis"})
_RANGES = frozenset({"above", "below", "upwards", "downwards", "except"})
_NORMAL_DISC = (Condition.DISC_DEGENERATION, Condition.DISC_BULGING, Condition.DISC_HERNIATION)
_SLIPS = {"anterolisthesis": 1, "retrolisthesis": -1}
_SLIP_NAMES = frozenset({"spondylolisthesis", "slip_value", *_SLIPS})


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes:
        condition: Which; None when all that was graded at the levels is said to be normal.
        levels: Where; empty when none is named.
        sides: Which; empty when none is named.
        grade: Words or steps with ``|`` between; None for none.
        negated: It is denied.
        uncertain: It is hedged.
        unassessed: It is said not to be assessable.
        scope: Which levels it speaks of when it does not name them (``everywhere`` in clauses.yaml); else empty.
        exception: ``only``, ``one_sided`` or ``worst``; else empty.
        implied: It is not written but follows: no sacroiliitis at all, so none of a joint; no stenosis, so none of
            the foramina.
        direction: 1 for a slip forward, -1 backward, 0 when not said.
    """

    condition: Condition | None
    levels: tuple[str, ...]
    sides: tuple[Side, ...] = ()
    grade: str | None = None
    negated: bool = False
    uncertain: bool = False
    unassessed: bool = False
    scope: str = ""
    exception: str = ""
    direction: int = 0
    implied: bool = False


@dataclass(frozen=True)
class ValueClaim:
    """One value: name of the measurement, levels, value, digits after the point, and unit."""

    name: str
    levels: tuple[str, ...]
    value: float
    decimals: int
    unit: str


@dataclass(frozen=True)
class ClaimReading:
    """What a sentence claims, the levels it names, and those that the next sentence carries."""

    claims: tuple[Claim, ...]
    values: tuple[ValueClaim, ...]
    named: tuple[str, ...]
    carried: tuple[str, ...]


def facts_of(claim: Claim, sentence: str) -> list[Fact]:
    """Return the facts of a claim as LANGUAGE.md counts them: one per level and side; none without a condition."""
    if claim.condition is None or claim.implied:
        return []
    return [
        Fact(level, side, claim.condition, claim.grade, claim.negated, claim.uncertain, sentence)
        for level in claim.levels or (None,)
        for side in claim.sides or (None,)
    ]


class _UnreadableError(Exception):
    """The sentence can be read in two ways, or a word in it fits nothing."""


@lru_cache(maxsize=4096)
def read_claims(sentence: str, carried: tuple[str, ...] = ()) -> ClaimReading | None:
    """Read a sentence by the clause grammar.

    Args:
        sentence: As written.
        carried: Levels last named before it.

    Returns:
        Its claims, or None when a word has no role, two readings are possible, or it states nothing.
    """
    lexemes = read_lexemes(sentence)
    if lexemes is None:
        return None
    named = tuple(dict.fromkeys(level for lexeme in lexemes for level in lexeme.levels))
    parts = complete(read_parts(lexemes))
    if parts is None:
        return None
    if not _place(parts, carried):
        return None
    try:
        claims = tuple(claim for part in parts for claim in _claims(part))
        values = tuple(value for part in parts for value in _values(part))
    except _UnreadableError:
        return None
    last = [lexeme.levels for lexeme in lexemes if lexeme.levels]
    return ClaimReading(claims, values, named, last[-1] if last else carried) if claims or values else None


def _place(parts: Sequence[Part], carried: tuple[str, ...]) -> bool:
    """Give each part its levels: its own, else the last named before it, else the next; both when both may be.

    Returns:
        Whether it is clear which levels are meant: a range (``above L4-L5``) is that of every part or of its own.
    """
    for part in parts:
        if part.scope == "all" and part.levels:
            part.scope = ""  # "all discs from L2-L3 to L4-L5"
    ranged = [part for part in parts if part.scope in _RANGES]
    open_ = [part for part in parts if not part.levels and not part.scope]
    if ranged and open_:
        if len(parts) - len(open_) > 1:
            return False
        for part in open_:
            part.levels, part.scope = ranged[0].levels, ranged[0].scope
    ahead: tuple[str, ...] = ()
    scope = ""
    is_inside = False
    for index, part in enumerate(parts):
        is_inside = part.join == "open" or (is_inside and part.join not in {"close", "hard"})
        ahead, scope = (part.header, "") if part.header else (ahead, scope)
        if part.levels or part.scope:
            ahead, scope = part.levels or ahead, part.scope
            continue
        behind = _behind(parts, index)
        if scope:
            if behind:
                return False
            part.scope = scope  # "the other discs are not herniated and not bulging"
        elif ahead and behind and behind != ahead and part.join != "hard" and not (is_inside or part.is_closed):
            part.levels = tuple(dict.fromkeys((*ahead, *behind)))
        else:
            part.levels = ahead or behind or carried
            part.is_carried = not ahead and not behind
    return all(part.levels or part.scope not in _RANGES for part in parts)


def _behind(parts: Sequence[Part], index: int) -> tuple[str, ...]:
    for part in parts[index + 1 :]:
        if part.join == "hard" or part.is_headed:
            return ()
        if part.levels or part.scope:
            return part.levels
    return ()


def _claims(part: Part) -> Iterator[Claim]:
    if _is_only_value(part):
        return
    conditions = list(_conditions(part))
    _require(not (len(conditions) > 1 and (part.grade or part.steps or part.morphology) and not _is_one(part)))
    if not conditions:
        yield from _of_level(part)
    for condition in conditions:
        claim = replace(_claim(part, condition), implied=part.is_general)
        yield claim
        if part.scope == "except":  # "no herniation except at L5-S1": there is one there
            _require(not (claim.grade or claim.uncertain or claim.unassessed or claim.exception))
            yield replace(claim, scope="", negated=not claim.negated)
        if condition is Condition.SACROILIITIS and _denies_all(part):
            yield Claim(condition, (SIJ,), negated=True, implied=True)
    if part.is_general and (part.is_denied or part.is_denied_behind):
        for narrowed in _paired():
            yield Claim(narrowed, part.levels, negated=True, implied=True, scope=part.scope)


def _is_only_value(part: Part) -> bool:
    """Tell whether a bracket only gives the value of what stands before it: ``(slip 5.4 mm)``."""
    said = part.grade or part.actions or part.steps or part.sides or part.is_fine
    return part.join == "open" and bool(part.numbers) and not said


def _is_one(part: Part) -> bool:
    """Tell whether one structure stands for all conditions of a part."""
    return len(set(part.objects)) == 1 and not part.heads


def _denies_all(part: Part) -> bool:
    return (part.is_denied or part.is_denied_behind) and not (part.sides or part.grade or part.is_active)


def _conditions(part: Part) -> Iterator[Condition]:
    if set(part.objects) == {"disc"} and part.steps and not (part.heads or part.actions or part.is_fine):
        part.objects, part.heads = [], ["disc_degeneration"]  # "a grade V disc"
    for head in dict.fromkeys(part.heads):
        if head == "slip_value":  # "L4-L5: slip 4.2 mm" is a value; whether it is a finding, the grade says
            continue
        yield Condition.SPONDYLOLISTHESIS if head in _SLIPS else Condition(head)
    used: set[str] = set()
    for name in dict.fromkeys(part.objects):
        fitting = [action for action in part.actions if action in structure(name).actions]
        if not _is_claimed(part, name):
            continue
        used.update(fitting)
        if name in _NARROWED and part.grade and not part.heads and not part.actions:
            fitting = ["narrow"]
        if fitting or part.is_fine or part.is_unassessed:
            yield from _of_object(part, name)
        else:
            _require(bool(part.numbers))
    if "modic" in part.heads:
        used.add("change")  # "Modic type 2 change"
    _require(set(part.actions) <= used)


def _is_claimed(part: Part, name: str) -> bool:
    """Tell whether a structure is spoken of for itself: the disc of ``disc bulge`` is not."""
    return not any(is_weak(name, other) for other in (*part.heads, *part.objects))


def _of_object(part: Part, name: str) -> tuple[Condition, ...]:
    if name == "disc":
        _require(not part.is_unassessed)
        return _NORMAL_DISC if part.is_fine else (Condition.DISC_NARROWING,)
    is_normal = part.is_fine != (part.is_denied or part.is_denied_behind)
    _require(name != "endplate" or is_normal)
    _require(name != "signal" or bool({"disc", "height"} & set(part.objects)))  # not of the marrow or the cord
    _require(bool(structure(name).means))
    return structure(name).means


def _claim(part: Part, condition: Condition) -> Claim:
    denied = part.is_denied or part.is_denied_behind or part.exception == "spared"
    is_object = condition.value not in part.heads
    is_fine = part.is_fine and (is_object or part.is_taken)
    _require(not (denied and part.exception in {"only", "one_sided", "worst"}))
    _require(part.exception != "one_sided" or len(part.sides) == 1)
    _require(part.exception != "spared" or not (part.is_denied or part.is_denied_behind))
    _require(part.count in {0, len(part.levels)})
    _require(is_fine or not part.is_fine or any(_is_claimed(part, name) for name in part.objects))
    _require(not (is_fine and denied) or part.denial == "not")
    _require(not (part.is_fine and part.actions))
    negated = denied != is_fine
    _require(denied or not part.is_qualified)
    _require(not (part.unspecific and not part.steps))
    _require(not part.morphology or part.morphology == {str(step) for step in part.steps})
    _require(not (part.is_unassessed and (denied or part.is_hedged)))
    _require(not (negated and part.is_hedged))
    grade = _grade(part, condition)
    _require(not (is_fine and grade is not None))
    return Claim(
        condition=condition,
        levels=_levels(part, condition),
        sides=part.sides,
        grade=grade,
        negated=negated,
        uncertain=part.is_hedged,
        unassessed=part.is_unassessed,
        scope=part.scope,
        exception=part.exception if part.exception != "spared" else "",
        direction=next((_SLIPS[head] for head in part.heads if head in _SLIPS), 0),
    )


def _levels(part: Part, condition: Condition) -> tuple[str, ...]:
    if condition is not Condition.SACROILIITIS:
        return tuple(level for level in part.levels if level != SIJ)
    _require(set(part.levels) <= {SIJ} or part.is_carried)
    if part.is_active:
        _require(not part.sides and not part.grade)
        return ()
    is_joint = part.levels == (SIJ,) or "joint" in part.objects
    return (SIJ,) if is_joint else ()


def _grade(part: Part, condition: Condition) -> str | None:
    if part.steps:
        _require(not part.grade)
        try:
            return grade_text(part.steps, condition)
        except (IndexError, ValueError) as error:
            raise _UnreadableError from error
    if condition in {Condition.SPINAL_CANAL_STENOSIS, *_paired()} and part.grade.startswith("normal|"):
        rest = part.grade.removeprefix("normal|")
        return rest if rest.startswith("normal_mild") else f"normal_mild|{rest}"
    return part.grade or None


def _paired() -> tuple[Condition, Condition]:
    return Condition.NEURAL_FORAMINAL_NARROWING, Condition.SUBARTICULAR_STENOSIS


def _of_level(part: Part) -> Iterator[Claim]:
    """``L3-L4: unremarkable``, ``L1-L2 spared``: all that was graded there is normal."""
    if part.numbers and part.objects:
        return
    says = part.is_fine or part.exception == "spared"
    other = part.is_denied or part.is_denied_behind or part.is_hedged or part.sides or part.grade
    _require(part.count in {0, len(part.levels)})
    _require(part.scope != "except")
    _require(says and bool(part.levels or part.scope) and not other and not part.is_named and not part.actions)
    yield Claim(None, part.levels, negated=True, scope=part.scope)


def _values(part: Part) -> Iterator[ValueClaim]:
    if not part.numbers:
        return
    names = {value for name in part.objects if (value := structure(name).value)}
    names |= {"listhesis"} if _SLIP_NAMES & set(part.heads) else set()
    _require(not part.scope and part.count in {0, 1})
    is_plain = not (part.is_denied or part.is_denied_behind or part.is_hedged)
    is_plain = is_plain and not (part.sides and set(part.objects) == {"spinal_canal_stenosis"})
    _require(len(names) == 1 and len(part.numbers) == 1 and is_plain)
    number, _, unit = part.numbers[0].partition(" ")
    yield ValueClaim(
        names.pop(), part.levels, float(number), len(number.partition(".")[2]), "cm" if unit == "cm" else "mm"
    )


def _require(condition: bool) -> None:
    if not condition:
        raise _UnreadableError
