"""Examples to tune a hub model on: conversations of one patient at a time, with their pictures and regions.

A batch is one patient's, so that all its conversations show the same pictures: a real patient (SPIDER's gradings,
middle slices and regions), or drawn findings with neither.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anatomy import Protocol
from grading.types import Findings
from vlm.hub.config import HubConfig
from vlm.hub.prompts import Instructions, Turn, conversation, question
from vlm.hub.soft import Embeddings
from vlm.pictures import KeySlice, key_slice
from vlm.plan import FINDINGS, Slot, plan_report, slots_of
from vlm.training.corpus import level_text
from vlm.training.examples import OTHER_STYLES
from vlm.training.real_findings import Gradings, real_findings
from vlm.training.regions import RegionCache, middle_slices
from vlm.training.synthetic_findings import draw_findings
from vlm.values import hide_values


@dataclass(frozen=True)
class HubMix:
    """How batches are drawn; all are shares from 0 to 1."""

    real: float
    """Batches of real patients; the rest are drawn findings, without pictures or regions."""
    structured: float
    """Levels in the service's style; the rest are telegraphic or narrative."""
    with_pictures: float
    """Real batches that show the patient's pictures; a writer must do without them too."""


@dataclass(frozen=True)
class TalkBatch:
    """Conversations of one patient with their answers.

    Attributes:
        talks: Turns up to the answer.
        answers: What is to be written, values hidden.
        pictures: Key slices that all of them show.
        embeddings: Region embeddings of each slot; empty tuples without regions.
    """

    talks: tuple[list[Turn], ...]
    answers: tuple[str, ...]
    pictures: tuple[KeySlice, ...]
    embeddings: tuple[Embeddings, ...]


@dataclass(frozen=True)
class HubSource:
    """Where batches come from.

    Attributes:
        mix: Shares.
        preset: Pictures, turns and soft tokens of the model.
        instructions: What the model is told.
        protocol: Levels and conditions.
        gradings: Gradings of the patients to learn from; empty draws findings only.
        slices: Patient -> files of the middle slices.
        regions: Region embeddings of the patients.
        uses_regions: Whether region embeddings become soft tokens.
        sees: Whether the model's own eyes see the pictures, else an image tower does, and turns hold none.
    """

    mix: HubMix
    preset: HubConfig
    instructions: Instructions
    protocol: Protocol
    gradings: Gradings
    slices: dict[int, tuple[Path, ...]]
    regions: RegionCache
    uses_regions: bool
    sees: bool

    @property
    def places(self) -> str:
        """Return the placeholders of soft tokens in a question."""
        soft = self.preset.soft
        is_used = soft is not None and (self.uses_regions or not self.sees)
        return soft.token * soft.tokens if soft is not None and is_used else ""


def slices_by_patient(data_dir: Path) -> dict[int, tuple[Path, ...]]:
    """Return patient -> files of the middle slices, T2 before T1.

    Raises:
        StudyError: If the table of slices is missing.
    """
    found: dict[int, list[Path]] = {}
    for patient, file in middle_slices(data_dir):
        found.setdefault(patient, []).append(file)
    return {patient: tuple(sorted(files, key=_weighting)) for patient, files in found.items()}


def draw_batch(source: HubSource, rng: np.random.Generator, size: int) -> TalkBatch:
    """Draw up to ``size`` slots of one patient (at least one)."""
    patient = None
    if source.gradings and rng.random() < source.mix.real:
        patient = int(rng.choice(sorted(source.gradings)))
    slots: list[Slot] = []
    while not slots:
        findings = _findings(source, rng, patient)
        slots = slots_of(plan_report(findings))
    chosen = [slots[int(index)] for index in rng.permutation(len(slots))[:size]]
    shown = patient is not None and rng.random() < source.mix.with_pictures
    pictures = _pictures(source, patient) if patient is not None and shown else ()
    pairs = [_talk(source, rng, findings, slot, len(pictures) if source.sees else 0) for slot in chosen]
    return TalkBatch(
        talks=tuple(talk for talk, _ in pairs),
        answers=tuple(answer for _, answer in pairs),
        pictures=pictures,
        embeddings=tuple(_embeddings(source, patient, slot) for slot in chosen),
    )


def _findings(source: HubSource, rng: np.random.Generator, patient: int | None) -> Findings:
    if patient is None:
        return draw_findings(rng, source.protocol)
    return real_findings(source.gradings[patient], source.protocol, rng, widen=True)


def _talk(
    source: HubSource, rng: np.random.Generator, findings: Findings, slot: Slot, pictures: int
) -> tuple[list[Turn], str]:
    style, answer = "structured", slot.target
    if slot.section == FINDINGS and len(slot.levels) == 1 and rng.random() >= source.mix.structured:
        style = OTHER_STYLES[int(rng.integers(len(OTHER_STYLES)))]
        answer = level_text(findings, slot.levels[0], style, rng)
    turns = conversation(
        source.instructions,
        question(source.instructions, slot, style=style),
        style=style,
        pictures=pictures,
        places=source.places,
        system_turn=source.preset.system_turn,
    )
    return turns, hide_values(answer)


def _pictures(source: HubSource, patient: int) -> tuple[KeySlice, ...]:
    from imaging import load_study

    files = source.slices.get(patient, ())[: source.preset.pictures]
    studies = [load_study(file, protocol=source.protocol.name) for file in files]
    return tuple(key_slice(study.series[0], 0) for study in studies)


def _embeddings(source: HubSource, patient: int | None, slot: Slot) -> Embeddings:
    if patient is None or not source.uses_regions:
        return ()
    return tuple(item for level in slot.levels for item in source.regions.of(patient, level))


def _weighting(file: Path) -> tuple[bool, str]:
    return "t2" not in file.stem.lower(), file.name
