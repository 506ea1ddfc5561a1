"""Scanners by chance (``configs/phantom/scanners.yaml``): timing, field, noise, coil and faults, for training."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from imaging.phantom.setup import Artefacts, SeriesRow, Setup
from imaging.phantom.tables import phantom_file, read_yaml


def draw_scanner(
    row: SeriesRow, setup: Setup, rng: np.random.Generator, *, sequence: str | None = None
) -> tuple[SeriesRow, Setup]:
    """Return a series and a setup whose sequence, scanner and faults are drawn; grid and anatomy stay.

    Args:
        row: Its grid is kept.
        setup: Its protocol and anatomy are kept.
        rng: Draws.
        sequence: ``t2``, ``t1`` or ``stir``, of which only the timing is drawn; None draws it too.
    """
    table = _table()
    if sequence is None:
        names = list(table["sequences"])
        chances = np.array([table["sequences"][name]["chance"] for name in names])
        sequence = str(rng.choice(names, p=chances / chances.sum()))
    timing = table["sequences"][sequence]
    drawn = replace(
        row,
        sequence=sequence,
        tr=_uniform(timing["tr"], rng),
        te=_uniform(timing["te"], rng),
        ti=_uniform(timing["ti"], rng),
        turbo=round(_uniform(timing["turbo"], rng)),
        bandwidth=_uniform(table["bandwidth_hz"], rng),
        echo_spacing=_uniform(table["echo_spacing_ms"], rng),
        blur=_uniform(table["blur_px"], rng),
        acquired=_uniform(table["acquired"], rng),
        phase=str(rng.choice(["i", "j"])),
    )
    scanner = replace(
        setup,
        field_strength_t=float(rng.choice(table["fields_t"])),
        tissue_spread=_uniform(table["tissue_spread"], rng),
        noise_share=_uniform(table["noise_share"], rng),
        coil_depth_mm=_uniform(table["coil_depth_mm"], rng),
        coil_near=_uniform(table["coil_near"], rng),
        artefacts=Artefacts(
            motion_mm=_sometimes(table["motion_mm"], rng),
            breathing=_sometimes(table["breathing"], rng),
            flow=_sometimes(table["flow"], rng),
        ),
    )
    return drawn, scanner


@cache
def _table() -> dict[str, Any]:
    return read_yaml(phantom_file("scanners"))


def _uniform(limits: list[float], rng: np.random.Generator) -> float:
    low, high = limits
    return float(rng.uniform(low, high))


def _sometimes(row: Mapping[str, Any], rng: np.random.Generator) -> float:
    return _uniform(row["range"], rng) if rng.uniform() < row["chance"] else 0.0
