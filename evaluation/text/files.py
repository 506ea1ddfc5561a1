"""Report texts from files: CSV, JSON lines, folders of text files, readings of ``spinescribe read``."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runtime.errors import StudyError

SECTIONS = ("findings", "impression")
"""Sections of a reading whose sentences are its text."""
_FORMS = (
    "a CSV file with columns id,text, a JSONL file of the same keys, a folder of .txt files, a reading.json or a "
    "folder of them"
)


def read_texts(source: Path) -> dict[str, str]:
    """Read ``id -> text``.

    The id of a text file is its name without ``.txt``; that of a reading is the name of its folder, or of the file
    where that is not called reading.json.

    Raises:
        StudyError: If there is nothing of a known form, an id is missing or appears twice, or a text is empty.
    """
    texts: dict[str, str] = {}
    for place, name, text in _rows_of(source):
        if not name:
            raise StudyError(f"{source.name}: {place}: expected an id, got none")
        if name in texts:
            raise StudyError(f"{source.name}: {place}: id {name!r} appears twice; ids must differ")
        if not text.strip():
            raise StudyError(f"{source.name}: {place}: expected a text for id {name!r}, got an empty one")
        texts[name] = text
    if not texts:
        raise StudyError(f"{source.name}: expected at least one report ({_FORMS}), found none")
    return texts


def read_pairs(predictions: Path, references: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Read two sources with the same ids, in the order of the references.

    Raises:
        StudyError: If either cannot be read, or an id is in one only.
    """
    told, truth = read_texts(predictions), read_texts(references)
    for here, there, source, other in (
        (told, truth, predictions, references),
        (truth, told, references, predictions),
    ):
        alone = [name for name in here if name not in there]
        if alone:
            raise StudyError(
                f"{source.name}: {len(alone)} of {len(here)} ids are in one only, not in {other.name}: "
                f"{_some(alone)}; expected the same ids in both"
            )
    return {name: told[name] for name in truth}, truth


def _rows_of(source: Path) -> Iterator[tuple[str, str, str]]:
    """Yield where a text stands, its id and the text."""
    if source.is_dir():
        yield from _from_folder(source)
    elif not source.is_file():
        raise StudyError(f"{source.name}: expected {_FORMS}, found none")
    elif source.suffix == ".jsonl":
        yield from _from_table(source, _lines_of(source))
    elif source.suffix == ".json":
        yield source.name, _reading_id(source), _reading_text(source)
    elif source.suffix == ".csv":
        yield from _from_table(source, _records_of(source))
    else:
        raise StudyError(f"{source.name}: expected {_FORMS}, got a file of type {source.suffix or 'unknown'!r}")


def _from_folder(folder: Path) -> Iterator[tuple[str, str, str]]:
    notes, readings = sorted(folder.glob("*.txt")), sorted(folder.glob("*.json"))
    readings += sorted(folder.glob("*/reading.json"))
    if notes and readings:
        raise StudyError(
            f"{folder.name}: expected .txt files or readings, found both ({notes[0].name}, {readings[0].name})"
        )
    for file in notes:
        yield file.name, file.stem, _decoded(file)
    for file in readings:
        yield file.relative_to(folder).as_posix(), _reading_id(file), _reading_text(file)


def _from_table(source: Path, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, str, str]]:
    for place, row in rows:
        if "id" not in row or "text" not in row:
            got = ", ".join(str(key) for key in row) or "nothing"
            raise StudyError(f"{source.name}: {place}: expected an id and a text, got {got}")
        name, text = row["id"], row["text"]
        yield place, "" if name is None else str(name).strip(), "" if text is None else str(text)


def _records_of(source: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(_decoded(source).splitlines(keepends=True), restkey="columns without a name")
    for row in reader:
        yield f"line {reader.line_num}", row


def _lines_of(source: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(_decoded(source).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise StudyError(f"{source.name}: line {number}: expected a JSON object, got no valid JSON") from error
        if not isinstance(row, dict):
            raise StudyError(f"{source.name}: line {number}: expected a JSON object, got {type(row).__name__}")
        yield f"line {number}", row


def _reading_text(file: Path) -> str:
    from pipeline import load_reading

    sections = load_reading(file)["report"]["sections"]
    return " ".join(
        sentence["text"]
        for name in SECTIONS
        for section in sections
        if section["name"] == name
        for sentence in section["sentences"]
    )


def _reading_id(file: Path) -> str:
    return file.resolve().parent.name if file.name == "reading.json" else file.stem


def _decoded(file: Path) -> str:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            return stream.read()
    except UnicodeDecodeError as error:
        raise StudyError(f"{file.name}: expected UTF-8 text, got other bytes at {error.start}") from error


def _some(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:3])
    return f"{shown}, ..." if len(names) > 3 else shown
