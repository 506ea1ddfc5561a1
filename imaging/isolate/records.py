"""Frozen records as JSON and back, checked field by field against their types; arrays go beside it.

The reading side believes nothing: what does not fit the declared type of its field is refused, and nothing in the
bytes can name a class or run code.
"""

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

_R = TypeVar("_R")
_ARRAY = "array"


class MisfitError(ValueError):
    """A value does not fit the type of its field."""


def to_plain(value: object, arrays: list[NDArray[np.generic]]) -> Any:
    """Return a value as JSON types; its arrays are appended to ``arrays`` and referred to by number.

    Args:
        value: Dataclass, Enum, tuple, mapping with text keys, array, text, number or None.
        arrays: Takes the arrays.

    Raises:
        MisfitError: If it holds anything else.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {_ARRAY: len(arrays) - 1}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name), arrays) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item, arrays) for key, item in value.items()}
    if isinstance(value, tuple):
        return [to_plain(item, arrays) for item in value]
    raise MisfitError(f"a {type(value).__name__} cannot be handed over")


def from_plain(value: Any, record: type[_R], arrays: list[NDArray[np.generic]]) -> _R:
    """Return the record that ``to_plain`` was given.

    Raises:
        MisfitError: If the value does not fit the record's types.
    """
    return _decoded(value, record, arrays)  # type: ignore[no-any-return]


def _decoded(value: Any, hint: Any, arrays: list[NDArray[np.generic]]) -> Any:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _decoded_union(value, inner, arrays)
    if origin is tuple:
        return _decoded_tuple(value, inner, arrays)
    if origin in (dict, Mapping):
        return {key: _decoded(item, inner[1], arrays) for key, item in _expect(value, dict).items()}
    if origin is np.ndarray:
        return _decoded_array(value, inner, arrays)
    if hint is type(None):
        return _expect(value, type(None))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _decoded_enum(value, hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _decoded_record(value, hint, arrays)
    if hint is float:
        return float(_expect(value, float, int))
    if hint in (str, bool, int):
        return _expect(value, hint)
    raise MisfitError(f"a field of type {hint} cannot be handed over")


def _expect(value: Any, *kinds: type) -> Any:
    """Return the value if it is just of one of these types (True is no number)."""
    if type(value) not in kinds:
        raise MisfitError(f"expected {' or '.join(kind.__name__ for kind in kinds)}, found {type(value).__name__}")
    return value


def _decoded_union(value: Any, options: tuple[Any, ...], arrays: list[NDArray[np.generic]]) -> Any:
    for option in options:
        try:
            return _decoded(value, option, arrays)
        except MisfitError as error:
            last = error
    raise last


def _decoded_tuple(value: Any, inner: tuple[Any, ...], arrays: list[NDArray[np.generic]]) -> tuple[Any, ...]:
    items = _expect(value, list)
    hints = (inner[0],) * len(items) if inner[1:] == (Ellipsis,) else inner
    if len(items) != len(hints):
        raise MisfitError(f"expected {len(hints)} items, found {len(items)}")
    return tuple(_decoded(item, hint, arrays) for item, hint in zip(items, hints, strict=True))


def _decoded_array(value: Any, inner: tuple[Any, ...], arrays: list[NDArray[np.generic]]) -> Any:
    number = _expect(value, dict).get(_ARRAY)
    if type(number) is not int or not 0 <= number < len(arrays):
        raise MisfitError(f"expected the number of an array, found {number!r}")
    (scalar,) = get_args(inner[1])
    if arrays[number].dtype != np.dtype(scalar):
        raise MisfitError(f"expected an array of {np.dtype(scalar)}, found {arrays[number].dtype}")
    return arrays[number]


def _decoded_enum(value: Any, kind: type[Enum]) -> Enum:
    try:
        return kind(value)
    except ValueError as error:
        raise MisfitError(str(error)) from error


def _decoded_record(value: Any, kind: type[Any], arrays: list[NDArray[np.generic]]) -> Any:
    hints = get_type_hints(kind)
    names = {field.name for field in fields(kind)}
    if set(_expect(value, dict)) != names:
        raise MisfitError(f"{kind.__name__}: expected the fields {sorted(names)}")
    return kind(**{name: _decoded(value[name], hints[name], arrays) for name in names})
