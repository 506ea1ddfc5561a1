"""Real cords: Dice and outline distance on volunteers and volumes with manual masks.

Every volume is scored by the network that held its person out, where there are networks by fold. One network for
all is scored too, but then what it has seen is told: nothing real of the cord, or these very people.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from benchmarks.regions.stacks import Stack, masks_of_stack, truth_of
from benchmarks.regions.surface import surface_distance_px
from benchmarks.segmentation import Row
from evaluation.segmentation import overlap
from runtime.errors import ConfigError
from segmentation.predict import SliceSegmenter
from segmentation.training.cords import (
    VOLUMES,
    CordVolume,
    cord_folds,
    in_plane_spacing,
    pad_field,
    plane_slices,
)
from segmentation.training.data import UNKNOWN

NAMES = {"t1_t1w": "sct_testing T1", "t2_t2": "sct_testing T2"}
CHALLENGE = "gm_challenge T2*"
_STRIDE = {"sagittal": 3, "axial": 4}
"""Voxels of 1 mm from slice to slice of the isotropic volumes: the distance of slices in ordinary series."""


def score_cords(models: Mapping[int, SliceSegmenter], volumes: list[CordVolume]) -> Iterator[Row]:
    """Score volumes by the network of their fold; volumes whose fold has none are passed over.

    The sessions of one volunteer give one row each and the bootstrap draws volunteers.
    """
    folds = cord_folds()
    for volume in volumes:
        model = models.get(folds[volume.patient])
        if model is None:
            continue
        is_isotropic = volume.name in VOLUMES
        for plane in ("sagittal", "axial") if is_isotropic else ("axial",):
            stack = cord_stack(volume, plane, _STRIDE[plane] if is_isotropic else 1)
            task = f"{NAMES.get(volume.name, CHALLENGE)} {plane}"
            for figure, value in cord_figures(model, stack).items():
                yield Row(f"{task} {figure}", volume.patient, value)


def cord_stack(volume: CordVolume, plane: str, stride: int) -> Stack:
    """Return every ``stride``-th slice within the labelled extent, set into a usual field."""
    slices = list(plane_slices(volume, plane))
    spacing = in_plane_spacing(volume, plane)
    images = np.stack([pad_field(image, spacing, 0) for _, image, _ in slices])
    labels = np.stack([pad_field(label, spacing, UNKNOWN) for _, _, label in slices])
    chosen = np.arange(stride // 2, len(slices), stride)
    return Stack.of_series(volume.patient, images, labels, spacing, chosen=chosen, stride=stride)


def cord_figures(model: SliceSegmenter, stack: Stack) -> dict[str, float]:
    """Return the figures of one stack; Dice over all its slices together.

    Raises:
        ConfigError: If the network has no prompt for the cord.
    """
    if "spinal_cord" not in model.config.structures:
        raise ConfigError(f"weights: expected the structure spinal_cord, got {model.config.structures!r}")
    mask, truth = masks_of_stack(model, stack)["spinal_cord"], truth_of(stack.labels, "spinal_cord")
    drawn = truth.any(axis=(1, 2))
    dice = overlap(mask, truth).dice
    return {
        "cord Dice": float("nan") if dice is None else dice,
        "cord distance px": surface_distance_px(mask, truth),
        "cord missed in a slice": float(np.mean(~mask[drawn].any(axis=(1, 2)))),
        "cord area over the expert's": float(mask.sum() / truth.sum()),
    }
