"""From a segmented study to what the sacroiliac network reads: both joints located, cut, and what is missing said.

No torch. The fat-suppressed coronal series is needed, because oedema is defined on it; T1 is used where there is
one.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from grading.joints.config import JointCropGeometry
from grading.joints.crops import Crops, JointWindows, lay_windows, normalise, sample
from grading.joints.frames import SIDES, JointFrame, Outline, locate_joints
from imaging.types import AffineMatrix, FloatVolume, Plane, Series, Study
from segmentation.types import SegmentedStudy

STIR_ROLE, T1_ROLE = "coronal_stir", "coronal_t1"
NO_STIR = (
    "needs a coronal fat-suppressed series (STIR, or T2 with fat suppression): oedema is not told without one"
)
NOT_OUTLINED = "the {side} joint was not outlined: sacrum and ilium were not seen beside each other"
NOT_IN_VIEW = "no slice of the fat-suppressed series shows the {side} joint"

Image = tuple[FloatVolume, AffineMatrix]
"""Intensities (I, J, K) and voxel -> RAS+ mm."""


@dataclass(frozen=True, eq=False)
class JointStack:
    """One joint, ready for the network.

    Attributes:
        frame: Where it lies.
        windows: Where its crops lie; L slices.
        crops: (L, 2, rows, columns) normalised STIR and T1; T1 is 0 where ``has_t1`` is not.
        has_t1: (L,) bool.
    """

    frame: JointFrame
    windows: JointWindows
    crops: Crops
    has_t1: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class StackedJoints:
    """Both joints side by side: 2 sides (left, right), L slots.

    Attributes:
        crops: (2, L, 2, rows, columns) float32, 0 where not present.
        present: (2, L) bool.
        has_t1: (2, L) bool.
        places: (2, L, 2) float32, depth and distance of slices in units of 10 mm.
        slices: (2, L) slice index k, -1 where not present.
    """

    crops: NDArray[np.float32]
    present: NDArray[np.bool_]
    has_t1: NDArray[np.bool_]
    places: NDArray[np.float32]
    slices: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GatheredJoints:
    """What a study shows of its joints.

    Attributes:
        stir: The fat-suppressed series; None without one.
        joints: Side -> joint.
        reasons: Side -> why it cannot be graded.
        notices: What a report must state.
        series_ids: Series that were read.
    """

    stir: Series | None
    joints: Mapping[Side, JointStack]
    reasons: Mapping[Side, str]
    notices: tuple[str, ...]
    series_ids: tuple[str, ...]


def gather_joints(study: Study, segmented: SegmentedStudy, geometry: JointCropGeometry) -> GatheredJoints:
    """Locate and cut both joints of a study."""
    stir = study.series_by_role(STIR_ROLE)
    if stir is None or stir.volume.affine is None:
        return GatheredJoints(None, {}, dict.fromkeys(SIDES, NO_STIR), (), ())
    t1 = study.series_by_role(T1_ROLE)
    t1_image = None if t1 is None or t1.volume.affine is None else (t1.volume.array, t1.volume.affine)
    frames = locate_joints(_outlines(study, segmented), stir.volume.affine)
    joints = cut_joints(frames, (stir.volume.array, stir.volume.affine), t1_image, geometry)
    reasons = {
        side: (NOT_IN_VIEW if side in frames else NOT_OUTLINED).format(side=side.value)
        for side in SIDES
        if side not in joints
    }
    sees_t1 = any(joint.has_t1.any() for joint in joints.values())
    notices = () if sees_t1 else ("No coronal T1 images were graded; erosions and fat are told from STIR alone.",)
    read = (stir.id, t1.id) if t1 is not None and sees_t1 else (stir.id,)
    return GatheredJoints(stir, joints, reasons, notices, read)


def cut_joints(
    frames: Mapping[Side, JointFrame], stir: Image, t1: Image | None, geometry: JointCropGeometry
) -> dict[Side, JointStack]:
    """Cut the crops of joints; a side that no slice shows is left out."""
    volume, affine = stir
    cut: dict[Side, tuple[JointWindows, Crops]] = {}
    for side, frame in frames.items():
        windows = lay_windows(frame, affine, volume.shape[2], geometry)
        image, is_whole = sample(volume, affine, windows)
        if is_whole.any():
            cut[side] = (windows.at(is_whole), image[is_whole])
    bright = dict(zip(cut, normalise([image for _, image in cut.values()]), strict=True)) if cut else {}
    further = _resample({side: windows for side, (windows, _) in cut.items()}, t1)
    return {
        side: JointStack(
            frames[side], windows, np.stack([bright[side], further[side][0]], axis=1), further[side][1]
        )
        for side, (windows, _) in cut.items()
    }


def _resample(
    windows: Mapping[Side, JointWindows], t1: Image | None
) -> dict[Side, tuple[Crops, NDArray[np.bool_]]]:
    """Return side -> T1 on the same windows, and for which slices there is one."""
    if t1 is None or not windows:
        return {
            side: (
                np.zeros((len(item.slices), *item.shape), dtype=np.float32),
                np.zeros(len(item.slices), dtype=bool),
            )
            for side, item in windows.items()
        }
    sampled = {side: sample(*t1, item) for side, item in windows.items()}
    scaled = dict(zip(sampled, normalise([image for image, _ in sampled.values()]), strict=True))
    return {
        side: (np.where(there[:, None, None], scaled[side], 0).astype(np.float32), there)
        for side, (_, there) in sampled.items()
    }


def stack_joints(joints: Mapping[Side, JointStack], geometry: JointCropGeometry) -> StackedJoints:
    """Put both joints into slots, left first."""
    shape = (len(SIDES), geometry.slices)
    stacked = StackedJoints(
        crops=np.zeros((*shape, 2, geometry.rows, geometry.columns), dtype=np.float32),
        present=np.zeros(shape, dtype=bool),
        has_t1=np.zeros(shape, dtype=bool),
        places=np.zeros((*shape, 2), dtype=np.float32),
        slices=np.full(shape, -1, dtype=np.int64),
    )
    for side, joint in joints.items():
        row, count = SIDES.index(side), len(joint.windows.slices)
        stacked.crops[row, :count] = joint.crops
        stacked.present[row, :count] = True
        stacked.has_t1[row, :count] = joint.has_t1
        stacked.places[row, :count, 0] = joint.windows.depth_mm / 10
        stacked.places[row, :count, 1] = joint.windows.spacing_mm / 10
        stacked.slices[row, :count] = joint.windows.slices
    return stacked


def _outlines(study: Study, segmented: SegmentedStudy) -> list[Outline]:
    """Return the label maps of the coronal series, with their affines."""
    found = []
    for series in study.series:
        outlined, affine = segmented.label_map(series.id), series.volume.affine
        if series.plane is Plane.CORONAL and outlined is not None and affine is not None:
            found.append((outlined.array, affine))
    return found
