"""Soft tokens: embeddings from outside (regions, patches of an image tower) put where a placeholder token stands.

Classes differ in what their ``generate`` takes: Gemma 3 and PaliGemma refuse ``inputs_embeds``, Qwen2.5-VL counts
positions along three axes from ``input_ids``. So the prompt stays ``input_ids`` with placeholders, and a hook on
the input embeddings replaces their rows. Every class keeps its own masks, positions and pictures, one way for all
(tested against the forward pass on ``inputs_embeds``, which every class takes).

Shapes. B slots, L tokens, R embeddings of a slot, D their width, K places, H the model's width.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from runtime.errors import ConfigError, WeightsError
from vlm.hub.config import HubConfig, SoftConfig
from vlm.hub.talk import Talker
from vlm.projector import RegionProjector
from vlm.prompt import stack_regions

Embeddings = tuple[NDArray[np.float32], ...]
"""Embeddings of one slot, each (T, D); T kinds in order. Empty for none."""


class SoftTokens(nn.Module):
    """A projector and the placeholder that its tokens take the place of.

    Args:
        projector: From (B, R, D) embeddings to (B, K, H) tokens.
        token_id: Id of the placeholder.
        config: Source, width and kinds.
    """

    def __init__(self, projector: RegionProjector, *, token_id: int, config: SoftConfig) -> None:
        super().__init__()
        self.projector = projector
        self.token_id = token_id
        self.config = config

    @property
    def places(self) -> str:
        """Return the placeholders of one slot, as text."""
        return self.config.token * self.config.tokens

    @contextmanager
    def placed(self, model: Any, embeddings: Sequence[Embeddings]) -> Iterator[None]:
        """Within the block, a model's input embeddings hold the slots' soft tokens at their places.

        Args:
            model: A class of transformers, or a peft model around one.
            embeddings: One item for each row of the batch.
        """
        layer: nn.Module = model.get_input_embeddings()
        device = next(self.projector.parameters()).device
        tokens = self.projector(*(item.to(device) for item in stack_regions(embeddings, self.config.dim)))
        handle = layer.register_forward_hook(lambda _, given, out: self._put(given[0], out, tokens))
        try:
            yield
        finally:
            handle.remove()

    def _put(self, ids: Tensor, embedded: Tensor, tokens: Tensor) -> Tensor:
        places = ids == self.token_id
        counts = places.sum(dim=1)
        if not bool(counts.any()):  # a step of generation
            return embedded
        if not bool((counts == self.config.tokens).all()):
            raise ValueError(f"slots: expected {self.config.tokens} places in each, got {counts.tolist()}")
        return embedded.masked_scatter(places[:, :, None], tokens.to(embedded.dtype))


def build_soft_tokens(config: HubConfig, model: Any, talker: Talker) -> SoftTokens:
    """Build soft tokens with a random projector, its output as large as the model's embeddings.

    Raises:
        ConfigError: If the preset has no ``soft``, or its token is not one entry of the tokenizer.
    """
    soft = config.soft
    if soft is None:
        raise ConfigError(f"{config.model}: expected a table under 'soft', got none")
    layer = model.get_input_embeddings()
    scale = layer.weight.detach().float().pow(2).mean().sqrt()
    scale = scale * float(getattr(layer, "scalar_embed_scale", 1.0))  # Gemma scales what it looks up
    projector = RegionProjector(
        region_dim=soft.dim,
        kinds=soft.kinds,
        tokens=soft.tokens,
        width=int(layer.weight.shape[1]),
        heads=soft.heads,
        scale=float(scale),
    )
    return SoftTokens(projector, token_id=talker.token_id(soft.token), config=soft)


def save_soft_tokens(soft: SoftTokens, file: Path) -> None:
    """Write the projector's weights."""
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: item.detach().cpu().contiguous() for name, item in soft.projector.state_dict().items()}, file)


def load_soft_tokens(soft: SoftTokens, file: Path) -> SoftTokens:
    """Load what ``save_soft_tokens`` wrote.

    Raises:
        WeightsError: If the weights do not fit.
    """
    try:
        soft.projector.load_state_dict(load_file(file))
    except RuntimeError as error:
        raise WeightsError(f"{file.name}: the projector does not fit the preset: {error}") from error
    return soft
