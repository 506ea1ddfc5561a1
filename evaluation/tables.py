"""CSV and JSONL files from strangers, read to rows of text with errors that name file, row and column."""

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runtime.errors import StudyError


def read_csv(file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file with a head line; cells are stripped of blanks around them.

    Args:
        file: UTF-8, with or without a byte order mark.
        columns: Those that must be there.

    Returns:
        One dict a row, at least one.

    Raises:
        StudyError: If the file is missing or no text, lacks a column, has a row of another length, or has no row.
    """
    text = read_text(file, "a CSV file")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        rows = _rows(reader, file, columns)
    except csv.Error as error:
        line = reader.line_num + 1
        raise StudyError(f"{file.name}: line {line}: expected a CSV file, found {error}") from error
    if not rows:
        raise StudyError(f"{file.name}: expected at least one row below the head, found none")
    return rows


def _rows(reader: "csv.DictReader[str]", file: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    head = [name.strip() for name in reader.fieldnames or ()]
    missing = [name for name in columns if name not in head]
    if missing:
        raise StudyError(f"{file.name}: expected columns {', '.join(columns)}; missing {', '.join(missing)}")
    reader.fieldnames = head
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise StudyError(
                f"{file.name}: line {reader.line_num}: expected {len(head)} cells, found another number"
            )
        rows.append({name: cell.strip() for name, cell in row.items()})
    return rows


def read_jsonl(file: Path) -> list[tuple[int, dict[str, Any]]]:
    """Read a JSONL file: one object a line.

    Returns:
        Line number (from 1) and object of each line that is not blank, at least one.

    Raises:
        StudyError: If the file is missing or no text, or a line is no JSON object.
    """
    rows = []
    for number, line in enumerate(read_text(file, "a JSONL file").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise StudyError(f"{file.name}: line {number}: expected a JSON object, found no valid JSON") from None
        if not isinstance(row, dict):
            raise StudyError(f"{file.name}: line {number}: expected a JSON object, got {type(row).__name__}")
        rows.append((number, row))
    if not rows:
        raise StudyError(f"{file.name}: expected at least one line, found none")
    return rows


def read_text(file: Path, expected: str) -> str:
    """Read a UTF-8 text file.

    Args:
        file: Which.
        expected: What it should be, for the message.

    Raises:
        StudyError: If it is not there, cannot be read or is no UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StudyError(f"{file.name}: expected {expected}, found none ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{file.name}: expected {expected} in UTF-8, found other bytes at {error.start}"
        ) from error
