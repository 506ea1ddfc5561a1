"""Options of one evaluation, the same for all tasks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evaluation.subgroups import Subgroups
from runtime.errors import ConfigError
from runtime.progress import Progress

TEXT_METRICS = ("bleu", "rouge_l", "cider", "cider_d", "meteor", "spice", "spinefact")
"""Scored by default; one that cannot run here is skipped by name."""


def _silent(_: Progress) -> None:
    """Show nothing."""


@dataclass(frozen=True)
class EvaluationOptions:
    """What a run may be told.

    Attributes:
        patients: Case id -> patient, where several cases are of one patient; a case not listed is its own patient.
        subgroups: Groups of cases; None for none.
        metrics: Of the report task, by their names in ``evaluation.text.METRICS``.
        training: Reports that the system was trained on, for the share that was copied and the commonest of them.
        against: Reports of a second system on the same cases, for a paired test.
        embeddings: Vectors of the cases' images, for the nearest-neighbour baseline.
        splits: Which case is of which patient and in which part of the data (CSV), to look for leakage.
        images: Folder of the cases' images, for near-duplicates between parts.
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
    metrics: tuple[str, ...] = TEXT_METRICS
    training: Path | None = None
    against: Path | None = None
    embeddings: Path | None = None
    splits: Path | None = None
    images: Path | None = None
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
        if self.images is not None and self.splits is None:
            raise ConfigError("images: expected a table of splits with it, got none")
        if self.resamples < 0:
            raise ConfigError(f"resamples: expected 0 or more, got {self.resamples!r}")

    def patient_of(self, case: str) -> str:
        """Return the patient of a case: the case itself where nothing else is known."""
        return self.patients.get(case, case)
