"""The measurements of a report as tables: a row a quantity, a column a level, so that levels can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase

from anatomy import DISC_LEVELS, SIJ, VERTEBRAE
from reporting.export.blocks import Block, Heading, Table, Text, Tone
from reporting.quantities import number_words, percentile_words, quantity_words, unit_words
from reporting.view import DASH
from segmentation.types import Measurement

_ORDER: dict[str | None, int] = {name: index for index, name in enumerate((*VERTEBRAE, *DISC_LEVELS, SIJ, None))}
_WHOLE = "Study"
_NAME_WIDTH = 4.2
_SIDE_WIDTH = 1.3
_VALUE_WIDTH = 1.6


def measurement_blocks(measurements: Sequence[Measurement]) -> list[Block]:
    """Return the tables of all measurements, why values are missing, and how each quantity was measured."""
    blocks: list[Block] = []
    notes = _notes(measurements)
    for title, group in _groups(measurements):
        blocks += [Heading(title), _table(group, notes)]
    if not blocks:
        return []
    blocks += [Text(f"({mark}) not assessable: {reason}.", Tone.SMALL) for reason, mark in notes.items()]
    if any(item.percentile is not None for item in measurements):
        blocks.append(Text("P: percentile of a published norm.", Tone.SMALL))
    ways = dict.fromkeys(f"{_words(item)}: {item.method}" for item in measurements if item.method)
    blocks.append(Heading("How it was measured"))
    return [*blocks, *(Text(f"{way}.", Tone.SMALL) for way in ways)]


def value_words(item: Measurement, notes: dict[str, str]) -> str:
    """Return a value without its unit, its percentile beside it; the mark of the note where there is none."""
    if item.value is None:
        return f"({notes[_reason(item)]})"
    text = number_words(item)
    return text if item.percentile is None else f"{text} P{percentile_words(item.percentile)}"


def _groups(measurements: Sequence[Measurement]) -> list[tuple[str, list[Measurement]]]:
    kinds: tuple[tuple[str, frozenset[str | None]], ...] = (
        ("Measurements at the discs", frozenset(DISC_LEVELS)),
        ("Measurements of the vertebrae", frozenset(VERTEBRAE)),
        ("Measurements of the sacroiliac joints", frozenset({SIJ})),
        ("Measurements of the whole spine", frozenset({None})),
    )
    grouped = [(title, [item for item in measurements if item.level in levels]) for title, levels in kinds]
    return [(title, group) for title, group in grouped if group]


def _table(group: Sequence[Measurement], notes: dict[str, str]) -> Table:
    levels = sorted({item.level for item in group}, key=lambda level: _ORDER[level])
    cells: dict[tuple[str, str], dict[str | None, str]] = {}
    for item in group:
        side = DASH if item.side is None else item.side.value
        cells.setdefault((_words(item), side), {})[item.level] = value_words(item, notes)
    rows = tuple((*key, *(values.get(level, DASH) for level in levels)) for key, values in cells.items())
    head = ("Quantity", "Side", *(level or _WHOLE for level in levels))
    return Table(head, rows, (_NAME_WIDTH, _SIDE_WIDTH, *(_VALUE_WIDTH for _ in levels)))


def _words(item: Measurement) -> str:
    name, unit = quantity_words(item.name), unit_words(item.unit)
    return f"{name} ({unit})" if unit else name


def _notes(measurements: Sequence[Measurement]) -> dict[str, str]:
    """Return reason -> letter of every reason why a value is missing."""
    reasons = dict.fromkeys(_reason(item) for item in measurements if item.value is None)
    return {reason: ascii_lowercase[index % 26] * (index // 26 + 1) for index, reason in enumerate(reasons)}


def _reason(item: Measurement) -> str:
    return item.reason or "no reason was given"
