"""From region embeddings to tokens of the decoder: standardise, lift, resample.

Shapes. B slots, R region embeddings of a slot (all its series, flattened over T), D their width, K tokens in the
decoder's sequence, H the decoder's width. A slot without any region gets learned "no region" tokens, so absence
is a value of its own and not a zero.
"""

import torch
from torch import Tensor, nn


class RegionProjector(nn.Module):
    """Resampler with K learned queries over the lifted region embeddings of a slot.

    Args:
        region_dim: D.
        kinds: T, how many kinds of token a region has (level, disc, vertebra, canal).
        tokens: K.
        width: H.
        heads: Attention heads.
        scale: Root mean square that projected tokens start with: that of the decoder's own embeddings.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self, *, region_dim: int, kinds: int, tokens: int, width: int, heads: int, scale: float = 1.0
    ) -> None:
        super().__init__()
        self.region_dim = region_dim
        self.kinds = kinds
        self.tokens = tokens
        # Constants of preprocessing travel with the weights: mean and deviation of the training embeddings.
        self.register_buffer("mean", torch.zeros(kinds, region_dim))
        self.register_buffer("deviation", torch.ones(kinds, region_dim))
        self.kind_embedding = nn.Parameter(torch.randn(kinds, width) * 0.02)
        self.lift = nn.Sequential(nn.Linear(region_dim, width), nn.GELU(), nn.Linear(width, width))
        self.queries = nn.Parameter(torch.randn(tokens, width) * 0.5)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.refine = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.output_norm = nn.LayerNorm(width)
        self.missing = nn.Parameter(torch.randn(tokens, width) * scale)
        nn.init.constant_(self.output_norm.weight, scale)

    def set_statistics(self, mean: Tensor, deviation: Tensor) -> None:
        """Record the (T, D) mean and standard deviation of the training embeddings."""
        self.mean.copy_(mean)
        self.deviation.copy_(deviation.clamp_min(1e-3))

    def forward(self, regions: Tensor, kinds: Tensor, mask: Tensor) -> Tensor:
        """Project the regions of B slots.

        Args:
            regions: (B, R, D) float, region embeddings as the segmentation network gives them.
            kinds: (B, R) int, kind 0 to T-1 of each.
            mask: (B, R) bool, True where there is an embedding.

        Returns:
            (B, K, H) tokens.
        """
        present = mask.any(dim=1)
        standard = (regions - self.mean[kinds]) / self.deviation[kinds]
        lifted = self.lift(standard) + self.kind_embedding[kinds]
        # Attention over nothing is undefined: an empty slot looks at its first place and is replaced below.
        hidden = ~mask
        hidden = torch.cat([hidden[:, :1] & present[:, None], hidden[:, 1:]], dim=1)
        queries = self.queries.expand(regions.shape[0], -1, -1)
        seen, _ = self.attention(queries, lifted, lifted, key_padding_mask=hidden, need_weights=False)
        tokens = self.norm(queries + seen)
        tokens = self.output_norm(tokens + self.refine(tokens))
        return torch.where(present[:, None, None], tokens, self.missing)
