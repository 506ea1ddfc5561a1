"""Choose the series the network reads and cut their crops; say what is missing or assumed. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from grading.config import GraderConfig
from grading.crops import LevelCrop, cut_crop, lay_frames, normalise_crops, smooth_for_crops
from grading.types import Evidence
from grading.weighting import guess_weighting
from imaging.types import Plane, Series, Study
from imaging.types import Sequence as Weighting
from segmentation.types import Level, SegmentedStudy

ROLE_OF: dict[str, str] = {"t2": "sagittal_t2", "t1": "sagittal_t1"}


@dataclass(frozen=True)
class SequenceCrops:
    """The crops of one series, ready for the network.

    Attributes:
        sequence: ``t2`` or ``t1``: the slot it fills.
        series_id: Series.
        crops: Level -> normalised crop (rows, columns).
        evidence: Level -> place on the original slice.
        cut_off: Levels that the image border cuts off.
    """

    sequence: str
    series_id: str
    crops: dict[str, NDArray[np.float32]]
    evidence: dict[str, Evidence]
    cut_off: tuple[str, ...]


def gather_crops(
    study: Study, segmented: SegmentedStudy, config: GraderConfig
) -> tuple[list[SequenceCrops], list[str]]:
    """Cut the crops of one series per sequence.

    A series whose header tells no weighting is placed by its picture; where that does not decide either, by its
    role, and the notice says that it is assumed.

    Args:
        study: The study.
        segmented: Levels on each sagittal series.
        config: Crops and network.

    Returns:
        At most one item per sequence, in the network's order, and notices.
    """
    slots: dict[str, SequenceCrops] = {}
    notices: list[str] = []
    for series in _sagittal_series(study, segmented):
        levels = segmented.series_levels[series.id]
        if len(levels) < 2:
            continue
        cut = _cut_levels(series, levels, config)
        sequence, notice = _slot(series, cut, config)
        if sequence is None:
            continue
        if sequence in slots:
            notices.append(f"Series {series.id}, another sagittal {sequence.upper()}, was not graded.")
            continue
        if notice is not None:
            notices.append(notice)
        slots[sequence] = _sequence_crops(sequence, series, levels, cut, config)
    for name in config.network.sequences:
        if name not in slots:
            notices.append(f"No sagittal {name.upper()} images were graded.")
    return [slots[name] for name in config.network.sequences if name in slots], notices


def _sagittal_series(study: Study, segmented: SegmentedStudy) -> list[Series]:
    """Return series with levels; those with a known weighting and a role come first."""
    usable = [
        series
        for series in study.series
        if series.plane is Plane.SAGITTAL and segmented.series_levels.get(series.id)
    ]
    return sorted(usable, key=lambda item: (item.sequence is Weighting.UNKNOWN, item.role is None))


def _cut_levels(series: Series, levels: Sequence[Level], config: GraderConfig) -> list[LevelCrop]:
    """Cut every level of a series out of the slice it was found on."""
    spacing = series.volume.spacing
    aspect = 1.0 if spacing is None else spacing.row_mm / spacing.col_mm
    points = {level.name: level.posterior_px for level in levels}
    frames = lay_frames(points, config.crops, aspect=aspect)
    slice_of = {level.name: level.slice_index for level in levels}
    smooth = {
        k: smooth_for_crops(series.volume.slice_image(k), frames, config.crops) for k in set(slice_of.values())
    }
    return [cut_crop(smooth[slice_of[frame.level]], frame, config.crops) for frame in frames]


def _slot(series: Series, cut: Sequence[LevelCrop], config: GraderConfig) -> tuple[str | None, str | None]:
    """Return the sequence a series serves as, and a notice when the header did not tell."""
    if series.sequence is not Weighting.UNKNOWN:
        name = series.sequence.value
        return (name if name in config.network.sequences else None), None
    guess = guess_weighting(cut, config.crops)
    if guess.weighting is not Weighting.UNKNOWN:
        amount = "much" if guess.weighting is Weighting.T2 else "not much"
        return guess.weighting.value, (
            f"The weighting of series {series.id} is not stated; it was read as {guess.weighting.value.upper()}, "
            f"because its canal is {amount} brighter than its discs (ratio {guess.ratio:.1f})."
        )
    assumed = next((name for name, role in ROLE_OF.items() if role == series.role), None)
    if assumed is None or assumed not in config.network.sequences:
        return None, None
    return assumed, (
        f"The weighting of series {series.id} is not stated and the picture does not tell it; "
        f"{assumed.upper()} was assumed."
    )


def _sequence_crops(
    sequence: str, series: Series, levels: Sequence[Level], cut: Sequence[LevelCrop], config: GraderConfig
) -> SequenceCrops:
    """Normalise the crops of a series and leave out what the border cuts off."""
    whole = [crop for crop in cut if crop.is_whole]
    images = (
        normalise_crops(np.stack([crop.image for crop in whole])) if whole else np.zeros((0, 0, 0), np.float32)
    )
    slice_of = {level.name: level.slice_index for level in levels}
    known = set(config.network.levels)
    return SequenceCrops(
        sequence=sequence,
        series_id=series.id,
        crops={
            crop.frame.level: image for crop, image in zip(whole, images, strict=True) if crop.frame.level in known
        },
        evidence={
            crop.frame.level: Evidence(series.id, slice_of[crop.frame.level], crop.box_px) for crop in whole
        },
        cut_off=tuple(crop.frame.level for crop in cut if not crop.is_whole),
    )
