"""Grading scales: ordered steps, the words of each step and where the definition comes from (``scales.yaml``)."""

from dataclasses import dataclass
from pathlib import Path

import yaml


@dataclass(frozen=True)
class ScaleStep:
    """One step of a scale.

    Attributes:
        grade: The step's identifier in reading.json, such as ``IV`` or ``normal_mild``.
        words: How a report says it, such as ``Pfirrmann grade IV``.
        meaning: What it looks like, paraphrased from the source.
        is_abnormal: True when the step is a positive finding.
        weight: Severity, 0 (normal) to 1 (worst step), for ranking; rises with the step.
    """

    grade: str
    words: str
    meaning: str
    is_abnormal: bool
    weight: float


@dataclass(frozen=True)
class Scale:
    """A named grading scale, steps from best to worst.

    Attributes:
        name: Identifier in reading.json, such as ``pfirrmann``.
        title: For people, such as ``Pfirrmann``.
        steps: The steps in order.
        is_ordinal: False for scales whose steps have no order (Modic types).
        source: Where the definition comes from.
        present_from: First step that counts as present where the same condition is also graded present or absent;
            None where no condition is graded both ways.
    """

    name: str
    title: str
    steps: tuple[ScaleStep, ...]
    is_ordinal: bool
    source: str
    present_from: str | None = None

    @property
    def grades(self) -> tuple[str, ...]:
        """Return the identifiers of the steps in order."""
        return tuple(step.grade for step in self.steps)

    def step(self, grade: str) -> ScaleStep:
        """Return one step.

        Raises:
            ValueError: If the scale has no such step.
        """
        for step in self.steps:
            if step.grade == grade:
                return step
        raise ValueError(f"scale {self.name}: expected one of {', '.join(self.grades)}, got {grade!r}")


def _load() -> dict[str, Scale]:
    table = yaml.safe_load((Path(__file__).parent / "scales.yaml").read_text(encoding="utf-8"))
    return {
        name: Scale(
            name=name,
            title=row["title"],
            steps=tuple(ScaleStep(**step) for step in row["steps"]),
            is_ordinal=row["is_ordinal"],
            source=row["source"],
            present_from=row.get("present_from"),
        )
        for name, row in table.items()
    }


SCALES: dict[str, Scale] = _load()
