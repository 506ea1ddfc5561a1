"""From written slots to a draft: what every report writer shares, whatever network or server phrased the slots.

The plan says what is a slot and what stands in the composer's words. A writer turns slots into texts; here the
texts become sentences with evidence, values filled in, in the order of the protocol's sections. Loads without
torch.
"""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from anatomy import Protocol
from grading.types import Findings
from reporting import split_sentences
from reporting.types import Draft, DraftSection, DraftSentence, SentenceSource
from runtime.errors import ReportError
from vlm.consistency import agreement
from vlm.evidence import attach_evidence
from vlm.plan import Slot, plan_report, slots_of
from vlm.values import fill_values

_logger = logging.getLogger(__name__)
_WHOLE = re.compile(r"[.!?](?=\s)|(?<!\d)[.!?]$")

WritesSlots = Callable[[Sequence[Slot]], Sequence[str]]
"""Slots of a report, in order -> one text each, values still hidden; an empty text leaves the composer's words."""


SamplesSlots = Callable[[Sequence[Slot]], Sequence[Sequence[str]]]
"""Slots of a report, in order -> several sampled texts each."""


def assemble_draft(
    findings: Findings, protocol: Protocol, write: WritesSlots, *, sample: SamplesSlots | None = None
) -> Draft:
    """Plan a report, have its slots written and put the draft together, not yet verified.

    Args:
        findings: The only source of facts.
        protocol: Gives the order of the sections.
        write: The writer; not called for a report without slots.
        sample: Samples drafts, with which each sentence's agreement is then told.

    Raises:
        ReportError: If the protocol is not the one of the findings.
    """
    if protocol.name != findings.protocol:
        raise ReportError(
            f"draft: findings are of protocol {findings.protocol!r}, but {protocol.name!r} was asked for"
        )
    plan = plan_report(findings)
    slots = slots_of(plan)
    texts = write(slots) if slots else ()
    written = {id(slot): _sentences(text, slot, findings) for slot, text in zip(slots, texts, strict=True)}
    if sample is not None and slots:
        drafts = sample(slots)
        written = {id(slot): _rated(written[id(slot)], slot, own) for slot, own in zip(slots, drafts, strict=True)}
    sections = [
        DraftSection(
            section.name,
            tuple(
                sentence
                for part in section.parts
                for sentence in (written[id(part)] if isinstance(part, Slot) else (part,))
            ),
        )
        for section in plan
    ]
    return Draft(tuple(sorted(sections, key=lambda item: _place(item.name, protocol.sections))))


def whole_sentences(text: str) -> str:
    """Drop a sentence that was cut off; a closing ``9.`` may be half a number and counts as cut off."""
    ends = [match.end() for match in _WHOLE.finditer(text)]
    return text[: ends[-1]] if ends else ""


def _sentences(text: str, slot: Slot, findings: Findings) -> tuple[DraftSentence, ...]:
    """Return the sentences of a slot, values filled in; the composer's where nothing was written."""
    parts = split_sentences(fill_values(text, slot, findings))
    if not parts:
        _logger.warning("nothing usable was written for %s; the composer's words stand", "/".join(slot.levels))
        return slot.composed
    return attach_evidence(parts, slot, findings)


def _rated(sentences: tuple[DraftSentence, ...], slot: Slot, drafts: Sequence[str]) -> tuple[DraftSentence, ...]:
    """Return sentences with their agreement with sampled drafts; values do not count, they are filled in."""
    level = slot.levels[0] if len(slot.levels) == 1 else None
    return tuple(
        replace(item, consistency=agreement(item.text, drafts, level))
        if item.source is SentenceSource.VLM
        else item
        for item in sentences
    )


def _place(name: str, order: Sequence[str]) -> int:
    return order.index(name) if name in order else len(order)
