import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from imaging import load_study, write_label_map
from imaging.limits import Limits
from imaging.types import Plane, Sequence, SourceKind, Spacing
from runtime.errors import LimitError, StudyError

SHAPE = (5, 110, 100)


def oblique_affine(sizes: tuple[float, float, float] = (4.0, 0.6, 0.7)) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", (7, -5, 11), degrees=True).as_matrix() @ np.diag(sizes)
    affine[:3, 3] = (-12.5, -80.25, 33)
    return affine


def write(path: Path, array: np.ndarray, affine: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def numbered(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 4093).reshape(shape).astype(np.int16)


def test_a_sagittal_volume_is_stored_front_to_back_and_head_to_foot(tmp_path: Path) -> None:
    array = numbered()
    study = load_study(write(tmp_path / "t2_lumbar.nii.gz", array, np.diag([4.0, 0.6, 0.7, 1])))
    series = study.series[0]
    assert (study.source, series.plane, series.sequence) == (SourceKind.NIFTI, Plane.SAGITTAL, Sequence.T2)
    assert series.role == "sagittal_t2"
    # RAS input: columns must run against y, rows against z; slices keep their order.
    np.testing.assert_array_equal(series.volume.array, array[:, ::-1, ::-1].transpose(1, 2, 0))
    assert series.volume.spacing == Spacing(row_mm=0.7, col_mm=0.6, slice_mm=4.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (2, 1, 0)])
def test_label_map_goes_back_to_the_grid_of_an_oblique_file(tmp_path: Path, order: tuple[int, int, int]) -> None:
    affine = oblique_affine()
    affine[:3, :3] = affine[:3, list(order)]
    array = numbered().transpose(order)
    study = load_study(write(tmp_path / "scan.nii.gz", array, affine))
    series = study.series[0]
    labels = (series.volume.array % 250).astype(np.uint8)
    out = tmp_path / "out"
    out.mkdir()
    path = write_label_map(labels, series, study.source, out)
    written = nib.load(path)
    assert path.name == "label_map.nii.gz"
    assert written.get_data_dtype() == np.uint8
    np.testing.assert_allclose(written.affine, affine, atol=1e-3)
    np.testing.assert_allclose(written.get_qform(), affine, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(written.dataobj), array % 250)

    # Another library finds both files on one grid.
    source, labelled = SimpleITK.ReadImage(str(tmp_path / "scan.nii.gz")), SimpleITK.ReadImage(str(path))
    assert source.GetSize() == labelled.GetSize()
    np.testing.assert_allclose(source.GetOrigin(), labelled.GetOrigin(), atol=1e-3)
    np.testing.assert_allclose(source.GetDirection(), labelled.GetDirection(), atol=1e-4)
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(source) % 250, SimpleITK.GetArrayFromImage(labelled))


def test_label_map_of_a_sheared_grid_keeps_its_affine(tmp_path: Path) -> None:
    affine = np.diag([4.0, 0.6, 0.7, 1])
    affine[1, 0] = 0.8
    study = load_study(write(tmp_path / "scan.nii", numbered(), affine))
    labels = np.ones(study.series[0].volume.shape, dtype=np.uint8)
    written = nib.load(write_label_map(labels, study.series[0], study.source, tmp_path))
    np.testing.assert_allclose(written.affine, affine, atol=1e-3)
    assert int(written.header["qform_code"]) == 0


def test_world_positions_survive_reading(tmp_path: Path) -> None:
    affine = oblique_affine()
    array = numbered()
    volume = load_study(write(tmp_path / "a.nii", array, affine)).series[0].volume
    assert volume.affine is not None
    for ijk in [(0, 0, 0), (99, 3, 2), (50, 99, 4)]:
        world = volume.affine @ (*ijk, 1)
        theirs = np.round(np.linalg.inv(affine) @ world)[:3].astype(int)
        assert array[tuple(theirs)] == volume.array[ijk]


@pytest.mark.parametrize(
    ("sizes", "plane", "shape"),
    [
        ((0.6, 0.7, 4.0), Plane.AXIAL, (100, 110, 30)),
        ((0.6, 4.0, 0.7), Plane.CORONAL, (100, 30, 110)),
        ((1.0, 1.0, 1.1), Plane.SAGITTAL, (110, 30, 100)),
    ],
)
def test_the_coarsest_axis_tells_the_plane(
    tmp_path: Path, sizes: tuple[float, ...], plane: Plane, shape: tuple[int, int, int]
) -> None:
    file_shape = {Plane.AXIAL: (100, 110, 30), Plane.CORONAL: (100, 30, 110), Plane.SAGITTAL: (100, 110, 30)}[
        plane
    ]
    study = load_study(write(tmp_path / "t2.nii", numbered(file_shape), np.diag([*sizes, 1])))
    assert study.series[0].plane is plane
    if plane is not Plane.SAGITTAL:
        assert sorted(study.series[0].volume.shape) == sorted(shape)


@pytest.mark.parametrize("shape", [(100, 110), (100, 110, 1), (100, 110, 1, 1)])
def test_one_slice_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    affine = np.array([[0.0, 0, 4, 0], [-0.6, 0, 0, 0], [0, -0.7, 0, 0], [0, 0, 0, 1]])
    array = numbered(shape)
    study = load_study(write(tmp_path / "t2.nii.gz", array, affine))
    volume = study.series[0].volume
    assert study.series[0].plane is Plane.SAGITTAL
    assert volume.shape == (100, 110, 1)
    assert volume.spacing == Spacing(0.7, 0.6)
    np.testing.assert_array_equal(volume.array[:, :, 0], array.reshape(100, 110))


def test_slope_and_intercept_are_applied(tmp_path: Path) -> None:
    image = nib.Nifti1Image(numbered(), np.diag([4.0, 0.6, 0.7, 1]))
    image.header.set_slope_inter(2.0, 5.0)
    nib.save(image, tmp_path / "a.nii")
    volume = load_study(tmp_path / "a.nii").series[0].volume
    expected = np.asarray(nib.load(tmp_path / "a.nii").dataobj)
    np.testing.assert_allclose(np.sort(volume.array, axis=None), np.sort(expected, axis=None))


def test_a_given_spacing_is_not_used_and_that_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "t2.nii", numbered(), np.diag([4.0, 0.6, 0.7, 1]))
    study = load_study(file, spacing=Spacing(2.0, 2.0))
    assert study.series[0].volume.spacing == Spacing(0.7, 0.6, 4.0)
    assert any("not used" in notice for notice in study.notices)


def test_nan_voxels_become_the_smallest_value_and_that_is_said(tmp_path: Path) -> None:
    array = numbered().astype(np.float32) + 10
    array[0, :3, 0] = np.nan
    series = load_study(write(tmp_path / "t2.nii", array, np.diag([4.0, 0.6, 0.7, 1]))).series[0]
    assert np.isfinite(series.volume.array).all()
    assert series.volume.array.min() == 10
    assert any(reason.startswith("3 voxels") for reason in series.reasons)


def test_nifti_2_and_a_wrong_ending_are_read(tmp_path: Path) -> None:
    array = numbered()
    nib.save(nib.Nifti2Image(array, np.diag([4.0, 0.6, 0.7, 1])), tmp_path / "a.nii")
    first = load_study(tmp_path / "a.nii")
    write(tmp_path / "b.nii.gz", array, np.diag([4.0, 0.6, 0.7, 1]))
    (tmp_path / "b.nii.gz").rename(tmp_path / "b.png")
    assert load_study(tmp_path / "b.png").key == first.key


def _bad_affine(value: float) -> np.ndarray:
    affine = np.diag([4.0, 0.6, 0.7, 1])
    affine[2, 2] = value
    return affine


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    good = np.diag([4.0, 0.6, 0.7, 1])
    file = tmp_path / "x.nii"

    def refuses(words: str) -> None:
        with pytest.raises(StudyError, match=words):
            load_study(file)

    write(file, np.zeros((4, 5, 6, 7), dtype=np.int16), good)
    refuses(r"2 or 3 dimensions, found shape \(4, 5, 6, 7\)")
    write(file, numbered(), np.diag([12.0, 9.0, 0.7, 1]))
    refuses("expected 0.1 to 5 mm between pixels")
    write(file, np.full(SHAPE, np.nan, dtype=np.float32), good)
    refuses("only NaN")
    write(file, np.zeros((5, 6, 7), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")]), good)
    refuses("colour")
    write(file, np.zeros((5, 6, 7), dtype=np.complex64), good)
    refuses("whole or real numbers")


@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (0.0, "singular|damaged")])
def test_affines_that_place_nothing_are_refused(tmp_path: Path, value: float, words: str) -> None:
    image = nib.Nifti1Image(numbered(), None)
    image.header.set_sform(_bad_affine(value), code=1)
    nib.Nifti1Image(numbered(), None, image.header).to_filename(tmp_path / "x.nii")
    raw = bytearray((tmp_path / "x.nii").read_bytes())
    raw[254:256] = (1).to_bytes(2, "little")  # sform_code
    raw[280:328] = _bad_affine(value)[:3].astype("<f4").tobytes()  # srow_x, srow_y, srow_z
    (tmp_path / "x.nii").write_bytes(raw)
    with pytest.raises(StudyError, match=words):
        load_study(tmp_path / "x.nii")


def test_a_file_without_orientation_is_refused(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Image(numbered(), None), tmp_path / "x.nii")
    with pytest.raises(StudyError, match="left and right cannot be told"):
        load_study(tmp_path / "x.nii")


def test_metres_are_refused(tmp_path: Path) -> None:
    image = nib.Nifti1Image(numbered(), np.diag([4.0, 0.6, 0.7, 1]))
    image.header.set_xyzt_units("meter")
    nib.save(image, tmp_path / "x.nii")
    with pytest.raises(StudyError, match="expected millimetres, found a NIfTI in metres"):
        load_study(tmp_path / "x.nii")


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.95])
def test_cut_short_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    array = np.random.default_rng(0).integers(0, 999, SHAPE, dtype=np.int16)
    file = write(tmp_path / name, array, np.diag([4.0, 0.6, 0.7, 1]))
    raw = file.read_bytes()
    file.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(StudyError, match=r"x\.nii"):
        load_study(file)


def test_too_many_voxels_are_refused_before_they_are_unpacked(
    tmp_path: Path,
) -> None:
    file = write(tmp_path / "x.nii.gz", numbered(), np.diag([4.0, 0.6, 0.7, 1]))
    with pytest.raises(LimitError, match="expected at most 1000 voxels") as caught:
        load_study(file, limits=Limits(voxels=1000))
    assert caught.value.code == "limit_voxels"


def test_a_gzip_bomb_is_not_unpacked_beyond_its_header(tmp_path: Path) -> None:
    raw = write(tmp_path / "x.nii", numbered(), np.diag([4.0, 0.6, 0.7, 1])).read_bytes()
    (tmp_path / "x.nii.gz").write_bytes(gzip.compress(raw + bytes(50_000_000)))
    assert load_study(tmp_path / "x.nii.gz").series[0].volume.shape == (110, 100, 5)


def test_one_half_of_a_pair_and_foreign_gzip_are_named(tmp_path: Path) -> None:
    nib.save(nib.Nifti1Pair(numbered(), np.diag([4.0, 0.6, 0.7, 1])), tmp_path / "x.hdr")
    with pytest.raises(StudyError, match="one half of a NIfTI"):
        load_study(tmp_path / "x.hdr")
    (tmp_path / "y.nii.gz").write_bytes(gzip.compress(b"hello world" * 99))
    with pytest.raises(StudyError, match=r"y\.nii\.gz: expected .* found gzip data that hold no NIfTI"):
        load_study(tmp_path / "y.nii.gz")


def test_real_volumes(data_dir: Path) -> None:
    lumbar = load_study(data_dir / "nifti/sct_tutorial/t2_lumbar.nii.gz")
    series = lumbar.series[0]
    assert (series.role, series.volume.shape) == ("sagittal_t2", (257, 201, 38))
    assert series.volume.affine is not None
    np.testing.assert_allclose(series.volume.affine[:3, :2], [[0, 0], [-1, 0], [0, -1]], atol=1e-6)
    axial = load_study(data_dir / "nifti/sct_tutorial/t2_axial.nii.gz")
    assert (axial.series[0].plane, axial.series[0].role) == (Plane.AXIAL, "axial_t2")
    star = load_study(data_dir / "nifti/gm_challenge/sub-9604_run-1_T2starw.nii.gz")
    assert (star.series[0].sequence, star.series[0].role) == (Sequence.UNKNOWN, None)
