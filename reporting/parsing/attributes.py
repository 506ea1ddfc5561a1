"""What stands apart in a sentence and belongs to a part of it: headings, lone grades, sides, values, Modic words.

``L4-L5: ...`` and ``On the left, ...`` are headings. ``Stenosis, severe`` and ``stenosis (8.6 mm)`` are one part.
``Fatty endplate change, Modic type 2`` spells the step out.
"""

from collections.abc import Sequence
from itertools import pairwise

from reporting.parsing.parts import Part

_MERGED = frozenset({"comma", "and", "topic", "close"})


def join_attributes(parts: list[Part]) -> list[Part]:
    """Give headings and what stands alone to the parts that they belong to.

    Args:
        parts: As ``read_parts`` returns them; they are changed.
    """
    _spare_structures(parts)
    _name_measures(parts)
    _doubt_brackets(parts)
    return _merge_topics(
        _merge_steps(_merge_attributes(_merge_modic(_without_side_headers(_without_headers(parts)))))
    )


def _name_measures(parts: Sequence[Part]) -> None:
    for part in parts:
        if part.has_diameter and "spinal_canal_stenosis" not in part.objects:
            part.is_clashing |= bool(part.objects)  # a diameter of the foramen is no diameter of the canal
            part.objects.append("spinal_canal_stenosis")


def _doubt_brackets(parts: Sequence[Part]) -> None:
    """Let a doubt reach the step in the bracket behind it: ``possible cord compression (Kang grade 1)``."""
    for before, part in pairwise(parts):
        if part.join == "open" and part.steps and before.is_hedged:
            part.is_hedged = True


def _spare_structures(parts: Sequence[Part]) -> None:
    """Read ``the right foramen is spared`` as normal; ``bulges, sparing L5-S1`` denies."""
    for part in parts:
        if part.exception == "spared" and part.objects and not (part.heads or part.actions or part.is_fine):
            part.exception, part.is_fine = "", True


def _only(part: Part, name: str) -> bool:
    """Tell whether a part holds nothing but one attribute."""
    said = {
        "levels": bool(part.levels), "sides": bool(part.sides), "grade": bool(part.grade),
        "numbers": bool(part.numbers), "steps": bool(part.steps),
    }  # fmt: skip
    if part.is_named or part.actions or part.is_fine or part.is_denied or part.is_denied_behind:
        return False
    if part.is_hedged or part.is_unassessed or part.scope or part.exception or part.is_qualified:
        return False
    return said.pop(name) and not any(said.values())


def _without_headers(parts: list[Part]) -> list[Part]:
    """Give the levels of a heading (``L4-L5:``, ``At L4-L5, ...``) to what follows it."""
    kept: list[Part] = []
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else None
        if following is not None and part.scope == "except" and _is_place(part) and not following.levels:
            following.scope, following.levels, following.join = part.scope, part.levels, part.join
            continue  # "apart from L4-L5, the canal is patent"
        is_heading = following is not None and (part.join == "start" or following.join == "topic")
        if following is None or not is_heading or not _only(part, "levels"):
            kept.append(part)
            continue
        following.join = "start" if part.join == "start" else "hard"
        following.is_headed = True
        following.header = part.levels
    return kept


def _is_place(part: Part) -> bool:
    said = part.is_named or part.has_predicate or part.sides or part.exception or part.is_hedged
    return part.join == "start" and not (said or part.is_qualified or part.is_denied or part.is_denied_behind)


def _without_side_headers(parts: list[Part]) -> list[Part]:
    """Give the side of a heading (``On the left, the foramen is narrowed``) to what follows it."""
    kept: list[Part] = []
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else None
        is_alone = part.join in {"start", "hard"} and _only(part, "sides")
        if following is None or not is_alone or following.sides:
            kept.append(part)
        elif following.join == "topic" or (following.join == "comma" and following.is_named):
            following.sides, following.join = part.sides, part.join
        else:
            kept.append(part)
    return kept


def _merge_attributes(parts: list[Part]) -> list[Part]:
    """Join a grade, side, level or value that stands alone (``stenosis, severe``) to the part before it."""
    kept: list[Part] = []
    for part in parts:
        if kept and _is_side_alone(part) and kept[-1].is_named and not kept[-1].sides and not kept[-1].exception:
            kept[-1].sides, kept[-1].exception = part.sides, part.exception
            continue
        names = [name for name in ("grade", "sides", "levels", "numbers") if _only(part, name)]
        before = kept[-1] if kept else None
        is_lone = before is not None and part.join == "comma" and _only(before, "sides") and names == ["grade"]
        if (
            before is None
            or not names
            or part.join not in _MERGED
            or not (before.is_named or is_lone)
            or getattr(before, names[0])
            or (names[0] == "levels" and part.join not in {"comma", "topic"})
        ):
            kept.append(part)
        else:
            setattr(before, names[0], getattr(part, names[0]))
            before.is_graded_behind |= names[0] == "grade"
    return kept


def _is_side_alone(part: Part) -> bool:
    """Tell whether a part says only on which side alone: ``narrowing at L3-L4, right-sided only``."""
    said = part.is_named or part.has_predicate or part.levels or part.scope or part.is_hedged or part.is_qualified
    is_denied = part.is_denied or part.is_denied_behind
    return part.join == "comma" and part.exception == "one_sided" and bool(part.sides) and not (said or is_denied)


def _merge_modic(parts: list[Part]) -> list[Part]:
    """Join words that spell out a Modic step to it: ``fatty endplate change, Modic type 2``."""
    kept: list[Part] = []
    for part in parts:
        before = kept[-1] if kept else None
        is_beside = before is not None and part.join in ({"open", "close", "comma"} | _with_morphology(part))
        is_beside = is_beside and before is not None and not (before.levels and part.levels)
        if is_beside and before is not None and _is_modic(before) and _spells_modic(part):
            _absorb(before, part)
        elif is_beside and before is not None and _is_modic(part) and _spells_modic(before):
            part.join = before.join
            _absorb(part, before)
            kept[-1] = part
        else:
            kept.append(part)
    return kept


def _with_morphology(part: Part) -> set[str]:
    """Return the joining word of ``Modic type 1 change with oedema``."""
    return {"and"} if part.morphology and not (part.is_named or part.actions) else set()


def _is_modic(part: Part) -> bool:
    return part.heads == ["modic"] and bool(part.steps)


def _spells_modic(part: Part) -> bool:
    is_other = part.heads not in ([], ["modic"])
    said = is_other or part.sides or part.grade or part.steps or part.numbers or part.scope or part.exception
    polarity = part.is_denied or part.is_denied_behind or part.is_hedged or part.is_fine or part.is_unassessed
    is_endplate = set(part.objects) <= {"endplate", "signal", "marrow"} and set(part.actions) <= {"change"}
    is_said = part.morphology or part.heads or (part.objects and part.actions)
    return bool(is_said) and is_endplate and not (said or polarity or part.is_qualified)


def _absorb(modic: Part, other: Part) -> None:
    modic.morphology |= other.morphology
    modic.levels = modic.levels or other.levels
    modic.has_verb |= other.has_verb
    modic.is_headed |= other.is_headed
    modic.header = modic.header or other.header


def _merge_topics(parts: list[Part]) -> list[Part]:
    """Join structures that share a topic: ``Canal and foramina: no narrowing``."""
    kept: list[Part] = []
    for part in parts:
        while part.join == "topic" and len(kept) > 1 and not part.is_named and _only_names(kept[-1]):
            if kept[-1].join not in {"and", "comma"} or not _only_names(kept[-2]):
                break
            named = kept.pop()
            kept[-1].objects += named.objects
        kept.append(part)
    return kept


def _only_names(part: Part) -> bool:
    said = part.heads or part.has_predicate or part.sides or part.levels or part.scope or part.exception
    polarity = part.is_denied or part.is_denied_behind or part.is_hedged or part.is_qualified
    return bool(part.objects) and not (said or polarity)


def _merge_steps(parts: list[Part]) -> list[Part]:
    """Join steps to the degeneration before them: ``disc degeneration, Pfirrmann grade II or III``."""
    kept: list[Part] = []
    for part in parts:
        before = kept[-1] if kept else None
        said = part.objects or part.levels or part.sides or part.is_denied or part.is_denied_behind or part.grade
        if (
            before is None
            or part.join not in {"comma", "open"}
            or part.heads != ["disc_degeneration"]
            or not part.unspecific
            or said
            or before.heads != ["disc_degeneration"]
            or before.steps
            or before.is_denied
            or before.is_denied_behind
        ):
            kept.append(part)
            continue
        before.steps, before.is_hedged = part.steps, before.is_hedged or part.is_hedged
    return kept
