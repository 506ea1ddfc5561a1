"""Grades and values in the composer's words, so that the report parser can read every statement back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from anatomy import CONDITIONS, Condition
from grading.types import Grade
from reporting.grammar import absent_items, compose_statements, join_items, level_words
from reporting.phrases import load_phrases
from reporting.statements import Polarity, Statement, state
from vlm.chat.facts import Facts, Row, ids_of, join_words, quantity_title, say_value
from vlm.chat.safe import safe_text
from vlm.chat.types import Part, PartKind

_FEW = 2
"""Up to so many levels each say all of their grades; beyond it, levels without a finding share a sentence."""


def say_rows(rows: Sequence[Row], facts: Facts) -> list[Part]:
    """Return what is graded in some rows: what is there, level by level, what is not there, what is unknown."""
    stated = [state(grade, facts.findings) for grade in _grades(rows, facts)]
    said = [item for item in stated if item.polarity is not Polarity.NOT_ASSESSABLE]
    levels = list(dict.fromkeys(item.grade.level for item in said))
    if len(levels) <= _FEW:
        parts = [_level_part(level, [s for s in said if s.grade.level == level]) for level in levels]
    else:
        positive = [item for item in said if item.polarity is not Polarity.ABSENT]
        places = list(dict.fromkeys(item.grade.level for item in positive))
        parts = [_level_part(level, [s for s in positive if s.grade.level == level]) for level in places]
        parts += _absent_parts([item for item in said if item.polarity is Polarity.ABSENT])
    return parts + say_gaps([row for row in rows if row["status"] != "graded"])


def say_gaps(rows: Sequence[Row]) -> list[Part]:
    """Return what could not be assessed, and why, one sentence a condition and reason."""
    parts: list[Part] = []
    keys = dict.fromkeys((row["condition"], str(row["reason"])) for row in rows)
    for reason in dict.fromkeys(reason for _, reason in keys):
        for condition in dict.fromkeys(condition for condition, other in keys if other == reason):
            mine = [row for row in rows if (row["condition"], row["reason"]) == (condition, reason)]
            parts += _gap_parts(mine)
        parts.append(Part(f"Reason: {safe_text(reason)}."))
    return parts


def _gap_parts(rows: Sequence[Row]) -> list[Part]:
    """Return one sentence for each set of levels that share the sides which could not be assessed."""
    sides_of: dict[str | None, list[Row]] = {}
    for row in rows:
        sides_of.setdefault(row["level"], []).append(row)
    groups: dict[tuple[str | None, ...], list[Row]] = {}
    for same in sides_of.values():
        groups.setdefault(tuple(row["side"] for row in same), []).extend(same)
    parts = []
    for sides, same in groups.items():
        words = plain_words(Condition(same[0]["condition"]))
        side = f"{sides[0]} " if len(sides) == 1 and sides[0] is not None else ""
        levels = [level for level in dict.fromkeys(row["level"] for row in same) if level is not None]
        where = f" at {join_words([level_words(level) for level in levels])}" if levels else ""
        parts.append(Part(f"Not assessable: {side}{words}{where}.", ids_of(same), PartKind.FINDING))
    return parts


def plain_words(condition: Condition) -> str:
    """Return a condition's usual words, as the report parser knows them."""
    return "Modic change" if condition is Condition.MODIC else CONDITIONS[condition].words


def say_values(rows: Sequence[Row]) -> list[Part]:
    """Return measured values, one sentence a place; values the report parser does not know are frames."""
    readable = {phrase.name for phrases in load_phrases().measurements.values() for phrase in phrases}
    parts = []
    for row in rows:
        place = f"{row['level']}: " if row["level"] else ""
        norm = "" if row["percentile"] is None else f" Percentile {row['percentile']:.0f} of the norm."
        if row["value"] is None:
            text = f"{place}{quantity_title(row)} {say_value(row)}."
            parts.append(Part(text, ids_of([row])))
            continue
        kind = PartKind.FINDING if row["name"] in readable and row["side"] is None else PartKind.FRAME
        parts.append(Part(f"{place}{quantity_title(row)} {say_value(row)}.", ids_of([row]), kind))
        if norm:
            parts.append(Part(norm.strip(), ids_of([row])))
    return parts


def _grades(rows: Iterable[Row], facts: Facts) -> list[Grade]:
    wanted = {row["id"] for row in rows}
    return [grade for grade in facts.findings.grades if grade.id in wanted]


def _level_part(level: str | None, statements: Sequence[Statement]) -> Part:
    written = compose_statements(statements, level)
    ids = tuple(dict.fromkeys(item.grade.id for item in statements))
    return Part(" ".join(item.text for item in written), ids, PartKind.FINDING)


def _absent_parts(statements: Sequence[Statement]) -> list[Part]:
    """Return what is not there: levels that lack the same things share a sentence."""
    by_level: dict[str | None, list[Statement]] = {}
    for item in statements:
        by_level.setdefault(item.grade.level, []).append(replace(item, measurements=()))
    groups: dict[tuple[object, ...], list[str | None]] = {}
    for level, items in by_level.items():
        groups.setdefault(tuple((item.condition, item.side) for item in items), []).append(level)
    parts = []
    for levels in groups.values():
        phrases = absent_items(by_level[levels[0]])
        place = join_words([level_words(level) for level in levels if level is not None])
        ids = tuple(item.grade.id for level in levels for item in by_level[level])
        head = f"{place}: " if place else ""
        parts.append(Part(f"{head}No {join_items(phrases, ' or ')}.", ids, PartKind.FINDING))
    return parts
