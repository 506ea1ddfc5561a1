"""Anatomy-guided crops: one small window a level, laid along the spine by the chain of posterior points only.

The chain is the posterior disc margins of neighbouring levels. It gives each level a local pitch (distance
between levels) and a local direction, so the same window is cut at reference points in training and at found
levels in use, whatever the pixel size, field of view or tilt. Millimetres are not needed.

Frames. Image pixels are (x, y) = (column, row) of the original slice, pixel centres at whole numbers. Inside,
y is stretched by ``aspect`` = row spacing / column spacing, so that both axes have the same unit. In a crop, the
x axis runs from front to back across the spine as in the picture, the y axis runs down the chain; the posterior
disc margin lies at the same place in each crop. Front is towards smaller x of the image, as stored by imaging.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from anatomy import DISC_LEVELS
from grading.config import CropGeometry

Point = tuple[float, float]
Crop = NDArray[np.float32]
"""Intensities of one window, shape (rows, columns)."""

_CORE_FRONT, _CORE_HALF = 1.0, 0.4  # pitches: the part of a crop that holds the disc itself
_WHOLE_FROM = 0.9  # ours: share of the disc's part of a crop that must lie in the slice
_BLUR_PER_REDUCTION = 0.5  # usual anti-alias width: sigma = 0.5 * sqrt(reduction^2 - 1) pixels


@dataclass(frozen=True)
class CropFrame:
    """Where a level's window lies on a slice.

    Attributes:
        level: Disc level.
        origin_px: Posterior disc margin (x, y) in image pixels.
        down: Unit vector along the chain towards the feet, in stretched pixels.
        pitch: Local distance between levels in stretched pixels (column units).
        aspect: Row spacing / column spacing of the slice.
    """

    level: str
    origin_px: Point
    down: Point
    pitch: float
    aspect: float

    @property
    def front(self) -> Point:
        """Return the unit vector to the front, at right angles to ``down``."""
        return (-self.down[1], self.down[0])

    def image_points(self, front: NDArray[np.float64], down: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map places given in pitches in front of and below the origin to image pixels, (2, ...) as x, y."""
        x = self.origin_px[0] + self.pitch * (front * self.front[0] + down * self.down[0])
        y = self.origin_px[1] + self.pitch * (front * self.front[1] + down * self.down[1]) / self.aspect
        return np.stack([x, y])

    def pitches(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map image pixels to pitches in front of and below the origin, (2, ...): undoes ``image_points``."""
        across, along = x - self.origin_px[0], (y - self.origin_px[1]) * self.aspect
        front = (across * self.front[0] + along * self.front[1]) / self.pitch
        down = (across * self.down[0] + along * self.down[1]) / self.pitch
        return np.stack([front, down])


@dataclass(frozen=True)
class LevelCrop:
    """A cut window.

    Attributes:
        frame: Where it lies.
        image: Intensities (rows, columns), as in the slice; 0 outside it.
        inside: Share of the disc's own part of the window that lies in the slice, 0 to 1.
        box_px: (x0, y0, x1, y1) around the disc's part, image pixels, clipped to the slice.
    """

    frame: CropFrame
    image: Crop
    inside: float
    box_px: tuple[float, float, float, float]

    @property
    def is_whole(self) -> bool:
        """Return whether the slice shows enough of the disc to grade it."""
        return self.inside >= _WHOLE_FROM


def lay_frames(
    points: Mapping[str, Point], geometry: CropGeometry, *, aspect: float = 1.0
) -> tuple[CropFrame, ...]:
    """Lay the frame of each level as the geometry asks: guided by the chain, or all over the whole of it.

    Args:
        points: As ``crop_frames``.
        geometry: Size of the window.
        aspect: As ``crop_frames``.

    Raises:
        ValueError: As ``crop_frames``.
    """
    frames = crop_frames(points, aspect=aspect)
    if geometry.guided:
        return frames
    chain = np.array([(frame.origin_px[0], frame.origin_px[1] * aspect) for frame in frames])
    length = float(np.hypot(*(chain[-1] - chain[0]))) + float(np.mean([frame.pitch for frame in frames]))
    x, y = chain.mean(axis=0)
    pitch = length / (2 * geometry.half_height_pitches)
    down = (0.0, 1.0)  # as the picture lies: nothing of the chain but its reach is used
    return tuple(CropFrame(frame.level, (float(x), float(y) / aspect), down, pitch, aspect) for frame in frames)


def crop_frames(points: Mapping[str, Point], *, aspect: float = 1.0) -> tuple[CropFrame, ...]:
    """Lay a frame at each level of a chain.

    Args:
        points: Disc level -> posterior disc margin (x, y) in image pixels. Levels may be missing in between.
        aspect: Row spacing / column spacing; 1 for square or unknown pixels.

    Returns:
        Frames, cranial to caudal. The direction at a level is that from the level above to the level below, at
        the ends that of the last segment.

    Raises:
        ValueError: If there are fewer than two points or two of them coincide.
    """
    names = [level for level in DISC_LEVELS if level in points]
    if len(names) < 2:
        raise ValueError(f"chain: expected at least two posterior points, got {len(names)}")
    ranks = np.array([DISC_LEVELS.index(name) for name in names], dtype=float)
    chain = np.array([(points[name][0], points[name][1] * aspect) for name in names])
    frames = []
    for index, name in enumerate(names):
        first, last = max(index - 1, 0), min(index + 1, len(names) - 1)
        step = (chain[last] - chain[first]) / (ranks[last] - ranks[first])
        pitch = float(np.hypot(*step))
        if pitch <= 0:
            raise ValueError(f"chain: expected points apart, got the same point near {name}")
        down = (float(step[0] / pitch), float(step[1] / pitch))
        frames.append(CropFrame(name, points[name], down, pitch, aspect))
    return tuple(frames)


def smooth_for_crops(
    image: NDArray[np.float32], frames: tuple[CropFrame, ...], geometry: CropGeometry
) -> NDArray[np.float32]:
    """Blur a slice (rows, columns) so that sampling it at the crop's density does not alias.

    A slice coarser than the crop is returned as it is.
    """
    reduction = float(np.median([frame.pitch for frame in frames])) / geometry.pixels_per_pitch
    if reduction <= 1:
        return image
    sigma = _BLUR_PER_REDUCTION * float(np.sqrt(reduction**2 - 1))
    blurred: NDArray[np.float32] = gaussian_filter(image, (sigma / frames[0].aspect, sigma), mode="nearest")
    return blurred


def cut_crop(smooth: NDArray[np.float32], frame: CropFrame, geometry: CropGeometry) -> LevelCrop:
    """Cut one window out of a slice.

    Args:
        smooth: Slice (rows, columns) from ``smooth_for_crops``.
        frame: Where to cut.
        geometry: Size of the window.
    """
    front_grid, down_grid = _crop_pitches(geometry)
    x, y = frame.image_points(front_grid, down_grid)
    image = map_coordinates(smooth, [y, x], order=1, mode="constant", cval=0.0)
    rows, columns = smooth.shape
    is_inside = (x >= -0.5) & (x <= columns - 0.5) & (y >= -0.5) & (y <= rows - 0.5)
    is_core = (front_grid >= 0) & (front_grid <= _CORE_FRONT) & (np.abs(down_grid) <= _CORE_HALF)
    return LevelCrop(
        frame=frame,
        image=image.astype(np.float32),
        inside=float(is_inside[is_core].mean()) if geometry.guided else 1.0,  # no disc is aimed at: none is cut off
        box_px=_disc_box(frame, rows, columns),
    )


def crop_pixels(frame: CropFrame, geometry: CropGeometry) -> NDArray[np.float64]:
    """Return where the pixels of a window lie on its slice, (2, rows, columns) of the window as x, y."""
    return frame.image_points(*_crop_pitches(geometry))


def _crop_pitches(geometry: CropGeometry) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how far in front of and below the origin the pixels of a window lie, (rows, columns) each."""
    step = 1 / geometry.pixels_per_pitch
    front = geometry.front_pitches - (np.arange(geometry.width_px) + 0.5) * step
    down = (np.arange(geometry.height_px) + 0.5) * step - geometry.half_height_pitches
    down_grid, front_grid = np.meshgrid(down, front, indexing="ij")
    return front_grid, down_grid


def _disc_box(frame: CropFrame, rows: int, columns: int) -> tuple[float, float, float, float]:
    """Return the upright box around the disc's part of a window, clipped to the slice."""
    front = np.array([0.0, _CORE_FRONT, 0.0, _CORE_FRONT])
    down = np.array([-_CORE_HALF, -_CORE_HALF, _CORE_HALF, _CORE_HALF])
    x, y = frame.image_points(front, down)
    return (
        float(np.clip(x.min(), 0, columns - 1)),
        float(np.clip(y.min(), 0, rows - 1)),
        float(np.clip(x.max(), 0, columns - 1)),
        float(np.clip(y.max(), 0, rows - 1)),
    )


def normalise_crops(crops: NDArray[np.float32], *, like: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Bring the windows of one series to a common grey scale, about -1 to 1.

    The scale is the series' own, from the windows alone: they always hold marrow, discs and cerebrospinal fluid,
    whereas the whole slice holds air and coil-near fat that say nothing about a disc.

    Args:
        crops: (..., rows, columns), any intensity scale.
        like: What the scale is taken from; None takes ``crops``.
    """
    low, high = np.percentile(crops if like is None else like, [1.0, 99.0])
    scaled = (crops - low) / max(float(high - low), 1e-6)
    normalised: NDArray[np.float32] = (np.clip(scaled, -0.25, 1.5) * 2 - 1).astype(np.float32)
    return normalised
