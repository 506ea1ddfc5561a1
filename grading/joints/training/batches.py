"""Batches of made-up patients: joints located on their true outlines, misplaced as a reading misplaces them, cut.

Notation: B patients, 2 sides (left, right), L slots of slices.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from anatomy import Side
from anatomy.sacroiliac import QUADRANTS, is_asas_positive
from grading.joints.config import JointCropGeometry
from grading.joints.frames import SIDES, JointFrame, locate_joints
from grading.joints.inputs import Image, StackedJoints, cut_joints, stack_joints
from grading.joints.model import SLICE_ITEMS, JointInputs
from grading.joints.training.config import JointTrainingConfig
from grading.joints.training.phantoms import JointCase
from grading.training.batches import jitter_greys

# Where a reading lays its frames against frames on the true outlines: across, along, through (mm), turned
# (degrees). The mean over the joints of drawn patients (``misplaced.py``); training jitters about it.
FOUND_MM, FOUND_TURN_DEG = np.array([0.9, 2.3, 1.6]), 0.9


@dataclass(frozen=True, eq=False)
class LocatedCase:
    """A case with its joints located on the true outlines."""

    case: JointCase
    _cuts: dict[int, StackedJoints] = field(default_factory=dict)

    def cut(self, number: int, geometry: JointCropGeometry, training: JointTrainingConfig) -> StackedJoints:
        """Return one of the patient's misplaced cuts, cut when first asked for; kept in half precision."""
        if number not in self._cuts:
            rng = np.random.default_rng((training.seed, self.case.seed, number))
            cut = misplaced_cut(self, geometry, training, rng)
            self._cuts[number] = replace(cut, crops=cut.crops.astype(np.float16))
        kept = self._cuts[number]
        return replace(kept, crops=kept.crops.astype(np.float32))

    @cached_property
    def frames(self) -> dict[Side, JointFrame]:
        """Return the frame of each joint."""
        return locate_joints([(self.case.labels, self.case.affine)], self.case.affine)

    @cached_property
    def lesions(self) -> NDArray[np.bool_]:
        """Return (2, 6) bool, ``grading.joints.model.LESIONS``."""
        several = SLICE_ITEMS.index("several")
        active = [
            is_asas_positive(items[:, : len(QUADRANTS)].tolist(), items[:, several].tolist())
            for items in self.case.items
        ]
        return np.column_stack([np.array(active), self.case.structural])


@dataclass(frozen=True, eq=False)
class JointBatch:
    """Arrays of one step.

    Attributes:
        joints: One a patient.
        items: (B, 2, L, 13) bool, ``SLICE_ITEMS``.
        lesions: (B, 2, 6) bool, ``LESIONS``.
        stages: (B, 2) steps, -1 where the joint was not found.
        status: (B,) 0 or 1.
    """

    joints: tuple[StackedJoints, ...]
    items: NDArray[np.bool_]
    lesions: NDArray[np.bool_]
    stages: NDArray[np.int64]
    status: NDArray[np.int64]

    def inputs(self) -> JointInputs:
        """Return the network's inputs."""
        return to_inputs(self.joints)


def to_inputs(joints: Sequence[StackedJoints]) -> JointInputs:
    """Stack patients along the batch."""
    return JointInputs(
        crops=torch.from_numpy(np.stack([item.crops for item in joints])),
        present=torch.from_numpy(np.stack([item.present for item in joints])),
        has_t1=torch.from_numpy(np.stack([item.has_t1 for item in joints])),
        places=torch.from_numpy(np.stack([item.places for item in joints])),
    )


def shuffled_batches(
    cases: Sequence[LocatedCase],
    geometry: JointCropGeometry,
    training: JointTrainingConfig,
    rng: np.random.Generator,
) -> Iterator[JointBatch]:
    """Yield one epoch of augmented batches."""
    order = rng.permutation(len(cases))
    for start in range(0, len(order), training.batch_patients):
        chosen = [cases[index] for index in order[start : start + training.batch_patients]]
        yield make_batch(chosen, [augmented(case, geometry, training, rng) for case in chosen])


def plain_batch(cases: Sequence[LocatedCase], geometry: JointCropGeometry, *, with_t1: bool = True) -> JointBatch:
    """Return cases as a reading would see them on average, without jitter."""
    joints = []
    for item in cases:
        stir, t1 = _images(item.case)
        frames = {side: _misplaced(frame, np.zeros(5)) for side, frame in item.frames.items()}
        joints.append(stack_joints(cut_joints(frames, stir, t1 if with_t1 else None, geometry), geometry))
    return make_batch(cases, joints)


def make_batch(cases: Sequence[LocatedCase], joints: Sequence[StackedJoints]) -> JointBatch:
    """Join patients with their truth."""
    items = np.zeros((len(cases), *joints[0].present.shape, len(SLICE_ITEMS)), dtype=bool)
    for row, (case, joint) in enumerate(zip(cases, joints, strict=True)):
        for side in range(len(SIDES)):
            there = joint.present[side]
            items[row, side, there] = case.case.items[side, joint.slices[side, there]]
    found = np.stack([joint.present.any(axis=1) for joint in joints])
    return JointBatch(
        joints=tuple(joints),
        items=items,
        lesions=np.stack([case.lesions for case in cases]),
        stages=np.where(found, np.stack([case.case.stages for case in cases]), -1),
        status=np.array([case.case.status for case in cases], dtype=np.int64),
    )


def augmented(
    item: LocatedCase, geometry: JointCropGeometry, training: JointTrainingConfig, rng: np.random.Generator
) -> StackedJoints:
    """Return one of a patient's misplaced cuts, greys changed; at times without T1 or the ends of the stack."""
    joints = item.cut(int(rng.integers(training.cuts)), geometry, training)
    if rng.random() < training.t1_dropout:
        joints = replace(joints, has_t1=np.zeros_like(joints.has_t1))
    if rng.random() < training.end_dropout:
        joints = _without_ends(joints, item.case.stir.shape[2], rng)
    return _jittered_greys(joints, rng)


def misplaced_cut(
    item: LocatedCase, geometry: JointCropGeometry, training: JointTrainingConfig, rng: np.random.Generator
) -> StackedJoints:
    """Cut one patient with frames misplaced as a reading misplaces them, in another size, T1 moved a little."""
    stir, t1 = _images(item.case)
    spread = (
        training.across_jitter_mm,
        training.along_jitter_mm,
        training.depth_jitter_mm,
        training.turn_jitter_deg,
        training.slope_jitter,
    )
    frames = {side: _misplaced(frame, rng.normal(0, np.array(spread))) for side, frame in item.frames.items()}
    scaled = replace(geometry, pixel_mm=geometry.pixel_mm * float(np.exp(rng.normal(0, training.scale_jitter))))
    affine = t1[1].copy()
    move = rng.normal(0, training.series_shift_mm, 2) / np.linalg.norm(affine[:3, :2], axis=0)
    affine[:3, 3] += affine[:3, :2] @ move
    return stack_joints(cut_joints(frames, stir, (t1[0], affine), scaled), geometry)


def _images(case: JointCase) -> tuple[Image, Image]:
    return (case.stir.astype(np.float32), case.affine), (case.t1.astype(np.float32), case.affine)


def _misplaced(frame: JointFrame, noise: NDArray[np.float64]) -> JointFrame:
    """Move a frame as outlines of the network would, on average and by ``noise``: mm, mm, mm, degrees, slope."""
    across, along, depth = noise[:3] + FOUND_MM
    turn = np.deg2rad(noise[3] + FOUND_TURN_DEG)
    cosine, sine = float(np.cos(turn)), float(np.sin(turn))
    return replace(
        frame,
        origin=frame.origin + across * frame.across + along * frame.along + depth * frame.through,
        across=cosine * frame.across - sine * frame.along,
        along=cosine * frame.along + sine * frame.across,
        through=frame.through + noise[4] * frame.across,
    )


def _without_ends(joints: StackedJoints, slices: int, rng: np.random.Generator) -> StackedJoints:
    """Leave out slices from either end of the stack, the same of both joints, as a short stack would."""
    low, high = int(rng.integers(0, slices // 3 + 1)), slices - int(rng.integers(0, slices // 3 + 1))
    kept = joints.present & (joints.slices >= low) & (joints.slices < high)
    return replace(joints, present=kept) if kept.any(axis=1).all() else joints


def _jittered_greys(joints: StackedJoints, rng: np.random.Generator) -> StackedJoints:
    """Change the greys of each series, alike on both sides."""
    crops = joints.crops.copy()
    for channel, there in enumerate((joints.present, joints.present & joints.has_t1)):
        if there.any():
            crops[there, channel] = jitter_greys(crops[there, channel], rng)
    return replace(joints, crops=crops)
