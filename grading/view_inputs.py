"""Cut the windows of a study's views: choose the series, lay the frames by the named levels, say where each one
lies.

The named levels lie on one slice. A spine that leans to a side leaves that slice, so each level's own midline is
read off the outlined canal. No torch.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import STRUCTURES, Side, Structure
from grading.config import GraderConfig
from grading.crops import normalise_crops
from grading.types import Evidence
from grading.views import SIDES, CutWindow, LevelFrame, View, cut_window, level_frames, smooth_for_view
from imaging.types import Series, Study
from segmentation.types import Level, SegmentedStudy

_CANAL = [
    label
    for structure in (Structure.SPINAL_CANAL, Structure.SPINAL_CORD)
    if (label := STRUCTURES[structure].label) is not None
]
_ROWS_PITCHES, _BACK_PITCHES = (
    0.35,
    0.7,
)  # ours: where the canal of a level is looked for, about its posterior margin
_LEAST_PIXELS = 8  # ours: fewer canal pixels in all slices tell no midline

Place = tuple[str, Side]
"""Level and patient's side."""


@dataclass(frozen=True)
class ViewWindows:
    """The windows of one view, ready for the network.

    Attributes:
        view: Which.
        series_id: Series they were cut from.
        windows: Level and side -> normalised (slices, rows, columns).
        evidence: Level and side -> place on the original slice.
    """

    view: View
    series_id: str
    windows: dict[Place, NDArray[np.float32]]
    evidence: dict[Place, Evidence]


def gather_windows(study: Study, segmented: SegmentedStudy, config: GraderConfig) -> dict[str, ViewWindows]:
    """Cut the windows of every view that the study shows.

    Args:
        study: The study.
        segmented: Levels of the primary series, and its outlines.
        config: Views and levels of the network.

    Returns:
        View -> windows; a view without a series, or without any window, is missing.
    """
    frames = study_frames(study, segmented)
    wanted = {name: frame for name, frame in frames.items() if name in config.network.levels}
    found = {}
    for view in config.views:
        series = _series_for(view, study)
        if series is None or not wanted:
            continue
        cut = cut_series(series, wanted, view)
        if cut:
            found[view.name] = _normalised(view, series, cut)
    return found


def study_frames(study: Study, segmented: SegmentedStudy) -> dict[str, LevelFrame]:
    """Return the frame of each named level in the world; nothing where the primary series tells no position."""
    primary = next(series for series in study.series if series.id == segmented.primary_series_id)
    affine = primary.volume.affine
    if affine is None:
        return {}
    slices = midline_slices(segmented)
    points = {}
    for level in segmented.levels:
        x, y = level.posterior_px
        points[level.name] = (affine @ np.array([x, y, slices[level.name], 1.0]))[:3]
    return level_frames(points)


def midline_slices(segmented: SegmentedStudy) -> dict[str, float]:
    """Return the slice (a fraction lies between two) in which each level's midline lies.

    It is the middle of the outlined canal behind the disc; the slice of the level where none is outlined.
    """
    labels = next(
        (item.array for item in segmented.label_maps if item.series_id == segmented.primary_series_id), None
    )
    pitches = _pitches(segmented.levels)
    return {
        level.name: float(level.slice_index)
        if labels is None
        else _canal_middle(labels, level, pitches[level.name])
        for level in segmented.levels
    }


def cut_series(series: Series, frames: Mapping[str, LevelFrame], view: View) -> dict[Place, CutWindow]:
    """Cut the windows of a view out of a series with a position; both sides of each level that it shows."""
    volume = series.volume
    if volume.affine is None:
        return {}
    pixel = float(np.linalg.norm(volume.affine[:3, 0]))
    pitch = float(np.median([frame.pitch_mm for frame in frames.values()]))
    smooth = smooth_for_view(volume.array, pixel, pitch, view)
    found = {}
    for name, frame in frames.items():
        for side in SIDES:
            window = cut_window(smooth, volume.affine, frame, view, side)
            if window is not None:
                found[name, side] = window
    return found


def _series_for(view: View, study: Study) -> Series | None:
    """Return the first series of the view's plane and sequence; one with a role comes first."""
    usable = [
        series
        for series in study.series
        if series.plane is view.plane
        and series.sequence.value == view.sequence
        and series.volume.affine is not None
    ]
    return min(usable, key=lambda series: series.role is None, default=None)


def _normalised(view: View, series: Series, cut: Mapping[Place, CutWindow]) -> ViewWindows:
    images = normalise_crops(np.stack([window.image for window in cut.values()]))
    return ViewWindows(
        view=view,
        series_id=series.id,
        windows=dict(zip(cut, images, strict=True)),
        evidence={place: Evidence(series.id, window.slice_index, window.box_px) for place, window in cut.items()},
    )


def _pitches(levels: Sequence[Level]) -> dict[str, float]:
    """Return the distance to the nearest other level in pixels, by level; the disc's length where it is alone."""
    points = {level.name: np.array(level.posterior_px) for level in levels}
    return {
        level.name: min(
            (float(np.linalg.norm(points[other] - points[level.name])) for other in points if other != level.name),
            default=level.length_px,
        )
        for level in levels
    }


def _canal_middle(labels: NDArray[np.uint8], level: Level, pitch: float) -> float:
    """Return the middle slice of the canal behind a level, (I, J, K) labels."""
    x, y = level.posterior_px
    half, back = _ROWS_PITCHES * pitch, _BACK_PITCHES * pitch
    columns = slice(max(int(x - 0.2 * pitch), 0), max(int(x + back) + 1, 0))
    rows = slice(max(int(y - half), 0), max(int(y + half) + 1, 0))
    counts = np.isin(labels[columns, rows], _CANAL).sum(axis=(0, 1)).astype(float)
    if counts.sum() < _LEAST_PIXELS:
        return float(level.slice_index)
    return float((counts * np.arange(len(counts))).sum() / counts.sum())
