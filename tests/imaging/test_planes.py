import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.geometry import reorient
from imaging.planes import find_plane, slice_normal, tilt_from
from imaging.types import Plane


def normal(pitch_deg: float, side_deg: float = 0.0) -> np.ndarray:
    """Unit normal (RAS+) of slices: pitch 0 looks to the front, 90 up; then turned to the side."""
    pitch, side = np.radians((pitch_deg, side_deg))
    return np.array([np.sin(side), np.cos(side) * np.cos(pitch), np.cos(side) * np.sin(pitch)])


# What is laid out on a scanner: pitch of the slices' normal, and the plane a radiologist calls it.
CASES = [
    ("true axial", 90.0, Plane.AXIAL),
    ("axial along L1-L2, leaning back", -78.0, Plane.AXIAL),
    ("axial along L4-L5", 75.0, Plane.AXIAL),
    ("axial along L5-S1", 55.0, Plane.AXIAL),
    ("axial along L5-S1, steep sacrum", 45.0, Plane.AXIAL),
    ("axial-oblique across the sacrum", 35.0, Plane.AXIAL),
    ("true coronal", 0.0, Plane.CORONAL),
    ("coronal along lordosis", 15.0, Plane.CORONAL),
    ("coronal-oblique along a flat sacrum", -30.0, Plane.CORONAL),
    ("coronal-oblique along the sacrum", -45.0, Plane.CORONAL),
    ("coronal-oblique along a steep sacrum", -60.0, Plane.CORONAL),
]


@pytest.mark.parametrize(("_", "pitch", "plane"), CASES, ids=[case[0] for case in CASES])
def test_oblique_slices_have_the_name_a_radiologist_gives(_: str, pitch: float, plane: Plane) -> None:
    found = find_plane(normal(pitch))
    assert found.plane is plane
    usual = abs(pitch) if plane is Plane.CORONAL else 90 - abs(pitch)
    assert found.tilt_deg == pytest.approx(usual)
    assert plane.value in found.reason


@pytest.mark.parametrize(
    ("vector", "plane"),
    [
        ((1.0, 0.0, 0.0), Plane.SAGITTAL),
        ((0.9, 0.3, 0.3), Plane.SAGITTAL),
        ((0.64, 0.0, 0.768), Plane.AXIAL),
        ((1.0, 1.0, 1.0), Plane.UNKNOWN),
    ],
)
def test_slices_turned_to_the_side(vector: tuple[float, ...], plane: Plane) -> None:
    assert find_plane(np.array(vector) / np.linalg.norm(vector)).plane is plane


def test_a_word_decides_near_a_border_only() -> None:
    assert find_plane(normal(-62.0), named=("axial",)).plane is Plane.AXIAL
    assert find_plane(normal(-70.0), named=("coronal",)).plane is Plane.CORONAL
    far = find_plane(normal(-38.0), named=("axial",))
    assert far.plane is Plane.CORONAL
    assert "the description says axial, the orientation was followed" in far.reason
    assert find_plane(normal(-62.0), named=("axial", "coronal")).plane is Plane.CORONAL
    assert find_plane(normal(48.0), named=("coronal",)).plane is Plane.CORONAL
    assert find_plane(normal(0.0, 48.0), named=("sagittal",)).plane is Plane.SAGITTAL


@given(pitch=st.floats(-180, 180), side=st.floats(-90, 90))
def test_the_sign_of_the_normal_does_not_matter(pitch: float, side: float) -> None:
    vector = normal(pitch, side)
    assert find_plane(vector).plane is find_plane(-vector).plane


def test_a_coronal_oblique_volume_is_stored_as_a_coronal_one() -> None:
    looks_to = normal(-55.0)
    right = np.array([1.0, 0.0, 0.0])
    down = np.cross(looks_to, right)
    affine = np.eye(4)
    affine[:3, :3] = np.column_stack((right, down, looks_to))
    stored = reorient(np.zeros((4, 5, 6), dtype=np.float32), affine, 2)
    assert stored.plane is Plane.CORONAL
    assert stored.tilt_deg == pytest.approx(55.0)
    # rows run from head to foot, columns from the patient's right to left
    assert stored.affine[2, 1] < 0
    assert stored.affine[0, 0] < 0
    assert tilt_from(slice_normal(stored.affine, 2), Plane.CORONAL) == pytest.approx(55.0)
