"""Crops along drawn joints: both sides alike, the right slices, T1 by world coordinates, one grey scale."""

import numpy as np
import pytest

from anatomy import Side
from grading.joints.config import JointCropGeometry
from grading.joints.crops import lay_windows, normalise, sample, slice_stride
from grading.joints.frames import SIDES, locate_joints
from grading.joints.inputs import cut_joints, stack_joints
from tests.grading.joints.pelves import SHAPE, SLICE_MM, affine_of, draw_labels, draw_stir

AFFINE = affine_of()
GEOMETRY = JointCropGeometry(pixel_mm=1.6, rows=28, columns=52, reach_mm=13.0, slices=8)
FRAMES = locate_joints([(draw_labels(AFFINE), AFFINE)], AFFINE)


def test_windows_lie_on_the_slices_near_the_joint_from_back_to_front() -> None:
    windows = lay_windows(FRAMES[Side.LEFT], AFFINE, SHAPE[2], GEOMETRY)
    assert np.abs(windows.depth_mm).max() <= GEOMETRY.reach_mm
    assert (np.diff(windows.depth_mm) > 0).all()
    assert windows.spacing_mm == SLICE_MM
    inverse = np.linalg.inv(AFFINE)
    voxels = windows.middles @ inverse[:3, :3].T + inverse[:3, 3]
    np.testing.assert_allclose(voxels[:, 2], windows.slices, atol=1e-6)


def test_thin_slices_are_read_at_a_stride_that_both_joints_share() -> None:
    thin = affine_of(shape=(112, 72, 40), slice_mm=1.0)
    assert slice_stride(thin, GEOMETRY) == 4
    read = [lay_windows(FRAMES[side], thin, 40, GEOMETRY).slices for side in SIDES]
    assert all((slices % 4 == 0).all() and 0 < len(slices) <= GEOMETRY.slices for slices in read)


def test_oedema_lies_on_the_iliac_upper_side_of_a_crop_whichever_side_it_is_on() -> None:
    crops = {}
    for side, x in ((Side.LEFT, -1.0), (Side.RIGHT, 1.0)):
        image = draw_stir(AFFINE, oedema_at_x=x)
        joints = cut_joints(FRAMES, (image, AFFINE), None, GEOMETRY)
        crops[side] = joints[side].crops[:, 0]
        other = joints[Side.RIGHT if side is Side.LEFT else Side.LEFT].crops[:, 0]
        assert other.max() < 0.5
        rows, columns = np.nonzero(crops[side][3] > 0.5)
        assert rows.min() >= GEOMETRY.rows // 2  # the ilium's half
        assert columns.mean() < GEOMETRY.columns / 2  # towards the head
    np.testing.assert_allclose(crops[Side.LEFT], crops[Side.RIGHT], atol=0.9)
    assert np.abs(crops[Side.LEFT] - crops[Side.RIGHT]).mean() < 0.05


def test_t1_on_another_grid_is_the_same_place() -> None:
    image = draw_stir(AFFINE, oedema_at_x=-1.0)
    wide = affine_of(shape=(140, 90, 11))
    other = draw_stir(wide, (140, 90, 11), oedema_at_x=-1.0)
    (joint,) = [cut_joints(FRAMES, (image, AFFINE), (other, wide), GEOMETRY)[Side.LEFT]]
    assert joint.has_t1.all()
    assert np.abs(joint.crops[:, 0] - joint.crops[:, 1]).mean() < 0.08


def test_slices_that_t1_does_not_reach_have_none() -> None:
    image = draw_stir(AFFINE)
    front = AFFINE.copy()
    front[:3, 3] += 4 * AFFINE[:3, 2]
    joint = cut_joints(FRAMES, (image, AFFINE), (image[:, :, 4:], front), GEOMETRY)[Side.LEFT]
    assert joint.has_t1.tolist() == (joint.windows.slices >= 4).tolist()
    assert (joint.crops[~joint.has_t1, 1] == 0).all()


def test_grey_values_are_told_against_the_marrow() -> None:
    dark, marrow, bright = np.zeros((1, 2, 2)), np.full((1, 9, 9), 100.0), np.full((1, 2, 2), 400.0)
    scaled = normalise([item.astype(np.float32) for item in (dark, marrow, bright)])
    assert [float(item.flat[0]) for item in scaled] == pytest.approx([-1.0, 0.0, 1.0])
    again = normalise([7 * item.astype(np.float32) for item in (dark, marrow, bright)])
    for first, second in zip(scaled, again, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_a_window_outside_the_picture_is_told() -> None:
    windows = lay_windows(FRAMES[Side.LEFT], AFFINE, SHAPE[2], GEOMETRY)
    far = AFFINE.copy()
    far[0, 3] += 500.0
    crops, is_whole = sample(draw_stir(AFFINE), far, windows)
    assert not is_whole.any()
    assert not crops.any()


def test_stacking_keeps_slices_in_their_slots() -> None:
    joints = cut_joints(FRAMES, (draw_stir(AFFINE), AFFINE), None, GEOMETRY)
    stacked = stack_joints({Side.RIGHT: joints[Side.RIGHT]}, GEOMETRY)
    assert not stacked.present[0].any()
    count = int(stacked.present[1].sum())
    assert stacked.slices[1, :count].tolist() == joints[Side.RIGHT].windows.slices.tolist()
    assert (stacked.slices[1, count:] == -1).all()
    assert not stacked.has_t1.any()
