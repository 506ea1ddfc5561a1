"""Signal equations of spin echo, fast spin echo and inversion recovery, for water and fat apart.

Signals keep their sign until water and fat are added in the image: in a STIR picture both may be upside down, and
a voxel of both is then the magnitude of their sum.
"""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.scan.values import TissueValues
from imaging.phantom.setup import SeriesRow
from imaging.phantom.tissues import train_fat_t2

Times = float | NDArray[np.float64]
"""One time or one for each tissue, ms."""

_PPM_FAT = 3.4  # methylene protons below water; Source: general knowledge
GYROMAGNETIC_MHZ_T = 42.577478518  # of the proton; Source: CODATA


def magnetisation(t1: Times, *, tr: float, ti: float) -> Times:
    """Return the longitudinal magnetisation that is tipped, as a share of its rest value.

    Args:
        t1: ms.
        tr: From one excitation to the next, ms.
        ti: From the inversion to the excitation, ms; 0 means no inversion.

    Source: saturation recovery 1 - exp(-TR/T1); inversion recovery of a spin echo with the echo soon after the
    excitation, 1 - 2 exp(-TI/T1) + exp(-TR/T1) (general knowledge).
    """
    recovered = np.exp(-tr / np.asarray(t1))
    share = 1.0 - recovered if ti == 0 else 1.0 - 2.0 * np.exp(-ti / np.asarray(t1)) + recovered
    return np.asarray(share)


def null_time(t1: float, *, tr: float) -> float:
    """Return the inversion time in ms at which a tissue gives no signal: T1 (ln 2 - ln(1 + exp(-TR/T1)))."""
    return float(t1 * (np.log(2.0) - np.log1p(np.exp(-tr / t1))))


def pool_signals(values: TissueValues, row: SeriesRow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the signed signals (N,) of the water and of the fat of every tissue.

    Effective echo time decides the contrast of a fast spin echo; its long train shows fat brighter
    (``train_fat_t2``) and blurs (``kspace``).
    """
    water = values.water * magnetisation(values.t1, tr=row.tr, ti=row.ti) * np.exp(-row.te / values.t2)
    fat_t2 = train_fat_t2(values.fat_t2, row.turbo)
    fat = values.fat * magnetisation(values.fat_t1, tr=row.tr, ti=row.ti) * np.exp(-row.te / fat_t2)
    return np.asarray(water, dtype=np.float32), np.asarray(fat, dtype=np.float32)


def fat_shift_pixels(*, field_strength_t: float, bandwidth: float) -> float:
    """Return by how many pixels fat is displaced along the read axis: 3.4 ppm of the frequency over the bandwidth.

    Args:
        field_strength_t: Tesla.
        bandwidth: Of a pixel, Hz; 0 means no displacement.
    """
    hertz = _PPM_FAT * GYROMAGNETIC_MHZ_T * field_strength_t
    return 0.0 if bandwidth == 0 else hertz / bandwidth
