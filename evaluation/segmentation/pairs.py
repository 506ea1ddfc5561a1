"""One case of the segmentation task: two label maps, two readings or both, scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anatomy import DISC_LEVELS, disc_label
from evaluation.inputs import READING
from evaluation.options import EvaluationOptions
from evaluation.segmentation.label_map import LabelImage, check_same_grid, read_label_map
from evaluation.segmentation.levels import LevelMatches, level_centres, match_levels
from evaluation.segmentation.overlap import STRUCTURE_LABELS, Overlap, overlap
from evaluation.segmentation.reading import centres_of_both, picture_spacing
from evaluation.segmentation.surface import SurfaceAgreement, compare_surfaces
from pipeline import load_reading


@dataclass(frozen=True)
class Side:
    """What one side has of a case; at least one of the two."""

    label_map: Path | None
    reading: Path | None


@dataclass(frozen=True)
class CaseScore:
    """One case.

    Attributes:
        overlaps: Structure -> overlap; empty without label maps.
        surfaces: Structure -> surfaces; empty without label maps.
        presence: Structure -> (in the prediction, in the reference).
        levels: Matches; None with a reason in ``no_levels``.
        no_levels: Why levels were not matched.
        disc_dice: Level -> Dice of the disc under exactly this name, where either map has it.
    """

    overlaps: Mapping[str, Overlap]
    surfaces: Mapping[str, SurfaceAgreement]
    presence: Mapping[str, tuple[bool, bool]]
    levels: LevelMatches | None
    no_levels: str | None
    disc_dice: Mapping[str, float]


def side_of(folder: Path, case: str, maps: Mapping[str, Path]) -> Side:
    """Return what a folder has of a case."""
    reading = folder / case / READING
    return Side(maps.get(case), reading if reading.is_file() else None)


def score_case(predicted: Side, reference: Side, options: EvaluationOptions) -> CaseScore:
    """Score one case.

    Raises:
        StudyError: If a file cannot be read or the two do not lie on one grid.
    """
    readings = [None if side.reading is None else load_reading(side.reading) for side in (predicted, reference)]
    pair = _read_maps(predicted, reference, readings, options)
    levels, reason = _levels(readings, pair, options.level_distance_mm)
    if pair is None:
        return CaseScore({}, {}, {}, levels, reason, {})
    left, right = pair
    masks = {name: (choose(left.labels), choose(right.labels)) for name, choose in STRUCTURE_LABELS.items()}
    return CaseScore(
        overlaps={name: overlap(*both) for name, both in masks.items()},
        surfaces={
            name: compare_surfaces(*both, right.spacing_mm, tolerance_mm=options.tolerance_mm)
            for name, both in masks.items()
        },
        presence={name: (bool(both[0].any()), bool(both[1].any())) for name, both in masks.items()},
        levels=levels,
        no_levels=reason,
        disc_dice=_disc_dice(left, right),
    )


def _read_maps(
    predicted: Side, reference: Side, readings: list[dict[str, Any] | None], options: EvaluationOptions
) -> tuple[LabelImage, LabelImage] | None:
    if predicted.label_map is None or reference.label_map is None:
        return None
    spacing = options.spacing_mm
    for reading in readings:
        spacing = spacing or (None if reading is None else picture_spacing(reading))
    left = read_label_map(predicted.label_map, spacing_mm=spacing)
    right = read_label_map(reference.label_map, spacing_mm=spacing)
    check_same_grid(left, right)
    return left, right


def _levels(
    readings: list[dict[str, Any] | None], pair: tuple[LabelImage, LabelImage] | None, distance_mm: float
) -> tuple[LevelMatches | None, str | None]:
    """Match by the readings where both sides have one, else by the discs of the label maps."""
    predicted, reference = readings
    if predicted is not None and reference is not None:
        centres = centres_of_both(predicted, reference)
        if centres is None:
            return None, "the two readings share no frame in mm"
        return match_levels(*centres, distance_mm=distance_mm), None
    if pair is None:
        return None, "neither two label maps nor two readings"
    left, right = (level_centres(image) for image in pair)
    if left is None or right is None:
        return None, "spacing unknown"
    return match_levels(left, right, distance_mm=distance_mm), None


def _disc_dice(left: LabelImage, right: LabelImage) -> dict[str, float]:
    found = {}
    for level in DISC_LEVELS:
        dice = overlap(left.labels == disc_label(level), right.labels == disc_label(level)).dice
        if dice is not None:
            found[level] = dice
    return found
