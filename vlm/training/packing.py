"""Whole documents packed into rows of equal length, each with positions of its own.

Positions that start again at 0 tell transformers where a document begins: no token attends to another document
(tested). No document is cut unless it is longer than a row.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vlm.model import IGNORED


@dataclass(frozen=True)
class Document:
    """One document to learn from.

    Attributes:
        ids: Its tokens.
        first_label: Index of the first token that a loss is taken at; what stands before is given, not learnt.
    """

    ids: list[int]
    first_label: int = 1


@dataclass(frozen=True)
class PackedRows:
    """A pre-training batch.

    Attributes:
        input_ids: (B, L) int.
        position_ids: (B, L) int, counting from 0 in each document.
        labels: (B, L) int, ``IGNORED`` at padding and before each document's ``first_label``.
    """

    input_ids: Tensor
    position_ids: Tensor
    labels: Tensor


def pack_rows(draw: Callable[[], Document], *, rows: int, length: int, pad_id: int) -> PackedRows:
    """Fill rows with documents, first row that has room; stop when a document fits nowhere.

    Args:
        draw: Gives the next document.
        rows: B.
        length: L.
        pad_id: Fills the rest of a row.
    """
    batch: list[list[Document]] = [[] for _ in range(rows)]
    room = [length] * rows
    while True:
        drawn = draw()
        document = Document(drawn.ids[:length], drawn.first_label)
        target = next((row for row in range(rows) if room[row] >= len(document.ids)), None)
        if target is None:
            return _to_tensors(batch, length, pad_id)
        batch[target].append(document)
        room[target] -= len(document.ids)


def _to_tensors(batch: list[list[Document]], length: int, pad_id: int) -> PackedRows:
    ids = torch.full((len(batch), length), pad_id)
    labels = torch.full((len(batch), length), IGNORED)
    positions = torch.zeros((len(batch), length), dtype=torch.long)
    for row, documents in enumerate(batch):
        place = 0
        for document in documents:
            end = place + len(document.ids)
            ids[row, place:end] = torch.tensor(document.ids)
            positions[row, place:end] = torch.arange(len(document.ids))
            learnt = document.ids[document.first_label :]
            labels[row, end - len(learnt) : end] = torch.tensor(learnt)
            place = end
        positions[row, place:] = torch.arange(length - place)
    return PackedRows(ids, positions, labels)
