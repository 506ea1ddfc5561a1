"""Configuration of a training run: ``region`` and sections ``crops``, ``network``, ``training`` of a YAML file."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from grading.config import GraderConfig, build_grader_config
from grading.training.optimisation import OptimisationConfig
from runtime.errors import ConfigError
from runtime.folds import FOLD_COUNT
from runtime.records import as_record

TEACHES = ("rest", "all")
MEMBER_KINDS = ("all", "midline")


@dataclass(frozen=True)
class PhantomConfig:
    """Made-up patients to train on beside, or in place of, real ones."""

    patients: int = 0
    """How many."""
    first_seed: int = 300_000
    """Seed of the first; the others follow."""
    varied_share: float = 0.7
    """Share scanned with drawn grids, timing, scanners and faults; the rest by the usual setup."""
    teaches: str = "rest"
    """``rest``: only what no real grading tells (``real: false`` in heads.yaml); ``all``: every condition."""
    found_front: float = 0.0
    """How far in front of the true posterior disc margin a reading finds it on average, in pitches
    (``python -m benchmarks.placement`` measures it)."""
    found_down: float = 0.0
    """How far below it."""

    def __post_init__(self) -> None:
        if self.patients < 0 or self.first_seed < 0:
            raise ConfigError(
                "training.phantoms: expected patients and first_seed from 0, got "
                f"{self.patients}, {self.first_seed}"
            )
        if not 0 <= self.varied_share <= 1:
            raise ConfigError(f"training.phantoms.varied_share: expected 0 to 1, got {self.varied_share!r}")
        if self.teaches not in TEACHES:
            raise ConfigError(f"training.phantoms.teaches: expected one of {TEACHES!r}, got {self.teaches!r}")


@dataclass(frozen=True)
class TrainingConfig(OptimisationConfig):
    """How a grader of discs is trained."""

    point_jitter: float = 0.05
    """Standard deviation of each posterior point's noise, in pitches (found points are about this far off)."""
    shift_jitter: float = 0.05
    """Standard deviation of a crop's shift, in pitches."""
    scale_jitter: float = 0.08
    """Standard deviation of the logarithm of a crop's scale."""
    rotation_jitter_deg: float = 5.0
    """Standard deviation of a crop's turn."""
    t1_dropout: float = 0.3
    """Probability that T1 is left out of a patient who has T2."""
    t2_dropout: float = 0.1
    """Probability that T2 is left out of a patient who has T1."""
    biomarker_jitter: float = 0.1
    """Standard deviation of the noise of a biomarker, in spreads of the table."""
    biomarker_dropout: float = 0.1
    """Probability that a biomarker of a level is left out."""
    biomarkers_out: float = 0.15
    """Probability that a patient's biomarkers are all left out."""
    consistency: float = 0.0
    """Weight of the difference between what two augmentations of a patient are graded; 0 cuts one only."""
    slice_jitter: float = 0.4
    """Probability that a window is read a slice beside its place."""
    source_dropout: float = 0.2
    """Probability that a kind of series (such as ``axial_t2``) is left out of a patient's views."""
    phantoms: PhantomConfig = PhantomConfig()
    """Made-up patients."""
    use_real: bool = True
    """Train on SPIDER's patients (lumbar only)."""
    rsna_dir: str = ""
    """Folder of the RSNA 2024 challenge to train on too (lumbar only); empty where there is none."""
    use_found_points: bool = False
    """Also train on levels and slices without reference points, at points found by a segmentation model:
    ``training_points.csv`` beside the run folders, written by ``grading.training.found_points --model fold0``."""

    members: tuple[str, ...] = ("all",)
    """Networks of a fold, by what each learns; the logits of those that have a head are averaged. ``all``: every
    head, from every case. ``midline``: the heads that see no views, from the cases graded for them."""
    shipped_fold: int | None = 0
    """Fold whose members are shipped, so that its patients stay unseen; None ships those of all folds."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.members[:1] != ("all",) or not set(self.members) <= set(MEMBER_KINDS):
            raise ConfigError(
                f"training.members: expected 'all' first and others among {MEMBER_KINDS!r}, got {self.members!r}"
            )
        if self.shipped_fold is not None and not 0 <= self.shipped_fold < FOLD_COUNT:
            raise ConfigError(f"training.shipped_fold: expected 0 to {FOLD_COUNT - 1}, got {self.shipped_fold!r}")
        self._check_shares("source_dropout", "slice_jitter", "t1_dropout", "t2_dropout")
        self._check_shares("biomarker_dropout", "biomarkers_out")


@dataclass(frozen=True)
class RunConfig:
    """Everything a run is made from."""

    grader: GraderConfig
    """Crops and network; saved with the weights."""
    training: TrainingConfig
    """Optimisation and augmentation."""


def load_run_config(path: Path) -> RunConfig:
    """Read a run's YAML file.

    Raises:
        ConfigError: If the file is missing or not a table, a section or key is unknown, or a value does not fit.
    """
    table = _read_table(path)
    training = dict(table.pop("training", {}))
    phantoms = as_record(PhantomConfig, training.pop("phantoms", {}), f"{path.name}: training: phantoms")
    return RunConfig(
        grader=build_grader_config(table, path.name),
        training=replace(as_record(TrainingConfig, training, f"{path.name}: training"), phantoms=phantoms),
    )


def region_of(path: Path) -> str:
    """Return the body region of a training file, lumbar where it names none.

    Raises:
        ConfigError: If the file is missing or not a table.
    """
    return str(_read_table(path).get("region", "lumbar"))


def _read_table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ConfigError(f"{path}: expected a YAML file with sections crops, network, training; found no file")
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(table, dict):
        raise ConfigError(f"{path.name}: expected sections crops, network, training, got {type(table).__name__}")
    return table
