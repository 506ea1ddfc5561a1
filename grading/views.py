"""Windows beside and across the midline: foramina on sagittal slices, the canal and its recesses on axial ones.

Each level has a frame in the patient: the posterior disc margin, the directions to the front, to the feet and to
the patient's left, and the distance of neighbouring levels as the unit. A window is laid in that frame and read
off the slices of a series that lie nearest; so series of any grid and tilt give the same window. Windows of the
right side are mirrored where the picture runs from side to side (axial), so that both sides look alike to the
network.

World frame: RAS+ millimetres (x to the patient's right). No torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from anatomy import DISC_LEVELS, Side
from imaging.types import AffineMatrix, FloatVolume, Plane
from runtime.errors import ConfigError

SIDES = (Side.LEFT, Side.RIGHT)
"""Order of the side axis of every array."""

Vector = NDArray[np.float64]
Window = NDArray[np.float32]
"""Intensities (slices, rows, columns); rows run to the feet (sagittal) or to the back (axial), columns to the back
(sagittal) or away from the midline's other side (axial)."""

_BLUR_PER_REDUCTION = 0.5  # as grading.crops
_WHOLE_FROM = 0.8  # ours: share of a window that must lie in the slices
_SLICE_REACH = 0.75  # ours: a slice farther than this many slice distances shows something else


@dataclass(frozen=True)
class View:
    """One row of ``views.yaml``; lengths in level pitches.

    Attributes:
        name: Such as ``foramen_t1``.
        plane: Of the series it is cut from.
        sequence: Of that series, ``t1`` or ``t2``.
        rows: Rows of a window.
        cols: Columns.
        ahead: Reach in front of the posterior disc margin.
        behind: Reach behind it.
        above: Reach to the head (sagittal).
        below: Reach to the feet (sagittal).
        half_width: Reach to either side (axial).
        beside: Distance of the middle slice from the midline (sagittal).
        slices: Number of slices.
        step: Their distance.
    """

    name: str
    plane: Plane
    sequence: str
    rows: int
    cols: int
    ahead: float
    behind: float
    slices: int
    step: float
    above: float = 0.0
    below: float = 0.0
    half_width: float = 0.0
    beside: float = 0.0

    @property
    def source(self) -> str:
        """Return what it is cut from, as ``GraderConfig.sources`` names it: ``t1``, ``axial_t2`` ..."""
        return self.sequence if self.plane is Plane.SAGITTAL else f"{self.plane.value}_{self.sequence}"

    @property
    def pitches_per_pixel(self) -> tuple[float, float]:
        """Return the distance of neighbouring rows and of neighbouring columns."""
        along, across = self.ahead + self.behind, 2 * self.half_width
        if self.plane is Plane.AXIAL:
            return along / self.rows, across / self.cols
        return (self.above + self.below) / self.rows, along / self.cols


@cache
def load_views(region: str) -> dict[str, View]:
    """Read the views of a body region.

    Raises:
        ConfigError: If the region has none.
    """
    table = yaml.safe_load((Path(__file__).parent / "views.yaml").read_text(encoding="utf-8"))
    if region not in table:
        raise ConfigError(f"views: expected one of {', '.join(table)}, got {region!r}")
    return {name: View(name=name, **{**row, "plane": Plane(row["plane"])}) for name, row in table[region].items()}


@dataclass(frozen=True)
class LevelFrame:
    """A level's own directions in the world.

    Attributes:
        level: Disc level.
        origin: Posterior disc margin in the midline, RAS+ mm.
        front: Unit vector.
        down: Unit vector.
        left: Unit vector to the patient's left.
        pitch_mm: Distance between neighbouring levels.
    """

    level: str
    origin: Vector
    front: Vector
    down: Vector
    left: Vector
    pitch_mm: float

    def moved(self, *, front: float = 0.0, down: float = 0.0) -> "LevelFrame":
        """Return the frame with its origin elsewhere, in pitches."""
        return replace(self, origin=self.origin + self.pitch_mm * (front * self.front + down * self.down))

    def at(self, front: Vector, down: Vector, left: Vector) -> Vector:
        """Map places in pitches, arrays that broadcast, to RAS+ mm (3, ...)."""
        parts = zip((front, down, left), (self.front, self.down, self.left), strict=True)
        shape = np.broadcast_shapes(front.shape, down.shape, left.shape)
        moved = sum((np.multiply.outer(way, np.broadcast_to(amount, shape)) for amount, way in parts), 0.0)
        origin = self.origin.reshape(3, *(1,) * len(shape))
        world: Vector = origin + self.pitch_mm * moved
        return world


def level_frames(points: Mapping[str, Sequence[float]]) -> dict[str, LevelFrame]:
    """Lay a frame at each level of a chain of posterior margins.

    The left is at right angles to the chain; the sagittal plane of the body is taken to be that of the world,
    turned with the chain where it leans to a side.

    Args:
        points: Disc level -> posterior disc margin in the midline, RAS+ mm. Levels may be missing in between.

    Returns:
        Level -> frame; nothing from fewer than two points.
    """
    names = [level for level in DISC_LEVELS if level in points]
    if len(names) < 2:
        return {}
    ranks = [DISC_LEVELS.index(name) for name in names]
    chain = np.array([points[name] for name in names], dtype=np.float64)
    frames = {}
    for index, name in enumerate(names):
        first, last = max(index - 1, 0), min(index + 1, len(names) - 1)
        way = (chain[last] - chain[first]) / (ranks[last] - ranks[first])
        pitch = float(np.linalg.norm(way))
        if pitch <= 0:
            continue
        down = way / pitch
        left = np.array([-1.0, 0.0, 0.0]) + down[0] * down
        left /= np.linalg.norm(left)
        frames[name] = LevelFrame(name, chain[index], np.cross(down, left), down, left, pitch)
    return frames


@dataclass(frozen=True)
class Placement:
    """Where a window is laid beyond its usual place, in pitches: more margin, more slices, another middle.

    Attributes:
        margin: Factor of the window's reach and of its pixels.
        slices: Number of slices; None as the view has.
    """

    margin: float = 1.0
    slices: int | None = None


@dataclass(frozen=True)
class CutWindow:
    """A window read off a series.

    Attributes:
        image: (slices, rows, columns) intensities of the series, 0 outside it.
        slice_index: Slice k that the middle was read off.
        box_px: (x0, y0, x1, y1) round the middle half of the window on that slice, pixels.
    """

    image: Window
    slice_index: int
    box_px: tuple[float, float, float, float]


def cut_window(
    smooth: FloatVolume,
    affine: AffineMatrix,
    frame: LevelFrame,
    view: View,
    side: Side,
    placement: Placement | None = None,
) -> CutWindow | None:
    """Read one window off a series; None where the series does not show it.

    Args:
        smooth: (I, J, K) volume from ``smooth_for_view``.
        affine: Voxel (i, j, k) -> RAS+ mm.
        frame: The level's frame.
        view: Which window.
        side: Patient's side.
        placement: More margin and slices, for training.
    """
    placement = placement or Placement()
    count = placement.slices or view.slices
    inverse: AffineMatrix = np.linalg.inv(affine).astype(np.float64)
    cut = []
    for n in range(count):
        plane = _plane(view, side, (n - (count - 1) / 2) * view.step, placement.margin)
        middle = frame.at(*(np.array([[part.mean()]]) for part in plane))
        exact = float(_voxels(inverse, middle)[2, 0, 0])
        nearest = min(max(round(exact), 0), smooth.shape[2] - 1)
        cut.append((nearest, _voxels(inverse, frame.at(*plane))[:2], abs(exact - nearest)))
    k, places, distance = cut[count // 2]
    core, size = _core(places, placement.margin), np.array(smooth.shape[:2]).reshape(2, 1, 1)
    share = float(((core >= -0.5) & (core <= size - 0.5)).all(axis=0).mean())
    if distance > _SLICE_REACH or share < _WHOLE_FROM:
        return None
    images = [
        map_coordinates(smooth[:, :, nearest], there, order=1, mode="constant", cval=0.0)
        for nearest, there, _ in cut  # past the last slice the last one is repeated
    ]
    return CutWindow(np.stack(images).astype(np.float32), k, _box(places, smooth.shape))


def window_pixels(frame: LevelFrame, affine: AffineMatrix, view: View, side: Side) -> Vector:
    """Return where the pixels of a window's middle lie on the slice it is read off, (2, rows, columns) as x, y.

    Args:
        frame: The level's frame.
        affine: Voxel (i, j, k) -> RAS+ mm.
        view: Which window.
        side: Patient's side.
    """
    offset = (view.slices // 2 - (view.slices - 1) / 2) * view.step
    inverse: AffineMatrix = np.linalg.inv(affine).astype(np.float64)
    return _voxels(inverse, frame.at(*_plane(view, side, offset, 1.0)))[:2]


def smooth_for_view(volume: FloatVolume, spacing_mm: float, pitch_mm: float, view: View) -> FloatVolume:
    """Blur the slices (I, J, K) so that sampling them at a view's density does not alias."""
    reduction = max(view.pitches_per_pixel) * pitch_mm / spacing_mm
    if reduction <= 1:
        return volume
    sigma = _BLUR_PER_REDUCTION * float(np.sqrt(reduction**2 - 1))
    blurred: FloatVolume = gaussian_filter(volume, (sigma, sigma, 0), mode="nearest")
    return blurred


def _plane(view: View, side: Side, offset: float, margin: float) -> tuple[Vector, Vector, Vector]:
    """Return (front, down, left) in pitches of one slice of a window, each (rows, columns)."""
    sign = 1.0 if side is Side.LEFT else -1.0
    rows, cols = round(view.rows * margin), round(view.cols * margin)
    row_step, col_step = view.pitches_per_pixel
    row = (np.arange(rows) + 0.5 - rows / 2) * row_step
    col = (np.arange(cols) + 0.5 - cols / 2) * col_step
    row_grid, col_grid = np.meshgrid(row, col, indexing="ij")
    front_middle = (view.ahead - view.behind) / 2
    if view.plane is Plane.AXIAL:
        return front_middle - row_grid, np.full_like(row_grid, offset), sign * col_grid
    down_middle = (view.below - view.above) / 2
    beside = np.full_like(row_grid, sign * (view.beside + offset))
    return front_middle - col_grid, down_middle + row_grid, beside


def _voxels(inverse: AffineMatrix, world: Vector) -> Vector:
    voxels: Vector = np.tensordot(inverse[:3, :3], world, axes=1) + inverse[:3, 3].reshape(
        3, *(1,) * (world.ndim - 1)
    )
    return voxels


def _core(places: Vector, margin: float) -> Vector:
    """Return the places of the window without its margin."""
    rows, cols = places.shape[1:]
    cut_rows, cut_cols = (round(size * (1 - 1 / margin) / 2) for size in (rows, cols))
    return places[:, cut_rows : rows - cut_rows, cut_cols : cols - cut_cols]


def _box(places: Vector, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Return the upright box round the middle half of a window's places, clipped to the slice."""
    core = _core(places, 2.0)
    (x0, y0), (x1, y1) = core.min(axis=(1, 2)), core.max(axis=(1, 2))
    columns, rows = shape[:2]
    return (
        float(np.clip(x0, 0, columns - 1)),
        float(np.clip(y0, 0, rows - 1)),
        float(np.clip(x1, 0, columns - 1)),
        float(np.clip(y1, 0, rows - 1)),
    )
