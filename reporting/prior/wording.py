"""The change table in sentences (``templates/comparison.yaml``): what changed level by level, then what did not.

Each sentence carries the ids of both readings. Places that neither reading assessed have no sentence; the
technique section says so of this reading.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from anatomy import CONDITIONS, SCALES, SIJ
from grading.types import Findings, Grade
from reporting.grammar import join_items, level_words, positive_items
from reporting.levels_text import levels_text
from reporting.phrases import load_phrases, read_template
from reporting.places import level_place
from reporting.prior.build import TEMPLATE, reason
from reporting.prior.types import Change, Comparison, GradeChange, ValueChange
from reporting.statements import Statement, is_abnormal, state, steps_of
from reporting.types import DraftSentence, SentenceSource

_MOVED = (Change.WORSE, Change.BETTER)
_SAID = (Change.NEW, Change.WORSE, Change.BETTER, Change.RESOLVED, Change.UNCHANGED)
Item = tuple[str, str | None, tuple[str, ...], tuple[str, ...]]
"""What is named, its level, ids of this reading, ids of the earlier one."""


def compose_comparison(comparison: Comparison, findings: Findings) -> list[DraftSentence]:
    """Return the sentences of a change table, in the composer's words; the same table gives the same sentences.

    Args:
        comparison: The change table.
        findings: Findings of this reading.
    """
    frames = _frames()
    levels = sorted(
        {row.level for row in comparison.grades} | {row.known.level for row in _worded(comparison)}, key=_place
    )
    changes = [line for level in levels for line in _level_lines(comparison, level, findings)]
    rest = [*_unremarkable(comparison, findings), *_within_error(comparison), *_not_comparable(comparison)]
    notices = [_sentence(text, (), ()) for text in comparison.notices]
    return [*notices, *(changes + rest or [_sentence(frames["nothing"], (), ())])]


def _level_lines(comparison: Comparison, level: str | None, findings: Findings) -> list[DraftSentence]:
    rows = [row for row in comparison.grades if row.level == level]
    lines = []
    for change in _SAID:
        chosen = [row for row in rows if row.change is change and _is_said(row, findings)]
        if chosen:
            frame = _frames()[change.value].replace("{level}: ", _header(level))
            items = [_moved(row) for row in chosen] if change in _MOVED else _named(chosen, findings)
            lines.append(_sentence(frame.format(items=join_items(items)), *_ids(chosen)))
    return lines + [
        _value_line(row) for row in _worded(comparison) if row.known.level == level and _is_beyond(row)
    ]


def _is_said(row: GradeChange, findings: Findings) -> bool:
    """Leave out what is unchanged and not there."""
    return row.change is not Change.UNCHANGED or is_abnormal(_statement(row, findings))


def _statement(row: GradeChange, findings: Findings) -> Statement:
    """Return what is said of a row without its values: of a resolved finding, what was there."""
    grade = row.before if row.change is Change.RESOLVED and row.before is not None else row.known
    return replace(state(grade, findings), measurements=())


def _named(rows: Sequence[GradeChange], findings: Findings) -> list[str]:
    return positive_items([_statement(row, findings) for row in rows])


def _moved(row: GradeChange) -> str:
    """Return how a condition went from some steps to others."""
    if row.before is None or row.now is None:
        raise ValueError(f"{row.condition}: expected two grades to compare, got one")
    return _frames()["step"].format(item=_words(row), before=_steps(row.before), now=_steps(row.now))


def _steps(grade: Grade) -> str:
    return join_items([SCALES[grade.scale].step(step).words for step in steps_of(grade)], " or ")


def _words(row: GradeChange) -> str:
    side = "" if row.side is None else f"{row.side.value} "
    return side + CONDITIONS[row.condition].words


def _value_line(row: ValueChange) -> DraftSentence:
    if row.before is None or row.now is None:
        raise ValueError(f"{row.known.name}: expected two values to compare, got one")
    before, now = (abs(item.value or 0.0) for item in (row.before, row.now))
    frame = _frames()[row.change.value].replace("{level}: ", _header(row.now.level))
    text = frame.format(
        name=_value_words()[row.now.name],
        before=f"{before:.1f}",
        now=f"{now:.1f}",
        unit=row.now.unit,
        limit=row.limit,
    )
    return _sentence(text, (row.now.id,), (row.before.id,))


def _unremarkable(comparison: Comparison, findings: Findings) -> list[DraftSentence]:
    """Return one sentence on the levels of which all that could be compared is unchanged and not there."""
    rows = [row for row in comparison.grades if row.change is not Change.NOT_COMPARABLE and row.level is not None]
    told = {row.level for row in rows if _is_said(row, findings)}
    quiet = [row for row in rows if row.level not in told]
    if not quiet:
        return []
    levels = levels_text(list(dict.fromkeys(str(row.level) for row in quiet)))
    return [_sentence(_frames()["unremarkable"].format(levels=levels), *_ids(quiet))]


def _within_error(comparison: Comparison) -> list[DraftSentence]:
    rows = [row for row in _worded(comparison) if row.change is Change.WITHIN_ERROR]
    if not rows:
        return []
    items = _with_levels([_value_item(row) for row in rows], _all_levels(comparison))
    now, before = _all_ids(_value_item(row) for row in rows)
    return [_sentence(_frames()["within_error"].format(items=join_items(items)), now, before)]


def _not_comparable(comparison: Comparison) -> list[DraftSentence]:
    """Return one sentence a reason, in the order of the reasons' table."""
    items: dict[str, list[Item]] = {}
    for row in comparison.grades:
        if row.change is Change.NOT_COMPARABLE and row.reason is not None:
            items.setdefault(row.reason, []).append((_words(row), row.level, *_ids([row])))
    for value in _worded(comparison):
        if value.change is Change.NOT_COMPARABLE and value.reason is not None:
            items.setdefault(value.reason, []).append(_value_item(value))
    items.pop(reason("unknown_both"), None)
    return [_reason_line(why, items[why], comparison) for why in _reasons() if why in items]


def _reason_line(why: str, items: list[Item], comparison: Comparison) -> DraftSentence:
    text = "; ".join(_with_levels(items, _all_levels(comparison)))
    return _sentence(_frames()["not_comparable"].format(items=text, reason=why), *_all_ids(items))


def _with_levels(items: Sequence[Item], every: Sequence[str]) -> list[str]:
    """Return phrases with their levels; those at the same levels share them."""
    levels: dict[str, list[str]] = {}
    for words, level, _, _ in items:
        levels.setdefault(words, []).extend([] if level is None else [level])
    together: dict[tuple[str, ...], list[str]] = {}
    for words, names in levels.items():
        together.setdefault(tuple(names), []).append(words)
    return [_at(join_items(words), names, every) for names, words in together.items()]


def _at(words: str, names: Sequence[str], every: Sequence[str]) -> str:
    if not names:
        return words
    frame = _frames()["at_all_levels" if list(names) == list(every) and len(every) > 1 else "at_levels"]
    return frame.format(item=words, levels=levels_text(names))


def _all_levels(comparison: Comparison) -> list[str]:
    return list(dict.fromkeys(row.level for row in comparison.grades if row.level not in (None, SIJ)))


def _value_item(row: ValueChange) -> Item:
    now = () if row.now is None else (row.now.id,)
    before = () if row.before is None else (row.before.id,)
    return _value_words()[row.known.name], row.known.level, now, before


def _worded(comparison: Comparison) -> list[ValueChange]:
    """Return the rows of values that reports name and of which the measurement error is known."""
    names = _value_words()
    rows = [row for row in comparison.values if row.limit is not None and row.known.name in names]
    return sorted(rows, key=lambda row: _place(row.known.level))


def _value_words() -> dict[str, str]:
    """Return quantity -> its words, such as ``canal AP diameter``."""
    rows = [row for group in load_phrases().measurements.values() for row in group]
    return {row.name: row.text.split(" {value}")[0] for row in rows}


def _is_beyond(row: ValueChange) -> bool:
    return row.change in (Change.INCREASED, Change.DECREASED)


def _ids(rows: Sequence[GradeChange]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    now = tuple(row.now.id for row in rows if row.now is not None)
    return now, tuple(row.before.id for row in rows if row.before is not None)


def _all_ids(items: Iterable[Item]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    listed = list(items)
    return tuple(key for item in listed for key in item[2]), tuple(key for item in listed for key in item[3])


def _header(level: str | None) -> str:
    return "" if level is None else f"{level_words(level)}: "


def _place(level: str | None) -> int:
    return level_place(level)


def _reasons() -> list[str]:
    return list(read_template(TEMPLATE)["reasons"].values())


def _frames() -> dict[str, str]:
    frames: dict[str, str] = read_template(TEMPLATE)["sentences"]
    return frames


def _sentence(text: str, now: tuple[str, ...], before: tuple[str, ...]) -> DraftSentence:
    return DraftSentence(text, now, SentenceSource.COMPOSER, before)
