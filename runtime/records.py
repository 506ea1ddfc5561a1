"""From a parsed YAML or JSON file to frozen records, with every key and type checked."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import yaml

from runtime.errors import ConfigError

T = TypeVar("T")


def read_sections(path: Path, names: tuple[str, str]) -> dict[str, dict[str, Any]]:
    """Read a training file of two sections; one that is left out is empty.

    Raises:
        ConfigError: If the file is missing or holds anything else.
    """
    if not path.is_file():
        raise ConfigError(f"{path.name}: expected a training file at {path}, found nothing")
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict) or not set(values) <= set(names):
        raise ConfigError(f"{path.name}: expected the keys {' and '.join(names)}, got {values!r}"[:300])
    return {name: dict(values.get(name) or {}) for name in names}


def as_record(kind: type[T], values: Mapping[str, Any], place: str) -> T:
    """Build a flat dataclass from parsed values; lists become tuples.

    Args:
        kind: The dataclass.
        values: Some of its fields.
        place: Where they stand, for the message.

    Raises:
        ConfigError: If a key is unknown or missing, or a value has another type than the field's default.
    """
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(
            f"{place}: unknown keys {', '.join(unknown)}; expected some of {', '.join(sorted(known))}"
        )
    ready = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    hints = get_type_hints(kind)
    for key, value in ready.items():
        default = known[key].default
        may_be_none = value is None and type(None) in get_args(hints[key])
        if default is not MISSING and default is not None and not may_be_none and not _fits(value, default):
            raise ConfigError(f"{place}: {key}: expected {type(default).__name__}, got {value!r}")
    try:
        return kind(**ready)
    except TypeError as error:  # a key without default is missing
        raise ConfigError(f"{place}: {error}") from error


def require_positive(record: object, names: Iterable[str], place: str) -> None:
    """Refuse fields that are not above 0.

    Raises:
        ConfigError: Naming the field, as ``place.name``.
    """
    for name in names:
        if getattr(record, name) <= 0:
            raise ConfigError(f"{place}.{name}: expected a positive number, got {getattr(record, name)!r}")


def _fits(value: object, default: object) -> bool:
    """Return whether a value has the default's type; a whole number does for a float."""
    return type(value) is type(default) or (isinstance(default, float) and type(value) is int)
