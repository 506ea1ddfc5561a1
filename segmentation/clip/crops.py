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


class SlicePicture:
    """A slice, padded with black so that regions at its border can be cut.

    Args:
        image: (rows, columns), any grey scale.
        reach_px: Largest half field that will be asked for, in columns.
        aspect: Row spacing / column spacing; 1 for square or unknown pixels.
    """

    def __init__(self, image: NDArray[np.generic], reach_px: float, aspect: float = 1.0) -> None:
        self.aspect, self.margin = aspect, int(np.ceil(reach_px / min(1.0, aspect))) + 2
        self.picture = Image.fromarray(np.pad(image.astype(np.float32), self.margin))

    def cut(self, centre: tuple[float, float], pitch_px: float) -> NDArray[np.float32]:
        """Cut one region.

        Args:
            centre: (x, y) in image pixels.
            pitch_px: Distance of neighbouring discs in columns.

        Returns:
            (3, SIDE_PX, SIDE_PX) float32, about -1 to 1: grey values scaled by the middle field's own.
        """
        fields = np.stack([self._field(centre, share * pitch_px) for share in FIELDS_PITCHES])
        return scale_grey(fields)

    def _field(self, centre: tuple[float, float], width: float) -> NDArray[np.float32]:
        x, y = centre[0] + 0.5 + self.margin, centre[1] + 0.5 + self.margin
        half_x, half_y = width / 2, width / 2 / self.aspect
        limit_x, limit_y = self.picture.size
        box = (
            float(np.clip(x - half_x, 0, limit_x - 1)),
            float(np.clip(y - half_y, 0, limit_y - 1)),
            float(np.clip(x + half_x, 1, limit_x)),
            float(np.clip(y + half_y, 1, limit_y)),
        )
        return np.asarray(
            self.picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR, box=box), dtype=np.float32
        )


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
    picture = SlicePicture(image, reach(max(pitches_px)), aspect)
    return np.stack([picture.cut(*item) for item in zip(centres, pitches_px, strict=True)])


def reach(pitch_px: float) -> float:
    """Return half the width of the widest field, columns."""
    return pitch_px * FIELDS_PITCHES[-1] / 2
