"""Configuration to network: the only place where both meet."""

import torch
from torch import Tensor, nn

from segmentation.config import NetworkConfig
from segmentation.model import Decoder, Encoder, PromptSegmenter
from segmentation.text_tower import build_text_tower, tokenize


def build_network(config: NetworkConfig) -> PromptSegmenter:
    """Build the network with random weights."""
    return PromptSegmenter(
        Encoder(config.widths, config.slices),
        Decoder(config.widths),
        widths=config.widths,
        structures=len(config.structures),
        levels=len(config.levels),
        token_dim=config.token_dim,
        heads=config.heads,
        mask_dim=config.mask_dim,
        level_dim=config.level_dim,
        use_cross_attention=config.use_cross_attention,
    )


class TextPrompts(nn.Module):
    """Prompt embeddings of fixed phrases, made by the text tower."""

    def __init__(self, tower: nn.Module, tokens: Tensor) -> None:
        super().__init__()
        self.tower = tower
        self.tokens: Tensor
        self.register_buffer("tokens", tokens, persistent=False)

    def forward(self) -> Tensor:
        """Return (P, D) embeddings."""
        embeddings: Tensor = self.tower(self.tokens)
        return embeddings


class LearnedPrompts(nn.Module):
    """Prompt embeddings without words, for the baseline without cross-attention."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(count, dim))

    def forward(self) -> Tensor:
        """Return (P, D) embeddings."""
        return self.embeddings


def build_prompts(config: NetworkConfig) -> TextPrompts | LearnedPrompts:
    """Build what makes the prompt embeddings: the text tower, or plain parameters for the baseline."""
    if not config.use_cross_attention:
        return LearnedPrompts(len(config.phrases), config.token_dim)
    return TextPrompts(build_text_tower(config), tokenize(config.phrases, config.context_length))
