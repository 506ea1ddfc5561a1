"""Examples for the adapter: a slot's prompt, its region embeddings, and the text it should become.

Half of the patients are real (SPIDER gradings with the regions of the same discs), half are drawn (no regions).
Regions are sometimes left out, so that absence is practised; findings are sometimes withheld, so that the region
tokens have to be used.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from anatomy import Protocol
from grading.types import Findings
from reporting import compose_level
from vlm.plan import FINDINGS, Slot, plan_report, slots_of
from vlm.prompt import PromptLayout, SlotPrompt, impression_prompt, level_prompt
from vlm.training.corpus import level_text
from vlm.training.protocols import ProtocolMix
from vlm.training.real_findings import Gradings, rated_only, real_findings
from vlm.training.regions import RegionCache
from vlm.training.synthetic_findings import draw_findings
from vlm.values import hide_values

OTHER_STYLES = ("telegraphic", "narrative", "patient")


@dataclass(frozen=True)
class ExampleMix:
    """How examples are drawn; all are shares from 0 to 1."""

    real: float
    """Examples of real patients."""
    structured: float
    """Examples in the service's style; the rest are in another one."""
    without_regions: float
    """Real examples whose regions are left out."""
    without_findings: float
    """Real examples whose findings are withheld (they keep their regions)."""
    region_noise: float
    """Standard deviation of noise on region embeddings, in units of their own deviation."""


@dataclass(frozen=True)
class ExampleSource:
    """Where examples come from.

    Attributes:
        mix: Shares.
        layout: Prompt layout.
        protocol: Levels and conditions of the real patients.
        drawn: Body regions of the drawn ones.
        gradings: Gradings of the patients to learn from.
        regions: Their region embeddings.
        deviation: (T, D) deviation of the embeddings, the unit of the noise.
        region_tokens: K.
    """

    mix: ExampleMix
    layout: PromptLayout
    protocol: Protocol
    drawn: ProtocolMix
    gradings: Gradings
    regions: RegionCache
    deviation: NDArray[np.float32]
    region_tokens: int


def draw_examples(source: ExampleSource, rng: np.random.Generator, count: int) -> list[SlotPrompt]:
    """Draw the examples of one step, measured values hidden as the service hides them."""
    examples: list[SlotPrompt] = []
    patients = sorted(source.gradings)
    while len(examples) < count:
        is_real = bool(rng.random() < source.mix.real)
        patient = int(rng.choice(patients)) if is_real else None
        if patient is not None and rng.random() < source.mix.without_findings:
            examples += _withheld(source, rng, patient)
        else:
            examples += _told(source, rng, patient)
    return [
        replace(item, text=hide_values(item.text), target=hide_values(item.target or ""))
        for item in examples[:count]
    ]


def _told(source: ExampleSource, rng: np.random.Generator, patient: int | None) -> list[SlotPrompt]:
    """Return up to four slots of one patient's report, findings in the prompt."""
    if patient is None:
        findings = draw_findings(rng, source.drawn.draw(rng))
    else:
        findings = real_findings(source.gradings[patient], source.protocol, rng, widen=True)
    slots = slots_of(plan_report(findings))
    chosen = rng.permutation(len(slots))[:4]
    return [_slot_example(source, rng, patient, findings, slots[int(index)]) for index in chosen]


def _slot_example(
    source: ExampleSource, rng: np.random.Generator, patient: int | None, findings: Findings, slot: Slot
) -> SlotPrompt:
    if slot.section != FINDINGS:
        return SlotPrompt(impression_prompt(source.layout, slot.facts, style="structured"), target=slot.target)
    style, target = "structured", slot.target
    if len(slot.levels) == 1 and rng.random() >= source.mix.structured:
        style = OTHER_STYLES[int(rng.integers(len(OTHER_STYLES)))]
        target = level_text(findings, slot.levels[0], style, rng)
    text = level_prompt(
        source.layout,
        slot.facts,
        level=",".join(slot.levels),
        style=style,
        region_tokens=source.region_tokens,
    )
    if patient is None or rng.random() < source.mix.without_regions:
        return SlotPrompt(text, target=target)
    regions = tuple(item for level in slot.levels for item in source.regions.of(patient, level))
    return SlotPrompt(text, _noisy(source, rng, regions), target)


def _withheld(source: ExampleSource, rng: np.random.Generator, patient: int) -> list[SlotPrompt]:
    """Return up to four levels of one patient of which only the regions are told."""
    findings = rated_only(real_findings(source.gradings[patient], source.protocol, rng, widen=False))
    findings = replace(findings, measurements=())
    levels = [level for level in source.gradings[patient] if source.regions.of(patient, level)]
    chosen = rng.permutation(len(levels))[:4]
    return [
        SlotPrompt(
            withheld_prompt(source.layout, levels[int(index)], source.region_tokens),
            _noisy(source, rng, source.regions.of(patient, levels[int(index)])),
            " ".join(item.text for item in compose_level(findings, levels[int(index)])),
        )
        for index in chosen
        if levels[int(index)] in source.protocol.levels
    ]


def withheld_prompt(layout: PromptLayout, level: str, region_tokens: int) -> str:
    """Return the prompt of a level of which only the regions are told."""
    return level_prompt(layout, None, level=level, style="structured", region_tokens=region_tokens)


def _noisy(
    source: ExampleSource, rng: np.random.Generator, regions: tuple[NDArray[np.float32], ...]
) -> tuple[NDArray[np.float32], ...]:
    """Return some of the series' embeddings (at least one), with noise."""
    if len(regions) > 1:
        kept = [item for item in regions if rng.random() < 0.7]
        regions = tuple(kept) or (regions[int(rng.integers(len(regions)))],)
    return tuple(
        (item + rng.normal(0.0, source.mix.region_noise, item.shape) * source.deviation).astype(np.float32)
        for item in regions
    )
