"""Configuration to network: the only place where both meet."""

import torch
from torch import Tensor, nn

from segmentation.backbone import Decoder, Encoder
from segmentation.baselines import GatedDecoder, UNet
from segmentation.config import NetworkConfig
from segmentation.model import PromptSegmenter
from segmentation.text_hub import HubPrompts, load_hub_tower
from segmentation.text_tower import build_text_tower, tokenize

Network = PromptSegmenter | UNet
"""What segments slices: all take (images, prompts, structures) and return ``NetworkOutput``."""


def build_network(config: NetworkConfig) -> Network:
    """Build the network with random weights."""
    widths, structures, levels = config.widths, len(config.structures), len(config.levels)
    encoder = Encoder(widths, config.slices)
    decoder = (GatedDecoder if config.architecture == "attention_unet" else Decoder)(widths)
    if config.architecture != "prompted":
        return UNet(encoder, decoder, widths=widths, structures=structures, levels=levels)
    return PromptSegmenter(
        encoder,
        decoder,
        widths=widths,
        structures=structures,
        levels=levels,
        token_dim=config.token_dim,
        heads=config.heads,
        mask_dim=config.mask_dim,
        level_dim=config.level_dim,
        use_cross_attention=config.use_cross_attention,
        look_dropout=config.look_dropout,
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
    """Prompt embeddings without words, for the baselines."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(torch.randn(count, dim))

    def forward(self) -> Tensor:
        """Return (P, D) embeddings."""
        return self.embeddings


Prompts = TextPrompts | LearnedPrompts | HubPrompts
"""What makes prompt embeddings."""


def build_prompts(config: NetworkConfig) -> Prompts:
    """Build what makes the prompt embeddings: a text tower, or plain parameters for the baselines."""
    if config.architecture != "prompted" or not config.use_cross_attention:
        return LearnedPrompts(len(config.phrases), config.token_dim)
    if config.text_source:
        tower = load_hub_tower(config.text_source, config.token_dim)
        return HubPrompts(tower.encode(config.phrases), config.token_dim)
    return TextPrompts(
        build_text_tower(config), tokenize(config.phrases, config.context_length, config.vocabulary)
    )
