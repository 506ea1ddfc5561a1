"""Crops along a joint: one window a slice, STIR as it is and T1 resampled to it by world coordinates. No torch.

Both sides look alike in a crop: rows run from sacrum to ilium, columns from head to foot, whatever the side.
Grey values are told against the marrow around the joints, which is what a reader compares oedema with.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from grading.joints.config import JointCropGeometry
from grading.joints.frames import JointFrame
from imaging.types import AffineMatrix, FloatVolume

Crops = NDArray[np.float32]
"""Windows of one joint, (L, rows, columns); L slices."""

_BRIGHTEST = 2.0  # ours: a normalised value of 2 is 9 times the marrow; fluid lies below
_ON_SLICE = 1e-3  # of the distance of slices: nearer than this a window lies on a slice
_INSIDE_FROM = 0.6  # ours: share of a window that must lie in the picture for the slice to be read


@dataclass(frozen=True, eq=False)
class JointWindows:
    """Where a joint's windows lie on a series.

    Attributes:
        slices: (L,) slice index k of each window.
        depth_mm: (L,) how far each slice lies in front of the joint's middle.
        middles: (L, 3) RAS+ mm of the middle of each window.
        down: (3,) RAS+ mm from a pixel to the one in the next row.
        right: (3,) the same to the next column.
        shape: Rows and columns.
        spacing_mm: Between the read slices.
    """

    slices: NDArray[np.int64]
    depth_mm: NDArray[np.float64]
    middles: NDArray[np.float64]
    down: NDArray[np.float64]
    right: NDArray[np.float64]
    shape: tuple[int, int]
    spacing_mm: float

    def at(self, kept: NDArray[np.bool_]) -> "JointWindows":
        """Return some of the windows; ``kept`` is (L,) bool."""
        return replace(self, slices=self.slices[kept], depth_mm=self.depth_mm[kept], middles=self.middles[kept])


def lay_windows(frame: JointFrame, affine: AffineMatrix, slices: int, geometry: JointCropGeometry) -> JointWindows:
    """Lay a window along the joint on every slice that is within reach of its middle.

    Args:
        frame: Of the joint.
        affine: Of the series, voxel -> RAS+ mm.
        slices: How many slices the series has.
        geometry: Size of the windows.

    Returns:
        Windows from back to front; none where no slice is within reach.
    """
    depth = np.array([frame.depth_mm(affine[:3, 3] + k * affine[:3, 2]) for k in range(slices)])
    stride = slice_stride(affine, geometry)
    near = np.flatnonzero((np.abs(depth) <= geometry.reach_mm) & (np.arange(slices) % stride == 0))
    near = near[np.argsort(depth[near])]
    return JointWindows(
        slices=near.astype(np.int64),
        depth_mm=depth[near],
        middles=frame.origin + depth[near, None] * frame.through,
        down=frame.across * geometry.pixel_mm,
        right=-frame.along * geometry.pixel_mm,
        shape=(geometry.rows, geometry.columns),
        spacing_mm=float(np.linalg.norm(affine[:3, 2])) * stride,
    )


def slice_stride(affine: AffineMatrix, geometry: JointCropGeometry) -> int:
    """Return 1, or 2, 3, ... where slices are so thin that every second, third, ... one is read."""
    step_mm = float(np.linalg.norm(affine[:3, 2]))
    return int(np.ceil((2 * geometry.reach_mm / step_mm + 1) / geometry.slices))


def sample(volume: FloatVolume, affine: AffineMatrix, windows: JointWindows) -> tuple[Crops, NDArray[np.bool_]]:
    """Sample a volume on the windows, linearly.

    Args:
        volume: (I, J, K) intensities.
        affine: Its voxel -> RAS+ mm; another series than that of the windows will do.
        windows: Where.

    Returns:
        (L, rows, columns) intensities, 0 outside; and for each window whether enough of it lies in the volume.
    """
    crops = np.zeros((len(windows.slices), *windows.shape), dtype=np.float32)
    is_whole = np.zeros(len(crops), dtype=bool)
    last = np.array(volume.shape)[:, None, None] - 1
    for number, voxels in enumerate(window_voxels(windows, affine)):
        inside = ((voxels >= -0.5) & (voxels <= last + 0.5)).all(axis=0)
        is_whole[number] = inside.mean() >= _INSIDE_FROM
        if is_whole[number]:
            crops[number] = np.where(inside, _interpolate(volume, voxels), 0)
    return crops, is_whole


def window_voxels(windows: JointWindows, affine: AffineMatrix) -> Iterator[NDArray[np.float64]]:
    """Yield the voxel indices (3, rows, columns) of the pixels of each window, not rounded.

    Args:
        windows: Where they lie.
        affine: Of a series, voxel -> RAS+ mm.
    """
    inverse = np.linalg.inv(affine)
    rows, columns = (np.arange(count) - (count - 1) / 2 for count in windows.shape)
    flat = (inverse[:3, :3] @ windows.down)[:, None, None] * rows[:, None]
    flat = flat + (inverse[:3, :3] @ windows.right)[:, None, None] * columns
    for middle in windows.middles @ inverse[:3, :3].T + inverse[:3, 3]:
        yield flat + middle[:, None, None]


def _interpolate(volume: FloatVolume, voxels: NDArray[np.float64]) -> NDArray[np.float32]:
    """Interpolate at voxel indices (3, rows, columns); within one slice where they all lie on it."""
    k = voxels[2]
    whole = round(float(k.flat[0]))
    if np.abs(k - whole).max() < _ON_SLICE and 0 <= whole < volume.shape[2]:
        flat = np.asarray(volume[:, :, whole], dtype=np.float32)
        return map_coordinates(flat, voxels[:2], order=1, mode="nearest")
    return map_coordinates(np.asarray(volume, dtype=np.float32), voxels, order=1, mode="nearest")


def normalise(joints: list[Crops]) -> list[Crops]:
    """Bring the crops of one series to a common grey scale: marrow about 0, black -1, four times the marrow 1.

    The median of all windows stands for marrow, which fills most of them; the square root keeps fluid from
    drowning the rest.

    Args:
        joints: Windows of each joint, any intensity scale; what is negative counts as black.
    """
    values = np.concatenate([crops[crops != 0].ravel() for crops in joints])
    marrow = float(np.median(values)) if len(values) else 1.0
    scale = max(marrow, 1e-6)
    return [
        np.minimum(np.sqrt(np.clip(crops, 0, None) / scale) - 1, _BRIGHTEST).astype(np.float32) for crops in joints
    ]
