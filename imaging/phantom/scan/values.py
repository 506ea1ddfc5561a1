"""Relaxation of a patient's tissues at a field strength."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.tissues import Palette, Tissue, fat_pool, scaling

_PD_SPREAD = 0.5  # of the spread of the times; own choice: density varies less than relaxation
_FAT_SPREAD = 0.3  # fat is much the same in all; own choice


@dataclass(frozen=True)
class TissueValues:
    """What the signal equations need, by tissue number.

    Attributes:
        t1: (N,) of water, ms.
        t2: (N,) of water, ms.
        water: (N,) proton density of water, CSF = 1.
        fat: (N,) proton density of fat.
        fat_t1: ms.
        fat_t2: Of a single echo, ms.
    """

    t1: NDArray[np.float64]
    t2: NDArray[np.float64]
    water: NDArray[np.float64]
    fat: NDArray[np.float64]
    fat_t1: float
    fat_t2: float


def at_field(low: float, high: float, field_strength_t: float) -> float:
    """Return a relaxation time at a field, on the power law through its values at 1.5 and 3 T, ms.

    Source: T1 grows with a power of the field (Bottomley, Med Phys 1984); the same form for T2 is own choice.
    """
    return float(low * (high / low) ** np.log2(field_strength_t / 1.5))


def tissue_values(palette: Palette, *, field_strength_t: float, spread: float, seed: int) -> TissueValues:
    """Return the relaxation of every tissue of a patient.

    Args:
        palette: Tissues by number.
        field_strength_t: Tesla.
        spread: Standard deviation of the logarithm of T1, T2 and (less) PD between patients.
        seed: Of the patient.
    """
    tissues, pool = palette.tissues, fat_pool()
    rng = np.random.default_rng((seed, 5))
    vary = np.exp(spread * np.clip(rng.standard_normal((3, len(tissues))), -2.5, 2.5))
    fat_vary = np.exp(_FAT_SPREAD * spread * np.clip(rng.standard_normal(2), -2.5, 2.5))
    density = np.array([tissue.pd for tissue in tissues]) * vary[2] ** _PD_SPREAD
    fraction = np.array([tissue.fat_fraction for tissue in tissues])
    return TissueValues(
        t1=np.array([_t1(tissue, field_strength_t) for tissue in tissues]) * vary[0],
        t2=np.array([_t2(tissue, field_strength_t) for tissue in tissues]) * vary[1],
        water=density * (1.0 - fraction),
        fat=density * fraction,
        fat_t1=at_field(pool.t1, pool.t1_3t, field_strength_t) * float(fat_vary[0]),
        fat_t2=at_field(pool.t2, pool.t2_3t, field_strength_t) * float(fat_vary[1]),
    )


def _t1(tissue: Tissue, field_strength_t: float) -> float:
    high = tissue.t1 * scaling().t1_3t if tissue.t1_3t is None else tissue.t1_3t
    return at_field(tissue.t1, high, field_strength_t)


def _t2(tissue: Tissue, field_strength_t: float) -> float:
    high = tissue.t2 * scaling().t2_3t if tissue.t2_3t is None else tissue.t2_3t
    return at_field(tissue.t2, high, field_strength_t)
