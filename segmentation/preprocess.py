"""From an original slice to network input and back: one place for training and prediction.

Pixel coordinates are (x, y) at pixel centres; resizing maps x to (x + 0.5) * factor - 0.5, as
``torch.nn.functional.interpolate(align_corners=False)`` does.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def canonical_size(
    rows: int, columns: int, spacing_mm: tuple[float, float] | None, long_side_px: int, *, multiple: int = 1
) -> tuple[int, int]:
    """Return (rows, columns) of network input: isotropic, the long side ``long_side_px`` pixels.

    Args:
        rows: Of the original slice.
        columns: Of the original slice.
        spacing_mm: (row, column) spacing of the original slice; None takes pixels as square.
        long_side_px: Pixels of the long side.
        multiple: Round to multiples of this; the long side should be one.
    """
    row_mm, column_mm = spacing_mm or (1.0, 1.0)
    height, width = rows * row_mm, columns * column_mm
    factor = long_side_px / max(height, width)
    sides = [max(16, round(side * factor / multiple) * multiple) for side in (height, width)]
    return sides[0], sides[1]


def scale_grey(image: NDArray[np.floating], low_percentile: float, high_percentile: float) -> NDArray[np.float32]:
    """Scale grey values so that the two percentiles become 0 and 1; clip outside. A flat image becomes zeros."""
    low, high = np.percentile(image, [low_percentile, high_percentile])
    if high <= low:
        low, high = float(image.min()), float(image.max())
    if high <= low:
        return np.zeros(image.shape, dtype=np.float32)
    scaled: NDArray[np.float32] = np.clip((image - low) / (high - low), 0, 1).astype(np.float32)
    return scaled


def resize(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize (N, C, H, W) images, smoothing first where they shrink."""
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad (N, C, H, W) with zeros at the bottom and the right up to multiples of ``multiple``."""
    rows, columns = images.shape[-2:]
    return functional.pad(images, (0, -columns % multiple, 0, -rows % multiple))


def to_network_range(images: Tensor) -> Tensor:
    """Move grey values from 0..1 to -1..1."""
    return images * 2 - 1
