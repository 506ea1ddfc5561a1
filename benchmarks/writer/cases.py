"""Held-out studies of the writer's benchmarks: real patients with their regions, and drawn findings of each
region."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from anatomy import Protocol, load_protocol
from grading.types import Findings
from runtime.settings import load_settings
from segmentation.types import Region
from vlm.training.adapt import split_patients
from vlm.training.real_findings import Gradings, load_gradings, real_findings
from vlm.training.regions import RegionCache
from vlm.training.synthetic_findings import draw_findings

HELD_OUT_SEED = 7
DRAWN_SEED = 900_000
"""Training draws from seeds of its runs and steps; none begins with this one."""


@dataclass(frozen=True)
class Case:
    """A held-out study.

    Attributes:
        patient: SPIDER's number, or that of a drawn study.
        findings: What its report is to state.
        regions: Region embeddings; none of drawn studies.
    """

    patient: int
    findings: Findings
    regions: tuple[Region, ...] = ()


def spider_cases(cache: RegionCache, fold: int, *, held_out: bool = True) -> list[Case]:
    """Return the patients of the held-out fold (or all others), gradings as findings.

    What SPIDER does not grade is drawn from the patient's own seed.
    """
    protocol = load_protocol("lumbar")
    return [
        Case(patient, findings, _regions(cache, patient, protocol))
        for patient, findings in _findings(protocol, fold, held_out=held_out)
    ]


def held_out_patients(fold: int) -> list[int]:
    """Return the patients of ``spider_cases``, in its order."""
    return sorted(split_patients(load_gradings(load_settings().data_dir), fold)[1])


def _findings(protocol: Protocol, fold: int, *, held_out: bool) -> Iterator[tuple[int, Findings]]:
    parts: tuple[Gradings, Gradings] = split_patients(load_gradings(load_settings().data_dir), fold)
    for patient, steps in sorted(parts[int(held_out)].items()):
        yield patient, real_findings(steps, protocol, np.random.default_rng([HELD_OUT_SEED, patient]), widen=True)


def _regions(cache: RegionCache, patient: int, protocol: Protocol) -> tuple[Region, ...]:
    return tuple(
        Region(level, "S1", 0, (0.0, 0.0, 1.0, 1.0), embedding)
        for level in protocol.levels
        for embedding in cache.of(patient, level)
    )


def drawn_cases(name: str, count: int) -> list[Case]:
    """Return drawn studies of a body region that training never drew; no regions."""
    protocol = load_protocol(name)
    return [
        Case(number, draw_findings(np.random.default_rng([DRAWN_SEED, number]), protocol))
        for number in range(count)
    ]
