"""Between conversations and tensors: the model's own processor and chat template, left-padded batches, answers.

A batch is what generation sees: prompts alone are tokenised and padded on the left. To learn, the answers' tokens
are put behind, padded on the right; so the prompt's tokens are the same in training and in use.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from runtime.errors import ConfigError
from vlm.hub.config import SEES, HubConfig
from vlm.hub.prompts import Turn, answer_turn
from vlm.model import IGNORED

Batch = dict[str, Tensor]
"""Inputs of a model: ``input_ids`` and ``attention_mask``, both (B, L), pictures, and what its class asks for."""

_PER_TOKEN = ("token_type_ids", "mm_token_type_ids")


class Talker:
    """Encodes conversations for one model and decodes what it wrote.

    Args:
        processor: Processor of transformers, or the tokenizer of a model without eyes.
        config: The preset: chat template and picture options.
    """

    def __init__(self, processor: Any, config: HubConfig) -> None:
        self._processor = processor
        self._config = config
        self.tokenizer: Any = getattr(processor, "tokenizer", processor)
        self.tokenizer.padding_side = "left"
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token

    def token_id(self, token: str) -> int:
        """Return the id of a special token.

        Raises:
            ConfigError: If the tokenizer does not have it as one entry.
        """
        ids = self.tokenizer.encode(token, add_special_tokens=False)
        if len(ids) != 1:
            raise ConfigError(f"soft, token: expected one entry of the model's tokenizer, got {token!r}")
        return int(ids[0])

    def encode(self, talks: Sequence[list[Turn]], pictures: Sequence[Image.Image]) -> Batch:
        """Return the inputs of some conversations, each shown the same pictures.

        Raises:
            ConfigError: If the model has no chat template and the preset gives none.
        """
        texts = [self._render(turns, opens_answer=True) for turns in talks]
        is_begun = bool(self.tokenizer.bos_token) and texts[0].startswith(self.tokenizer.bos_token)
        given: dict[str, Any] = {"padding": True, "return_tensors": "pt", "add_special_tokens": not is_begun}
        if self._config.kind == SEES and pictures:
            given["images"] = [list(pictures) for _ in texts]
            given["images_kwargs"] = dict(self._config.picture_options)
        batch: Batch = dict(self._processor(text=texts, **given))
        if self._config.model_type == "gemma3":  # its mask asks which tokens are pictures, also where none are
            batch.setdefault("token_type_ids", torch.zeros_like(batch["input_ids"]))
        return batch

    def add_answers(
        self, batch: Batch, talks: Sequence[list[Turn]], answers: Sequence[str]
    ) -> tuple[Batch, Tensor]:
        """Put answers behind encoded conversations.

        Returns:
            The longer batch, and (B, L) labels, ``IGNORED`` but at the answers' tokens.
        """
        tails = [self._tail(turns, answer) for turns, answer in zip(talks, answers, strict=True)]
        width = max(len(tail) for tail in tails)
        ids = torch.full((len(tails), width), int(self.tokenizer.pad_token_id))
        mask = torch.zeros_like(ids)
        for row, tail in enumerate(tails):
            ids[row, : len(tail)] = torch.tensor(tail)
            mask[row, : len(tail)] = 1
        longer = {
            **batch,
            "input_ids": torch.cat([batch["input_ids"], ids], dim=1),
            "attention_mask": torch.cat([batch["attention_mask"], mask], dim=1),
        }
        for key in _PER_TOKEN:
            if key in batch:
                longer[key] = torch.cat([batch[key], torch.zeros_like(ids)], dim=1)
        told = torch.full_like(batch["input_ids"], IGNORED)
        return longer, torch.cat([told, ids.masked_fill(mask == 0, IGNORED)], dim=1)

    def decode(self, ids: Tensor) -> str:
        """Return the text of one answer's ids."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()

    def save(self, folder: Path) -> None:
        """Write processor and chat template beside a model's weights; a template of the preset goes with them."""
        if self._config.chat_template:
            self._processor.chat_template = self._config.chat_template
        self._processor.save_pretrained(str(folder))

    def _tail(self, turns: list[Turn], answer: str) -> list[int]:
        """Return the ids of an answer as the template closes it, an end-of-text token at its end."""
        opened = self._render(turns, opens_answer=True)
        whole = self._render([*turns, answer_turn(answer)], opens_answer=False)
        text = whole.removeprefix(opened) if whole.startswith(opened) else answer
        ids: list[int] = self.tokenizer.encode(text.rstrip("\n"), add_special_tokens=False)
        end = int(self.tokenizer.eos_token_id)
        return ids if end in ids else [*ids, end]

    def _render(self, turns: list[Turn], *, opens_answer: bool) -> str:
        flat = turns if self._config.kind == SEES else [_flat(turn) for turn in turns]
        try:
            text: str = self._processor.apply_chat_template(
                flat,
                chat_template=self._config.chat_template or None,
                add_generation_prompt=opens_answer,
                tokenize=False,
            )
        except ValueError as error:
            raise ConfigError(
                f"{self._config.model}: the model brings no chat template and the preset gives none "
                "(key chat_template)"
            ) from error
        return text


def _flat(turn: Turn) -> Turn:
    """Return a turn with plain text as content, as templates of models without eyes expect."""
    return {"role": turn["role"], "content": "".join(part.get("text", "") for part in turn["content"])}
