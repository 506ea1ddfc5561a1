"""What every training of a grader is told of its optimisation; each kind adds its own augmentation."""

from dataclasses import dataclass

from runtime.errors import ConfigError
from runtime.records import require_positive


@dataclass(frozen=True)
class OptimisationConfig:
    """How long, how fast and by what a network is trained and chosen."""

    epochs: int = 40
    """Passes over the training patients."""
    patience: int = 12
    """Epochs without a better choosing loss after which training stops."""
    batch_patients: int = 8
    """Patients a step."""
    learning_rate: float = 2e-3
    """Peak of the one-cycle schedule."""
    rate_decay: float = 1.0
    """Factor of the learning rate from one stage of the encoder to the one before it; 1 trains all alike."""
    weight_decay: float = 0.05
    """AdamW's decay of weights."""
    average_decay: float = 0.99
    """Exponential moving average of the weights per step; the average is what is kept."""
    holdout_share: float = 0.12
    """Share of the training patients held out to choose the epoch, 0 to below 1."""
    seed: int = 0
    """Seed of weights, order and augmentation."""
    threads: int = 1
    """CPU threads."""

    def __post_init__(self) -> None:
        if not 0 < self.rate_decay <= 1:
            raise ConfigError(f"training.rate_decay: expected above 0 to 1, got {self.rate_decay!r}")
        require_positive(self, ("epochs", "patience", "batch_patients", "threads", "learning_rate"), "training")
        self._check_shares("holdout_share", "average_decay")

    def _check_shares(self, *names: str) -> None:
        """Refuse what is no share below 1."""
        for name in names:
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"training.{name}: expected 0 to below 1, got {getattr(self, name)!r}")
