"""Spatial Patch Cross-Attention: prompts look at every patch of the image, none pooled away.

Shapes: B images, P prompts, T patches (T = rows x columns of the patch grid), D token width, H heads.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def position_code(rows: int, columns: int, dim: int) -> Tensor:
    """Return the sine and cosine code of a grid, (rows * columns, dim): first half by row, second by column.

    Wave lengths run from 2 pi to about 64 pi patches, so that neighbours differ and no two places of a slice
    share a code.
    """
    count = dim // 4
    frequency = torch.exp(-math.log(32.0) * torch.arange(count) / max(1, count - 1))

    def wave(length: int) -> Tensor:
        angle = torch.arange(length)[:, None] * frequency[None]
        return torch.cat([angle.sin(), angle.cos()], dim=1)  # (length, dim / 2)

    by_row = wave(rows)[:, None].expand(rows, columns, dim // 2)
    by_column = wave(columns)[None].expand(rows, columns, dim // 2)
    return torch.cat([by_row, by_column], dim=2).reshape(rows * columns, dim)


class Attention(nn.Module):
    """Multi-head attention that can return its map.

    Args:
        dim: Width of queries, keys and values.
        heads: Number of heads.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_query = nn.Linear(dim, dim)
        self.to_key = nn.Linear(dim, dim)
        self.to_value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def mix(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Attend (B, P, D) queries to (B, T, D) keys: (B, P, D). No map, which is never written out."""
        q, k, v = (
            self._split(self.to_query(query)),
            self._split(self.to_key(key)),
            self._split(self.to_value(value)),
        )
        mixed: Tensor = self.out(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return mixed

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Attend as ``mix`` does; return (B, P, D) and the map (B, P, T), mean over heads."""
        q, k, v = (
            self._split(self.to_query(query)),
            self._split(self.to_key(key)),
            self._split(self.to_value(value)),
        )
        weights = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(dim=-1)  # (B, H, P, T)
        mixed = (weights @ v).transpose(1, 2).flatten(2)
        return self.out(mixed), weights.mean(dim=1)

    def _split(self, tokens: Tensor) -> Tensor:
        batch, count, dim = tokens.shape
        return tokens.reshape(batch, count, self.heads, dim // self.heads).transpose(1, 2)


class FeedForward(nn.Sequential):
    """Two layers with GELU, four times as wide inside as ``expansion`` says."""

    def __init__(self, dim: int, expansion: int = 2) -> None:
        super().__init__(nn.Linear(dim, dim * expansion), nn.GELU(), nn.Linear(dim * expansion, dim))


class PatchMixer(nn.Module):
    """One self-attention layer among patches: lets a patch know how far it is from the sacrum."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.norm_out = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim)

    def forward(self, tokens: Tensor, code: Tensor) -> Tensor:
        """Mix (B, T, D) tokens; ``code`` (T, D) marks their places."""
        normed = self.norm(tokens)
        placed = normed + code
        tokens = tokens + self.attention.mix(placed, placed, placed)
        mixed: Tensor = tokens + self.feed_forward(self.norm_out(tokens))
        return mixed


class SpatialPatchCrossAttention(nn.Module):
    """Prompts attend to all patch tokens; each prompt stands alone, so their order does not matter.

    Args:
        dim: Width of prompts and tokens.
        heads: Number of heads.
    """

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.norm_prompts = nn.LayerNorm(dim)
        self.norm_tokens = nn.LayerNorm(dim)
        self.attention = Attention(dim, heads)
        self.norm_out = nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim)

    def forward(self, prompts: Tensor, tokens: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Let prompts look at the image.

        Args:
            prompts: (B, P, D) prompt embeddings.
            tokens: (B, T, D) patch tokens.
            code: (T, D) position code of the patches.

        Returns:
            Attended prompts (B, P, D) and attention maps (B, P, T) that sum to 1 over T.
        """
        placed = self.norm_tokens(tokens) + code
        attended, maps = self.attention(self.norm_prompts(prompts), placed, placed)
        prompts = prompts + attended
        prompts = prompts + self.feed_forward(self.norm_out(prompts))
        return prompts, maps
