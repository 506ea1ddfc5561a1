"""The segmentation network: tensors only; files, spacing and grey values are ``predict.py``'s.

Shapes: B images, N slices of an image (its own and its neighbours), C channels, H x W network input pixels
(multiples of 16), P prompts = S structures + L levels, T patches at stride 16, D token width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from segmentation.attention import PatchMixer, SpatialPatchCrossAttention, position_code
from segmentation.backbone import Decoder, Encoder

STRIDE = 16
"""Input height and width are multiples of this."""
_FIRST_GATE = 0.1
LEVEL_STRIDE = 4
"""Network input pixels per pixel of a level map."""
LEVEL_PLACE = 2
"""Of the features at that stride among those at strides 1 to 16."""


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says of B images.

    Attributes:
        mask_logits: (B, S, H, W), one per structure prompt.
        level_logits: (B, L, H / 4, W / 4), one per level prompt.
        prompt_tokens: (B, P, D) prompts after looking at the image.
        attention: (B, P, H / 16, W / 16) where each prompt looked, summing to 1; zeros in the baseline.
    """

    mask_logits: Tensor
    level_logits: Tensor
    prompt_tokens: Tensor
    attention: Tensor


class PromptSegmenter(nn.Module):
    """Encoder, Spatial Patch Cross-Attention, decoder, and dot products of prompts with pixels.

    Args:
        encoder: Features at strides 1 to 16.
        decoder: Features back to stride 1.
        widths: Channels of both.
        structures: S, the number of structure prompts.
        levels: L, the number of level prompts.
        token_dim: D.
        heads: Attention heads.
        mask_dim: Width of a pixel embedding for masks.
        level_dim: Width of a pixel embedding for level maps.
        use_cross_attention: False leaves prompts as they come (the baseline).
        look_dropout: Chance, in training, that the masks of an image are asked for by the prompts as they come.
            Above 0 what the prompts saw also enters the questions through a learnt gate that begins small.
    """

    def __init__(
        self,
        encoder: Encoder,
        decoder: Decoder,
        *,
        widths: tuple[int, ...],
        structures: int,
        levels: int,
        token_dim: int,
        heads: int,
        mask_dim: int,
        level_dim: int,
        use_cross_attention: bool = True,
        look_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.structures, self.levels = structures, levels
        self.encoder, self.decoder = encoder, decoder
        self.to_tokens = nn.Linear(widths[-1], token_dim)
        self.from_tokens = nn.Linear(token_dim, widths[-1])
        self.mixer = PatchMixer(token_dim, heads)
        self.cross_attention = SpatialPatchCrossAttention(token_dim, heads) if use_cross_attention else None
        self.look_dropout = look_dropout
        self.look_gate = nn.Parameter(torch.full((token_dim,), _FIRST_GATE)) if look_dropout else None
        self.pixel_embedding = nn.Conv2d(widths[0], mask_dim, 1)
        self.level_embedding = nn.Conv2d(widths[LEVEL_PLACE], level_dim, 1)
        self.mask_query = _query(token_dim, mask_dim)
        self.level_query = _query(token_dim, level_dim)
        with torch.no_grad():  # dot products of two small vectors learn slowly at first: begin with larger ones
            self.pixel_embedding.weight.mul_(2)
            list(self.mask_query.parameters())[-2][:-1].mul_(4)
            list(self.level_query.parameters())[-1][-1] = -4.0  # a level map is nearly everywhere near zero

    def forward(self, images: Tensor, prompts: Tensor, structures: int | None = None) -> NetworkOutput:
        """Segment images.

        Args:
            images: (B, N, H, W) float32, grey values scaled to -1 to 1, H and W multiples of 16.
            prompts: (P, D) prompt embeddings: structures first, then levels.
            structures: How many of the prompts are structures; None takes the network's own number.
        """
        split = self.structures if structures is None else structures
        features = self.encoder(images)
        rows, columns = features[-1].shape[-2:]
        code = position_code(rows, columns, prompts.shape[-1]).to(images)
        tokens = self.mixer(self.to_tokens(features[-1].flatten(2).transpose(1, 2)), code)
        grid = self.from_tokens(tokens).transpose(1, 2).reshape(features[-1].shape)
        decoded = self.decoder([*features[:-1], features[-1] + grid])
        fine, middle = decoded[0], decoded[LEVEL_PLACE]
        asked = prompts.expand(len(images), -1, -1)
        attended, maps = self._attend(asked, tokens, code)
        asking = self._gated(asked, attended)
        return NetworkOutput(
            mask_logits=self._masks(self.mask_query(asking[:, :split]), fine),
            level_logits=_dot(self.level_query(asking[:, split:]), self.level_embedding(middle)),
            prompt_tokens=attended,
            attention=maps.reshape(*maps.shape[:2], rows, columns),
        )

    def _masks(self, queries: Tensor, fine: Tensor) -> Tensor:
        """Dot (B, S, E + 1) queries with the pixel embeddings of (B, C, H, W) features: (B, S, H, W) logits.

        Each query is taken through the embedding's weights first: the embeddings, many more numbers than the
        logits, are never written out.
        """
        embedding = self.pixel_embedding
        assert embedding.bias is not None
        kernel = queries[..., :-1] @ embedding.weight.flatten(1)
        offset = queries[..., :-1] @ embedding.bias + queries[..., -1]
        logits = torch.baddbmm(offset[..., None], kernel, fine.flatten(2))
        return logits.reshape(*logits.shape[:2], *fine.shape[-2:])

    def _gated(self, prompts: Tensor, attended: Tensor) -> Tensor:
        """Return what asks for masks, (B, P, D): prompts that are moved by what they saw, gently.

        A question is one vector for the whole image. Where it depends on the image freely, a picture of unusual
        extent can switch a whole structure off (docs/lab-log.md); so the prompts alone must do in some steps.
        """
        if self.look_gate is None:
            return attended
        seen = self.look_gate * (attended - prompts)
        if self.training:
            seen = seen * (torch.rand(len(seen), 1, 1, device=seen.device) >= self.look_dropout)
        return prompts + seen

    def _attend(self, prompts: Tensor, tokens: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        if self.cross_attention is None:
            return prompts, tokens.new_zeros(len(tokens), prompts.shape[1], tokens.shape[1])
        attended: tuple[Tensor, Tensor] = self.cross_attention(prompts, tokens, code)
        return attended


def _query(token_dim: int, pixel_dim: int) -> nn.Sequential:
    """Prompt to a vector that is dotted with pixels, and a last number that is added (the bias)."""
    return nn.Sequential(
        nn.LayerNorm(token_dim), nn.Linear(token_dim, token_dim), nn.GELU(), nn.Linear(token_dim, pixel_dim + 1)
    )


def _dot(queries: Tensor, pixels: Tensor) -> Tensor:
    """(B, P, E + 1) queries with (B, E, h, w) pixels -> (B, P, h, w) logits."""
    logits = torch.baddbmm(queries[..., -1:], queries[..., :-1], pixels.flatten(2))
    return logits.reshape(*logits.shape[:2], *pixels.shape[-2:])
