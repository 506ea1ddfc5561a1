"""What is run again and what is to come out: parts from a YAML file, expected figures from a CSV table."""

import csv
import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runtime.errors import ConfigError
from runtime.paths import configs_dir

PARTS_FILE = configs_dir() / "reproduce" / "parts.yaml"
EXPECTED_FILE = configs_dir() / "reproduce" / "expected.csv"
COLUMNS = ("part", "figure", "expected", "tolerance")
OUT_WORD = "{out}"
"""Stands in commands for the part's own folder, which is empty when the part begins."""
WEIGHTS_WORD = "{weights}"
"""Stands in commands for the folder of model weights."""
_DIGITS = 9


@dataclass(frozen=True)
class Figure:
    """A figure that a part is to find again.

    Attributes:
        pointer: Where it stands in the part's record, as a JSON Pointer (RFC 6901).
        expected: What was found when it was stored; None when nothing was stored yet.
        tolerance: Largest absolute difference that still counts as the same.
    """

    pointer: str
    expected: float | None
    tolerance: float


@dataclass(frozen=True)
class Part:
    """A benchmark that is run again.

    Attributes:
        name: Short name.
        about: What it measures, one line.
        minutes: That it takes on two CPU cores; None when it was not timed.
        weights: Model folders under ``weights`` that it judges.
        data: Files and folders under ``SPINESCRIBE_DATA`` that it cannot do without.
        programs: That it cannot do without.
        commands: One after another, each a module and its arguments for ``python -m``.
        record: JSON file that the commands write, in the part's folder.
        figures: To be compared.
    """

    name: str
    about: str
    minutes: float | None
    weights: tuple[str, ...]
    data: tuple[str, ...]
    programs: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    record: str
    figures: tuple[Figure, ...] = field(default=())


def load_plan(parts_file: Path = PARTS_FILE, expected_file: Path = EXPECTED_FILE) -> tuple[Part, ...]:
    """Read the parts with their figures.

    Raises:
        ConfigError: If a file is missing, a key or column is unknown, missing or of a wrong type, a figure belongs
            to no part, stands twice or has no usable tolerance, or a part has no figure.
    """
    parts = _read_parts(parts_file)
    figures = _read_figures(expected_file, set(parts))
    if empty := [name for name in parts if name not in figures]:
        raise ConfigError(f"{expected_file.name}: expected figures for every part, found none for {empty!r}")
    return tuple(_part(name, values, figures[name], parts_file) for name, values in parts.items())


def choose(parts: Sequence[Part], names: Sequence[str] | None) -> tuple[Part, ...]:
    """Return the parts of some names, in the order of the file; None takes all.

    Raises:
        ConfigError: If there is no such part.
    """
    known = [part.name for part in parts]
    if unknown := [name for name in names or () if name not in known]:
        raise ConfigError(f"--only: expected parts among {known!r}, got {unknown!r}")
    return tuple(part for part in parts if names is None or part.name in names)


def write_expected(found: Mapping[tuple[str, str], float], file: Path = EXPECTED_FILE) -> int:
    """Store found values as the expected ones; tolerances and all other rows stay as they are.

    Args:
        found: (part, pointer) -> value.
        file: The table.

    Returns:
        How many rows changed.
    """
    rows = _read_rows(file)
    changed = 0
    for row in rows:
        value = found.get((row["part"], row["figure"]))
        if value is not None and row["expected"] != (text := f"{value:.{_DIGITS}g}"):
            row["expected"] = text
            changed += 1
    part = file.with_name(file.name + ".part")
    with part.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(file)
    return changed


def _read_parts(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise ConfigError(f"{file.name}: expected the parts to run at {file}, found nothing")
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(values, dict) or not values:
        raise ConfigError(f"{file.name}: expected part names with their keys, got {str(values)[:80]!r}")
    return values


def _part(name: str, values: object, figures: tuple[Figure, ...], file: Path) -> Part:
    place = f"{file.name}: {name!r}"
    if not re.fullmatch(r"[a-z0-9_]+", str(name)):
        raise ConfigError(f"{place}: expected a name of small letters, digits and _, got {name!r}")
    if not isinstance(values, dict):
        raise ConfigError(f"{place}: expected keys and values, got {values!r}")
    keys = {"about", "minutes", "weights", "data", "programs", "commands", "record"}
    if unknown := sorted(set(values) - keys):
        raise ConfigError(f"{place}: expected the keys {sorted(keys)!r}, got the unknown {unknown!r}")
    if missing := [key for key in ("about", "commands", "record") if not values.get(key)]:
        raise ConfigError(f"{place}: expected {missing!r}, found none")
    minutes = values.get("minutes")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int | float)):
        raise ConfigError(f"{place}: minutes: expected a number, got {minutes!r}")
    lists = {key: _texts(values.get(key, []), f"{place}: {key}") for key in ("weights", "data", "programs")}
    commands = tuple(tuple(shlex.split(line)) for line in _texts(values["commands"], f"{place}: commands"))
    return Part(
        name,
        str(values["about"]),
        minutes,
        **lists,
        commands=commands,
        record=str(values["record"]),
        figures=figures,
    )


def _texts(value: object, place: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item.strip() for item in value):
        raise ConfigError(f"{place}: expected a list of texts, got {value!r}")
    return tuple(value)


def _read_figures(file: Path, parts: set[str]) -> dict[str, tuple[Figure, ...]]:
    figures: dict[str, dict[str, Figure]] = {}
    for number, row in enumerate(_read_rows(file), start=2):
        place = f"{file.name}, line {number}"
        if row["part"] not in parts:
            raise ConfigError(f"{place}: expected a part among {sorted(parts)!r}, got {row['part']!r}")
        if not row["figure"].startswith("/"):
            raise ConfigError(f"{place}: figure: expected a JSON Pointer such as /f1/value, got {row['figure']!r}")
        own = figures.setdefault(row["part"], {})
        if row["figure"] in own:
            raise ConfigError(f"{place}: expected each figure once, got {row['figure']!r} again")
        tolerance = _number(row["tolerance"], f"{place}: tolerance")
        if tolerance < 0:
            raise ConfigError(f"{place}: tolerance: expected 0 or more, got {tolerance!r}")
        expected = _number(row["expected"], f"{place}: expected") if row["expected"] else None
        own[row["figure"]] = Figure(row["figure"], expected, tolerance)
    return {name: tuple(own.values()) for name, own in figures.items()}


def _read_rows(file: Path) -> list[dict[str, str]]:
    if not file.is_file():
        raise ConfigError(f"{file.name}: expected the figures at {file}, found nothing")
    with file.open(encoding="utf-8", newline="") as stream:
        table = csv.DictReader(stream)
        if tuple(table.fieldnames or ()) != COLUMNS:
            raise ConfigError(f"{file.name}: expected the columns {COLUMNS!r}, got {table.fieldnames!r}")
        rows = list(table)
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise ConfigError(f"{file.name}, line {number}: expected {len(COLUMNS)} cells, got {row!r}")
    return rows


def _number(text: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{place}: expected a number, got {text!r}") from None
    if not math.isfinite(value):
        raise ConfigError(f"{place}: expected a finite number, got {text!r}")
    return value
