"""What a database holds, seen from outside: how many rows, which kept files it names, how far it is migrated.

Read from the tables as they are, not from the classes: a database of an older or newer release can be told too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, String, column, func, inspect, select, table
from sqlalchemy.types import NullType

from service.store.base import Base

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLUMN_END = "sha256"
_JSON_COLUMNS = {("evaluations", "files")}
"""Columns of plain values that name kept files; every column whose name ends in sha256 does too."""


@dataclass(frozen=True)
class Contents:
    """What a database holds.

    Attributes:
        revision: Migration it stands at; empty for none.
        rows: Rows of each table.
        blobs: Names of the kept files it needs -> ``table.column`` that names them.
    """

    revision: str
    rows: dict[str, int]
    blobs: dict[str, str]

    @property
    def is_empty(self) -> bool:
        """Return whether there is no row."""
        return not any(self.rows.values())


def contents_of(connection: Connection) -> Contents:
    """Return what the database of a connection holds."""
    columns = _columns(connection)
    version = select(column("version_num", String)).select_from(table("alembic_version"))
    # The job library has tables of its own, whose rows come and go: only ours are counted.
    ours = sorted(columns.keys() & Base.metadata.tables.keys())
    return Contents(
        revision=connection.scalar(version) or "" if "alembic_version" in columns else "",
        rows={name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in ours},
        blobs=_named_in(connection, columns),
    )


def named_blobs(connection: Connection) -> dict[str, str]:
    """Return the names of the kept files that a database needs -> the column that names them."""
    return _named_in(connection, _columns(connection))


def _columns(connection: Connection) -> dict[str, list[str]]:
    """Return the columns of each table."""
    found = inspect(connection).get_multi_columns()
    return {name: [str(entry["name"]) for entry in entries] for (_, name), entries in found.items()}


def _named_in(connection: Connection, columns: dict[str, list[str]]) -> dict[str, str]:
    named: dict[str, str] = {}
    for table_name, names in columns.items():
        for name in names:
            if (table_name, name) in _JSON_COLUMNS or name.endswith(_COLUMN_END):
                values = connection.execute(select(column(name, NullType)).select_from(table(table_name)))
                found = (sha256 for (value,) in values for sha256 in _names_in(value))
                named.update(dict.fromkeys(found, f"{table_name}.{name}"))
    return named


def _names_in(value: Any) -> Iterator[str]:
    """Yield the SHA-256 names anywhere in a plain value, or in the text of one."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        value = json.loads(value)
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _names_in(item)
    elif isinstance(value, str) and _SHA256.fullmatch(value):
        yield value
