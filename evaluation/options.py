"""Options of one evaluation, the same for all tasks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.subgroups import Subgroups
from runtime.errors import ConfigError
from runtime.progress import Progress


def _silent(_: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class EvaluationOptions:
    """What a run may be told.

    Attributes:
        patients: Case id -> patient, where several cases are of one patient; a case not listed is its own patient.
        subgroups: Groups of cases; None for none.
        training: Reports that the system was trained on (CSV or JSONL), for the share that was copied.
        tolerance_mm: Of the surface Dice.
        level_distance_mm: Within it a level counts as found.
        spacing_mm: (row, column) of PNG label maps, which carry none; None leaves distances unscored.
        score_threshold: From which a box counts as shown, for recall and false positives.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
        show: Told how far the run is.
    """

    patients: Mapping[str, str] = field(default_factory=dict)
    subgroups: Subgroups | None = None
    training: Path | None = None
    tolerance_mm: float = 1.0
    level_distance_mm: float = 20.0
    spacing_mm: tuple[float, float] | None = None
    score_threshold: float = 0.5
    resamples: int = 1000
    seed: int = 0
    show: Callable[[Progress], None] = _silent

    def __post_init__(self) -> None:
        for name in ("tolerance_mm", "level_distance_mm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name}: expected a number above 0, got {getattr(self, name)!r}")
        if not 0.0 <= self.score_threshold <= 1.0:
            raise ConfigError(f"score_threshold: expected 0 to 1, got {self.score_threshold!r}")
        if self.resamples < 0:
            raise ConfigError(f"resamples: expected 0 or more, got {self.resamples!r}")

    def patient_of(self, case: str) -> str:
        """Return the patient of a case: the case itself where nothing else is known."""
        return self.patients.get(case, case)
