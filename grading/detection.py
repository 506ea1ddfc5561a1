"""Cord compression as boxes on the sagittal T2: one a level, scored by the calibrated probability. No torch.

The network lays a box in units of the level pitch about the posterior disc margin, so it fits any pixel size. Use:
triage and a safety net beside the reader, never in place of one (Du et al., Spine 2026, as in SYSTEMS.md).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from anatomy import Condition
from grading.crops import crop_frames
from grading.types import Detection, Grade
from imaging.types import Plane, Study
from imaging.types import Sequence as Weighting
from segmentation.types import SegmentedStudy

Edges = NDArray[np.float64]
"""(4,) left, top, right, bottom edge in pitches to the right of and below the posterior disc margin."""

LEAST_SCORE = 0.05  # ours: below it a box says nothing, and would bury the others
_PRESENT = "present"


def lay_boxes(
    grades: Sequence[Grade], boxes: Mapping[str, Edges], study: Study, segmented: SegmentedStudy
) -> list[Detection]:
    """Return the boxes of cord compression on the sagittal T2, likeliest first.

    Args:
        grades: Among them those of cord compression; its probability is the score.
        boxes: Level -> edges.
        study: For the shape of the slices.
        segmented: Levels of each series.
    """
    scores = {
        str(grade.level): grade.probabilities.get(_PRESENT, 0.0)
        for grade in grades
        if grade.condition is Condition.CORD_COMPRESSION and _PRESENT in grade.probabilities
    }
    series = next(
        (
            item
            for item in study.series
            if (item.plane, item.sequence) == (Plane.SAGITTAL, Weighting.T2)
            and len(segmented.series_levels.get(item.id, ())) > 1
        ),
        None,
    )
    if series is None or not boxes:
        return []
    levels = segmented.series_levels[series.id]
    spacing = series.volume.spacing
    aspect = 1.0 if spacing is None else spacing.row_mm / spacing.col_mm
    frames = {
        frame.level: frame
        for frame in crop_frames({level.name: level.posterior_px for level in levels}, aspect=aspect)
    }
    slice_of = {level.name: level.slice_index for level in levels}
    columns, rows, _ = series.volume.shape
    found = []
    for level, edges in boxes.items():
        if level not in frames or scores.get(level, 0.0) < LEAST_SCORE:
            continue
        frame = frames[level]
        x = np.clip(frame.origin_px[0] + frame.pitch * edges[[0, 2]], 0, columns - 1)
        y = np.clip(frame.origin_px[1] + frame.pitch * edges[[1, 3]] / aspect, 0, rows - 1)
        box = (float(x.min()), float(y.min()), float(x.max()), float(y.max()))
        found.append(Detection(Condition.CORD_COMPRESSION.value, box, series.id, slice_of[level], scores[level]))
    return sorted(found, key=lambda item: -item.score)
