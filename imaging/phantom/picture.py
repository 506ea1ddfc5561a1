"""One slice of a phantom as a picture."""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.types import Phantom, PhantomSeries

_WHITE_PERCENTILE = 99.5


def phantom_picture(phantom: Phantom, *, role: str = "sagittal_t2", level: str | None = None) -> NDArray[np.uint8]:
    """Return a slice of a series as an 8-bit picture (rows, columns), for tests and documents.

    Args:
        phantom: Which.
        role: Series.
        level: Takes the slice through this level's centre; None the middle slice.

    Raises:
        KeyError: If the phantom has no such series or level.
    """
    series = phantom.series_by_role(role)
    middle = series.array.shape[2] // 2
    number = middle if level is None else slice_through(series, phantom.level(level).centre_ras_mm)
    return to_grey(series.array[:, :, number].T)


def slice_through(series: PhantomSeries, point_ras: tuple[float, float, float]) -> int:
    """Return the slice nearest to a point in RAS+ mm."""
    k = float((np.linalg.inv(series.affine) @ [*point_ras, 1.0])[2])
    return int(np.clip(round(k), 0, series.array.shape[2] - 1))


def to_grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return 8 bits of an image, its 99.5th percentile white."""
    white = max(float(np.percentile(image, _WHITE_PERCENTILE)), 1e-6)
    return np.asarray(np.rint(np.clip(image / white, 0.0, 1.0) * 255), dtype=np.uint8)
