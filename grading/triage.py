"""Findings that should be looked at first (``rules/triage.yaml``). No torch."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from anatomy import CONDITIONS
from grading.types import Grade


def triage_alert(grades: Iterable[Grade]) -> str | None:
    """Return the sentence that stands above a reading with an urgent finding; None for a reading without one.

    Args:
        grades: Of the study.
    """
    rules = _load()
    urgent: dict[str, list[str]] = {}
    for grade in grades:
        if is_urgent(grade):
            places = urgent.setdefault(CONDITIONS[grade.condition].words, [])
            if grade.level is not None and grade.level not in places:
                places.append(grade.level)
    if not urgent:
        return None
    named = "; ".join(f"{words} at {', '.join(places)}" if places else words for words, places in urgent.items())
    return f"To be looked at first: suspected {named} ({rules.id}). The draft does not replace the reader."


def is_urgent(grade: Grade) -> bool:
    """Tell whether the table lists a grade's step as urgent."""
    return (grade.condition.value, grade.scale, grade.grade) in _load().urgent


class _Rules:
    """The table: its name and version, and (condition, scale, step) of what is urgent."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.id: str = table["id"]
        self.urgent = frozenset(
            (row["condition"], row["scale"], step) for row in table["urgent"] for step in row["steps"]
        )


@cache
def _load() -> _Rules:
    file = Path(__file__).parent / "rules" / "triage.yaml"
    return _Rules(yaml.safe_load(file.read_text(encoding="utf-8")))
