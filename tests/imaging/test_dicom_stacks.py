"""Slices into stacks: gaps, jitter, shear, repeats at one place, stations and blocks."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid
from scipy.spatial.transform import Rotation

from imaging import load_study
from imaging.types import Plane, Study
from tests.imaging.conftest import SeriesWriter, same_voxels

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
T2: dict[str, Any] = {"EchoTime": 100.0, "RepetitionTime": 3500.0}
T1: dict[str, Any] = {"EchoTime": 11.0, "RepetitionTime": 600.0}
Volume = NDArray[np.uint16]


def test_runs_on_both_sides_of_a_gap_lie_where_their_slices_say(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    volume = np.concatenate([smooth_volume, smooth_volume + 1])
    files = series_writer.write(volume, **T2)
    for k in (3, 4):
        files[k].unlink()
    study = load_study(series_writer.folder)
    assert [series.volume.shape[2] for series in study.series] == [5, 3]
    assert [series.role for series in study.series] == ["sagittal_t2", "sagittal_t2"]
    for series in study.series:
        for k, uid in enumerate(series.instance_uids):
            place = next(n for n, file in enumerate(files) if n not in (3, 4) and file.stem.endswith(uid[-6:]))
            assert series.volume.affine is not None
            corner = series.volume.affine @ [0, 0, k, 1]
            np.testing.assert_allclose(corner[:3], [20.0 + 4.0 * place, 80.0, 150.0], atol=1e-6)
            np.testing.assert_array_equal(series.volume.slice_image(k), volume[place])


def moved(series_writer: SeriesWriter, volume: Volume, offsets: list[float]) -> Study:
    """Write sagittal slices at given places along their normal and read them."""

    def move(dataset: FileDataset, k: int) -> None:
        dataset.ImagePositionPatient = [-20.0 - offsets[k], -80.0, 150.0]

    series_writer.write(volume, change=move, **T2)
    return load_study(series_writer.folder)


@pytest.mark.parametrize(
    ("offsets", "lengths"),
    [
        ([0, 4, 8, 12, 16], [5]),
        ([0, 4, 8, 13, 18], [3, 2]),  # the shared slice belongs to the first of two equal runs
        ([0, 8, 12, 16, 20], [4, 1]),  # the odd one out is first
        ([0, 3, 8, 11, 16], [2, 2, 1]),
        ([0, 4, 8.5, 12.5, 16.5], [2, 3]),
        ([0, 4.05, 7.95, 12.05, 16], [5]),  # jitter
    ],
)
def test_uneven_distances_split_the_stack(
    series_writer: SeriesWriter, smooth_volume: Volume, offsets: list[float], lengths: list[int]
) -> None:
    study = moved(series_writer, smooth_volume, offsets)
    assert [series.volume.shape[2] for series in study.series] == sorted(lengths, reverse=True)
    placed = [
        float(20.0 - (series.volume.affine @ [0, 0, k, 1])[0]) * -1
        for series in study.series
        if series.volume.affine is not None
        for k in range(series.volume.shape[2])
    ]
    np.testing.assert_allclose(sorted(placed), offsets, atol=0.06)


def test_small_jitter_is_told_with_its_size(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    study = moved(series_writer, smooth_volume, [0, 4.0, 8.03, 12.0, 16.0])
    assert study.notices == (
        "Series number 1: slice positions are uneven; a voxel lies up to 0.030 mm off its place.",
    )
    assert study.series[0].volume.shape[2] == 5


def test_a_sheared_stack_keeps_its_places(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    def shear(dataset: FileDataset, k: int) -> None:
        dataset.ImagePositionPatient = [-20.0 - 4.0 * k, -80.0, 150.0 + 1.0 * k]

    series_writer.write(smooth_volume, change=shear, **T2)
    study = load_study(series_writer.folder)
    volume = study.series[0].volume
    assert study.notices == (
        "Series number 1: the slices are sheared by 14.0 degrees; they were kept as they lie.",
    )
    assert volume.affine is not None
    np.testing.assert_allclose((volume.affine @ [0, 0, 4, 1])[:3], [36.0, 80.0, 154.0], atol=1e-9)


@pytest.mark.parametrize(
    ("keyword", "first", "second", "told"),
    [
        ("EchoTime", 12.0, 100.0, "echo time"),
        ("ImageType", ["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "R"], "image type"),
        ("TemporalPositionIdentifier", 1, 2, "temporal position"),
        ("DiffusionBValue", 0.0, 800.0, "diffusion weighting"),
        ("InversionTime", 150.0, 400.0, "inversion time"),
        ("FlipAngle", 5.0, 20.0, "flip angle"),
        ("TriggerTime", 10.0, 90.0, "trigger time"),
        ("AcquisitionNumber", 1, 2, "acquisition number"),
    ],
)
def test_slices_at_the_same_places_are_told_apart(
    series_writer: SeriesWriter, smooth_volume: Volume, keyword: str, first: object, second: object, told: str
) -> None:
    uid = generate_uid()
    plain = {"EchoTime": 100.0, "RepetitionTime": 3500.0}
    series_writer.write(smooth_volume, series_uid=uid, **(plain | {keyword: first}))
    series_writer.write(smooth_volume + 50, series_uid=uid, **(plain | {keyword: second}))
    study = load_study(series_writer.folder)
    firsts = sorted(float(series.volume.array[0, 0, 0]) for series in study.series)
    assert (firsts, [s.volume.shape[2] for s in study.series]) == ([0.0, 50.0], [5, 5])
    assert study.notices[0] == f"Series number 1: slices at the same places were told apart by {told}."


def test_two_echoes_at_three_times_become_six_series(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    uid = generate_uid()
    for time in (1, 2, 3):
        for echo in (20.0, 90.0):
            header = {"EchoTime": echo, "RepetitionTime": 3500.0, "TemporalPositionIdentifier": time}
            series_writer.write(smooth_volume + time * 10, series_uid=uid, AcquisitionNumber=time, **header)
    study = load_study(series_writer.folder)
    found = sorted((s.header["echo_time_ms"], float(s.volume.array[0, 0, 0])) for s in study.series)
    assert found == [(echo, value) for echo in (20.0, 90.0) for value in (10.0, 20.0, 30.0)]


def test_packages_of_odd_and_even_slices_stay_one_series(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    def package(dataset: FileDataset, k: int) -> None:
        dataset.AcquisitionNumber = 1 + k % 2

    series_writer.write(smooth_volume, change=package, **T2)
    study = load_study(series_writer.folder)
    assert same_voxels(study, smooth_volume)


def test_stations_of_a_whole_spine_become_series_of_their_own(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    uid = generate_uid()
    for station, height in enumerate((150.0, 400.0)):
        series_writer.write(smooth_volume + station, series_uid=uid, origin=(-20.0, -80.0, height), **T2)
    study = load_study(series_writer.folder)
    tops = [float(s.volume.affine[2, 3]) for s in study.series if s.volume.affine is not None]
    assert tops == [400.0, 150.0]  # head to foot
    assert study.notices == (
        "Series number 1: slices at the same places were told apart by position within the plane.",
    )


def test_repeats_that_nothing_tells_apart_are_all_kept(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    uid = generate_uid()

    def later(dataset: FileDataset, k: int) -> None:
        dataset.InstanceNumber = 100 + k

    series_writer.write(smooth_volume + 50, series_uid=uid, change=later, **T2)
    series_writer.write(smooth_volume, series_uid=uid, **T2)
    study = load_study(series_writer.folder)
    assert [float(s.volume.array[0, 0, 0]) for s in study.series] == [0.0, 50.0]
    assert "only their instance number tells apart" in study.notices[0]


def test_parallel_axial_blocks_with_gaps_share_the_role(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    uid = generate_uid()
    for height in (0.0, 40.0, 90.0):
        series_writer.write(smooth_volume, orientation=AXIAL, origin=(-30.0, -30.0, height), series_uid=uid, **T2)
    study = load_study(series_writer.folder)
    assert [(s.role, s.volume.shape[2], s.plane) for s in study.series] == [("axial_t2", 5, Plane.AXIAL)] * 3
    assert [float(s.volume.affine[2, 3]) for s in study.series if s.volume.affine is not None] == [90.0, 40.0, 0.0]


def test_slightly_turned_slices_do_not_share_an_affine(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    uid = generate_uid()
    for n, angle in enumerate((0.0, 1.0)):
        turned = Rotation.from_euler("x", angle, degrees=True).apply([AXIAL[:3], AXIAL[3:]]).ravel()
        series_writer.write(
            smooth_volume, orientation=tuple(turned), origin=(-30.0, -30.0, 40.0 * n), series_uid=uid, **T2
        )
    study = load_study(series_writer.folder)
    assert [s.volume.shape[2] for s in study.series] == [5, 5]
