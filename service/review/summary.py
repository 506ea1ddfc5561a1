"""The impression follows the decisions: lines of a touched level are written anew, what a decision adds is put in.

A line is known by what it is about (its level, or its kind: critical, further, unsettled, score), so that the new
line stands where the old one stood. The score is said anew when the decisions change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from reporting import compose_impression
from reporting.burden import burden_name
from reporting.phrases import read_template
from reporting.types import DraftSentence
from service.review.rows import Origin, Row, grouped

if TYPE_CHECKING:
    from service.review.follow import Follower

_FRAMES = ("critical", "interrupted", "unsettled", "further", "nothing_abnormal", "doubt", "no_burden")
_LAST = frozenset({"unsettled", "doubt", "nothing_abnormal", "burden"})
_LEVEL = "level"
_SCORE = "written anew: the score follows the decisions"

Key = tuple[str, frozenset[str | None]]


class ImpressionWriter:
    """Writes the impression after decisions.

    Args:
        follower: Knows the machine's sentences and what was decided.
    """

    def __init__(self, follower: Follower) -> None:
        self._follower = follower
        self._lines = compose_impression(follower.decided) if follower.changed else []
        self._machine_texts = {line.text for line in compose_impression(follower.machine)}
        self._score_changed = (
            bool(follower.changed)
            and not {line.text for line in self._lines if self._key(line)[0] == "burden"} <= self._machine_texts
        )

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Return the impression as the decisions leave it."""
        groups = grouped(rows)
        standing = [base for group in groups if (base := self._standing(group)) is not None]
        said = {self._key(row) for row in standing if self._key(row)[0] == _LEVEL}
        texts = {row.text for row in standing}
        left = [line for line in self._lines if self._key(line) not in said and line.text not in texts]
        kept: list[Row] = []
        for group in groups:
            base = self._standing(group)
            if group[0].origin is Origin.HUMAN:
                kept += group
            elif base is not None:
                kept.append(base)
            elif group[0].slot in self._follower.base:
                key = self._key(self._follower.base[group[0].slot])
                mine = [line for line in left if self._key(line) == key]
                left = [line for line in left if line not in mine]
                reason = _SCORE if key[0] == "burden" else None
                kept += self._follower.written(group[0], self._follower.scope(group), mine, reason)
        return self._with_added(kept, left)

    def _standing(self, group: Sequence[Row]) -> Row | None:
        """Return the machine's row of a group if no decision touches it."""
        if group[0].origin is Origin.HUMAN:
            return None
        base = self._follower.base.get(group[0].slot)
        if base is None or not self._follower.is_untouched(base, self._follower.scope(group)):
            return None
        return None if self._score_changed and self._key(base)[0] == "burden" else base

    def _with_added(self, rows: list[Row], lines: Sequence[DraftSentence]) -> list[Row]:
        human = {key for row in rows if row.origin is Origin.HUMAN for key in row.scope}
        for line in lines:
            news = [key for key in line.finding_ids if key in self._follower.changed]
            kind = self._key(line)[0]
            is_new = line.text not in self._machine_texts and (bool(news) or kind == "nothing_abnormal")
            if not is_new or (news and set(news) <= human) or kind == "burden":
                continue
            name = f"impression+{news[0] if news else kind}-{kind}"
            written = self._follower.written(Row(name, "", slot=name), news, [line])
            place = 0 if kind == "critical" else self._end_of_levels(rows)
            rows[place:place] = written
        return rows

    def _end_of_levels(self, rows: Sequence[Row]) -> int:
        found = (index for index, row in enumerate(rows) if self._key(row)[0] in _LAST)
        return next(found, len(rows))

    def _key(self, line: Row | DraftSentence) -> Key:
        """Return what a line is about."""
        machine = self._follower.machine
        kind = next(
            (name for name, opening in _openings(machine.protocol) if line.text.startswith(opening)), _LEVEL
        )
        if kind != _LEVEL:
            return kind, frozenset()
        keys = line.scope if isinstance(line, Row) else line.finding_ids
        return _LEVEL, frozenset(grade.level for key in keys if (grade := machine.grade(key)) is not None)


@cache
def _openings(protocol: str) -> tuple[tuple[str, str], ...]:
    """Return the kinds of lines that are not about one level, each with the words that open it."""
    table = read_template("composer.yaml")
    frames = [("burden" if name == "no_burden" else name, table[name].split("{")[0]) for name in _FRAMES]
    return (*frames, ("burden", burden_name(protocol)))
