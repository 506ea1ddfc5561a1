"""The report writer's network: a decoder that reads text tokens and projected region tokens. Tensors only.

Shapes. B slots, L tokens of a sequence (prompt, then text), R region embeddings, D their width, K region tokens,
H the decoder's width. Prompts are padded on the left, so that the next token of every slot is at the same place.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache

from vlm.projector import RegionProjector

IGNORED = -100
"""Label of positions that no loss is taken at."""


@dataclass(frozen=True)
class Slots:
    """A batch of slots.

    Attributes:
        input_ids: (B, L) int; ``<region>`` ids hold the places of the K region tokens.
        attention_mask: (B, L) int, 1 at real tokens.
        regions: (B, R, D) float.
        region_kinds: (B, R) int.
        region_mask: (B, R) bool; a row without any True is a slot without regions.
        labels: (B, L) int, ``IGNORED`` where no loss is taken; None when generating.
    """

    input_ids: Tensor
    attention_mask: Tensor
    regions: Tensor
    region_kinds: Tensor
    region_mask: Tensor
    labels: Tensor | None = None

    def to(self, device: torch.device) -> "Slots":
        """Return the batch on another device."""
        return Slots(
            input_ids=self.input_ids.to(device),
            attention_mask=self.attention_mask.to(device),
            regions=self.regions.to(device),
            region_kinds=self.region_kinds.to(device),
            region_mask=self.region_mask.to(device),
            labels=None if self.labels is None else self.labels.to(device),
        )


@dataclass(frozen=True)
class Sampling:
    """Seeded drawing of tokens.

    Attributes:
        temperature: Above 0; the lower, the closer to the likeliest token.
        generator: Source of chance, on the device of the logits.
    """

    temperature: float
    generator: torch.Generator

    def draw(self, logits: Tensor) -> Tensor:
        """Return (B,) ids drawn from (B, V) logits."""
        odds = torch.softmax(logits.float() / self.temperature, dim=-1)
        return torch.multinomial(odds, 1, generator=self.generator)[:, 0]


class ReportWriter(nn.Module):
    """Decoder and projector.

    Args:
        decoder: A causal language model of transformers, or a peft model around one.
        projector: From region embeddings to H-wide tokens.
        region_id: Id of the ``<region>`` token.
    """

    def __init__(self, decoder: nn.Module, projector: RegionProjector, *, region_id: int) -> None:
        super().__init__()
        self.decoder: Any = decoder
        self.projector = projector
        self.region_id = region_id

    def embed(self, slots: Slots) -> Tensor:
        """Return (B, L, H) input embeddings: text tokens, with region tokens at the ``<region>`` places.

        Raises:
            ValueError: If a slot does not hold exactly K ``<region>`` places, or none at all.
        """
        embeddings: Tensor = self.decoder.get_input_embeddings()(slots.input_ids)
        places = slots.input_ids == self.region_id
        counts = places.sum(dim=1)
        if not bool(places.any()):
            return embeddings
        wanted = self.projector.tokens
        if not bool(((counts == 0) | (counts == wanted)).all()):
            raise ValueError(f"slots: expected {wanted} <region> places in each, got {counts.tolist()}")
        tokens = self.projector(slots.regions, slots.region_kinds, slots.region_mask)
        chosen = tokens[counts == wanted].reshape(-1, tokens.shape[-1]).to(embeddings.dtype)
        return embeddings.masked_scatter(places[:, :, None], chosen)

    def forward(self, slots: Slots) -> Tensor:
        """Return (B, L, V) logits."""
        logits: Tensor = self.decoder(
            inputs_embeds=self.embed(slots),
            attention_mask=slots.attention_mask,
            position_ids=positions_of(slots.attention_mask),
            use_cache=False,
        ).logits
        return logits

    @torch.inference_mode()
    def generate(
        self, slots: Slots, *, eos_id: int, pad_id: int, max_new_tokens: int, sampling: Sampling | None = None
    ) -> list[list[int]]:
        """Write until ``eos_id`` or ``max_new_tokens``, with a key-value cache.

        Args:
            slots: Prompts, padded on the left.
            eos_id: Ends a text; never the first token, so no text is empty.
            pad_id: Fed to slots that have ended.
            max_new_tokens: At least 1.
            sampling: How tokens are drawn; None takes the likeliest each time.

        Returns:
            The new ids of each slot, without ``eos_id``.
        """
        cache = DynamicCache()
        mask = slots.attention_mask
        positions = positions_of(mask)
        inputs: dict[str, Tensor] = {"inputs_embeds": self.embed(slots)}
        written: list[list[int]] = [[] for _ in range(mask.shape[0])]
        open_slots = torch.ones(mask.shape[0], dtype=torch.bool, device=mask.device)
        for step in range(max_new_tokens):
            logits = self.decoder(
                **inputs,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            ).logits[:, -1]
            if step == 0:
                logits[:, eos_id] = -torch.inf
            drawn = logits.argmax(dim=-1) if sampling is None else sampling.draw(logits)
            chosen = torch.where(open_slots, drawn, pad_id)
            open_slots = open_slots & (chosen != eos_id)
            if not bool(open_slots.any()):
                break
            for row in open_slots.nonzero().flatten().tolist():
                written[row].append(int(chosen[row]))
            inputs = {"input_ids": chosen[:, None]}
            mask = torch.cat([mask, mask.new_ones(mask.shape[0], 1)], dim=1)
            positions = positions[:, -1:] + 1
        return written


def positions_of(attention_mask: Tensor) -> Tensor:
    """Return (B, L) positions that count real tokens from 0; padding gets 0."""
    return (attention_mask.cumsum(dim=1) - 1).clamp_min(0)


def slots_loss(model: nn.Module, slots: Slots) -> Tensor:
    """Return the mean cross-entropy of the labelled tokens.

    Args:
        model: A ``ReportWriter``, as it is or as accelerate prepared it.
        slots: A batch with labels.

    Raises:
        ValueError: If the slots carry no labels.
    """
    if slots.labels is None:
        raise ValueError("slots: expected labels for the loss, got none")
    return next_token_loss(model(slots), slots.labels)


def next_token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy of each token given those before it; ``IGNORED`` labels do not count."""
    vocabulary = logits.shape[-1]
    return nn.functional.cross_entropy(
        logits[:, :-1].reshape(-1, vocabulary).float(), labels[:, 1:].reshape(-1), ignore_index=IGNORED
    )
