"""The lexemes of a sentence in parts: what stands between two joining words, each with all that is said in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from anatomy import Side
from reporting.parsing.lexemes import Lexeme

_NAMES = frozenset({"head", "object", "scale", "height"})
_SPECIAL = {"extrusion": "disc_herniation", "active_sacroiliitis": "sacroiliitis"}


@dataclass
class Part:
    """What one part of a sentence says; order does not matter but for words before and behind a noun.

    Attributes:
        join: How it is joined to the part before: ``start``, ``comma``, ``and``, ``or``, ``topic``, ``open``,
            ``close``, ``hard``, ``cause`` (of what follows), ``due`` (to what follows).
        heads: Conditions named (``disc_bulging``), in order.
        objects: Structures named (``foramen``, ``height``, ``disc``), in order.
        actions: What is done to a structure.
        levels: Disc levels; empty when none is written.
        sides: Sides; empty when none is written.
        grade: Grade words; empty when none is written.
        is_graded_behind: The grade stands behind the noun.
        steps: Numbers of steps; empty when none is written.
        morphology: Steps of Modic whose morphology is written.
        count: How many levels it speaks of; 0 when not said.
        numbers: Values with units.
        scope: Which levels it speaks of, when it does not name them: a value of ``everywhere`` in clauses.yaml.
        exception: ``only``, ``one_sided``, ``worst``, ``spared``; empty for none.
        is_fine: A word of the normal stands in it.
        is_denied: A denial stands before the noun or alone.
        is_denied_behind: A denial stands behind the noun.
        denial: Kind of the denial: ``no`` or ``nor`` (of what follows), ``free``, ``not``, ``none`` or ``absent``.
        is_hedged: A hedge stands in it.
        is_hedged_behind: The hedge stands behind the noun.
        is_unassessed: It is said not to be assessable.
        is_qualified: A word stands in it that no finding holds; fit for denials only.
        has_verb: It has a verb.
        has_diameter: It names a diameter.
        is_clashing: Two grades, sides or levels stand in it.
        is_headed: A heading stands before it.
        header: Levels of that heading.
        is_active: It speaks of active sacroiliitis, which is the patient's, not a joint's.
        is_carried: Its levels come from the sentence before.
        is_taken: What it speaks of was taken from another part.
        is_led: What is said stands before the structure (``narrowing of the canal``, ``patent canal``).
        is_closed: A bracket ends it.
        is_general: It speaks of narrowing and does not say of what.
        unspecific: It names a scale, so that steps are needed.
        join_sides: Its sides hold for what follows its colon.
    """

    join: str
    heads: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    levels: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    grade: str = ""
    is_graded_behind: bool = False
    steps: tuple[int | str, ...] = ()
    morphology: set[str] = field(default_factory=set)
    count: int = 0
    numbers: list[str] = field(default_factory=list)
    scope: str = ""
    exception: str = ""
    is_fine: bool = False
    is_denied: bool = False
    is_denied_behind: bool = False
    denial: str = ""
    is_hedged: bool = False
    is_hedged_behind: bool = False
    is_unassessed: bool = False
    is_qualified: bool = False
    has_verb: bool = False
    has_diameter: bool = False
    is_clashing: bool = False
    is_headed: bool = False
    header: tuple[str, ...] = ()
    is_active: bool = False
    is_carried: bool = False
    is_taken: bool = False
    is_led: bool = False
    is_general: bool = False
    is_closed: bool = False
    unspecific: bool = False
    join_sides: bool = False

    @property
    def is_named(self) -> bool:
        """Return whether it names a condition or a structure."""
        return bool(self.heads or self.objects)

    @property
    def has_predicate(self) -> bool:
        """Return whether it says something of a structure."""
        return bool(self.actions or self.is_fine or self.is_unassessed or self.grade or self.numbers or self.steps)

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is said in it."""
        said = self.levels or self.sides or self.scope or self.exception or self.is_denied or self.is_denied_behind
        return not (self.is_named or self.has_predicate or said or self.is_hedged or self.is_qualified)


def read_parts(lexemes: Sequence[Lexeme]) -> list[Part]:
    """Split lexemes at their joining words; brackets that name no condition belong to the part they stand in."""
    parts = [Part("start")]
    for index, lexeme in enumerate(lexemes):
        if lexeme.kind != "break":
            if _starts_part(parts[-1], lexeme):
                parts.append(Part("or" if lexeme.value == "nor" else "and"))
            _add(parts[-1], lexeme)
            continue
        join = _join(lexemes, index)
        if join == "":
            parts[-1].is_closed |= lexeme.value == "close"
            continue
        if parts[-1].is_empty:
            parts[-1].join = parts[-1].join if join == "comma" else _stronger(parts[-1].join, join)
        else:
            parts.append(Part(join))
    return [part for part in parts if not part.is_empty]


def _starts_part(part: Part, lexeme: Lexeme) -> bool:
    """Tell whether a denial speaks of what follows: ``bulge without stenosis``, ``neither bulge nor stenosis``."""
    if lexeme.kind != "denial" or lexeme.value not in {"no", "nor"}:
        return False
    return bool(part.heads or part.has_predicate or (lexeme.value == "nor" and (part.is_named or part.is_denied)))


def _join(lexemes: Sequence[Lexeme], index: int) -> str:
    value = lexemes[index].value
    if value == "open":
        return "open" if _bracket_is_named(lexemes, index) else ""
    if value == "close":
        opening = max((place for place in range(index) if lexemes[place].value == "open"), default=0)
        return "close" if lexemes[opening].value == "open" and _bracket_is_named(lexemes, opening) else ""
    if value == "dash":
        return "topic" if index <= _FIRST else "comma"
    return value


_FIRST = 2


def _bracket_is_named(lexemes: Sequence[Lexeme], index: int) -> bool:
    for lexeme in lexemes[index + 1 :]:
        if lexeme.value == "close" and lexeme.kind == "break":
            return False
        if lexeme.kind in _NAMES or lexeme.kind == "action":
            return True
    return False


def _stronger(first: str, second: str) -> str:
    order = ("start", "comma", "close", "and", "or", "open", "topic", "cause", "due", "hard")
    return first if first == "start" else max(first, second, key=order.index)


def _add(part: Part, lexeme: Lexeme) -> None:
    kind, value = lexeme.kind, lexeme.value
    if kind in {"levels", "side", "grade", "steps"}:
        _add_once(part, lexeme)
    elif kind == "head" or kind == "scale":
        name = _SPECIAL.get(value, value)
        part.heads += [name] if name not in part.heads else []
        part.is_qualified |= value == "extrusion"
        part.is_active |= value == "active_sacroiliitis"
        part.unspecific |= kind == "scale" and value != "modic"
    elif kind in {"object", "height"}:
        part.objects.append(value or kind)
    elif kind == "action":
        part.actions.append(value)
        part.is_led |= not part.is_named
    elif kind == "morphology":
        part.morphology.add(value)
    elif kind == "count":
        part.count = int(value)
    elif kind == "number":
        part.numbers.append(value)
    elif kind == "everywhere":
        part.scope = value
    elif kind in {"glue", "filler"}:
        part.has_verb |= value == "verb"
    elif kind == "exception":
        part.is_clashing |= bool(part.exception)
        part.exception = value
    else:
        _add_polarity(part, kind, value)


def _add_once(part: Part, lexeme: Lexeme) -> None:
    if lexeme.kind == "levels":
        part.is_clashing |= bool(part.levels) and part.levels != lexeme.levels
        part.levels = lexeme.levels
    elif lexeme.kind == "side":
        part.is_clashing |= bool(part.sides) and part.sides != lexeme.sides
        part.sides = lexeme.sides
    elif lexeme.kind == "grade":
        part.is_clashing |= bool(part.grade)
        part.grade = lexeme.value
        part.is_graded_behind = part.is_named
    else:
        part.is_clashing |= bool(part.steps)
        part.steps = lexeme.numbers


def _add_polarity(part: Part, kind: str, value: str) -> None:
    is_behind = (part.is_named or bool(part.actions)) and value not in {"no", "nor"}
    if kind == "fine":
        part.is_led |= not part.is_named
        part.is_clashing |= part.is_fine
        part.is_fine = True
    elif kind == "denial":
        part.is_clashing |= part.is_denied or part.is_denied_behind
        part.is_denied_behind |= is_behind
        part.is_denied |= not is_behind
        part.denial = value
    elif kind == "hedge":
        part.is_hedged = True
        part.is_hedged_behind = is_behind
    elif kind == "unassessed":
        part.is_unassessed = True
    elif kind == "qualifier":
        part.is_qualified = True
    elif kind == "diameter":
        part.has_diameter = True
