"""A canvas of tissue and label numbers to paint on; later paint covers earlier paint."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.grid import Box, Coordinates, Grid


@dataclass(frozen=True)
class View:
    """A part of a canvas: coordinates to ask, tissues and labels to set.

    Attributes:
        x: World x, of a shape that broadcasts to ``tissue``.
        y: World y, likewise.
        z: World z, likewise.
        tissue: Tissue numbers, a window into the canvas.
        label: Label numbers, a window into the canvas.
    """

    x: Coordinates
    y: Coordinates
    z: Coordinates
    tissue: NDArray[np.uint8]
    label: NDArray[np.uint8]

    def paint(self, mask: NDArray[np.bool_], tissue: int, label: int | None = None) -> None:
        """Set tissue, and label where one is given, inside a mask that broadcasts to the view."""
        full = np.broadcast_to(mask, self.tissue.shape)
        self.tissue[full] = tissue
        if label is not None:
            self.label[full] = label


@dataclass
class Canvas:
    """Tissue and label numbers of every sample of a grid."""

    grid: Grid
    tissue: NDArray[np.uint8] = field(init=False)
    label: NDArray[np.uint8] = field(init=False)

    def __post_init__(self) -> None:
        self.tissue = np.zeros(self.grid.sample_shape, dtype=np.uint8)
        self.label = np.zeros(self.grid.sample_shape, dtype=np.uint8)
        self._points = self.grid.points()

    def whole(self) -> View:
        """Return a view of everything."""
        x, y, z = self._points
        return View(x, y, z, self.tissue, self.label)

    def view(self, box: Box) -> View | None:
        """Return the part inside a world box; None when the box lies outside the grid."""
        window = self.grid.window(box)
        if window is None:
            return None
        x, y, z = (_part(coordinate, window) for coordinate in self._points)
        return View(x, y, z, self.tissue[window], self.label[window])

    def labels(self) -> NDArray[np.uint8]:
        """Return the labels at the voxel centres, (I, J, K)."""
        middle = self.grid.sub_slices // 2
        return self.label[:, :, middle :: self.grid.sub_slices].copy()


def _part(coordinate: Coordinates, window: tuple[slice, slice, slice]) -> Coordinates:
    index = tuple(part if size > 1 else slice(None) for part, size in zip(window, coordinate.shape, strict=True))
    return coordinate[index]
