"""The grading network, tensors only: crops of every sequence in, one row of logits per level and condition out.

Notation used for tensor shapes: B patients, L levels of the configuration (cranial to caudal), S sequences,
H rows and W columns of a crop, D token width, K steps of a scale, M biomarkers.

A patch encoder shared by the sequences turns each crop into a feature; per level the features of all sequences
(a learned one where a sequence is missing) and its biomarkers become one token; two Transformer layers let
neighbouring levels inform each other; one head per condition reads the token.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class BiomarkerEncoder(nn.Module):
    """Turns numbers, some of them unknown, into a feature; which ones are known is told beside them."""

    def __init__(self, biomarkers: int, width: int, *, hidden: int = 64, dropout: float = 0.2) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(2 * biomarkers, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )

    def forward(self, values: Tensor) -> Tensor:
        """Map (..., M), NaN where unknown, to (..., D)."""
        known = torch.isfinite(values)
        filled = torch.where(known, values, torch.zeros_like(values))
        features: Tensor = self.layers(torch.cat([filled, known.to(values.dtype)], dim=-1))
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
        biomarkers: (B, L, M) -> (B, L, D); None for a network that takes none.
    """

    def __init__(
        self,
        encoder: nn.Module,
        level_mixer: nn.TransformerEncoder,
        heads: Mapping[str, nn.Module],
        *,
        biomarkers: nn.Module | None = None,
        sequences: int,
        levels: int,
        width: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.level_mixer = level_mixer
        self.heads = nn.ModuleDict(heads)
        self.biomarkers = biomarkers
        self.sequence_embedding = nn.Parameter(torch.zeros(sequences, width))
        self.missing_sequence = nn.Parameter(torch.zeros(sequences, width))
        self.level_embedding = nn.Parameter(torch.zeros(levels, width))
        self.fuse = nn.Sequential(nn.LayerNorm(sequences * width), nn.Linear(sequences * width, width))
        for parameter in (self.sequence_embedding, self.missing_sequence, self.level_embedding):
            nn.init.normal_(parameter, std=0.02)

    def forward(self, crops: Tensor, present: Tensor, biomarkers: Tensor) -> dict[str, Tensor]:
        """Grade all levels of a batch of patients.

        Args:
            crops: (B, L, S, H, W) normalised crops; what ``present`` leaves out is not looked at.
            present: (B, L, S) bool, which crops there are. A level without any is not seen by the others.
            biomarkers: (B, L, M), NaN where unknown; M is 0 for a network that takes none.

        Returns:
            Condition -> logits (B, L, K - 1) for ordered and two-step scales, (B, L, K) for categories.
        """
        tokens = self._tokens(crops, present)
        if self.biomarkers is not None:
            tokens = tokens + self.biomarkers(biomarkers)
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
