"""Tissues and what a spin-echo sequence makes of them.

A palette numbers the tissues of one phantom: the fixed ones of ``configs/phantom/tissues.yaml`` and, for each
disc, a nucleus, a border zone and an annulus of its own T1, T2 and proton density.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.tables import read_yaml
from runtime.errors import ConfigError
from runtime.paths import configs_dir


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes:
        t1: Longitudinal relaxation time in ms.
        t2: Transverse relaxation time in ms.
        pd: Proton density, CSF = 1.
        texture: Standard deviation of the fine signal variation, a share.
        fat: How much of the fat streak field is mixed in, 0 to 1.
        source: Where the numbers come from.
    """

    t1: float
    t2: float
    pd: float
    texture: float = 0.0
    fat: float = 0.0
    source: str = ""


@dataclass(frozen=True)
class DiscTissue:
    """Relaxation of a disc of one Pfirrmann grade: T1, T2 of nucleus and annulus in ms, proton density."""

    t1: float
    nucleus_t2: float
    annulus_t2: float
    pd: float


def spin_echo(tissue: Tissue, *, tr: float, te: float) -> float:
    """Return the spin-echo signal PD (1 - exp(-TR/T1)) exp(-TE/T2), times in ms.

    Source: the usual spin-echo equation (general knowledge).
    """
    return float(tissue.pd * (1.0 - np.exp(-tr / tissue.t1)) * np.exp(-te / tissue.t2))


@cache
def load_tissues() -> tuple[dict[str, Tissue], dict[str, DiscTissue]]:
    """Return the fixed tissues by name, and the disc tissues by Pfirrmann grade.

    Raises:
        ConfigError: If the file has unknown or missing keys.
    """
    table = _table()
    try:
        fixed = {name: Tissue(**row) for name, row in table["tissues"].items()}
        discs = {grade: DiscTissue(**row) for grade, row in table["discs"].items()}
    except (TypeError, KeyError) as error:
        raise ConfigError(f"tissues.yaml: unknown or missing keys: {error}") from error
    return fixed, discs


def _table() -> dict[str, Any]:
    return read_yaml(configs_dir() / "phantom" / "tissues.yaml")


class Palette:
    """Numbers for the tissues of one phantom; ``air`` is 0."""

    def __init__(self) -> None:
        fixed, _ = load_tissues()
        self._numbers: dict[str, int] = {}
        self._tissues: list[Tissue] = []
        for name, tissue in fixed.items():
            self.add(name, tissue)

    def add(self, name: str, tissue: Tissue) -> int:
        """Add a tissue and return its number."""
        if name in self._numbers:
            raise ValueError(f"palette: expected a new tissue name, got {name!r} again")
        self._numbers[name] = len(self._tissues)
        self._tissues.append(tissue)
        return self._numbers[name]

    def number(self, name: str) -> int:
        """Return the number of a tissue."""
        return self._numbers[name]

    def tissue(self, name: str) -> Tissue:
        """Return a tissue by name."""
        return self._tissues[self._numbers[name]]

    def signals(self, *, tr: float, te: float) -> NDArray[np.float32]:
        """Return the signal of every tissue by number."""
        return np.array([spin_echo(tissue, tr=tr, te=te) for tissue in self._tissues], dtype=np.float32)

    def textures(self) -> NDArray[np.float32]:
        """Return the texture of every tissue by number."""
        return np.array([tissue.texture for tissue in self._tissues], dtype=np.float32)

    def fat_shares(self) -> NDArray[np.float32]:
        """Return the weight of the fat streak field of every tissue by number."""
        return np.array([tissue.fat for tissue in self._tissues], dtype=np.float32)
