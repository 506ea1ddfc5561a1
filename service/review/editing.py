"""The reader's own words: sentences changed, added, left out, moved. What the machine proposed stays beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.accounts.actor import Actor
from service.errors import InvalidError
from service.review.case import Case
from service.review.change import Change, change_report, draft_again, followed
from service.review.graph import changed_ids
from service.review.rows import Origin, Row, Section, carried_after, implied_scope, names_level
from service.review.states import Action, next_status
from service.services import Services
from service.store.base import new_id

MAX_SENTENCE = 2000
"""Characters of a sentence."""
MAX_SECTION = 40_000
"""Characters of a section."""

_ADDED = "h-"
"""How the ids of sentences begin that a reader added."""


@dataclass(frozen=True)
class GivenSentence:
    """A sentence as a reader sends it; ``id`` is None for one that the report did not have."""

    id: str | None
    text: str


@dataclass(frozen=True)
class GivenSection:
    """A section as a reader sends it: all sentences that shall stand, in order."""

    name: str
    sentences: tuple[GivenSentence, ...]


def edit_text(
    services: Services, actor: Actor, study_id: str, version: int, given: Sequence[GivenSection]
) -> Case:
    """Put the reader's text in the place of the report's.

    Raises:
        InvalidError: If the sections are not those of the report, a sentence is empty or too long, or an id is
            unknown or there twice.
    """

    def work(case: Case) -> Change:
        status = next_status(Action.EDIT, case.standing)
        edited = _Editor(case, actor.user_id).apply(given)
        if edited == case.current:
            return Change(case, "report.edit", "")
        after = followed(case, current=edited)
        count = _changed(case.current, after.current)
        details = {"sentences": count}
        return Change(
            draft_again(status, after), "report.edit", f"text edited: {count} sentence{'' if count == 1 else 's'}",
            details,
        )  # fmt: skip

    return change_report(services, actor, study_id, version, work, verb="edit a report")


class _Editor:
    """Makes rows of what a reader sent."""

    def __init__(self, case: Case, author: str) -> None:
        self._case = case
        self._author = author
        self._base = {row.id: row for section in case.proposed for row in section.rows}
        self._changed = changed_ids(case.machine, case.rulings)
        self._new: set[str] = set()

    def apply(self, given: Sequence[GivenSection]) -> tuple[Section, ...]:
        """Return the sections with the reader's text."""
        names = [section.name for section in self._case.current]
        if sorted(section.name for section in given) != sorted(names):
            raise InvalidError(f"expected each of the sections {', '.join(names)} once")
        by_name = {section.name: section for section in given}
        return tuple(self._section(section, by_name[section.name]) for section in self._case.current)

    def _section(self, old: Section, given: GivenSection) -> Section:
        known = {row.id: row for row in old.rows}
        ids = [item.id for item in given.sentences if item.id is not None]
        if len(set(ids)) < len(ids) or not set(ids) <= set(known):
            raise InvalidError(f"{given.name}: a sentence's id is there twice, or is not of this section")
        rows = [self._row(item, known.get(item.id or "")) for item in given.sentences]
        if sum(len(row.text) for row in rows) > MAX_SECTION:
            raise InvalidError(f"{given.name}: expected at most {MAX_SECTION} characters")
        return Section(old.name, tuple(self._read(self._with_hidden(rows, old), old)))

    def _row(self, item: GivenSentence, known: Row | None) -> Row:
        text = " ".join(item.text.split())
        if not text or len(text) > MAX_SENTENCE:
            raise InvalidError(f"a sentence has 1 to {MAX_SENTENCE} characters; leave it out to delete it")
        if known is None:
            name = f"{_ADDED}{new_id()[:12]}"
            self._new.add(name)
            return Row(name, text, source="human", origin=Origin.HUMAN, slot=name, author=self._author)
        if known.text == text and not known.is_hidden:
            return known
        base = self._base.get(known.id)
        if base is not None and base.text == text and not set(base.scope) & self._changed:
            return base
        self._new.add(known.id)
        return replace(
            known,
            text=text,
            source="human",
            origin=Origin.HUMAN,
            author=self._author,
            is_hidden=False,
            reason=None,
        )

    def _with_hidden(self, rows: list[Row], old: Section) -> list[Row]:
        """Put back the rows that are not shown, each behind the row it followed; what was left out is hidden."""
        named = {row.id for row in rows}
        before: str | None = None
        for row in old.rows:
            if row.id not in named and not row.id.startswith(_ADDED):
                place = 0 if before is None else next(i for i, item in enumerate(rows) if item.id == before) + 1
                rows.insert(place, row if row.is_hidden else self._deleted(row))
                before = row.id
            elif row.id in named:
                before = row.id
        return rows

    def _deleted(self, row: Row) -> Row:
        return replace(
            row, text="", finding_ids=(), source="human", origin=Origin.HUMAN, author=self._author, is_hidden=True,
            reason="deleted by a reader",
        )  # fmt: skip

    def _read(self, rows: Sequence[Row], old: Section) -> list[Row]:
        """Give the sentences that were just written the findings they speak of, read in their place."""
        carried: tuple[str, ...] = ()
        read = []
        for row in rows:
            if row.id in self._new and row.origin is Origin.HUMAN and not row.is_hidden:
                found = implied_scope(row.text, self._case.machine, carried) if old.name != "technique" else ()
                row = replace(
                    row,
                    finding_ids=found,
                    scope=tuple(dict.fromkeys((*row.scope, *found))),
                    levels=() if names_level(row.text) else carried,
                )
            read.append(row)
            carried = carried if row.is_hidden else carried_after(row.text, carried)
        return read


def _changed(before: Sequence[Section], after: Sequence[Section]) -> int:
    """Count the sentences that are new, gone or other."""
    old = {(section.name, row.id): row.text for section in before for row in section.visible}
    new = {(section.name, row.id): row.text for section in after for row in section.visible}
    return sum(old.get(key) != new.get(key) for key in {*old, *new})
