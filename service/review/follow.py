"""The text follows the decisions: what a decision touched is written anew by the composer, all else stays.

Made from the machine's sentences and the decisions each time, not from the last text: a decision withdrawn gives
the machine's sentence back, letter by letter, and the order of decisions does not matter. Rows that a human wrote,
or deleted, are never touched (``service.review.conflicts`` says where they do not agree with a decision).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from anatomy import CONDITIONS, SIJ
from grading.types import Findings, Grade
from reporting import compose_technique
from reporting.composer import compose_findings
from reporting.places import level_place
from reporting.prior import Comparison, compose_comparison
from reporting.types import DraftSentence
from service.review.graph import Rulings, changed_ids, decided_findings
from service.review.rows import (
    Origin,
    Row,
    Section,
    Sections,
    carried_after,
    grouped,
    names_level,
    scope_of,
    with_levels,
)
from service.review.summary import ImpressionWriter
from service.store.words import Verdict

Compose = Callable[[Sequence[str]], list[DraftSentence]]


def follow(
    current: Sections,
    proposed: Sections,
    machine: Findings,
    rulings: Rulings,
    comparison: Comparison | None = None,
) -> Sections:
    """Return the report as the decisions leave it.

    Args:
        current: The report as it stands.
        proposed: What the machine drafted.
        machine: The findings graph as the machine made it.
        rulings: Finding id -> what was decided.
        comparison: The change table as decided; None without an earlier reading.
    """
    follower = Follower(proposed, machine, rulings)
    return tuple(follower.section(section, comparison) for section in current)


class Follower:
    """Writes anew what decisions touched.

    Args:
        proposed: What the machine drafted.
        machine: The findings graph as the machine made it.
        rulings: Finding id -> what was decided.
    """

    def __init__(self, proposed: Sections, machine: Findings, rulings: Rulings) -> None:
        self.machine = machine
        self.decided = decided_findings(machine, rulings)
        self.changed = changed_ids(machine, rulings)
        self.base = {row.id: row for section in proposed for row in section.rows}
        self._rulings = rulings
        self._order = {grade.id: index for index, grade in enumerate(machine.grades)}
        self._contexts = {
            row.id: levels for section in proposed for row, levels in with_levels(section.rows).items()
        }

    def section(self, section: Section, comparison: Comparison | None) -> Section:
        """Return a section as the decisions leave it."""
        if section.name == "findings":
            rows = self._slots(section.rows, self._compose_findings)
            return Section(section.name, tuple(self._in_context(self._with_added(rows))))
        if section.name == "impression":
            return Section(section.name, tuple(ImpressionWriter(self).rows(section.rows)))
        if section.name == "comparison" and comparison is not None:
            return Section(section.name, tuple(self._compared(section.rows, comparison)))
        return Section(section.name, tuple(self._slots(section.rows, self._compose_technique)))

    def why(self, scope: Iterable[str]) -> str:
        """Return why a sentence was written anew, naming the findings that were decided otherwise."""
        told = []
        for key in scope:
            grade = self.machine.grade(key)
            if key in self.changed and grade is not None:
                rejected = self._rulings[key].verdict is Verdict.REJECT
                told.append(f"{finding_words(grade)} {'rejected' if rejected else 'regraded'}")
        return f"written anew: {', '.join(told)}" if told else "written anew: the sentence before it changed"

    def written(
        self, first: Row, scope: Sequence[str], lines: Sequence[DraftSentence], reason: str | None = None
    ) -> list[Row]:
        """Return the composer's lines in the place of a row; a hidden row where nothing is left to say."""
        reason = reason or self.why(scope)
        if not lines:
            return [
                Row(first.id, "", origin=Origin.FOLLOW, slot=first.slot, scope=tuple(scope), is_hidden=True,
                    reason=reason)
            ]  # fmt: skip
        said = {key for line in lines for key in line.finding_ids}
        unsaid = tuple(key for key in scope if key not in said)
        rows = []
        for number, line in enumerate(lines):
            own = tuple(key for key in line.finding_ids if key in scope)
            rows.append(
                Row(
                    id=first.id if number == 0 else f"{first.id}.{number + 1}",
                    text=line.text,
                    finding_ids=line.finding_ids,
                    source=line.source.value,
                    origin=Origin.FOLLOW,
                    slot=first.slot,
                    scope=own + unsaid if number == 0 else own,
                    reason=reason,
                    prior_finding_ids=line.prior_finding_ids,
                )
            )
        return rows

    def scope(self, group: Sequence[Row]) -> tuple[str, ...]:
        """Return what the rows of a slot answer for, in the order of the machine's sentence or of its findings."""
        keys, base = scope_of(group), self.base.get(group[0].slot)
        if base is not None and set(keys) == set(base.scope):
            return base.scope
        return tuple(sorted(keys, key=self._order.__getitem__))

    def is_untouched(self, base: Row | None, scope: Sequence[str]) -> bool:
        """Tell whether the machine's sentence still holds, and no human took a part of it."""
        return base is not None and set(base.scope) <= set(scope) and not set(base.scope) & self.changed

    def _slots(self, rows: Sequence[Row], compose: Compose) -> list[Row]:
        kept: list[Row] = []
        for group in grouped(rows):
            if group[0].origin is Origin.HUMAN:
                kept += group
                continue
            base, scope = self.base.get(group[0].slot), self.scope(group)
            if base is not None and self.is_untouched(base, scope):
                kept.append(base)
            elif base is not None or set(scope) & self.changed:
                kept += self.written(group[0], scope, compose(scope))
        return _unique(kept)

    def _compose_findings(self, scope: Sequence[str]) -> list[DraftSentence]:
        grades = tuple(grade for grade in self.decided.grades if grade.id in scope and grade.grade is not None)
        return compose_findings(replace(self.decided, grades=grades)) if grades else []

    def _compose_technique(self, scope: Sequence[str]) -> list[DraftSentence]:
        return [line for line in compose_technique(self.decided) if set(line.finding_ids) & set(scope)]

    def _with_added(self, rows: list[Row]) -> list[Row]:
        """Add what a reader graded and no sentence of the findings answers for."""
        answered = {key for row in rows for key in row.scope}
        for grade in self.decided.reported:
            if grade.id in self.changed and grade.id not in answered:
                first = Row(f"findings+{grade.id}", "", slot=f"findings+{grade.id}", scope=(grade.id,))
                place = self._place_for(grade, rows)
                rows[place:place] = self.written(first, first.scope, self._compose_findings(first.scope))
        return rows

    def _place_for(self, grade: Grade, rows: Sequence[Row]) -> int:
        """Return where a sentence on a finding belongs: behind those on its level and on the levels above it."""
        place = 0
        for index, row in enumerate(rows):
            levels = [item.level for key in row.scope if (item := self.machine.grade(key)) is not None]
            if any(level_place(level) <= level_place(grade.level) for level in levels):
                place = index + 1
        return place

    def _in_context(self, rows: Sequence[Row]) -> list[Row]:
        """Write anew each sentence that names no level and would be read at another than it means."""
        kept: list[Row] = []
        carried: tuple[str, ...] = ()
        for row in rows:
            now = [row]
            if row.origin is not Origin.HUMAN and not row.is_hidden and self._is_misplaced(row, carried):
                now = self.written(row, row.scope, self._compose_findings(row.scope)) or [row]
            for item in now:
                kept.append(item)
                carried = carried if item.is_hidden else carried_after(item.text, carried)
        return _unique(kept)

    def _is_misplaced(self, row: Row, carried: tuple[str, ...]) -> bool:
        if names_level(row.text):
            return False
        if row is self.base.get(row.id):
            return set(carried) != set(self._contexts[row.id])
        levels = {item.level for key in row.finding_ids if (item := self.machine.grade(key)) is not None}
        return bool(levels - {None, SIJ}) and set(carried) != levels

    def _compared(self, rows: Sequence[Row], comparison: Comparison) -> list[Row]:
        """Return the comparison, always the composer's: its sentences stay where the new table says the same."""
        human = [row for row in rows if row.origin is Origin.HUMAN]
        taken = {key for row in human for key in row.scope}
        old = {row.text: row for row in self.base.values() if row.id.startswith("comparison-")}
        if not self.changed:
            slots = {row.slot for row in human}
            return _with_human([row for row in old.values() if row.slot not in slots], rows)
        made: list[Row] = []
        for number, line in enumerate(compose_comparison(comparison, self.decided)):
            scope = [key for key in line.finding_ids if self.machine.grade(key) is not None]
            if line.text in old:
                made.append(old[line.text])
            elif not taken & set(scope):
                name = f"comparison+{number}"
                made += self.written(Row(name, "", slot=name), scope, [line])
        slots = {row.slot for row in human}
        return _unique(_with_human([row for row in made if row.slot not in slots], rows))


def finding_words(grade: Grade) -> str:
    """Return a finding in words: ``left neural foraminal narrowing at L4-L5``."""
    side = f"{grade.side.value} " if grade.side is not None else ""
    place = f" at {grade.level}" if grade.level not in (None, SIJ) else ""
    return f"{side}{CONDITIONS[grade.condition].words}{place}"


def _with_human(made: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    """Return machine-made rows with a human's among them, each behind the row it stood behind."""
    merged = list(made)
    for index, row in enumerate(rows):
        if row.origin is Origin.HUMAN:
            before = {item.id for item in rows[:index]}
            places = [place for place, item in enumerate(merged, start=1) if item.id in before]
            merged.insert(places[-1] if places else 0, row)
    return merged


def _unique(rows: Sequence[Row]) -> list[Row]:
    """Give machine-made rows another id where a human's row has theirs."""
    taken = {row.id for row in rows if row.origin is Origin.HUMAN}
    kept = []
    for row in rows:
        name, number = row.id, 2
        while row.origin is not Origin.HUMAN and name in taken:
            name, number = f"{row.id}.{number}", number + 1
        taken.add(name)
        kept.append(row if name == row.id else replace(row, id=name))
    return kept
