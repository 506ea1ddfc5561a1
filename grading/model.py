"""The grading network, tensors only: crops of every sequence in, one row of logits per level and condition out.

Notation used for tensor shapes: B patients, L levels of the configuration (cranial to caudal), S sequences,
H rows and W columns of a crop, D token width, K steps of a scale.

A patch encoder shared by the sequences turns each crop into a feature; per level the features of all sequences
(a learned one where a sequence is missing) become one token; two Transformer layers let neighbouring levels
inform each other; one head per condition reads the token.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip; halves the grid when asked."""

    def __init__(self, width_in: int, width: int, *, halve: bool) -> None:
        super().__init__()
        stride = 2 if halve else 1
        self.first = nn.Conv2d(width_in, width, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)
        self.skip = nn.Conv2d(width_in, width, 1, stride=stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, width, H', W')."""
        hidden = functional.relu(self.first_norm(self.first(images)))
        hidden = self.second_norm(self.second(hidden))
        return functional.relu(hidden + self.skip(images))


class PatchEncoder(nn.Module):
    """Turns one-channel crops into features; keeps coarse places (upper or lower endplate, front or back).

    Args:
        widths: Channels after the stem (stride 2) and after each further halving.
        feature_width: Width D of the feature.
        grid: Rows and columns of the coarse grid that is kept.
        dropout: Dropout of the coarse grid.
    """

    def __init__(
        self, widths: Sequence[int], feature_width: int, *, grid: tuple[int, int] = (4, 6), dropout: float = 0.2
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, widths[0], 5, stride=2, padding=2, bias=False)
        self.stem_norm = nn.BatchNorm2d(widths[0])
        pairs = pairwise(widths)
        self.blocks = nn.Sequential(*(ResidualBlock(before, after, halve=True) for before, after in pairs))
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.squeeze = nn.Conv2d(widths[-1], 32, 1)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(32 * grid[0] * grid[1], feature_width)

    def forward(self, crops: Tensor) -> Tensor:
        """Map (N, H, W) to (N, D)."""
        hidden = functional.relu(self.stem_norm(self.stem(crops.unsqueeze(1))))
        hidden = functional.relu(self.squeeze(self.grid(self.blocks(hidden))))
        features: Tensor = self.project(self.dropout(hidden.flatten(1)))
        return features


class GradingNetwork(nn.Module):
    """See the module's description.

    Args:
        encoder: Crop (N, H, W) -> feature (N, D).
        level_mixer: Tokens (B, L, D) with a padding mask -> tokens (B, L, D).
        heads: Condition -> head (..., D) -> logits.
        sequences: Number S of sequences.
        levels: Number L of levels.
        width: Token width D.
    """

    def __init__(
        self,
        encoder: nn.Module,
        level_mixer: nn.TransformerEncoder,
        heads: Mapping[str, nn.Module],
        *,
        sequences: int,
        levels: int,
        width: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.level_mixer = level_mixer
        self.heads = nn.ModuleDict(heads)
        self.sequence_embedding = nn.Parameter(torch.zeros(sequences, width))
        self.missing_sequence = nn.Parameter(torch.zeros(sequences, width))
        self.level_embedding = nn.Parameter(torch.zeros(levels, width))
        self.fuse = nn.Sequential(nn.LayerNorm(sequences * width), nn.Linear(sequences * width, width))
        for parameter in (self.sequence_embedding, self.missing_sequence, self.level_embedding):
            nn.init.normal_(parameter, std=0.02)

    def forward(self, crops: Tensor, present: Tensor) -> dict[str, Tensor]:
        """Grade all levels of a batch of patients.

        Args:
            crops: (B, L, S, H, W) normalised crops; what ``present`` leaves out is not looked at.
            present: (B, L, S) bool, which crops there are. A level without any is not seen by the others.

        Returns:
            Condition -> logits (B, L, K - 1) for ordered and two-step scales, (B, L, K) for categories.
        """
        tokens = self._tokens(crops, present)
        is_empty = ~present.any(dim=-1)
        # A patient without any crop would leave attention nothing to attend to (NaN); nobody reads the result.
        is_hidden = is_empty & ~is_empty.all(dim=1, keepdim=True)
        mixed = self.level_mixer(tokens, src_key_padding_mask=is_hidden)
        return {name: head(mixed) for name, head in self.heads.items()}

    def _tokens(self, crops: Tensor, present: Tensor) -> Tensor:
        """Return one token per level (B, L, D)."""
        batch, levels, sequences = present.shape
        width = self.sequence_embedding.shape[1]
        features = self.missing_sequence.expand(batch, levels, sequences, width)
        encoded = self.encoder(crops[present])
        encoded = encoded + self.sequence_embedding.expand(batch, levels, sequences, width)[present]
        features = features.masked_scatter(present.unsqueeze(-1), encoded)
        fused: Tensor = self.fuse(features.flatten(2))
        return fused + self.level_embedding
