"""From cells of a feature map to pixels of a crop, and from a crop back onto the slice it was cut from. No torch.

Frames. Cell (r, c) of a feature map of stride s is centred on the crop's pixel (r s, c s), not on the middle of an
s by s tile: every halving of the encoders is a convolution with an odd kernel and half of it as padding. Pixels of
crop and slice have their centres at whole numbers.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from grading.config import CropGeometry
from grading.crops import CropFrame

Cells = NDArray[np.float32]
"""Heat of one crop on the feature map, (h, w)."""
CropHeat = NDArray[np.float32]
"""Heat of one crop on its own pixels, (H, W)."""
Mask = NDArray[np.bool_]


def cell_stride(crop: int, cells: int) -> int:
    """Return the stride, a power of two, that makes ``cells`` of ``crop`` pixels."""
    return int(2 ** round(np.log2(crop / cells)))


def enlarge(cells: Cells, shape: tuple[int, int]) -> CropHeat:
    """Spread cells over the pixels of a crop, linear between their centres, level beyond the last ones."""
    rows = np.arange(shape[0]) / cell_stride(shape[0], cells.shape[0])
    columns = np.arange(shape[1]) / cell_stride(shape[1], cells.shape[1])
    places = np.meshgrid(rows, columns, indexing="ij")
    heat: CropHeat = map_coordinates(cells, places, order=1, mode="nearest").astype(np.float32)
    return heat


def onto_slice(
    values: NDArray[np.float32], frame: CropFrame, geometry: CropGeometry, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Lay values of a crop (H, W) on the slice it was cut from.

    Args:
        values: Of the crop's pixels.
        frame: Where the crop lies.
        geometry: Size of its window.
        shape: (rows, columns) of the original slice.

    Returns:
        (rows, columns), linear between the crop's pixels; 0 outside the window.
    """
    rows, columns = _crop_places(frame, geometry, shape)
    laid = map_coordinates(values, [rows, columns], order=1, mode="nearest")
    return np.where(_is_inside(rows, columns, geometry), laid, 0.0).astype(np.float32)


def window_mask(frame: CropFrame, geometry: CropGeometry, shape: tuple[int, int]) -> Mask:
    """Return which pixels of a slice (rows, columns) a crop covers."""
    return _is_inside(*_crop_places(frame, geometry, shape), geometry)


def _crop_places(
    frame: CropFrame, geometry: CropGeometry, shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (row, column) of the crop for every pixel of a slice: undoes ``cut_crop``."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    front, down = frame.pitches(x, y)
    density = geometry.pixels_per_pitch
    rows = (down + geometry.half_height_pitches) * density - 0.5
    return rows, (geometry.front_pitches - front) * density - 0.5


def _is_inside(rows: NDArray[np.float64], columns: NDArray[np.float64], geometry: CropGeometry) -> Mask:
    return (
        (rows >= -0.5)
        & (rows <= geometry.height_px - 0.5)
        & (columns >= -0.5)
        & (columns <= geometry.width_px - 0.5)
    )
