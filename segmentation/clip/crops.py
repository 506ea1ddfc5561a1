"""Regions as the visual tower sees them: one place of a slice at three zooms.

The first channel shows the place itself, the second what lies round it, the third so much of the spine that the
distance to the sacrum tells the level: text that names a level can be right or wrong about a region. The measure
is the pitch (distance of neighbouring discs) at that place, so no millimetres are needed.

Image pixels are (x, y) = (column, row) of the slice, pixel centres at whole numbers.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE_PX = 96
"""Rows and columns of a crop."""
FIELDS_PITCHES = (2.0, 5.0, 12.0)
"""Width of each channel's field; own choice: a disc with its endplates, its neighbours, a lumbar spine."""
NOMINAL_PITCH_MM = 35.0
"""Pitch to take where a slice shows no discs: that of a lumbar spine (disc and vertebral body), own choice."""


def cut_region(
    image: NDArray[np.generic], centre: tuple[float, float], pitch_px: float, *, aspect: float = 1.0
) -> NDArray[np.float32]:
    """Cut one region; black where it leaves the slice.

    Args:
        image: (rows, columns), any grey scale.
        centre: (x, y) in image pixels.
        pitch_px: Distance of neighbouring discs, columns.
        aspect: Row spacing / column spacing; 1 for square or unknown pixels.

    Returns:
        (3, SIDE_PX, SIDE_PX) float32, about -1 to 1: grey values scaled by the middle field's own.
    """
    return scale_grey(np.stack([_field(image, centre, share * pitch_px, aspect) for share in FIELDS_PITCHES]))


def _field(
    image: NDArray[np.generic], centre: tuple[float, float], width: float, aspect: float
) -> NDArray[np.float32]:
    """Return a square field of ``width`` columns, resized without aliasing."""
    half = np.array([width / 2, width / 2 / aspect])
    middle = np.array(centre) + 0.5  # places between pixels: pixel n reaches from n to n + 1
    low = np.floor(middle - half).astype(int) - 1
    high = np.ceil(middle + half).astype(int) + 1
    size = np.array([image.shape[1], image.shape[0]])
    inner_low, inner_high = np.clip(low, 0, size), np.clip(high, 0, size)
    window = np.zeros((high - low)[::-1], dtype=np.float32)
    start, stop = inner_low - low, inner_high - low
    window[start[1] : stop[1], start[0] : stop[0]] = image[
        inner_low[1] : inner_high[1], inner_low[0] : inner_high[0]
    ]
    (x0, y0), (x1, y1) = middle - half - low, middle + half - low
    field = Image.fromarray(window).resize(
        (SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=(float(x0), float(y0), float(x1), float(y1))
    )
    return np.asarray(field, dtype=np.float32)


def scale_grey(fields: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the channels of one region to about -1 to 1 by the percentiles 1 and 99 of the middle one."""
    low, high = np.percentile(fields[1], [1.0, 99.0])
    scaled: NDArray[np.float32] = np.clip((fields - low) / max(float(high - low), 1e-6), -0.25, 1.5) * 2 - 1
    return scaled.astype(np.float32)


def cut_regions(
    image: NDArray[np.generic],
    centres: list[tuple[float, float]],
    pitches_px: list[float],
    *,
    aspect: float = 1.0,
) -> NDArray[np.float32]:
    """Cut the regions of one slice.

    Args:
        image: (rows, columns), any grey scale.
        centres: (x, y) of each region in image pixels.
        pitches_px: Distance of neighbouring discs at each, in columns.
        aspect: Row spacing / column spacing; 1 for square or unknown pixels.

    Returns:
        (N, 3, SIDE_PX, SIDE_PX) float32.

    Raises:
        ValueError: If there is no region, or not one pitch for each, or a pitch is not positive.
    """
    if not centres or len(centres) != len(pitches_px) or min(pitches_px) <= 0:
        raise ValueError(
            f"regions: expected as many positive pitches as centres, got {len(centres)} centres, {pitches_px!r}"
        )
    regions = zip(centres, pitches_px, strict=True)
    return np.stack([cut_region(image, centre, pitch, aspect=aspect) for centre, pitch in regions])
