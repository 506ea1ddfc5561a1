"""Tissues and what they are made of (``configs/phantom/tissues.yaml``), and the palette of one phantom.

A tissue is a pool of water with its own T1 and T2 at 1.5 and 3 T, and a share of fat; all fat is alike. A palette
numbers the tissues of one phantom: the fixed ones of the table and those a region adds, such as the nucleus, a
border zone and the annulus of each disc.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.tables import read_yaml
from runtime.errors import ConfigError
from runtime.paths import configs_dir

_LONG_TRAIN = 17
_J_GAIN = 1.43  # own: 68 ms then shows as the code table's 165 ms in a long train
_J_ECHOES = 4.0  # own


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes:
        t1: Longitudinal relaxation time of its water at 1.5 T, ms.
        t2: Transverse relaxation time of its water at 1.5 T, ms.
        pd: Proton density of water and fat, CSF = 1.
        texture: Standard deviation of the fine signal variation, a share.
        fat: How much of the streaks of fat is mixed in; 1 is 16 % of fat on average.
        source: Where the numbers come from.
        fat_fraction: Share of ``pd`` that is fat, 0 to 1.
        t1_3t: T1 of its water at 3 T, ms; None scales ``t1``.
        t2_3t: T2 of its water at 3 T, ms; None scales ``t2``.
        septa: How much signal thin sheets of fibres take away, 0 to 1.
    """

    t1: float
    t2: float
    pd: float
    texture: float = 0.0
    fat: float = 0.0
    source: str = ""
    fat_fraction: float = 0.0
    t1_3t: float | None = None
    t2_3t: float | None = None
    septa: float = 0.0


@dataclass(frozen=True)
class DiscTissue:
    """Relaxation of a disc of one Pfirrmann grade: T1, T2 of nucleus and annulus in ms, proton density."""

    t1: float
    nucleus_t2: float
    annulus_t2: float
    pd: float


@dataclass(frozen=True)
class FatPool:
    """Relaxation of fat at 1.5 and 3 T, ms; T2 of a single echo."""

    t1: float
    t1_3t: float
    t2: float
    t2_3t: float
    source: str


@dataclass(frozen=True)
class Scaling:
    """T1 and T2 at 3 T over those at 1.5 T, where a tissue does not give both."""

    t1_3t: float
    t2_3t: float


def train_fat_t2(t2: float, turbo: int) -> float:
    """Return the T2 in ms that fat shows in a train of echoes.

    Closely spaced refocusing pulses undo the J-coupling that darkens fat in a single echo, so fat is bright on
    fast spin echo. Source of the effect: Henkelman, MRM 1994; size and shape of the rise: own choice (constants).
    """
    return float(t2 * (1.0 + _J_GAIN * (1.0 - np.exp(-(turbo - 1) / _J_ECHOES))))


def spin_echo(tissue: Tissue, *, tr: float, te: float, turbo: int = _LONG_TRAIN) -> float:
    """Return the signal PD (1 - exp(-TR/T1)) exp(-TE/T2) of water and fat together at 1.5 T, times in ms.

    Source: the usual spin-echo equation (general knowledge).
    """
    pool = fat_pool()
    fat_t2 = train_fat_t2(pool.t2, turbo)
    water = (1.0 - np.exp(-tr / tissue.t1)) * np.exp(-te / tissue.t2)
    fat = (1.0 - np.exp(-tr / pool.t1)) * np.exp(-te / fat_t2)
    return float(tissue.pd * ((1.0 - tissue.fat_fraction) * water + tissue.fat_fraction * fat))


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


@cache
def fat_pool() -> FatPool:
    """Return the relaxation of fat."""
    return FatPool(**_table()["fat_pool"])


@cache
def scaling() -> Scaling:
    """Return how relaxation changes from 1.5 to 3 T where a tissue does not say."""
    return Scaling(**_table()["scaling"])


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

    @property
    def tissues(self) -> tuple[Tissue, ...]:
        """Return all tissues by number."""
        return tuple(self._tissues)

    @property
    def names(self) -> tuple[str, ...]:
        """Return all names by number."""
        return tuple(self._numbers)

    def add(self, name: str, tissue: Tissue) -> int:
        """Add a tissue and return its number."""
        if name in self._numbers:
            raise ValueError(f"palette: expected a new tissue name, got {name!r} again")
        if len(self._tissues) > np.iinfo(np.uint8).max:
            raise ValueError(f"palette: expected at most 256 tissues, got {name!r} as one more")
        self._numbers[name] = len(self._tissues)
        self._tissues.append(tissue)
        return self._numbers[name]

    def number(self, name: str) -> int:
        """Return the number of a tissue."""
        return self._numbers[name]

    def tissue(self, name: str) -> Tissue:
        """Return a tissue by name."""
        return self._tissues[self._numbers[name]]

    def textures(self) -> NDArray[np.float32]:
        """Return the texture of every tissue by number."""
        return np.array([tissue.texture for tissue in self._tissues], dtype=np.float32)

    def septa(self) -> NDArray[np.float32]:
        """Return the weight of the septa of every tissue by number."""
        return np.array([tissue.septa for tissue in self._tissues], dtype=np.float32)

    def fat_shares(self) -> NDArray[np.float32]:
        """Return the weight of the fat streak field of every tissue by number."""
        return np.array([tissue.fat for tissue in self._tissues], dtype=np.float32)
