"""What every task of the evaluation returns: figures, a row a case, tables, and what was left out and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.bootstrap import Interval

Figure = Interval | float | None
Row = Mapping[str, object]


@dataclass(frozen=True)
class Evaluation:
    """One task, scored.

    Attributes:
        task: ``report``, ``segmentation``, ``grading`` or ``detection``.
        unit: What a row of ``per_case`` is: ``report``, ``study``, ...
        figures: Name -> figure with its interval, a plain number, or None with a reason in ``notices``.
        per_case: One row a case, ``id`` and ``patient`` first.
        tables: Name -> rows: ``baselines``, ``subgroups``, ``confusion``, ``by_class``, ``by_level``, ...
        notices: What was skipped or left out, by name, with the reason.
        failures: Why the predictions cannot be trusted (collapse, leakage); the command then exits with 2.
        headline: Names of the figures that a reader looks at first; subgroups are scored on them.
    """

    task: str
    unit: str
    figures: Mapping[str, Figure]
    per_case: Sequence[Row]
    tables: Mapping[str, Sequence[Row]]
    notices: tuple[str, ...]
    failures: tuple[str, ...]
    headline: tuple[str, ...] = ()

    @property
    def patients(self) -> int:
        """Return how many patients the cases are of."""
        return len({row["patient"] for row in self.per_case})


def value_of(figure: Figure) -> float | None:
    """Return the number alone."""
    return figure.value if isinstance(figure, Interval) else figure
