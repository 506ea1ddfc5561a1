"""The parser's word tables (``lexicon.yaml``, ``spelling.yaml``), read once."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from runtime.errors import ConfigError


@cache
def read_table(name: str) -> dict[str, Any]:
    """Return a table of this folder.

    Raises:
        ConfigError: If it is not a table with a ``version``.
    """
    table = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    if not isinstance(table, dict) or "version" not in table:
        raise ConfigError(f"{name}: expected a table with a version, got {type(table).__name__}")
    return table
