"""One slice of a phantom as a picture."""

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.types import Phantom


def phantom_picture(phantom: Phantom, *, role: str = "sagittal_t2") -> NDArray[np.uint8]:
    """Return the middle slice of a series as an 8-bit picture (rows, columns), for tests and documents."""
    series = phantom.series_by_role(role)
    image = series.array[:, :, series.array.shape[2] // 2].T
    scaled = np.clip(image / np.percentile(image, 99.5), 0.0, 1.0) * 255
    return np.asarray(np.rint(scaled), dtype=np.uint8)
