"""The sacroiliac network, tensors only: crops along the joints in, logits of every slice, joint and patient out.

Notation used for tensor shapes: B patients, 2 sides (left, right), L slices of a joint, C channels (STIR, T1), H
rows and W columns of a crop, D token width.

One patch encoder reads every slice of either joint, STIR and T1 together; where T1 is missing a learned grey
stands in its channel. Slices of a joint see each other in a small Transformer. Each slice answers for itself
(the SPARCC items); each lesion is looked for by an attention of its own over the slices. The stage follows from
the lesions by its own definition: advanced with ankylosis, else moderate with any structural lesion, else early
with active oedema. The same weights read both sides and crops of the right are mirrored, so swapping the sides
swaps the answers. The patient is positive as far as either joint is.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from anatomy.sacroiliac import SPARCC_ITEMS, STRUCTURAL

SLICE_ITEMS = (*SPARCC_ITEMS, "several", "joint", *STRUCTURAL)
"""What is asked of every slice: the SPARCC items, two or more lesions of oedema, whether it crosses the lined
joint, and which structural lesions it shows."""
LESIONS = ("active", *STRUCTURAL)
"""What is asked of every joint; ``active`` is oedema that meets the ASAS rule."""
PLACE_FEATURES = 2
"""Numbers told of a slice: how far in front of the joint's middle it lies, and the distance of the slices."""


class JointInputs(NamedTuple):
    """What the network reads.

    Attributes:
        crops: (B, 2, L, C, H, W) normalised crops; what ``present`` leaves out is not looked at.
        present: (B, 2, L) bool, which slices there are.
        has_t1: (B, 2, L) bool.
        places: (B, 2, L, 2) depth and distance of slices, in units of 10 mm.
    """

    crops: Tensor
    present: Tensor
    has_t1: Tensor
    places: Tensor


class JointOutputs(NamedTuple):
    """What the network answers.

    Attributes:
        items: (B, 2, L, 13) logits of ``SLICE_ITEMS``.
        lesions: (B, 2, 6) logits of ``LESIONS``.
        stages: (B, 2, 4) log probabilities of the steps of ``as_stage``.
        status: (B,) logit of a positive patient.
        attention: (B, 2, 6, L) what each lesion's answer weighed the slices with; sums to 1 over L.
    """

    items: Tensor
    lesions: Tensor
    stages: Tensor
    status: Tensor
    attention: Tensor


class LesionPooling(nn.Module):
    """Looks for each lesion by an attention of its own over the slices of a joint."""

    def __init__(self, lesions: int, width: int, *, hidden: int = 32) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, lesions))
        self.weight = nn.Parameter(torch.zeros(lesions, width))
        self.bias = nn.Parameter(torch.zeros(lesions))
        nn.init.normal_(self.weight, std=width**-0.5)

    def forward(self, tokens: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, lesions) and attention (N, lesions, L) of tokens (N, L, D)."""
        scores = self.look(tokens).transpose(1, 2).masked_fill(~present.unsqueeze(1), float("-inf"))
        attention = scores.softmax(dim=-1)
        pooled = attention @ tokens
        return (pooled * self.weight).sum(dim=-1) + self.bias, attention


class JointNetwork(nn.Module):
    """See the module's description.

    Args:
        encoder: Crops (N, 2, H, W) -> features (N, D); its ``trunk`` keeps the feature map.
        slice_mixer: Tokens (N, L, D) with a padding mask -> tokens (N, L, D).
        width: Token width D.
    """

    def __init__(self, encoder: nn.Module, slice_mixer: nn.TransformerEncoder, *, width: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.slice_mixer = slice_mixer
        self.missing_t1 = nn.Parameter(torch.zeros(()))
        self.t1_embedding = nn.Embedding(2, width)
        self.place = nn.Sequential(nn.Linear(PLACE_FEATURES, 32), nn.GELU(), nn.Linear(32, width))
        self.items = nn.Linear(width, len(SLICE_ITEMS))
        self.lesions = LesionPooling(len(LESIONS), width)

    def forward(self, inputs: JointInputs) -> JointOutputs:
        """Read a batch of patients; a side without any slice gets answers that nobody may read."""
        batch, sides, _ = inputs.present.shape
        tokens = self._tokens(inputs).flatten(0, 1)
        present = inputs.present.flatten(0, 1)
        # A joint without any slice would leave attention nothing to attend to (NaN); nobody reads the result.
        visible = present | ~present.any(dim=1, keepdim=True)
        mixed = self.slice_mixer(tokens, src_key_padding_mask=~visible)
        lesions, attention = self.lesions(mixed, visible)
        lesions = lesions.float().unflatten(0, (batch, sides))
        is_there = inputs.present.any(dim=2)
        return JointOutputs(
            items=self.items(mixed).float().unflatten(0, (batch, sides)),
            lesions=lesions,
            stages=stage_log_probabilities(lesions),
            status=either(lesions[..., LESIONS.index("active")], is_there),
            attention=attention.unflatten(0, (batch, sides)),
        )

    def _tokens(self, inputs: JointInputs) -> Tensor:
        """Return (B, 2, L, D); zeros where there is no slice."""
        present, has_t1 = inputs.present, inputs.has_t1[inputs.present]
        crops = inputs.crops[present]
        t1 = torch.where(has_t1[:, None, None], crops[:, 1], self.missing_t1)
        features = self.encoder(torch.stack([crops[:, 0], t1], dim=1))
        features = features + self.t1_embedding(has_t1.long()) + self.place(inputs.places[present])
        blank = features.new_zeros(*present.shape, features.shape[-1])
        tokens: Tensor = blank.masked_scatter(present.unsqueeze(-1), features)
        return tokens


def stage_log_probabilities(lesions: Tensor) -> Tensor:
    """Return log P(stage) (..., 4) from logits of ``LESIONS`` (..., 6) by the definition of the stages.

    Lesions are taken as independent given the pictures; P(stage > k) falls with k by construction.
    """
    absent = functional.logsigmoid(-lesions)
    no_oedema, no_structural, no_ankylosis = absent[..., 0], absent[..., 1:5].sum(dim=-1), absent[..., 5]
    any_structural = _log_complement(no_structural)
    oedema, ankylosis = functional.logsigmoid(lesions[..., 0]), functional.logsigmoid(lesions[..., 5])
    none = no_ankylosis + no_structural
    return torch.stack([none + no_oedema, none + oedema, no_ankylosis + any_structural, ankylosis], dim=-1)


def either(logits: Tensor, is_there: Tensor) -> Tensor:
    """Return the logit that either side is positive (B,), from those of both sides (B, 2)."""
    absent = functional.logsigmoid(-logits).masked_fill(~is_there, 0.0).sum(dim=-1)
    logit: Tensor = _log_complement(absent) - absent
    return logit


def _log_complement(log_probability: Tensor) -> Tensor:
    """Return log(1 - p) of log p, safe where p is 1."""
    return torch.log(-torch.expm1(log_probability.clamp_max(-1e-6)))
