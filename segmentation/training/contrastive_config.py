"""The contrastive run: one YAML file, checked at load."""

from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ConfigError
from runtime.records import as_record, read_sections
from segmentation.clip.config import ClipConfig, clip_config


@dataclass(frozen=True)
class PhantomDraw:
    """Phantoms of one body region."""

    protocol: str = "lumbar"
    """``lumbar``, ``cervical`` or ``sacroiliac``."""
    patients: int = 160
    """How many."""
    first_seed: int = 200000
    """Seeds count up from here; far from those of the named test sets (900,000) and of segmentation's slices."""
    slices: int = 3
    """Slices of each; the middle one lies at the middle of the spine."""
    spacing_mm: float = 13.0
    """Between slices: the outer sagittal ones show the foramina."""
    scanners: int = 2
    """Scanners by chance of each slice."""
    contrasts: int = 1
    """Contrasts by chance of each slice."""
    pixel_mm: tuple[float, float] = (1.0, 1.3)
    """Range of the pixel size."""
    rows: int = 256
    """Of a slice."""
    columns: int = 208
    """Of a slice."""


@dataclass(frozen=True)
class ContrastiveTraining:
    """One run."""

    steps: int = 400
    """Optimiser steps."""
    regions: int = 64
    """Regions a step."""
    statements: int = 112
    """Statements a step, drawn from what is true of the regions, its opposites, and the prompts."""
    graded_share: float = 0.6
    """Share of the regions that have findings."""
    learning_rate: float = 0.002
    """Peak; it rises over 10 % of the steps and falls by half a cosine to 1 %."""
    weight_decay: float = 0.05
    """AdamW."""
    text_weight: float = 0.5
    """Weight of the loss between wordings; 0 where the text tower is locked."""
    temperature: float = 0.1
    """Of the loss between wordings."""
    text_from: str = ""
    """Safetensors file of a trained text tower, which then stays locked; empty trains the text tower."""
    visual_from: str = ""
    """Model folder whose visual tower the run begins with; empty begins with random weights."""
    real_share: float = 0.0
    """Share of the regions of a step that come from real slices (SPIDER's middle slices with gradings)."""
    ema: float = 0.0
    """Share of the old averaged weights kept each step; the averaged weights are what is stored. 0 stores the
    last."""
    checkpoint_steps: int = 100
    """Steps between two checkpoints."""
    seed: int = 0
    """Of weights, draws and augmentation."""
    threads: int = 1
    """CPU threads."""
    phantoms: tuple[PhantomDraw, ...] = (PhantomDraw(),)
    """Phantoms to draw regions from."""


@dataclass(frozen=True)
class ContrastiveRun:
    """Model and training of one file."""

    model: ClipConfig
    training: ContrastiveTraining


def load_contrastive_run(path: Path) -> ContrastiveRun:
    """Read a training file.

    Raises:
        ConfigError: If the file is missing or not a mapping, or a key is unknown or has the wrong type.
    """
    sections = read_sections(path, ("model", "training"))
    given = sections["training"]
    draws = tuple(as_record(PhantomDraw, item, f"{path.name}: phantoms") for item in given.pop("phantoms", ()))
    training = as_record(ContrastiveTraining, given | {"phantoms": draws}, f"{path.name}: training")
    _check(training, path.name)
    return ContrastiveRun(clip_config(sections["model"]), training)


def _check(training: ContrastiveTraining, name: str) -> None:
    """Refuse values that could only fail later."""
    if min(training.steps, training.regions, training.statements) < 1:
        raise ConfigError(
            f"{name}: steps, regions, statements: expected at least 1 each, "
            f"got {training.steps}, {training.regions}, {training.statements}"
        )
    if not 0 <= training.real_share <= 1 or not 0 <= training.graded_share <= 1:
        raise ConfigError(
            f"{name}: real_share, graded_share: expected 0 to 1, "
            f"got {training.real_share}, {training.graded_share}"
        )
    if not training.phantoms and training.real_share < 1:
        raise ConfigError(f"{name}: phantoms: expected some, as real_share is {training.real_share}, got none")
    if training.real_share and not training.text_from:
        raise ConfigError(
            f"{name}: real_share: expected 0 while the text tower trains, got {training.real_share}: its prompts "
            "would have seen the patients of every fold; give text_from"
        )
