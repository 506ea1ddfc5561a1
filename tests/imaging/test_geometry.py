from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from imaging import parse_spacing, read_spacing_csv
from imaging.geometry import axes_matrix, check_affine, reorient, source_affine, spacing_of, undo_axes
from imaging.types import Plane, Spacing, Volume
from runtime.errors import ConfigError, StudyError

# World direction (RAS+) in which columns and rows must grow, by plane.
DISPLAY = {
    Plane.SAGITTAL: ((0, -1, 0), (0, 0, -1)),
    Plane.CORONAL: ((-1, 0, 0), (0, 0, -1)),
    Plane.AXIAL: ((-1, 0, 0), (0, -1, 0)),
}
SIGNED_PERMUTATIONS = [
    np.diag(signs) @ np.eye(3)[list(order)]
    for order in permutations(range(3))
    for signs in product((1, -1), repeat=3)
]


@settings(max_examples=60)
@given(
    index=st.integers(0, 47),
    slice_axis=st.integers(0, 2),
    tilt=st.tuples(*[st.floats(-12, 12)] * 3),
    sizes=st.tuples(*[st.floats(0.3, 5)] * 3),
)
def test_reorient_keeps_every_voxel_in_its_place_and_shows_it_the_usual_way(
    index: int, slice_axis: int, tilt: tuple[float, ...], sizes: tuple[float, ...]
) -> None:
    rotation = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix()
    affine = np.eye(4)
    affine[:3, :3] = rotation @ SIGNED_PERMUTATIONS[index] @ np.diag(sizes)
    affine[:3, 3] = (3, -70, 12)
    shape = (3, 4, 5)
    # Each voxel holds its own number, so that its way can be followed.
    source = np.arange(60, dtype=np.float32).reshape(shape)
    result = reorient(source, affine, slice_axis)

    assert result.plane is not Plane.UNKNOWN
    column, row = DISPLAY[result.plane]
    assert result.affine[:3, 0] @ column > 0.9 * np.linalg.norm(result.affine[:3, 0])
    assert result.affine[:3, 1] @ row > 0.9 * np.linalg.norm(result.affine[:3, 1])
    for ijk in np.ndindex(*result.array.shape):
        theirs = np.argwhere(source == result.array[ijk])[0]
        np.testing.assert_allclose(result.affine @ (*ijk, 1), affine @ (*theirs, 1), atol=1e-9)
    np.testing.assert_array_equal(undo_axes(result.array, result.source_axes), source)
    volume = Volume(result.array, None, result.affine, shape, result.source_axes)
    np.testing.assert_allclose(source_affine(volume), affine, atol=1e-9)


def test_slices_keep_the_order_of_the_file() -> None:
    affine = np.diag([-4.0, 1, 1, 1])
    source = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    result = reorient(source, affine, 0)
    assert result.source_axes == ((1, True), (2, True), (0, False))
    np.testing.assert_array_equal(result.array[:, :, 1], source[1, ::-1, ::-1])
    np.testing.assert_array_equal(axes_matrix((2, 3, 4), result.source_axes) @ (0, 0, 1, 1), (1, 2, 3, 1))


@pytest.mark.parametrize(("tilt", "plane"), [(44.0, Plane.SAGITTAL), (46.0, Plane.AXIAL)])
def test_tilted_slices_take_the_nearest_plane(tilt: float, plane: Plane) -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("y", tilt, degrees=True).as_matrix()
    result = reorient(np.zeros((2, 2, 2), dtype=np.float32), affine, 0)
    assert result.plane is plane
    assert result.tilt_deg == pytest.approx(min(tilt, 90 - tilt))


def test_slices_oblique_in_all_directions_have_no_plane() -> None:
    affine = np.eye(4)
    affine[:3, 2] = (1, 1, 1)
    affine[:3, 0] = (1, -1, 0)
    affine[:3, 1] = (1, 1, -2)
    result = reorient(np.zeros((2, 2, 2), dtype=np.float32), affine, 2)
    assert result.plane is Plane.UNKNOWN
    assert result.tilt_deg == pytest.approx(54.7356, abs=1e-3)


def test_spacing_comes_from_the_lengths_of_the_axes() -> None:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("z", 30, degrees=True).as_matrix() @ np.diag([0.5, 0.7, 4.4])
    assert spacing_of(affine, 3) == Spacing(row_mm=0.7, col_mm=0.5, slice_mm=4.4)
    assert spacing_of(affine, 1).slice_mm is None


@pytest.mark.parametrize(
    ("affine", "words"),
    [
        (np.full((4, 4), np.nan), "NaN"),
        (np.diag([1.0, 1, 0, 1]), "singular"),
        (np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "singular"),
    ],
)
def test_refuses_an_affine_that_places_nothing(affine: np.ndarray, words: str) -> None:
    with pytest.raises(StudyError, match=words):
        check_affine("x.nii", affine)


def test_parse_spacing_reads_one_number_or_row_and_column() -> None:
    assert parse_spacing("0.625") == Spacing(0.625, 0.625)
    assert parse_spacing(" 0.7, 0.5") == Spacing(row_mm=0.7, col_mm=0.5)


@pytest.mark.parametrize("text", ["", "a", "1,2,3", "0", "-1", "nan", "inf", "0.05", "6", "0.6,9", "0,6"])
def test_parse_spacing_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ConfigError, match="spacing: expected"):
        parse_spacing(text)


def test_spacing_table_is_read_by_file_name(tmp_path: Path) -> None:
    table = tmp_path / "spacing.csv"
    table.write_text("\ufefffile,row_mm,col_mm,other\na.png,0.7,0.5,x\nb.png,1,1,\n", encoding="utf-8")
    assert read_spacing_csv(table) == {"a.png": Spacing(0.7, 0.5), "b.png": Spacing(1.0, 1.0)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,row\na.png,1\n", "expected the columns"),
        ("file,row_mm,col_mm\na.png,1\n", "expected the columns"),
        ("file,row_mm,col_mm\na.png,1,x\n", "line 2"),
        ("file,row_mm,col_mm\na.png,1,1\na.png,1,1\n", "line 3: 'a.png' comes twice"),
    ],
)
def test_spacing_table_names_what_is_wrong(tmp_path: Path, content: str, words: str) -> None:
    table = tmp_path / "spacing.csv"
    table.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_spacing_csv(table)


def test_missing_spacing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.csv: expected a readable CSV"):
        read_spacing_csv(tmp_path / "none.csv")
