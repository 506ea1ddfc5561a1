"""The reference report of a phantom: its truth in plain sentences.

A separate, small text so that the language of ``reporting`` can be tested against something it did not write. A
region supplies ``report.py`` with ``report_parts(phantom) -> ReportParts``; its words are a table of
``configs/phantom``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module

from anatomy import Condition
from imaging.phantom.types import Phantom, TruthGrade

_TITLE = "Reference report of {name}"
_NOTICE = "Made-up patient. This text follows from the truth of the phantom and is for testing only."


@dataclass(frozen=True)
class ReportParts:
    """Technique in one paragraph, findings and impression in one paragraph each."""

    technique: str
    findings: tuple[str, ...]
    impression: tuple[str, ...]


def reference_report(phantom: Phantom) -> str:
    """Return the report as Markdown: technique, findings, impression."""
    parts: ReportParts = import_module(f"imaging.phantom.{phantom.protocol}.report").report_parts(phantom)
    lines = [
        f"# {_TITLE.format(name=phantom.name)}",
        f"{_NOTICE} ({phantom.version})",
        "## Technique",
        parts.technique,
        "## Findings",
        *parts.findings,
        "## Impression",
        *parts.impression,
    ]
    return "\n\n".join(lines) + "\n"


Values = Callable[[TruthGrade], Mapping[str, str]]
"""What the sentence of a grade may fill in."""


def level_sentences(
    phantom: Phantom, level: str, table: Mapping[str, Mapping[str, str]], values: Values
) -> list[str]:
    """Return a sentence for each grade of a level that the table has one for; condition -> grade -> sentence."""
    return [
        table[grade.condition.value][grade.grade].format(**values(grade))
        for grade in phantom.grades
        if grade.level == level and grade.grade in table.get(grade.condition.value, {})
    ]


def asked_lines(
    phantom: Phantom, table: Mapping[str, str], asked: Iterable[tuple[str, Condition, str]], values: Values
) -> list[str]:
    """Return a line for each grade that is asked for, in that order: key of the table, condition, step."""
    return [
        table[key].format(**values(grade))
        for key, condition, step in asked
        for grade in phantom.grades
        if grade.condition is condition and grade.grade == step
    ]


def numbered(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the lines with their numbers, from 1."""
    return tuple(f"{number}. {line}" for number, line in enumerate(lines, start=1))
