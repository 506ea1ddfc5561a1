"""Joints located on a drawn pelvis whose planes are known, and on outlines gone wrong."""

import numpy as np
import pytest

from anatomy import Side
from grading.joints.frames import BAND_MM, SIDES, frame_band, locate_joints
from tests.grading.joints.pelves import (
    HALF_MM,
    PIXEL_MM,
    SHAPE,
    SLOPE_FRONT,
    SLOPE_UP,
    affine_of,
    depth_mm,
    draw_labels,
    world,
)

AFFINE = affine_of()
OUT = {Side.LEFT: np.array([-1.0, 0, 0]), Side.RIGHT: np.array([1.0, 0, 0])}


def test_both_joints_are_found_where_they_were_drawn() -> None:
    frames = locate_joints([(draw_labels(AFFINE), AFFINE)], AFFINE)
    assert set(frames) == set(SIDES)
    for side, frame in frames.items():
        outwards = float(frame.origin @ OUT[side])
        assert outwards == pytest.approx(
            HALF_MM + SLOPE_UP * frame.origin[2] + SLOPE_FRONT * frame.origin[1], abs=1.0
        )
        assert abs(frame.origin[2]) < 3.0
        assert frame.across @ OUT[side] > 0.9
        assert frame.along[2] > 0.9
        assert frame.across @ frame.along == pytest.approx(0, abs=1e-9)
        assert frame.through @ OUT[side] == pytest.approx(SLOPE_FRONT, abs=0.05)
        assert float(frame.along @ OUT[side]) / frame.along[2] == pytest.approx(SLOPE_UP, abs=0.03)


def test_left_and_right_are_mirror_images() -> None:
    left, right = (locate_joints([(draw_labels(AFFINE), AFFINE)], AFFINE)[side] for side in SIDES)
    mirror = np.array([-1.0, 1.0, 1.0])
    for name in ("origin", "across", "along", "through"):
        np.testing.assert_allclose(getattr(left, name), getattr(right, name) * mirror, atol=0.3)


def test_frames_do_not_depend_on_how_the_slices_are_stored() -> None:
    labels = draw_labels(AFFINE)
    turned = AFFINE[:, [1, 0, 2, 3]]
    flipped = turned.copy()
    flipped[:3, 2] *= -1
    flipped[:3, 3] = turned[:3, 3] + turned[:3, 2] * (SHAPE[2] - 1)
    other = labels.transpose(1, 0, 2)[:, :, ::-1]
    first = locate_joints([(labels, AFFINE)], AFFINE)
    second = locate_joints([(other, flipped)], flipped)
    for side in SIDES:
        np.testing.assert_allclose(first[side].origin, second[side].origin, atol=0.5)
        np.testing.assert_allclose(first[side].along, second[side].along, atol=0.02)


def test_a_fused_joint_is_still_between_its_bones() -> None:
    labels = draw_labels(AFFINE)
    labels[labels == 53] = 51
    found, true = (locate_joints([(item, AFFINE)], AFFINE) for item in (labels, draw_labels(AFFINE)))
    assert np.linalg.norm(found[Side.LEFT].origin - true[Side.LEFT].origin) < 2.5


def test_stray_outlines_do_not_move_a_joint() -> None:
    labels = draw_labels(AFFINE)
    labels[20:28, 10:30, 3:6][labels[20:28, 10:30, 3:6] > 0] = 50
    found, true = (locate_joints([(item, AFFINE)], AFFINE) for item in (labels, draw_labels(AFFINE)))
    for side in SIDES:
        assert np.linalg.norm(found[side].origin - true[side].origin) < 2.0


def test_a_side_without_an_ilium_has_no_frame() -> None:
    labels = draw_labels(AFFINE)
    labels[np.isin(labels, (52, 54))] = 0
    assert set(locate_joints([(labels, AFFINE)], AFFINE)) == {Side.LEFT}
    assert locate_joints([], AFFINE) == {}


def test_the_band_lies_along_the_drawn_joint_on_every_slice() -> None:
    labels, places = draw_labels(AFFINE), world(AFFINE, SHAPE)
    out = depth_mm(places) / np.hypot(1.0, SLOPE_UP)  # mm at right angles to the joint, in the slice
    for side, frame in locate_joints([(labels, AFFINE)], AFFINE).items():
        band = frame_band(frame, AFFINE, SHAPE, np.arange(SHAPE[2]))
        own = (places[0] < 0) == (side is Side.LEFT)
        inside = own & (np.abs(out) <= BAND_MM - 1.5) & (np.abs(places[2]) < 24)
        outside = ~own | (np.abs(out) > BAND_MM + 1.5) | (np.abs(places[2]) > 42)
        assert band[inside].all()
        assert not band[outside].any()
        one = frame_band(frame, AFFINE, SHAPE, np.array([3]), half_mm=2 * PIXEL_MM)
        assert one.shape == (*SHAPE[:2], 1)
        assert one[labels[:, :, 3:4] == (53 if side is Side.LEFT else 54)].mean() > 0.85
