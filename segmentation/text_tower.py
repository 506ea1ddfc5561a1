"""The text tower: phrases of the spine to prompt embeddings.

A small ``open_clip`` text transformer over our own vocabulary of whole words (``vocabulary.txt``, one a line;
the line number is the token). The end token has the highest number: open_clip pools there.
open_clip is imported only when a tower is built; shipped weights carry the embeddings of their own prompts, so
reading a study needs no tower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from runtime.torchvision_cpu import allow_torchvision_on_cpu

if TYPE_CHECKING:
    from torch import nn

    from segmentation.config import NetworkConfig

PAD, START, UNKNOWN, END = "<pad>", "<start>", "<unknown>", "<end>"


@cache
def vocabulary(file: str = "vocabulary.txt") -> dict[str, int]:
    """Return word (lower case) -> token of a file beside this one; weights know the words of one file only."""
    words = (Path(__file__).parent / file).read_text(encoding="utf-8").split()
    return {word.lower(): index for index, word in enumerate(words)}


@cache
def vocabulary_digest() -> str:
    """Return the SHA-256 of the vocabulary: a tower knows words by their line numbers, so they go together."""
    return hashlib.sha256("\n".join(vocabulary()).encode()).hexdigest()


def tokenize(phrases: Sequence[str], context_length: int, file: str = "vocabulary.txt") -> Tensor:
    """Turn phrases into tokens.

    Args:
        phrases: P phrases; letter case does not matter.
        context_length: Tokens per phrase, start and end included.
        file: Of the vocabulary.

    Returns:
        (P, context_length) int64; a word outside the vocabulary becomes ``<unknown>``.

    Raises:
        ValueError: If a phrase has too many words.
    """
    table = vocabulary(file)
    rows = []
    for phrase in phrases:
        words = [START, *phrase.lower().split(), END]
        if len(words) > context_length:
            raise ValueError(f"phrase: expected at most {context_length - 2} words, got {phrase!r}")
        row = [table.get(word, table[UNKNOWN]) for word in words]
        rows.append(row + [table[PAD]] * (context_length - len(row)))
    return torch.tensor(rows, dtype=torch.int64)


def build_text_tower(config: NetworkConfig) -> nn.Module:
    """Build an untrained tower: (P, context_length) tokens -> (P, token_dim) embeddings."""
    allow_torchvision_on_cpu()
    from open_clip.transformer import TextTransformer

    words = vocabulary(config.vocabulary)
    tower: nn.Module = TextTransformer(
        context_length=config.context_length,
        vocab_size=len(words),
        width=config.text_width,
        heads=config.text_heads,
        layers=config.text_layers,
        output_dim=config.token_dim,
        pad_id=words[PAD],
        eos_id=words[END],
    )
    return tower
