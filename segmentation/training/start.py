"""What a run starts from: the weights of an earlier run, and a text tower that stays as it is."""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from runtime.errors import ConfigError
from segmentation.build import Prompts, TextPrompts
from segmentation.training.config import TrainingConfig


def begin_from(network: nn.Module, prompts: Prompts, training: TrainingConfig) -> None:
    """Load what the run starts from, in place.

    Structures and levels of the earlier run may differ: the network's weights do not depend on them.

    Args:
        network: With random weights.
        prompts: Maker of its prompt embeddings.
        training: ``start`` and ``text_tower``.

    Raises:
        ConfigError: If a file is missing or does not fit.
    """
    if training.start is not None:
        own = _part(Path(training.start) / "model.safetensors", "network.", "start")
        _fit(network, own, "start")
    if training.text_tower is not None:
        if not isinstance(prompts, TextPrompts):
            raise ConfigError("text_tower: expected a network with text prompts, got one without cross-attention")
        _fit(prompts.tower, _part(Path(training.text_tower), "", "text_tower"), "text_tower")
        prompts.tower.requires_grad_(False)


def _part(file: Path, prefix: str, key: str) -> dict[str, Tensor]:
    """Return the weights of a file whose names begin with ``prefix``, without it."""
    if not file.is_file():
        raise ConfigError(f"{key}: expected a weights file at {file}, found nothing; train it first")
    state = load_file(file)
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _fit(module: nn.Module, state: dict[str, Tensor], key: str) -> None:
    try:
        module.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ConfigError(f"{key}: the weights do not fit the network of this file: {error}") from error
