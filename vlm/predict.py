"""The drafter: findings and regions in, a draft with evidence out.

It owns prompts, batching and the way back from tokens to sentences. The same findings and regions give the same
text: greedy, float32, slots of a report always batched in the same order.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from anatomy import Protocol
from grading.types import Findings
from reporting.types import Draft
from runtime.device import pick_device
from runtime.errors import WriterError
from runtime.settings import load_settings
from runtime.weights import open_weights
from segmentation.types import Region
from vlm.assemble import assemble_draft, whole_sentences
from vlm.build import LoadedWriter, load_writer
from vlm.model import Sampling
from vlm.pictures import KeySlice
from vlm.plan import FINDINGS, Slot
from vlm.prompt import STYLES, SlotPrompt, collate, impression_prompt, level_prompt, load_layout, style_token
from vlm.values import hide_values

_SEED = 0
"""Of the sampled drafts."""


class Drafter:
    """Writes drafts with one loaded model.

    Args:
        loaded: Network, tokenizer and configuration.
        checksum: Checksum of the weights folder, for the provenance.
        device: Where the network computes.
        segmentation_checksum: Checksum of the segmentation weights whose region embeddings the projector was
            trained on; None when it never saw any.
        styles: Styles that it obeys.
    """

    def __init__(
        self,
        loaded: LoadedWriter,
        *,
        checksum: str,
        device: torch.device,
        segmentation_checksum: str | None = None,
        styles: Sequence[str] = STYLES,
    ) -> None:
        self.checksum = checksum
        self.segmentation_checksum = segmentation_checksum
        self._styles = tuple(styles)
        self.loaded = loaded
        self._layout = load_layout(loaded.config.prompt)
        self._device = device

    @classmethod
    def load(
        cls,
        *,
        weights_root: Path | None = None,
        name: str = "spine-tiny",
        device: str = "auto",
        use_adapter: bool = True,
    ) -> "Drafter":
        """Load a model folder.

        Args:
            weights_root: Folder of all weights; None takes the configured one.
            name: Model folder in it.
            device: ``auto``, ``cpu``, ``cuda`` ...
            use_adapter: False leaves the bare decoder, for comparison only.

        Raises:
            WeightsError: If files are missing, differ from their checksums or do not fit together.
        """
        folder = open_weights(name, weights_root or load_settings().weights_dir)
        target = pick_device(device)
        return cls(
            load_writer(folder.path, device=target, use_adapter=use_adapter),
            checksum=folder.checksum,
            device=target,
            segmentation_checksum=folder.config.get("segmentation_checksum"),
            styles=folder.config.get("styles", STYLES),
        )

    @property
    def prompt_id(self) -> str:
        """Return the id of the prompt layout, for the provenance."""
        return self._layout.id

    @property
    def region_tokens(self) -> int:
        """Return how many places for region tokens a level's prompt has."""
        return self.loaded.config.projector.tokens

    @property
    def consistency_floor(self) -> float:
        """Return the agreement with sampled drafts below which a sentence is marked."""
        return self.loaded.config.generation.consistency_floor

    def knows_style(self, style: str) -> bool:
        """Return whether the weights obey a style (``styles`` of their ``config.json``).

        Raises:
            ConfigError: If there is no such style.
        """
        return style in self._styles and self.loaded.tokenizer.knows(style_token(style))

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
            regions: Region embeddings of the levels; may be empty.
            protocol: Gives the order of the sections.
            style: ``structured``, ``telegraphic``, ``narrative`` or ``patient``.
            pictures: Not looked at: this writer sees the slices through the region embeddings only.
            rates_consistency: Also sample drafts and give each sentence its agreement with them (slower).

        Raises:
            ReportError: If the protocol is not the one of the findings.
            WriterError: If the weights do not obey the style.
        """
        if not self.knows_style(style):
            raise WriterError(f"the writer's weights do not obey the style {style!r}", code="style")

        def prompts_of(slots: Sequence[Slot]) -> list[SlotPrompt]:
            return [self.prompt_of(slot, regions, style=style) for slot in slots]

        return assemble_draft(
            findings,
            protocol,
            lambda slots: self.write_slots(prompts_of(slots)),
            sample=(lambda slots: self.sample_slots(prompts_of(slots))) if rates_consistency else None,
        )

    def prompt_of(self, slot: Slot, regions: Iterable[Region], *, style: str) -> SlotPrompt:
        """Return the prompt of a slot, its values hidden, with the regions of its levels."""
        facts = hide_values(slot.facts)
        if slot.section != FINDINGS:
            return SlotPrompt(impression_prompt(self._layout, facts, style=style))
        text = level_prompt(
            self._layout,
            facts,
            level=",".join(slot.levels),
            style=style,
            region_tokens=self.region_tokens,
        )
        return SlotPrompt(text, tuple(item.embedding for item in regions if item.level in slot.levels))

    def write_slots(self, prompts: Sequence[SlotPrompt]) -> list[str]:
        """Write some prompts, a batch at a time; a text cut off by its length keeps whole sentences."""
        settings = self.loaded.config.generation
        texts: list[str] = []
        for start in range(0, len(prompts), settings.batch_size):
            texts += self._write_batch(prompts[start : start + settings.batch_size], settings.max_new_tokens)
        return texts

    def sample_slots(self, prompts: Sequence[SlotPrompt]) -> list[list[str]]:
        """Return several sampled texts of each prompt; the same prompts give the same texts."""
        settings = self.loaded.config.generation
        generator = torch.Generator(self._device).manual_seed(_SEED)
        sampling = Sampling(settings.temperature, generator)
        drafts: list[list[str]] = [[] for _ in prompts]
        for _ in range(settings.samples):
            for start in range(0, len(prompts), settings.batch_size):
                batch = prompts[start : start + settings.batch_size]
                for index, text in enumerate(self._write_batch(batch, settings.max_new_tokens, sampling)):
                    drafts[start + index].append(text)
        return drafts

    def _write_batch(
        self, prompts: Sequence[SlotPrompt], max_new_tokens: int, sampling: Sampling | None = None
    ) -> list[str]:
        tokenizer = self.loaded.tokenizer
        slots = collate(prompts, tokenizer, region_dim=self.loaded.config.projector.region_dim)
        written = self.loaded.writer.generate(
            slots.to(self._device),
            eos_id=tokenizer.eos_id,
            pad_id=tokenizer.pad_id,
            max_new_tokens=max_new_tokens,
            sampling=sampling,
        )
        texts = []
        for ids in written:
            text = tokenizer.decode(ids).strip()
            texts.append(whole_sentences(text) if len(ids) == max_new_tokens else text)
        return texts
