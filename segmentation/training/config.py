"""The training run: one YAML file, checked at load."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.errors import ConfigError
from runtime.records import as_record, read_sections
from segmentation.config import NetworkConfig, network_config
from segmentation.pid_tversky import ErrorKind

KINDS = (
    "space",
    "t2",
    "t1",
    "vertebrae",
    "cord",
    "cord_axial",
    "phantom",
    "phantom_axial",
    "phantom_cervical",
    "phantom_cervical_axial",
    "phantom_sacroiliac",
)
"""Kinds of training slices (``data``, ``cords``, ``phantoms``)."""
REGION_LOSSES = ("pid_tversky", "tversky", "focal_tversky", "dice")
"""Overlap losses (``losses``)."""


@dataclass(frozen=True)
class PidConfig:
    """The Adaptive PID-Tversky loss (``segmentation.pid_tversky``)."""

    beta: float = 0.5
    """Cost of a missed pixel at the start."""
    proportional: float = 0.5
    """Kp."""
    integral: float = 0.1
    """Ki, per epoch."""
    derivative: float = 0.2
    """Kd, in epochs."""
    derivative_filter: float = 0.5
    """Share of the old derivative kept each epoch."""
    beta_low: float = 0.3
    """Smallest beta."""
    beta_high: float = 0.7
    """Largest beta."""
    set_point: float = 0.9
    """Soft recall to reach."""
    errors: tuple[str, ...] = ("recall_set_point", "precision_recall_gap")
    """What is steered in each cycle (the last name holds for further ones): first find all, then balance."""
    focal: float = 1.0
    """Exponent on (1 - Tversky index)."""


@dataclass(frozen=True)
class PseudoConfig:
    """Self-training: the model's own confident masks on T2 slices teach it T2, and T1 of equal geometry."""

    at_steps: tuple[int, ...] = (350, 700)
    """Steps at which the masks are drawn (anew); none leaves self-training out."""
    weight: float = 0.5
    """Weight of a pseudo-labelled pixel against a drawn one."""
    confidence: float = 0.85
    """A pixel counts where the winning probability is at least this."""


@dataclass(frozen=True)
class ViewConfig:
    """How freely a training slice is seen (``segmentation.training.augment``)."""

    scale_low: float = 0.62
    """Smallest magnification of the canonical grid ..."""
    scale_high: float = 1.1
    """... and the largest."""
    whole_share: float = 0.35
    """Chance that the whole slice is in view, as in prediction."""
    angle_deg: float = 15.0
    """Largest turn either way."""
    shift: float = 0.25
    """Largest shift of the focus, as a share of the crop."""
    contrast: float = 1.0
    """Share of the contrast augmentation, 0 to 1."""
    alone_share: float = 0.3
    """Chance that a slice with neighbours is seen without them."""


@dataclass(frozen=True)
class FinishConfig:
    """Last steps of a run: mostly drawn masks, milder contrast, a low rate, the loss balanced."""

    steps: int = 0
    """Steps after ``TrainingConfig.steps``; 0 leaves the phase out."""
    learning_rate: float = 0.001
    """Rate at its start; it falls by half a cosine to 1 %."""
    view: ViewConfig = ViewConfig(contrast=0.4)
    """How freely slices are seen."""
    mix: Mapping[str, float] = field(
        default_factory=lambda: {"space": 0.7, "t2": 0.1, "t1": 0.1, "vertebrae": 0.1}
    )
    """Chance of each kind of slice in a batch."""


@dataclass(frozen=True)
class PhantomConfig:
    """Phantoms to train on in place of real slices (``segmentation.training.phantoms``)."""

    kind: str = "phantom"
    """Region and plane: one of ``KINDS`` that starts with phantom."""
    patients: int = 200
    """How many."""
    first_seed: int = 100000
    """Seeds count up from here; far from those of the named test sets."""
    slices: int = 4
    """Neighbouring slices of each."""
    contrasts: int = 1
    """Contrasts by chance of each slice."""
    scanners: int = 1
    """Scanners by chance of each slice."""


@dataclass(frozen=True)
class TrainingConfig:
    """One run."""

    steps: int = 1400
    """Optimiser steps."""
    cycles: int = 2
    """The rate rises and falls this many times; the model is stored at the end of each."""
    batch: int = 4
    """Crops a step."""
    crop_px: tuple[int, ...] = (448, 320)
    """Rows and columns of a crop, multiples of 16, in pixels of the canonical grid."""
    learning_rate: float = 0.002
    """Peak of the first cycle; each later one peaks at 0.7 of the one before."""
    weight_decay: float = 0.01
    """AdamW."""
    clip_norm: float = 1.0
    """Largest norm of the gradient."""
    ema: float = 0.99
    """Share of the old averaged weights kept each step; the averaged weights are what is stored."""
    epoch_steps: int = 40
    """Steps between two moves of the PID controller."""
    checkpoint_steps: int = 100
    """Steps between two checkpoints."""
    seed: int = 0
    """Of weights, draws and augmentation."""
    threads: int = 1
    """CPU threads."""
    mix: Mapping[str, float] = field(
        default_factory=lambda: {"space": 0.5, "t2": 0.2, "t1": 0.2, "vertebrae": 0.1}
    )
    """Chance of each kind of slice in a batch."""
    view: ViewConfig = ViewConfig()
    """How freely slices are seen."""
    region_loss: str = "pid_tversky"
    """The overlap loss: ``pid_tversky``, ``tversky``, ``focal_tversky`` or ``dice``."""
    start: str | None = None
    """Model folder to start from; None starts from random weights."""
    text_tower: str | None = None
    """Weights file of a text tower that is then kept as it is; None trains the tower with the masks."""
    loss: Mapping[str, float] = field(default_factory=lambda: {"tversky": 1.0, "cross_entropy": 1.0, "level": 0.5})
    """Weights of the three terms."""
    pid: PidConfig = PidConfig()
    """The controller."""
    pseudo: PseudoConfig = PseudoConfig()
    """Self-training."""
    finish: FinishConfig = field(default_factory=FinishConfig)
    """The last steps."""
    phantoms: tuple[PhantomConfig, ...] = ()
    """Phantoms among the training slices."""

    @property
    def total_steps(self) -> int:
        """Return all steps, the last phase included."""
        return self.steps + self.finish.steps


@dataclass(frozen=True)
class RunConfig:
    """Network and training of one file."""

    network: NetworkConfig
    training: TrainingConfig


def load_run_config(path: Path) -> RunConfig:
    """Read a training file.

    Raises:
        ConfigError: If the file is missing or not a mapping, or a key is unknown or has the wrong type.
    """
    sections = read_sections(path, ("network", "training"))
    training = sections["training"]
    training["pid"] = as_record(PidConfig, training.get("pid") or {}, f"{path.name}: training.pid")
    training["pseudo"] = as_record(PseudoConfig, training.get("pseudo") or {}, f"{path.name}: training.pseudo")
    training["view"] = as_record(ViewConfig, training.get("view") or {}, f"{path.name}: training.view")
    finish = dict(training.get("finish") or {})
    if "view" in finish:
        finish["view"] = as_record(ViewConfig, finish["view"], f"{path.name}: training.finish.view")
    training["finish"] = as_record(FinishConfig, finish, f"{path.name}: training.finish")
    training["phantoms"] = [
        as_record(PhantomConfig, values, f"{path.name}: training.phantoms")
        for values in training.get("phantoms") or []
    ]
    run = RunConfig(
        network=network_config(sections["network"]),
        training=as_record(TrainingConfig, training, f"{path.name}: training"),
    )
    _check(run.training, path.name)
    return run


def _check(training: TrainingConfig, name: str) -> None:
    """Refuse values that could only fail later."""
    if not training.pid.errors or set(training.pid.errors) - {kind.value for kind in ErrorKind}:
        raise ConfigError(
            f"{name}: pid.errors: expected {[kind.value for kind in ErrorKind]}, got {training.pid.errors!r}"
        )
    if len(training.crop_px) != 2 or any(side % 16 for side in training.crop_px):
        raise ConfigError(f"{name}: crop_px: expected two multiples of 16, got {training.crop_px!r}")
    for mix in (training.mix, training.finish.mix):
        if set(mix) - set(KINDS):
            raise ConfigError(f"{name}: mix: expected some of {KINDS!r}, got {sorted(mix)!r}")
    if training.region_loss not in REGION_LOSSES:
        raise ConfigError(f"{name}: region_loss: expected one of {REGION_LOSSES!r}, got {training.region_loss!r}")
    if set(training.loss) != {"tversky", "cross_entropy", "level"}:
        raise ConfigError(f"{name}: loss: expected tversky, cross_entropy, level, got {sorted(training.loss)!r}")
    if min(training.steps, training.batch, training.cycles) < 1 or training.steps % training.cycles:
        raise ConfigError(
            f"{name}: steps, batch, cycles: expected at least 1 each and whole cycles, "
            f"got {training.steps}, {training.batch}, {training.cycles}"
        )
