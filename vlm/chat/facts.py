"""A reading.json seen as facts: what is graded where, how it is said, what it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any

from anatomy import CONDITIONS, DISC_LEVELS, SCALES, Condition, Side, protocol_names
from grading.types import Findings
from reporting.stored import read_findings
from vlm.chat.lexicon import load_lexicon
from vlm.chat.safe import safe_text

UNITS = {"mm": "mm", "cm": "cm", "mm2": "mm²", "deg": "degrees", "%": "%"}
"""Unit of reading.json -> how an answer writes it; any other is left out."""

_NUMBERED = frozenset({"pfirrmann", "modic", "kang"})

Row = Mapping[str, Any]
"""One item of ``grades`` or ``measurements`` of reading.json."""


class Polarity(StrEnum):
    """How a grade is said; a set with normal and abnormal steps is neither there nor not there."""

    PRESENT = "present"
    POSSIBLE = "possible"
    ABSENT = "absent"
    NOT_ASSESSABLE = "not_assessable"


def _is_check(grade: Row) -> bool:
    """Return whether a grade is a second way of grading, which is not spoken of."""
    return grade["scale"] in CONDITIONS[Condition(grade["condition"])].checks


class Facts:
    """Look-ups in a validated reading.json."""

    def __init__(self, reading: Mapping[str, Any]) -> None:
        self.reading = reading
        self.grades: Sequence[Row] = [grade for grade in reading["grades"] if not _is_check(grade)]
        self.measurements: Sequence[Row] = reading["measurements"]

    @cached_property
    def findings(self) -> Findings:
        """Return the findings graph without the free text of the reading."""
        return read_findings(self.reading)

    @cached_property
    def levels(self) -> tuple[str, ...]:
        """Return the levels that were found or graded, cranial to caudal."""
        names = {level["name"] for level in self.reading["levels"]}
        names |= {grade["level"] for grade in self.grades if grade["level"] is not None}
        return tuple(sorted(names, key=_level_order))

    @property
    def protocol(self) -> str:
        """Return the name of the protocol, one of ours."""
        name = str(self.reading["study"]["protocol"])
        return name if name in protocol_names() else "unknown"

    @property
    def scales(self) -> tuple[str, ...]:
        """Return the scales that are used, in order of first use."""
        return tuple(dict.fromkeys(str(grade["scale"]) for grade in self.grades))

    def select(
        self,
        *,
        levels: Iterable[str] = (),
        conditions: Iterable[str] = (),
        sides: Iterable[Side] = (),
        scales: Iterable[str] = (),
    ) -> list[Row]:
        """Return the grades that match every filter that is not empty."""
        wanted = set(levels), set(conditions), {side.value for side in sides}, set(scales)
        return [
            grade
            for grade in self.grades
            if (not wanted[0] or grade["level"] in wanted[0])
            and (not wanted[1] or grade["condition"] in wanted[1])
            and (not wanted[2] or grade["side"] is None or grade["side"] in wanted[2])
            and (not wanted[3] or grade["scale"] in wanted[3])
        ]

    def measured(self, names: Iterable[str], levels: Iterable[str] = ()) -> list[Row]:
        """Return the measurements of some names, at some levels (none: all)."""
        wanted, places = set(names), set(levels)
        rows = [item for item in self.measurements if item["name"] in wanted]
        return [item for item in rows if not places or item["level"] in places]

    def points(self) -> dict[str, float]:
        """Return level -> points of the burden score, levels with points only."""
        level_of = {grade["id"]: grade["level"] for grade in self.grades}
        points: dict[str, float] = {}
        for term in self.reading["burden"]["terms"]:
            level = level_of.get(term["grade"])
            if level is not None and term["points"] > 0:
                points[level] = points.get(level, 0.0) + term["points"]
        return points


def polarity(grade: Row) -> Polarity:
    """Return how a grade is said, by its prediction set."""
    if grade["status"] != "graded":
        return Polarity.NOT_ASSESSABLE
    steps = [SCALES[grade["scale"]].step(step) for step in steps_of(grade)]
    abnormal = [step.is_abnormal for step in steps]
    if all(abnormal):
        return Polarity.PRESENT
    return Polarity.POSSIBLE if any(abnormal) else Polarity.ABSENT


def weight(grade: Row) -> tuple[float, float]:
    """Return the severity of a grade, 0 to 1 (0 unless it is surely abnormal), then the mean of its open steps."""
    kind = polarity(grade)
    if kind in {Polarity.NOT_ASSESSABLE, Polarity.ABSENT}:
        return (0.0, 0.0)
    scale, steps = SCALES[grade["scale"]], steps_of(grade)
    sure = scale.step(grade["grade"]).weight if kind is Polarity.PRESENT else 0.0
    return sure, sum(scale.step(step).weight for step in steps) / len(steps)


def condition_words(grade: Row) -> str:
    """Return ``left neural foraminal narrowing``."""
    words = CONDITIONS[Condition(grade["condition"])].words
    return words if grade["side"] is None else f"{grade['side']} {words}"


def step_words(grade: Row) -> str:
    """Return ``Pfirrmann grade IV or V``: the scale's words for every step that cannot be excluded."""
    scale = SCALES[grade["scale"]]
    first, *others = steps_of(grade)
    words = [step if scale.name in _NUMBERED else scale.step(step).words for step in others]
    return " or ".join([scale.step(first).words, *words])


def say_value(item: Row) -> str:
    """Return ``9.0 mm``, ``0.31``, or why there is none."""
    if item["value"] is None:
        return f"not assessable ({safe_text(str(item['reason']))})"
    if item["unit"] == "1":
        return f"{item['value']:.2f}"
    number = abs(item["value"]) if item["name"] == "listhesis" else item["value"]
    return f"{number:.1f} {UNITS.get(item['unit'], '')}".rstrip()


def quantity_title(item: Row) -> str:
    """Return how an answer names a measurement, with its side."""
    name = str(item["name"])
    title = load_lexicon().quantity_titles.get(name, "another quantity")
    return title if item["side"] is None else f"{item['side']} {title}"


def ids_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the ids of rows, each once."""
    return tuple(dict.fromkeys(str(row["id"]) for row in rows))


def join_words(items: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def steps_of(grade: Row) -> Sequence[str]:
    """Return the steps that cannot be excluded, in the scale's order."""
    chosen = set(grade["prediction_set"]) or {grade["grade"]}
    return [step for step in SCALES[grade["scale"]].grades if step in chosen]


def _level_order(name: str) -> int:
    return DISC_LEVELS.index(name) if name in DISC_LEVELS else len(DISC_LEVELS)
