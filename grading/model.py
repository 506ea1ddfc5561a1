"""The grading network, tensors only: crops of every sequence in, one row of logits per level and condition out.

Notation used for tensor shapes: B patients, L levels of the configuration (cranial to caudal), S sequences, V
views, H rows and W columns of a crop, N slices of a window, D token width, K steps of a scale, M biomarkers. Two
sides: left, right.

A patch encoder shared by the sequences turns each crop of the midline into a feature; per level the features of
all sequences (a learned one where a sequence is missing) become one token; two Transformer layers let neighbouring
levels inform each other; one head per condition reads the token. To the token of a condition that real cases teach
the biomarkers of the level are added (made-up cases have none). A head that also sees views adds the features of
their windows: those of one side for a sided condition, the mean of both sides for another. The same weights read
both sides, and windows of the right are mirrored, so that swapping the sides swaps the grades.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

BOX = "box"
"""Name of the boxes among the outputs."""


class GradingInputs(NamedTuple):
    """What a network reads.

    Attributes:
        crops: (B, L, S, H, W) normalised crops of the midline; what ``present`` leaves out is not looked at.
        present: (B, L, S) bool, which crops there are. A level without any is not seen by the others.
        biomarkers: (B, L, M), NaN where unknown; M is 0 for a network that takes none.
        windows: One (B, L, 2, N, H, W) a view, in the network's order.
        windows_present: (B, L, 2, V) bool.
    """

    crops: Tensor
    present: Tensor
    biomarkers: Tensor
    windows: tuple[Tensor, ...]
    windows_present: Tensor

    def to(self, device: torch.device) -> "GradingInputs":
        """Return a copy on a device."""
        return GradingInputs(
            self.crops.to(device),
            self.present.to(device),
            self.biomarkers.to(device),
            tuple(windows.to(device) for windows in self.windows),
            self.windows_present.to(device),
        )


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


class NoContext(nn.Module):
    """Stands where the Transformer would: every level for itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, src_key_padding_mask: Tensor | None = None) -> Tensor:
        """Map (B, L, D) to the same; the mask changes nothing."""
        normed: Tensor = self.norm(tokens)
        return normed


class ViewReader(nn.Module):
    """Turns the features of some views into what a head adds to the token of a level."""

    def __init__(self, views: Sequence[int], width: int, *, dropout: float = 0.2) -> None:
        super().__init__()
        self.views = list(views)
        self.layers = nn.Sequential(
            nn.LayerNorm(len(views) * width), nn.Linear(len(views) * width, width), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (..., V, D) to (..., D)."""
        read: Tensor = self.layers(features[..., self.views, :].flatten(-2))
        return read


class GradingNetwork(nn.Module):
    """See the module's description.

    Args:
        encoder: Crop (n, 1, H, W) -> feature (n, D).
        level_mixer: Tokens (B, L, D) with a padding mask -> tokens (B, L, D).
        heads: Name -> head (..., D) -> logits.
        biomarkers: (B, L, M) -> (B, L, D); None for a network that takes none.
        measured: Heads that see the biomarkers.
        view_encoders: Of each view, windows (n, N, H, W) -> feature (n, D).
        readers: Head that sees views -> its reader.
        sided: Heads that grade left and right apart; each has a reader.
        box: Token (..., D) -> box (..., 4); None for a network that lays none.
        sequences: Number S of sequences.
        levels: Number L of levels.
        width: Token width D.
    """

    def __init__(
        self,
        encoder: nn.Module,
        level_mixer: nn.Module,
        heads: Mapping[str, nn.Module],
        *,
        biomarkers: nn.Module | None = None,
        measured: Sequence[str] = (),
        view_encoders: Sequence[nn.Module] = (),
        readers: Mapping[str, ViewReader] | None = None,
        sided: Sequence[str] = (),
        box: nn.Module | None = None,
        sequences: int,
        levels: int,
        width: int,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.level_mixer = level_mixer
        self.heads = nn.ModuleDict(heads)
        self.biomarkers = biomarkers
        self.measured = frozenset(measured)
        self.view_encoders = nn.ModuleList(view_encoders)
        self.readers = nn.ModuleDict(readers or {})
        self.sided = frozenset(sided)
        self.box = box
        self.sequence_embedding = nn.Parameter(torch.zeros(sequences, width))
        self.missing_sequence = nn.Parameter(torch.zeros(sequences, width))
        self.missing_view = nn.Parameter(torch.zeros(len(view_encoders), width))
        self.level_embedding = nn.Parameter(torch.zeros(levels, width))
        self.fuse = nn.Sequential(nn.LayerNorm(sequences * width), nn.Linear(sequences * width, width))
        learned = (self.sequence_embedding, self.missing_sequence, self.missing_view, self.level_embedding)
        for parameter in learned:
            nn.init.normal_(parameter, std=0.02)

    def forward(self, inputs: GradingInputs) -> dict[str, Tensor]:
        """Grade all levels of a batch of patients.

        Returns:
            Head -> logits (B, L, K - 1) for ordered and two-step scales, (B, L, K) for categories; (B, L, 2, ...)
            for a sided head. And ``BOX`` -> (B, L, 4) from a network that lays boxes: left, top, right and bottom
            edge, in pitches to the right of and below the posterior disc margin as the picture is shown.
        """
        tokens = self._tokens(inputs.crops, inputs.present)
        is_empty = ~inputs.present.any(dim=-1)
        # A patient without any crop would leave attention nothing to attend to (NaN); nobody reads the result.
        is_hidden = is_empty & ~is_empty.all(dim=1, keepdim=True)
        mixed = self.level_mixer(tokens, src_key_padding_mask=is_hidden)
        measured = mixed if self.biomarkers is None else mixed + self.biomarkers(inputs.biomarkers)
        seen = self._seen(inputs)
        logits = {
            name: head(self._read(name, measured if name in self.measured else mixed, seen))
            for name, head in self.heads.items()
        }
        return logits if self.box is None else logits | {BOX: self.box(mixed)}

    def _tokens(self, crops: Tensor, present: Tensor) -> Tensor:
        """Return one token per level (B, L, D)."""
        batch, levels, sequences = present.shape
        width = self.sequence_embedding.shape[1]
        features = self.missing_sequence.expand(batch, levels, sequences, width)
        encoded = self.encoder(crops[present].unsqueeze(1))
        encoded = encoded + self.sequence_embedding.expand(batch, levels, sequences, width)[present]
        features = features.masked_scatter(present.unsqueeze(-1), encoded.to(features.dtype))
        fused: Tensor = self.fuse(features.flatten(2))
        return fused + self.level_embedding

    def _seen(self, inputs: GradingInputs) -> Tensor:
        """Return the features of all windows (B, L, 2, V, D), of no view where none has an encoder."""
        present = inputs.windows_present[..., : len(self.view_encoders)]
        features = self.missing_view.expand(*present.shape, self.missing_view.shape[1])
        parts = []
        for number, encoder in enumerate(self.view_encoders):
            there, part = present[..., number], features[..., number, :]
            if there.any():
                encoded = encoder(inputs.windows[number][there])
                part = part.masked_scatter(there.unsqueeze(-1), encoded.to(part.dtype))
            parts.append(part)
        return torch.stack(parts, dim=-2) if parts else features

    def _read(self, name: str, mixed: Tensor, seen: Tensor) -> Tensor:
        """Return the token that a head reads."""
        if name not in self.readers:
            return mixed
        added: Tensor = self.readers[name](seen if name in self.sided else seen.mean(dim=2))
        return mixed.unsqueeze(2) + added if name in self.sided else mixed + added
