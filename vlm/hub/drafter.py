"""The drafter's contract with a hub model behind it: findings, regions and key slices in, a draft out.

One conversation a slot, as spine-tiny has one prompt a slot: an instruction-tuned model follows a short task with
known facts better than a whole study, every sentence has known evidence, and one bad answer costs one slot.
Greedy, slots in one order and batches of one size: the same input gives the same text.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from anatomy import Protocol
from grading.types import Findings
from reporting.types import Draft
from runtime.device import pick_device
from segmentation.types import Region
from vlm.assemble import assemble_draft, whole_sentences
from vlm.hub.config import HubConfig
from vlm.hub.load import LoadedHub, load_hub
from vlm.hub.prompts import conversation, load_instructions, question
from vlm.hub.soft import Embeddings, SoftTokens
from vlm.hub.source import combine, find_model
from vlm.hub.talk import Batch
from vlm.hub.towers import CONFIG as TOWER_CONFIG
from vlm.hub.towers import ImageTower, load_tower
from vlm.pictures import KeySlice
from vlm.plan import FINDINGS, Slot


class HubDrafter:
    """Writes drafts with one loaded hub model.

    Args:
        loaded: Model, talker, soft tokens and preset.
        name: Name of the preset, for the provenance.
        tower: Image tower; None where the model has its own eyes.
    """

    def __init__(self, loaded: LoadedHub, *, name: str, tower: ImageTower | None = None) -> None:
        self.checksum = loaded.checksum if tower is None else combine(loaded.checksum, tower.checksum)
        self.segmentation_checksum = loaded.config.segmentation_checksum or None
        self._loaded = loaded
        self._name = name
        self._tower = tower
        self._instructions = load_instructions(loaded.config.prompt)

    @classmethod
    def load(
        cls, config: HubConfig, *, name: str, weights_root: Path, device: str = "auto", model: str | None = None
    ) -> "HubDrafter":
        """Load a preset.

        Args:
            config: The preset.
            name: Its name.
            weights_root: Folder of all weights, where model folders may lie.
            device: ``auto``, ``cpu``, ``cuda`` ...
            model: Folder or hub id that the user named in place of the preset's; only such an id is fetched.

        Raises:
            ConfigError: If the model is not on this machine, of another class, or too large.
            WeightsError: If files are missing or do not fit.
        """
        target = pick_device(device)
        folder = find_model(config.model, home=config.home, weights_root=weights_root, name=name, named=model)
        loaded = load_hub(config, folder, device=target, name=name)
        tower = open_tower(config, weights_root, name)
        return cls(loaded, name=name, tower=None if tower is None else tower.to(target))

    @property
    def prompt_id(self) -> str:
        """Return preset and instructions, for the provenance."""
        return f"{self._name}/{self._instructions.id}"

    @property
    def consistency_floor(self) -> None:
        """Return None: this writer samples no drafts."""

    def disclose(self, findings: Findings) -> str | None:
        """Return None: nothing leaves this machine."""
        return None

    def write_draft(
        self,
        findings: Findings,
        regions: tuple[Region, ...],
        protocol: Protocol,
        *,
        style: str = "structured",
        pictures: tuple[KeySlice, ...] = (),
        rates_consistency: bool = False,
    ) -> Draft:
        """Write a report's draft, not yet verified.

        Args:
            findings: The only source of facts.
            regions: Region embeddings of the levels; used where a projector was trained on them.
            protocol: Gives the order of the sections.
            style: ``structured``, ``telegraphic``, ``narrative`` or ``patient``.
            pictures: Key slices; the first few are shown, as the preset says.
            rates_consistency: Without effect: this writer samples no drafts.

        Raises:
            ReportError: If the protocol is not the one of the findings.
        """
        return assemble_draft(
            findings, protocol, lambda slots: self.write_slots(slots, regions, pictures, style=style)
        )

    def write_slots(
        self, slots: Sequence[Slot], regions: Sequence[Region], pictures: Sequence[KeySlice], *, style: str
    ) -> list[str]:
        """Write some slots, a batch at a time; a text cut off by its length keeps whole sentences."""
        size = self._loaded.config.generation.batch_size
        texts: list[str] = []
        for start in range(0, len(slots), size):
            texts += self._write_batch(slots[start : start + size], regions, pictures, style)
        return texts

    @torch.inference_mode()
    def _write_batch(
        self, slots: Sequence[Slot], regions: Sequence[Region], pictures: Sequence[KeySlice], style: str
    ) -> list[str]:
        config, soft = self._loaded.config, self._loaded.soft
        shown = [item.to_image() for item in pictures[: config.pictures]]
        talks = [
            conversation(
                self._instructions,
                question(self._instructions, slot, style=style),
                style="structured" if slot.section != FINDINGS else style,
                pictures=0 if self._tower is not None else len(shown),
                places="" if soft is None else soft.places,
                system_turn=config.system_turn,
            )
            for slot in slots
        ]
        batch = self._loaded.talker.encode(talks, [] if self._tower is not None else shown)
        if soft is None:
            return self._generate(batch)
        seen = None if self._tower is None else self._tower.look(shown)
        embeddings = [_regions_of(slot, regions) if seen is None else seen for slot in slots]
        with soft.placed(self._loaded.model, embeddings):
            return self._generate(batch)

    def _generate(self, batch: Batch) -> list[str]:
        limit = self._loaded.config.generation.max_new_tokens
        written = generate(self._loaded.model, batch, soft=self._loaded.soft, max_new_tokens=limit)
        texts = []
        for ids in written:
            text = self._loaded.talker.decode(ids)
            texts.append(whole_sentences(text) if _is_cut(ids, self._loaded.model, limit) else text)
        return texts


def generate(model: Any, batch: Batch, *, soft: SoftTokens | None, max_new_tokens: int) -> torch.Tensor:
    """Return the new ids of each row, (B, up to ``max_new_tokens``); greedy, whatever the model's settings say."""
    from transformers import GenerationConfig

    own = model.generation_config
    settings = GenerationConfig(  # type: ignore[no-untyped-call]
        do_sample=False,
        max_new_tokens=max_new_tokens,
        bos_token_id=own.bos_token_id,
        eos_token_id=own.eos_token_id,
        pad_token_id=own.pad_token_id if own.pad_token_id is not None else _ends(model)[0],
        suppress_tokens=None if soft is None else [soft.token_id],
    )
    given = to_model(batch, model)
    ids: torch.Tensor = model.generate(**given, generation_config=settings)
    return ids[:, batch["input_ids"].shape[1] :]


def to_model(batch: Batch, model: Any) -> Batch:
    """Return a batch on the model's device, pictures in its data type."""
    return {
        key: item.to(model.device, model.dtype) if item.is_floating_point() else item.to(model.device)
        for key, item in batch.items()
    }


def open_tower(config: HubConfig, weights_root: Path, name: str) -> ImageTower | None:
    """Return the image tower that a preset names, or None.

    Raises:
        ConfigError: If it is not on this machine.
        WeightsError: If it cannot be loaded.
    """
    if config.soft is None or not config.soft.tower:
        return None
    folder = find_model(
        config.soft.tower,
        home=config.home,
        weights_root=weights_root,
        name=f"{name}-tower",
        marker=TOWER_CONFIG,
    )
    return load_tower(folder)


def _regions_of(slot: Slot, regions: Sequence[Region]) -> Embeddings:
    return tuple(item.embedding for item in regions if item.level in slot.levels)


def _ends(model: Any) -> list[int]:
    ends = model.generation_config.eos_token_id
    return list(ends) if isinstance(ends, list | tuple) else [int(ends)]


def _is_cut(ids: torch.Tensor, model: Any, limit: int) -> bool:
    return len(ids) == limit and not bool(torch.isin(ids, torch.tensor(_ends(model), device=ids.device)).any())
