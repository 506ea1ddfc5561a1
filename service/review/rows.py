"""The sentences of a report as they are stored and changed.

A row keeps where it came from. ``slot`` is the machine's sentence (or the place of an added one) that the row
stands in; ``scope`` are the findings the row answers for, said or not: a sentence whose only finding was rejected
stays as a hidden row, so that it comes back when the decision is withdrawn. A hidden row of a human is a deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from typing import Any

from grading.types import Findings
from reporting.compare import grades_for
from reporting.parsing import read_sentence, split_sentences
from reporting.parsing.tokens import tokenise


class Origin(StrEnum):
    """Who wrote a sentence: the machine, the composer following a decision, or a human."""

    MACHINE = "machine"
    FOLLOW = "follow"
    HUMAN = "human"


@dataclass(frozen=True)
class Row:
    """A sentence of the report.

    Attributes:
        id: Unique in a report.
        text: The sentence; empty in a hidden row that the machine never wrote.
        finding_ids: Grades and measurements it states.
        source: ``vlm``, ``composer`` or ``human``.
        status: ``supported`` or ``repaired``, as in reading.json.
        origin: Who wrote it.
        slot: Id of the machine's sentence whose place it has; its own id otherwise.
        scope: Findings it answers for.
        is_hidden: True where nothing is shown: all of it was rejected, or a human deleted it.
        author: User id of a human author.
        levels: For human text that names no level: the levels carried to it when it was written.
        reason: Why it is not the machine's sentence.
        replaced_text: As in reading.json: what the verifier replaced.
        prior_finding_ids: As in reading.json.
    """

    id: str
    text: str
    finding_ids: tuple[str, ...] = ()
    source: str = "composer"
    status: str = "supported"
    origin: Origin = Origin.MACHINE
    slot: str = ""
    scope: tuple[str, ...] = ()
    is_hidden: bool = False
    author: str | None = None
    levels: tuple[str, ...] = ()
    reason: str | None = None
    replaced_text: str | None = None
    prior_finding_ids: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the row as it is stored."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}


@dataclass(frozen=True)
class Section:
    """A section of the report: ``technique``, ``findings``, ``comparison`` or ``impression``."""

    name: str
    rows: tuple[Row, ...]

    @property
    def visible(self) -> tuple[Row, ...]:
        """Return the rows that are shown."""
        return tuple(row for row in self.rows if not row.is_hidden)

    def to_dict(self) -> dict[str, Any]:
        """Return the section as it is stored."""
        return {"name": self.name, "sentences": [row.to_dict() for row in self.rows]}


Sections = tuple[Section, ...]


def load_sections(stored: Sequence[Mapping[str, Any]], machine: Findings) -> Sections:
    """Return stored sections; sentences that only reading.json's fields have become the machine's rows."""
    return tuple(
        Section(
            item["name"],
            tuple(_load(row, f"{item['name']}-{index}", machine) for index, row in enumerate(item["sentences"])),
        )
        for item in stored
    )


def dump_sections(sections: Iterable[Section]) -> list[dict[str, Any]]:
    """Return sections as they are stored."""
    return [section.to_dict() for section in sections]


def reading_sections(sections: Iterable[Section]) -> list[dict[str, Any]]:
    """Return the visible sentences with the fields of reading.json; human text counts as the composer's there."""
    return [
        {"name": section.name, "sentences": [_plain(row) for row in section.visible]}
        for section in sections
        if section.visible
    ]


def names_level(text: str) -> bool:
    """Tell whether a sentence names a level itself."""
    return any(token.levels for token in tokenise(text))


@lru_cache(maxsize=4096)
def carried_after(text: str, carried: tuple[str, ...]) -> tuple[str, ...]:
    """Return the levels that the next sentence is read with."""
    for part in split_sentences(text):
        carried = read_sentence(part, carried).levels
    return carried


def grouped(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows by slot, in the order of their first ones; each row of a human stands alone."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        key = ("row", row.id) if row.origin is Origin.HUMAN else ("slot", row.slot)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def scope_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the findings that some rows answer for, each once."""
    return tuple(dict.fromkeys(key for row in rows for key in row.scope))


def with_levels(rows: Iterable[Row]) -> dict[Row, tuple[str, ...]]:
    """Return the rows that are shown, each with the levels carried to it by the text before."""
    carried: tuple[str, ...] = ()
    found = {}
    for row in rows:
        if not row.is_hidden:
            found[row] = carried
            carried = carried_after(row.text, carried)
    return found


def implied_scope(text: str, findings: Findings, carried: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the grades that a text speaks of, by level, whether it agrees with them or not."""
    found: dict[str, None] = {}
    for part in split_sentences(text):
        reading = read_sentence(part, carried)
        carried = reading.levels
        for fact in (*reading.facts, *reading.not_assessed):
            if fact.level is not None:
                found.update(dict.fromkeys(grade.id for grade in grades_for(fact, findings)))
    return tuple(found)


def _load(row: Mapping[str, Any], default_id: str, machine: Findings) -> Row:
    if "slot" in row:
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in row.items()
        }
        return replace(Row(**values), origin=Origin(row["origin"]))
    ids = tuple(row["finding_ids"])
    scope = tuple(key for key in ids if machine.grade(key) is not None)
    return Row(
        id=default_id,
        text=row["text"],
        finding_ids=ids,
        source=row["source"],
        status=row["status"],
        slot=default_id,
        scope=scope or implied_scope(row["text"], machine),
        replaced_text=row.get("replaced_text"),
        prior_finding_ids=tuple(row.get("prior_finding_ids", ())),
    )


def _plain(row: Row) -> dict[str, Any]:
    prior = {"prior_finding_ids": list(row.prior_finding_ids)} if row.prior_finding_ids else {}
    return {
        "text": row.text,
        "finding_ids": list(row.finding_ids),
        **prior,
        "source": "composer" if row.origin is Origin.HUMAN else row.source,
        "status": row.status,
        "replaced_text": row.replaced_text,
    }
