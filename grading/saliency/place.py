"""From cells of a feature map to pixels of a window, and from a window back onto its slice. No torch.

Every kind of window (a midline crop, a view, one slice of a joint) is a rectangle of its slice that may be turned,
so one affine map a window serves all kinds. It is taken from the places that the cutting itself samples.

Frames. Cell (r, c) of a feature map of stride s is centred on the window's pixel (r s, c s), not on the middle of
an s by s tile: every halving of the encoders is a convolution with an odd kernel and half of it as padding. Pixels
of window and slice have their centres at whole numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

Cells = NDArray[np.float32]
"""Heat of one window on the feature map, (h, w)."""
CropHeat = NDArray[np.float32]
"""Heat of one window on its own pixels, (H, W)."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class WindowPlace:
    """Where a window lies on the original slice that it was read off.

    Attributes:
        matrix: (2, 3): (x, y) of the slice = matrix @ (row, column, 1) of the window.
        shape: (H, W) of the window.
        slice_shape: (rows, columns) of the slice.
    """

    matrix: NDArray[np.float64]
    shape: tuple[int, int]
    slice_shape: tuple[int, int]

    @classmethod
    def of_pixels(cls, pixels: NDArray[np.float64], slice_shape: tuple[int, int]) -> "WindowPlace":
        """Take a window's place from those of its pixels.

        Args:
            pixels: (2, H, W), H and W at least 2: x, y on the slice, evenly spaced along both axes.
            slice_shape: (rows, columns) of the slice.
        """
        _, height, width = pixels.shape
        first = pixels[:, 0, 0]
        down, right = (pixels[:, -1, 0] - first) / (height - 1), (pixels[:, 0, -1] - first) / (width - 1)
        return cls(np.stack([down, right, first], axis=1), (height, width), slice_shape)

    def cell_px(self, cells: tuple[int, ...]) -> tuple[float, float]:
        """Return (rows, columns) of the slice that one cell of an (h, w) feature map spans: its upright box."""
        strides = [cell_stride(size, count) for size, count in zip(self.shape, cells, strict=True)]
        columns, rows = np.abs(self.matrix[:, :2]) @ strides
        return float(rows), float(columns)

    def box_px(self) -> tuple[float, float, float, float]:
        """Return (x0, y0, x1, y1) round the pixels of the slice that the window covers.

        Raises:
            IndexError: If it covers none.
        """
        window = window_mask(self)
        rows, columns = np.flatnonzero(window.any(axis=1)), np.flatnonzero(window.any(axis=0))
        return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


def cell_stride(crop: int, cells: int) -> int:
    """Return the stride, a power of two, that makes ``cells`` of ``crop`` pixels."""
    return int(2 ** round(np.log2(crop / cells)))


def enlarge(cells: Cells, shape: tuple[int, int]) -> CropHeat:
    """Spread cells over the pixels of a window, linear between their centres, level beyond the last ones."""
    rows = np.arange(shape[0]) / cell_stride(shape[0], cells.shape[0])
    columns = np.arange(shape[1]) / cell_stride(shape[1], cells.shape[1])
    places = np.meshgrid(rows, columns, indexing="ij")
    heat: CropHeat = map_coordinates(cells, places, order=1, mode="nearest").astype(np.float32)
    return heat


def onto_slice(values: NDArray[np.float32], place: WindowPlace) -> NDArray[np.float32]:
    """Lay values of a window (H, W) on the slice it was read off.

    Returns:
        (rows, columns) of the slice, linear between the window's pixels; 0 outside the window.
    """
    rows, columns = _window_pixels(place)
    laid = map_coordinates(values, [rows, columns], order=1, mode="nearest")
    return np.where(_is_inside(rows, columns, place), laid, 0.0).astype(np.float32)


def window_mask(place: WindowPlace) -> Mask:
    """Return which pixels of the slice (rows, columns) a window covers."""
    return _is_inside(*_window_pixels(place), place)


def _window_pixels(place: WindowPlace) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (row, column) of the window for every pixel of the slice: undoes ``matrix``."""
    y, x = np.mgrid[: place.slice_shape[0], : place.slice_shape[1]].astype(float)
    inverse = np.linalg.inv(place.matrix[:, :2])
    x0, y0 = place.matrix[:, 2]
    return (
        inverse[0, 0] * (x - x0) + inverse[0, 1] * (y - y0),
        inverse[1, 0] * (x - x0) + inverse[1, 1] * (y - y0),
    )


def _is_inside(rows: NDArray[np.float64], columns: NDArray[np.float64], place: WindowPlace) -> Mask:
    height, width = place.shape
    return (rows >= -0.5) & (rows <= height - 0.5) & (columns >= -0.5) & (columns <= width - 0.5)
