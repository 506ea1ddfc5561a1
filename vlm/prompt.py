"""Prompts: a slot of the report (one level, one impression line) as text with special tokens, then as tensors.

Layouts are versioned files of ``vlm/prompts``. A slot is short, its facts are known, and all slots of a report are
written side by side in one batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from reporting.serialise import SERIAL_VERSION
from runtime.errors import ConfigError
from vlm.model import IGNORED, Slots
from vlm.tokenizer import EOS, REGION, STYLE_TOKENS, ReportTokenizer

_FOLDER = Path(__file__).parent / "prompts"
_STYLES = {token.strip("<>"): token for token in STYLE_TOKENS}
STYLES = tuple(_STYLES)
"""Names of the styles."""


@dataclass(frozen=True)
class PromptLayout:
    """One file of ``vlm/prompts``.

    Attributes:
        id: Name and version of the layout.
        serialisation: Version of the serialised findings it was made for.
        level: Prompt of a level whose facts are known.
        level_without_facts: Prompt of a level of which only regions are known (training and ablation).
        impression: Prompt of an impression line.
        note: Pre-training document: a radiologist's note.
        text: Pre-training document: report text alone.
        pair: Pre-training document: serialised findings, then text.
    """

    id: str
    serialisation: str
    level: str
    level_without_facts: str
    impression: str
    note: str
    text: str
    pair: str


@cache
def load_layout(name: str) -> PromptLayout:
    """Read a prompt layout.

    Raises:
        ConfigError: If there is no such layout, a key is wrong, or it was made for another serialisation.
    """
    file = _FOLDER / f"{name}.yaml"
    if not file.is_file():
        raise ConfigError(f"prompt layout: expected a file {file.name} in vlm/prompts, found none")
    table = yaml.safe_load(file.read_text(encoding="utf-8"))
    odd = sorted(set(table) ^ set(PromptLayout.__dataclass_fields__))
    if odd:
        raise ConfigError(f"{file.name}: unknown or missing keys: {', '.join(odd)}")
    layout = PromptLayout(**table)
    if layout.serialisation != SERIAL_VERSION:
        raise ConfigError(
            f"{file.name}: made for {layout.serialisation}, but findings are serialised as {SERIAL_VERSION}; "
            "write a new layout and train for it"
        )
    return layout


@dataclass(frozen=True)
class SlotPrompt:
    """A slot to be written, or to learn from.

    Attributes:
        text: Prompt with special tokens, ``{regions}`` filled in.
        regions: Region embeddings of the slot, each (T, D) float32, one per series; empty for none.
        target: What is to be written; None when generating.
    """

    text: str
    regions: tuple[NDArray[np.float32], ...] = ()
    target: str | None = None


def level_prompt(layout: PromptLayout, facts: str | None, *, level: str, style: str, region_tokens: int) -> str:
    """Return the prompt of one level, or of several unremarkable ones.

    Args:
        layout: Prompt layout.
        facts: Serialised findings of the level; None when they are withheld.
        level: Name of the level; stands in the prompt where the findings are withheld.
        style: ``structured``, ``telegraphic``, ``narrative`` or ``patient``.
        region_tokens: K, places for region tokens.
    """
    places = REGION * region_tokens
    if facts is None:
        return layout.level_without_facts.format(style=style_token(style), level=level, regions=places)
    return layout.level.format(style=style_token(style), facts=facts, regions=places)


def impression_prompt(layout: PromptLayout, facts: str, *, style: str) -> str:
    """Return the prompt of one line of the impression."""
    return layout.impression.format(style=style_token(style), facts=facts)


def style_token(style: str) -> str:
    """Return the special token of a style.

    Raises:
        ConfigError: If there is no such style.
    """
    if style not in _STYLES:
        raise ConfigError(f"report style: expected one of {', '.join(_STYLES)}, got {style!r}")
    return _STYLES[style]


def collate(prompts: Sequence[SlotPrompt], tokenizer: ReportTokenizer, *, region_dim: int) -> Slots:
    """Put slots side by side, padded on the left.

    Args:
        prompts: Either all with a target (labels are made of the targets) or all without.
        tokenizer: Turns text to ids.
        region_dim: D of the region embeddings.

    Raises:
        ConfigError: If a region embedding has another width than D.
    """
    heads = [tokenizer.encode(item.text) for item in prompts]
    tails = [[] if item.target is None else tokenizer.encode(item.target + EOS) for item in prompts]
    length = max(len(head) + len(tail) for head, tail in zip(heads, tails, strict=True))
    ids = torch.full((len(prompts), length), tokenizer.pad_id)
    labels = torch.full((len(prompts), length), IGNORED)
    mask = torch.zeros((len(prompts), length), dtype=torch.long)
    for row, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        start = length - len(head) - len(tail)
        ids[row, start:] = torch.tensor(head + tail)
        mask[row, start:] = 1
        if tail:
            labels[row, length - len(tail) :] = torch.tensor(tail)
    regions, kinds, present = stack_regions([item.regions for item in prompts], region_dim)
    has_targets = any(item.target is not None for item in prompts)
    return Slots(ids, mask, regions, kinds, present, labels if has_targets else None)


def stack_regions(
    rows: Sequence[tuple[NDArray[np.float32], ...]], region_dim: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Put embeddings of several slots side by side.

    Args:
        rows: Embeddings of each slot, each (T, D).
        region_dim: D.

    Returns:
        (B, R, D) embeddings, (B, R) kinds and (B, R) presence, R at least 1.

    Raises:
        ConfigError: If an embedding has another width than D.
    """
    width = max([1, *(sum(len(item) for item in row) for row in rows)])
    regions = torch.zeros((len(rows), width, region_dim))
    kinds = torch.zeros((len(rows), width), dtype=torch.long)
    present = torch.zeros((len(rows), width), dtype=torch.bool)
    for number, row in enumerate(rows):
        place = 0
        for item in row:
            if item.ndim != 2 or item.shape[1] != region_dim:
                raise ConfigError(f"region embedding: expected shape (T, {region_dim}), got {item.shape}")
            end = place + len(item)
            regions[number, place:end] = torch.from_numpy(np.ascontiguousarray(item, dtype=np.float32))
            kinds[number, place:end] = torch.arange(len(item))
            present[number, place:end] = True
            place = end
    return regions, kinds, present
