"""The same levels on another sagittal series of the study.

With positions in both series the points go through millimetres onto the other grid, onto the slice they fall
in, and settle on that slice's own disc when one lies within half a pitch. Names, confidence and doubt stay
those of the primary series. Without positions the other series is named on its own.
"""

from dataclasses import replace

import numpy as np

from imaging.types import Series
from segmentation.classes import classify
from segmentation.frame import Points, SliceFrame
from segmentation.instances import chain_discs
from segmentation.shapes import DiscShape
from segmentation.types import Level, SliceMaps

_SETTLE = 0.5


def shared_slice(levels: tuple[Level, ...], primary: Series, other: Series) -> int | None:
    """Return the slice of another series that the levels fall in; None without geometry or outside it."""
    points = _on_grid(levels, primary, other)
    if points is None:
        return None
    k = round(float(np.median(points[:, 2])))
    columns, rows, slices = other.volume.shape
    inside = (points[:, 0] >= 0) & (points[:, 0] < columns) & (points[:, 1] >= 0) & (points[:, 1] < rows)
    return k if 0 <= k < slices and inside.sum() >= 2 else None


def transfer_levels(
    levels: tuple[Level, ...], primary: Series, other: Series, slice_index: int, maps: SliceMaps
) -> tuple[Level, ...]:
    """Place the levels of the primary series on a slice of another one.

    Args:
        levels: Levels of the primary series.
        primary: Their series; has an affine.
        other: The other series; has an affine.
        slice_index: Slice k of the other series (``shared_slice``).
        maps: The network's output for that slice (N = 1).

    Returns:
        The levels that fall inside the slice, cranial to caudal.
    """
    centres = _on_grid(levels, primary, other)
    margins = _on_grid(levels, primary, other, posterior=True)
    assert centres is not None
    assert margins is not None
    frame = SliceFrame.of(other.volume.spacing)
    chain = chain_discs(classify(maps.structures, maps.probabilities[0]), frame)
    columns, rows, _ = other.volume.shape
    moved = []
    for level, centre, margin in zip(levels, centres[:, :2], margins[:, :2], strict=True):
        if 0 <= centre[0] < columns and 0 <= centre[1] < rows:
            disc = _nearest(chain.discs, frame.to_plane(centre), _SETTLE * chain.pitch)
            moved.append(_moved(level, disc, centre, margin, other, slice_index, frame))
    return tuple(moved)


def _on_grid(
    levels: tuple[Level, ...], primary: Series, other: Series, *, posterior: bool = False
) -> Points | None:
    """Return (n, 3) voxel points (i, j, k) of the other series; None without geometry."""
    if primary.volume.affine is None or other.volume.affine is None or not levels:
        return None
    points = np.array([level.posterior_px if posterior else level.centre_px for level in levels])
    slices = np.array([[level.slice_index] for level in levels], dtype=float)
    voxels = np.concatenate([points, slices, np.ones_like(slices)], axis=1)
    moved = voxels @ primary.volume.affine.T @ np.linalg.inv(other.volume.affine).T
    return np.asarray(moved[:, :3], dtype=np.float64)


def _nearest(discs: tuple[DiscShape, ...], point: Points, within: float) -> DiscShape | None:
    if not discs:
        return None
    nearest = min(discs, key=lambda disc: float(np.linalg.norm(disc.centre - point)))
    return nearest if np.linalg.norm(nearest.centre - point) <= within else None


def _moved(
    level: Level,
    disc: DiscShape | None,
    centre: Points,
    margin: Points,
    series: Series,
    slice_index: int,
    frame: SliceFrame,
) -> Level:
    """Return the level on the other series, on its own disc when there is one."""
    axis = margin - centre
    length = 2 * float(np.linalg.norm(axis))
    if disc is not None:
        centre, margin = frame.to_px(disc.centre), frame.to_px(disc.posterior)
        axis = frame.to_px(disc.axis * disc.length)
        length = float(np.linalg.norm(axis))
    assert series.volume.affine is not None
    world = series.volume.affine @ np.array([centre[0], centre[1], slice_index, 1.0])
    return replace(
        level,
        series_id=series.id,
        slice_index=slice_index,
        centre_px=(float(centre[0]), float(centre[1])),
        posterior_px=(float(margin[0]), float(margin[1])),
        centre_ras_mm=(float(world[0]), float(world[1]), float(world[2])),
        angle_deg=float(np.degrees(np.arctan2(axis[1], axis[0]))),
        length_px=length,
    )
