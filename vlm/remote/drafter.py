"""The drafter's contract with a server behind it: one request a slot; a failure leaves all to the composer.

What is sent: instructions, serialised findings of the slot with measured values hidden, and key slices where the
preset says so. What is not: identity, study key, dates, sex, age, file names, region embeddings.
"""

import base64
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from anatomy import Protocol
from grading.types import Findings
from reporting.types import Draft
from runtime.errors import WriterError
from runtime.settings import read_secret
from segmentation.types import Region
from vlm.assemble import assemble_draft, whole_sentences
from vlm.hub.prompts import Turn, conversation, load_instructions, question
from vlm.pictures import KeySlice
from vlm.plan import FINDINGS, Slot, plan_report, slots_of
from vlm.remote.client import ChatClient
from vlm.remote.config import RemoteConfig


class RemoteDrafter:
    """Writes drafts through an OpenAI-compatible server.

    Args:
        config: Address, model and limits.
        key: The server's key; None sends none.
    """

    segmentation_checksum: str | None = None

    def __init__(self, config: RemoteConfig, *, key: str | None) -> None:
        self._config = config
        self._client = ChatClient(config, key)
        self._instructions = load_instructions(config.prompt)

    @classmethod
    def load(cls, config: RemoteConfig) -> "RemoteDrafter":
        """Return the writer, with the key of the environment; nothing is sent yet."""
        return cls(config, key=read_secret(config.key_variable))

    @property
    def checksum(self) -> str:
        """Return server and model, for the provenance: the weights are out of our sight."""
        return f"remote:{self._config.model}@{self._config.host}"

    @property
    def prompt_id(self) -> str:
        """Return the id of the instructions, for the provenance."""
        return f"remote/{self._instructions.id}"

    @property
    def consistency_floor(self) -> None:
        """Return None: this writer samples no drafts."""

    def disclose(self, findings: Findings) -> str | None:
        """Return what was sent where; None for a report without slots, of which nothing is sent."""
        if not slots_of(plan_report(findings)):
            return None
        count = self._config.pictures
        pictures = f" and up to {count} key slices, pixels as they are," if count else ""
        return (
            f"The report writer is a server: levels and grades of this study{pictures} are sent to "
            f"{self._config.host}, without identity or measured values{'' if count else ' and without pictures'}."
        )

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
            regions: Not sent.
            protocol: Gives the order of the sections.
            style: ``structured``, ``telegraphic``, ``narrative`` or ``patient``.
            pictures: Key slices; the first few are sent, as the preset says, none by default.
            rates_consistency: Without effect: this writer samples no drafts.

        Raises:
            ReportError: If the protocol is not the one of the findings.
            WriterError: If the server fails, refuses or takes too long.
        """
        shown = pictures[: self._config.pictures]
        return assemble_draft(findings, protocol, lambda slots: self._write_slots(slots, shown, style))

    def _write_slots(self, slots: Sequence[Slot], shown: Sequence[KeySlice], style: str) -> list[str]:
        """Write all slots side by side; after the first failure no further request is begun."""
        deadline = time.monotonic() + self._config.total_s
        urls = [_data_url(item) for item in shown]
        failures: list[WriterError] = []

        def write(slot: Slot) -> str:
            if failures:
                return ""
            try:
                return self._write(slot, urls, style, deadline)
            except WriterError as error:
                failures.append(error)
                return ""

        with ThreadPoolExecutor(self._config.concurrency, thread_name_prefix="spinescribe-remote") as pool:
            texts = list(pool.map(write, slots))
        if failures:
            raise failures[0]
        return texts

    def _write(self, slot: Slot, urls: Sequence[str], style: str, deadline: float) -> str:
        turns = conversation(
            self._instructions,
            question(self._instructions, slot, style=style),
            style="structured" if slot.section != FINDINGS else style,
            pictures=len(urls),
        )
        text, is_cut = self._client.complete([_message(turn, urls) for turn in turns], deadline=deadline)
        return whole_sentences(text.strip()) if is_cut else text.strip()


def _message(turn: Turn, urls: Sequence[str]) -> dict[str, Any]:
    """Return a turn in the server's form; pictures take the places that the turn keeps for them."""
    parts = turn["content"]
    if all(part["type"] == "text" for part in parts):
        return {"role": turn["role"], "content": "".join(part["text"] for part in parts)}
    left = iter(urls)
    content = [
        part if part["type"] == "text" else {"type": "image_url", "image_url": {"url": next(left)}}
        for part in parts
    ]
    return {"role": turn["role"], "content": content}


def _data_url(picture: KeySlice) -> str:
    return "data:image/png;base64," + base64.b64encode(picture.to_png()).decode("ascii")
