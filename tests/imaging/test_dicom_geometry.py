"""Property tests of geometry: whatever way a series lies and is shuffled, ours and SimpleITK's voxels coincide.

ITK shares no code with us: it parses, sorts and decodes by itself (GDCM).
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random

import nibabel as nib
import numpy as np
import pytest
import SimpleITK
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from imaging import load_study, write_label_map
from imaging.dicom import read_dicom
from imaging.dicom.headers import InstanceHeader
from imaging.dicom.members import Member
from imaging.dicom.runs import JITTER_MM, deviation_mm
from imaging.dicom.slices import SliceHeader
from imaging.dicom.stacks import SAME_PLACE_MM, build_stacks
from imaging.geometry import source_affine
from imaging.sniff import FileKind
from imaging.types import Series
from tests.imaging.conftest import SeriesWriter

Array = NDArray[np.float64]
_TO_RAS = np.diag([-1.0, -1.0, 1.0])
_T2 = {"EchoTime": 100.0, "RepetitionTime": 3500.0}
_FEW = settings(max_examples=40)


@dataclass(frozen=True)
class Geometry:
    """A random series.

    Attributes:
        orientation: LPS direction cosines, any rotation.
        spacing: (row, column) mm.
        step_mm: Between slices.
        origin: LPS mm.
        shape: (slices, rows, columns).
        order: Shuffles names and instance numbers.
    """

    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    step_mm: float
    origin: tuple[float, float, float]
    shape: tuple[int, int, int]
    order: tuple[int, ...]


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    angles = [draw(st.floats(-180, 180)) for _ in range(3)]
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    slices = draw(st.integers(1, 5))
    size = st.floats(0.25, 1.6)
    place = st.floats(-400, 400)
    return Geometry(
        orientation=tuple(round(float(x), 10) for x in (*turn[:, 0], *turn[:, 1])),
        spacing=(round(draw(size), 6), round(draw(size), 6)),
        step_mm=round(draw(st.floats(0.5, 8.0)), 6),
        origin=(round(draw(place), 5), round(draw(place), 5), round(draw(place), 5)),
        shape=(slices, draw(st.integers(40, 56)), draw(st.integers(40, 56))),
        order=tuple(draw(st.permutations(range(slices)))),
    )


@contextmanager
def written(geometry: Geometry, volume: NDArray[np.uint16]) -> Iterator[list[Path]]:
    """Yield the files of a series in the order of its slices; names and instance numbers are shuffled."""
    with tempfile.TemporaryDirectory() as folder:
        plain, shuffled = Path(folder) / "a", Path(folder) / "b"
        plain.mkdir()
        shuffled.mkdir()

        def number(dataset: object, k: int) -> None:
            dataset.InstanceNumber = geometry.order[k] + 1  # type: ignore[attr-defined]

        files = SeriesWriter(plain, generate_uid()).write(
            volume,
            orientation=geometry.orientation,
            spacing=geometry.spacing,
            step_mm=geometry.step_mm,
            origin=geometry.origin,
            change=number,
            **_T2,
        )
        yield [
            Path(shutil.move(file, shuffled / f"IM{place:03d}"))
            for file, place in zip(files, geometry.order, strict=True)
        ]


def random_volume(shape: tuple[int, int, int], seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 4095, shape).astype(np.uint16)


def corners(shape: tuple[int, ...]) -> Array:
    """Return the eight corner voxels, (8, 4) homogeneous."""
    grid = np.array(np.meshgrid(*[(0, size - 1) for size in shape], indexing="ij")).reshape(3, -1).T
    return np.column_stack([grid, np.ones(8)])


def itk_series(folder: Path) -> SimpleITK.Image:
    """Read a series as ITK sorts it."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    return reader.Execute()


def assert_same_world(series: Series, image: SimpleITK.Image) -> None:
    """Compare values and places of all corners, in RAS+ mm, on the file's own grid."""
    affine = source_affine(series.volume)
    assert affine is not None
    ours = (corners(series.volume.source_shape) @ affine.T)[:, :3]
    indices = corners(image.GetSize())[:, :3].astype(int)
    theirs = np.array([image.TransformIndexToPhysicalPoint(index.tolist()) for index in indices]) @ _TO_RAS
    # The stack may run the other way in the file: corners are matched by place.
    distance = np.linalg.norm(ours[:, np.newaxis] - theirs[np.newaxis], axis=2)
    assert distance.min(axis=1).max() < 1e-3
    assert distance.min(axis=0).max() < 1e-3
    # Each voxel of ours, looked up in ITK's image by its place, has the same value.
    volume = series.volume
    assert volume.affine is not None
    i, j, k = (size // 3 for size in volume.shape)
    for voxel in ((0, 0, 0), (i, j, k), (volume.shape[0] - 1, j, volume.shape[2] - 1)):
        place = _TO_RAS @ (volume.affine @ [*voxel, 1])[:3]
        found = image.GetPixel(*image.TransformPhysicalPointToIndex([float(x) for x in place]))
        assert float(volume.array[voxel]) == found


@_FEW
@given(geometries())
def test_any_series_lies_where_itk_puts_it(geometry: Geometry) -> None:
    volume = random_volume(geometry.shape)
    with written(geometry, volume) as files:
        series = read_dicom(files[0].parent).candidates[0].series
        assert_same_world(series, itk_series(files[0].parent))
    assert sorted(series.volume.array.ravel()) == sorted(volume.ravel())
    spacing = series.volume.spacing
    assert spacing is not None
    assert {round(spacing.row_mm, 5), round(spacing.col_mm, 5)} == {round(x, 5) for x in geometry.spacing}
    if geometry.shape[0] > 1:
        assert spacing.slice_mm == pytest.approx(geometry.step_mm, abs=1e-4)


@_FEW
@given(geometries())
def test_the_same_study_whatever_its_names_and_numbers(geometry: Geometry) -> None:
    volume = random_volume(geometry.shape)
    sorted_order = tuple(range(geometry.shape[0]))
    with written(geometry, volume) as files:
        shuffled = read_dicom(files[0].parent).candidates[0].series
    plain = Geometry(**{**geometry.__dict__, "order": sorted_order})
    with written(plain, volume) as files:
        ordered = read_dicom(files[0].parent).candidates[0].series
    np.testing.assert_array_equal(shuffled.volume.array, ordered.volume.array)
    np.testing.assert_array_equal(shuffled.volume.affine, ordered.volume.affine)


@_FEW
@given(geometries(), st.data())
def test_left_and_right_never_swap(geometry: Geometry, data: st.DataObject) -> None:
    """A marked voxel on a known side of the patient stays there, to the label map and back out of it."""
    slices, rows, columns = geometry.shape
    k, j, i = (data.draw(st.integers(0, size - 1)) for size in (slices, rows, columns))
    volume = np.zeros(geometry.shape, dtype=np.uint16)
    volume[k, j, i] = 1000
    row, column = np.array(geometry.orientation[:3]), np.array(geometry.orientation[3:])
    lps = (
        np.array(geometry.origin)
        + i * geometry.spacing[1] * row
        + j * geometry.spacing[0] * column
        + k * geometry.step_mm * np.cross(row, column)
    )
    with written(geometry, volume) as files:
        study = load_study(files[0].parent, protocol="lumbar")
    series = study.series[0]
    assert series.volume.affine is not None
    marked = np.argwhere(series.volume.array == 1000)
    assert len(marked) == 1
    ras = (series.volume.affine @ [*marked[0], 1])[:3]
    np.testing.assert_allclose(ras, _TO_RAS @ lps, atol=1e-3)  # left is negative x in RAS+, positive in LPS
    labels = (series.volume.array == 1000).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = write_label_map(labels, series, study.source, Path(folder))
        by_nibabel = nib.load(path)
        place = np.argwhere(np.asarray(by_nibabel.dataobj) == 1)[0]
        np.testing.assert_allclose((by_nibabel.affine @ [*place, 1])[:3], _TO_RAS @ lps, atol=2e-3)
        by_itk = SimpleITK.ReadImage(str(path))
        index = np.argwhere(SimpleITK.GetArrayFromImage(by_itk) == 1)[0][::-1]
        found = by_itk.TransformIndexToPhysicalPoint([int(x) for x in index])
        np.testing.assert_allclose(found, lps, atol=2e-3)


@pytest.mark.parametrize("digits", [3, 4, 5, 6])
def test_headers_of_few_digits_are_read_as_written(
    series_writer: SeriesWriter, smooth_volume: NDArray[np.uint16], digits: int
) -> None:
    """Rounded headers move ours and ITK's voxels alike."""
    turn = Rotation.from_euler("xyz", (6, -9, 4), degrees=True)
    raw = np.concatenate([turn.apply((0.0, 1.0, 0.0)), turn.apply((0.0, 0.0, -1.0))])
    files = series_writer.write(smooth_volume, orientation=tuple(float(x) for x in np.round(raw, digits)), **_T2)
    series = load_study(series_writer.folder).series[0]
    image = SimpleITK.ReadImage([str(file) for file in files])
    affine = source_affine(series.volume)
    assert affine is not None
    for voxel in corners(series.volume.source_shape):
        theirs = _TO_RAS @ image.TransformIndexToPhysicalPoint([int(x) for x in voxel[:3]])
        assert np.abs((affine @ voxel)[:3] - theirs).max() < 1e-3 * (10 if digits < 4 else 1)


# Sorting alone, without files


def sliced(
    offset_mm: float, *, turn_deg: float = 0.0, station_mm: float = 0.0, echo: float = 100.0, rank: int = 0
) -> SliceHeader:
    """Return an axial slice at a place along its normal."""
    axes = Rotation.from_euler("x", turn_deg, degrees=True).apply(np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    normal = np.cross(axes[0], axes[1])
    return SliceHeader(
        instance=_INSTANCE,
        frame=rank,
        position_lps=offset_mm * normal + station_mm * axes[0],
        row_lps=axes[0],
        column_lps=axes[1],
        spacing=(0.7, 0.6),
        slope=1.0,
        intercept=0.0,
        facts={"echo_time_ms": echo},
        marks=(("echo time", echo),),
        rank=(float(rank),),
    )


_INSTANCE = InstanceHeader(
    member=Member("a", 1, FileKind.DICOM, lambda: BytesIO()), study_uid="1", study_time="", series_uid="1",
    instance_uid="1", series_number=1, modality="MR", image_type=(), patient_hash="", sex=None, age_years=None,
    rows=256, columns=256, frames=1, photometric="MONOCHROME2", left_out=None, region_text="", words="",
    scanning=frozenset(), variant=frozenset(), options=frozenset(), contrast_code="", has_contrast_agent=False,
)  # fmt: skip

_PLACES = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.0, 0.0, 12.0, -20.0]),  # tilt of a block
        st.integers(0, 14),  # slot of 4 mm; missing ones are gaps
        st.floats(-0.04, 0.04),  # jitter
        st.sampled_from([20.0, 100.0]),  # echo
        st.sampled_from([0.0, 0.0, 200.0]),  # station
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=300)
@given(_PLACES, st.randoms())
@example([(0.0, 0, 0.0, 20.0, 0.0), (0.0, 0, 0.03125, 20.0, 0.0), (0.0, 0, -0.03125, 20.0, 0.0)], Random(0))
def test_every_slice_is_in_one_stack_and_where_it_says(places: list[tuple[float, ...]], order: Random) -> None:
    slices = [
        sliced(slot * 4.0 + jitter, turn_deg=tilt, echo=echo, station_mm=station, rank=n)
        for n, (tilt, slot, jitter, echo, station) in enumerate(places)
    ]
    stacks, _ = build_stacks(slices)
    assert sorted(item.frame for stack in stacks for item in stack.slices) == list(range(len(slices)))
    for stack in stacks:
        assert deviation_mm(list(stack.slices), stack.affine) <= JITTER_MM
        steps = np.diff([float(item.position_lps @ stack.slices[0].normal_lps) for item in stack.slices])
        assert (steps >= SAME_PLACE_MM).all()
    shuffled = order.sample(slices, len(slices))
    again, _ = build_stacks(shuffled)
    assert [[item.frame for item in stack.slices] for stack in again] == [
        [item.frame for item in stack.slices] for stack in stacks
    ]


@settings(max_examples=100)
@given(st.integers(3, 30), st.lists(st.integers(1, 28), max_size=4), st.randoms())
def test_missing_slices_leave_runs_between_them(count: int, gone: list[int], order: Random) -> None:
    left = [n for n in range(count) if n not in gone]
    stacks, _ = build_stacks(order.sample([sliced(4.4 * n, rank=n) for n in left], len(left)))
    for stack in stacks:
        numbers = [item.frame for item in stack.slices]
        assert len(set(np.diff(numbers))) <= 1  # evenly spaced, whatever the distance
    longest = max(len(run) for run in "".join("x" if n in left else " " for n in range(count)).split())
    assert len(stacks[0].slices) >= longest
