"""Distance between the surfaces of two masks in mm, by MONAI: 95th percentile Hausdorff and surface Dice.

HD95 takes edge voxels and the larger of the two directed 95th percentiles. Surface Dice weighs each surface
element by its area from the spacing (MONAI's ``use_subvoxels``, as DeepMind's surface-distance), so anisotropic
voxels count as they are.

Sources: Huttenlocher et al., IEEE TPAMI 1993;15:850-63; Nikolov et al., arXiv 1809.04430.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from evaluation.segmentation.overlap import Mask

ABSENT_FROM_BOTH = "in neither mask"
ABSENT_FROM_PREDICTION = "not in the prediction"
ABSENT_FROM_REFERENCE = "not in the reference"
NO_SPACING = "spacing unknown"
_ROUNDING_MM = 1e-5
"""Distances are floats of single precision: one of exactly the tolerance is within it."""


@dataclass(frozen=True)
class SurfaceAgreement:
    """How far two surfaces are apart.

    Attributes:
        hd95_mm: None where a mask is empty (the distance to nothing is not a number) or spacing is unknown.
        surface_dice: Share of both surfaces within the tolerance of the other; 0 where one mask is empty, None
            where both are or spacing is unknown.
        reason: Why a figure is None; None where there are both.
    """

    hd95_mm: float | None
    surface_dice: float | None
    reason: str | None


def compare_surfaces(
    predicted: Mask, reference: Mask, spacing_mm: tuple[float, ...] | None, *, tolerance_mm: float
) -> SurfaceAgreement:
    """Compare two masks of the same shape, of 2 or 3 axes.

    Args:
        predicted: Boolean array.
        reference: The same shape.
        spacing_mm: Of each axis; None when unknown.
        tolerance_mm: Of the surface Dice.
    """
    has_predicted, has_reference = bool(predicted.any()), bool(reference.any())
    if not has_predicted and not has_reference:
        return SurfaceAgreement(None, None, ABSENT_FROM_BOTH)
    if spacing_mm is None:
        return SurfaceAgreement(None, None, NO_SPACING)
    if not has_predicted:
        return SurfaceAgreement(None, 0.0, ABSENT_FROM_PREDICTION)
    if not has_reference:
        return SurfaceAgreement(None, 0.0, ABSENT_FROM_REFERENCE)
    return _measure(predicted, reference, spacing_mm, tolerance_mm)


def _measure(
    predicted: Mask, reference: Mask, spacing_mm: tuple[float, ...], tolerance_mm: float
) -> SurfaceAgreement:
    import torch
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.surface_dice import compute_surface_dice

    left, right, spacing = _box(predicted, reference, spacing_mm)
    told, truth = (torch.from_numpy(mask)[None, None] for mask in (left, right))
    with warnings.catch_warnings():
        # MONAI 1.6 calls its own function with an argument that it deprecates.
        warnings.filterwarnings("ignore", message=".*always_return_as_numpy", category=FutureWarning)
        distance = compute_hausdorff_distance(
            told, truth, include_background=True, percentile=95, spacing=list(spacing)
        )
        dice = compute_surface_dice(
            told,
            truth,
            class_thresholds=[tolerance_mm + _ROUNDING_MM],
            include_background=True,
            spacing=list(spacing),
            use_subvoxels=True,
        )
    return SurfaceAgreement(float(distance[0, 0]), float(dice[0, 0]), None)


def _box(predicted: Mask, reference: Mask, spacing_mm: tuple[float, ...]) -> tuple[Mask, Mask, tuple[float, ...]]:
    """Cut both to their common box, with a rim, and drop an axis of one slice: its ends are no surface."""
    either = predicted | reference
    kept = tuple(axis for axis, size in enumerate(either.shape) if size > 1)
    box = tuple(
        _span(np.asarray(either.any(axis=tuple(a for a in range(either.ndim) if a != axis)))) for axis in kept
    )
    masks = [mask.reshape([mask.shape[axis] for axis in kept])[box] for mask in (predicted, reference)]
    left, right = (np.ascontiguousarray(np.pad(mask, 1)) for mask in masks)
    return left, right, tuple(spacing_mm[axis] for axis in kept)


def _span(holds: Mask) -> slice:
    places = np.flatnonzero(holds)
    return slice(int(places[0]), int(places[-1]) + 1)
