"""Enhanced multi-frame MR: one file, many frames, in any order; and classic series converted to it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset
from scipy.spatial.transform import Rotation

from imaging import load_study
from imaging.dicom import read_dicom
from imaging.geometry import source_affine
from imaging.types import Plane, Sequence, Series
from tests.imaging.conftest import SAGITTAL, SeriesWriter

Volume = NDArray[np.uint16]
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def group(keyword: str, **values: Any) -> Dataset:
    """Return a functional group with one item."""
    outer, inner = Dataset(), Dataset()
    for name, value in values.items():
        setattr(inner, name, value)
    setattr(outer, keyword, [inner])
    return outer


@dataclass
class Frame:
    """One frame to write.

    Attributes:
        image: (rows, columns).
        position: LPS mm; None leaves it out.
        groups: Further functional groups.
        content: Further elements of Frame Content.
    """

    image: Volume
    position: tuple[float, float, float] | None
    groups: list[Dataset] = field(default_factory=list)
    content: dict[str, Any] = field(default_factory=dict)


SHARED = {
    "measures": lambda: group("PixelMeasuresSequence", PixelSpacing=[0.7, 0.6], SliceThickness=4.0),
    "orientation": lambda: group("PlaneOrientationSequence", ImageOrientationPatient=list(SAGITTAL)),
    "echo": lambda: group("MREchoSequence", EffectiveEchoTime=100.0),
    "timing": lambda: group("MRTimingAndRelatedParametersSequence", RepetitionTime=3500.0, FlipAngle=90.0),
}


def write_enhanced(
    writer: SeriesWriter,
    frames: list[Frame],
    *,
    shared: dict[str, Dataset] | None = None,
    sop_class: uid.UID = uid.EnhancedMRImageStorage,
    change: Callable[[FileDataset], None] | None = None,
    number: int = 1,
) -> Path:
    """Write one enhanced object; ``shared`` replaces or adds to the usual shared groups."""
    groups = {name: make() for name, make in SHARED.items()} | (shared or {})

    def enhance(dataset: FileDataset, _: int) -> None:
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "ScanningSequence"):
            delattr(dataset, keyword)
        dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
        dataset.NumberOfFrames = len(frames)
        together = Dataset()
        for item in groups.values():
            together.update(item)
        dataset.SharedFunctionalGroupsSequence = [together]
        dataset.PerFrameFunctionalGroupsSequence = [_frame_groups(frame) for frame in frames]
        dataset.PixelData = np.stack([frame.image for frame in frames]).astype("<u2").tobytes()
        if change is not None:
            change(dataset)

    return writer.write(frames[0].image[np.newaxis], change=enhance, number=number)[0]


def _frame_groups(frame: Frame) -> Dataset:
    result = group("FrameContentSequence", **frame.content)
    if frame.position is not None:
        result.update(group("PlanePositionSequence", ImagePositionPatient=list(frame.position)))
    for item in frame.groups:
        result.update(item)
    return result


def place(k: float) -> tuple[float, float, float]:
    return (-20.0 - 4.0 * k, -80.0, 150.0)


def plain_frames(volume: Volume, order: list[int]) -> list[Frame]:
    return [Frame(volume[k], place(k)) for k in order]


def read(path: Path) -> list[Series]:
    return list(load_study(path).series)


def test_frames_keep_their_numbers_so_that_references_are_right(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    order = [3, 0, 4, 1, 2]
    file = write_enhanced(series_writer, plain_frames(smooth_volume, order))
    series = read(file)[0]
    np.testing.assert_array_equal(series.volume.array, smooth_volume.transpose(2, 1, 0))
    assert series.frame_numbers == tuple(order.index(k) + 1 for k in range(5))
    instance = pydicom.dcmread(file)
    assert set(series.instance_uids) == {instance.SOPInstanceUID}
    for k, number in enumerate(series.frame_numbers):
        np.testing.assert_array_equal(series.volume.slice_image(k), instance.pixel_array[number - 1])


def test_classic_series_have_no_frame_numbers(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    series_writer.write(smooth_volume, EchoTime=100.0, RepetitionTime=3500.0)
    assert read(series_writer.folder)[0].frame_numbers == ()


def test_what_is_told_for_a_frame_wins_over_what_is_shared(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    frames = plain_frames(smooth_volume, list(range(5)))
    for k, frame in enumerate(frames):
        frame.groups = [
            group("PixelValueTransformationSequence", RescaleSlope=1.0 + k, RescaleIntercept=-k),
            group("FrameVOILUTSequence", WindowCenter=400.0, WindowWidth=900.0),
            group("MREchoSequence", EffectiveEchoTime=90.0),
        ]
    shared = {"rescale": group("PixelValueTransformationSequence", RescaleSlope=50.0, RescaleIntercept=50.0)}
    series = read(write_enhanced(series_writer, frames, shared=shared))[0]
    k = np.arange(5)[:, np.newaxis, np.newaxis]
    np.testing.assert_allclose(series.volume.array, (smooth_volume * (1.0 + k) - k).transpose(2, 1, 0))
    assert series.header["echo_time_ms"] == 90.0
    assert (series.header["window_centre"], series.header["window_width"]) == (400.0, 900.0)
    assert series.role == "sagittal_t2"


@pytest.mark.parametrize(
    ("groups", "content", "told"),
    [
        (lambda n: [group("MREchoSequence", EffectiveEchoTime=20.0 + 80 * n)], {}, "echo time"),
        (lambda n: [], {"TemporalPositionIndex": 1}, "temporal position"),
        (lambda n: [], {"FrameAcquisitionNumber": 1}, "acquisition number"),
        (lambda n: [], {"DimensionIndexValues": [1, 1]}, "dimension 2"),
        (lambda n: [group("MRDiffusionSequence", DiffusionBValue=800.0 * n)], {}, "diffusion weighting"),
        (
            lambda n: [group("MRImageFrameTypeSequence", FrameType=["ORIGINAL", "PRIMARY", "VOLUME", f"X{n}"])],
            {},
            "image type",
        ),
    ],
)
def test_frames_at_the_same_places_become_series(
    series_writer: SeriesWriter, smooth_volume: Volume, groups: Any, content: dict[str, Any], told: str
) -> None:
    frames = []
    for k in (2, 0, 4, 1, 3):
        for n in (0, 1):
            given_content = {
                name: [value[0] + k, value[1] + n] if isinstance(value, list) else value + n
                for name, value in content.items()
            }
            frames.append(Frame(smooth_volume[k] + 50 * n, place(k), groups(n), given_content))
    study = load_study(write_enhanced(series_writer, frames))
    for series, first in zip(
        sorted(study.series, key=lambda s: float(s.volume.array[0, 0, 0])), (0, 50), strict=True
    ):
        np.testing.assert_array_equal(series.volume.array, smooth_volume.transpose(2, 1, 0) + first)
    assert study.notices[0] == f"Series number 1: slices at the same places were told apart by {told}."


def test_stacks_of_several_orientations_in_one_object(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    frames = []
    for stack, angle in enumerate((-12.0, 0.0, 15.0)):
        turn = Rotation.from_euler("x", angle, degrees=True)
        axes = turn.apply(np.array(AXIAL).reshape(2, 3))
        normal = np.cross(axes[0], axes[1])
        for k in range(5):
            position = tuple(float(x) for x in np.array([-30.0, -30.0, 100.0 - 50 * stack]) + 4.0 * k * normal)
            plane = group("PlaneOrientationSequence", ImageOrientationPatient=[float(x) for x in axes.ravel()])
            content = {"StackID": str(stack + 1), "InStackPositionNumber": k + 1}
            frames.append(Frame(smooth_volume[k] + stack, position, [plane], content))  # type: ignore[arg-type]
    series = read(write_enhanced(series_writer, frames))
    assert [(s.plane, s.role, s.volume.shape[2]) for s in series] == [(Plane.AXIAL, "axial_t2", 5)] * 3
    assert [s.frame_numbers[0] for s in series] == [1, 6, 11]
    for stack, item in enumerate(series):
        np.testing.assert_array_equal(item.volume.array, smooth_volume.transpose(2, 1, 0) + stack)


def test_phase_frames_and_frames_without_a_place_are_left_out(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    frames = plain_frames(smooth_volume, list(range(5)))
    frames += [
        Frame(image, place(k), [group("MRImageFrameTypeSequence", ComplexImageComponent="PHASE")])
        for k, image in enumerate(smooth_volume)
    ]
    frames.append(Frame(smooth_volume[0], None))
    study = load_study(write_enhanced(series_writer, frames))
    np.testing.assert_array_equal(study.series[0].volume.array, smooth_volume.transpose(2, 1, 0))
    assert study.notices == (
        "Left out: 5 x phase image.",
        "Left out: 1 x MR image without position, orientation or pixel spacing.",
    )


def test_the_inversion_pulse_and_the_pulse_sequence_are_read(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    shared = {
        "echo": group("MREchoSequence", EffectiveEchoTime=60.0),
        "modifier": group("MRModifierSequence", InversionRecovery="YES", InversionTimes=[160.0]),
    }

    def spin(dataset: FileDataset) -> None:
        dataset.EchoPulseSequence = "SPIN"
        dataset.MagneticFieldStrength = 1.5

    series = read(write_enhanced(series_writer, plain_frames(smooth_volume, [0, 1]), shared=shared, change=spin))[
        0
    ]
    assert (series.sequence, series.header["inversion_time_ms"]) == (Sequence.STIR, 160.0)
    assert series.header["field_strength_t"] == 1.5


def test_legacy_converted_objects_keep_their_timing(series_writer: SeriesWriter, smooth_volume: Volume) -> None:
    shared = {
        "echo": group("UnassignedSharedConvertedAttributesSequence", RepetitionTime=3500.0, ScanningSequence="SE"),
        "timing": Dataset(),
    }
    frames = plain_frames(smooth_volume, list(range(5)))
    for frame in frames:
        frame.groups = [group("UnassignedPerFrameConvertedAttributesSequence", EchoTime=100.0)]
    sop_class = uid.LegacyConvertedEnhancedMRImageStorage
    series = read(write_enhanced(series_writer, frames, shared=shared, sop_class=sop_class))[0]
    assert (series.role, series.header["echo_time_ms"]) == ("sagittal_t2", 100.0)
    assert series.frame_numbers == (1, 2, 3, 4, 5)
    np.testing.assert_array_equal(series.volume.array, smooth_volume.transpose(2, 1, 0))


@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless])
def test_compressed_frames_are_decoded_one_by_one(
    series_writer: SeriesWriter, smooth_volume: Volume, syntax: uid.UID
) -> None:
    file = write_enhanced(series_writer, plain_frames(smooth_volume, [3, 0, 4, 1, 2]))
    dataset = pydicom.dcmread(file)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(file)
    np.testing.assert_array_equal(read(file)[0].volume.array, smooth_volume.transpose(2, 1, 0))


def test_a_header_with_fewer_frames_than_pixels_says_so(
    series_writer: SeriesWriter, smooth_volume: Volume
) -> None:
    def forget(dataset: FileDataset) -> None:
        del dataset.PerFrameFunctionalGroupsSequence[3:]

    study = load_study(write_enhanced(series_writer, plain_frames(smooth_volume, list(range(5))), change=forget))
    assert study.series[0].volume.shape[2] == 3
    assert study.notices == ("Left out: 2 x MR image without position, orientation or pixel spacing.",)


@settings(max_examples=25)
@given(
    angles=st.tuples(*[st.floats(-180, 180)] * 3),
    spacing=st.tuples(st.floats(0.25, 1.6), st.floats(0.25, 1.6)),
    step=st.floats(0.5, 8.0),
)
def test_enhanced_frames_lie_where_itk_puts_them(
    tmp_path_factory: pytest.TempPathFactory,
    angles: tuple[float, float, float],
    spacing: tuple[float, float],
    step: float,
) -> None:
    writer = SeriesWriter(tmp_path_factory.mktemp("enhanced"), "1.2.3")
    volume = np.random.default_rng(0).integers(0, 4095, (4, 42, 44)).astype(np.uint16)
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix().T.round(10)
    normal = np.cross(axes[0], axes[1])
    size = [round(value, 6) for value in spacing]
    frames = [
        Frame(volume[k], tuple((np.array([5.0, -9.0, 31.0]) + k * step * normal).round(8))) for k in range(4)
    ]
    shared = {
        "measures": group(
            "PixelMeasuresSequence", PixelSpacing=size, SliceThickness=1.0, SpacingBetweenSlices=step
        ),
        "orientation": group("PlaneOrientationSequence", ImageOrientationPatient=[*axes[0], *axes[1]]),
    }
    file = write_enhanced(writer, frames, shared=shared)
    series = read_dicom(file).candidates[0].series
    affine = source_affine(series.volume)
    image = SimpleITK.ReadImage(str(file))
    assert affine is not None
    for voxel in np.array(np.meshgrid(*[(0, n - 1) for n in (44, 42, 4)])).reshape(3, -1).T:
        theirs = _TO_RAS @ image.TransformIndexToPhysicalPoint([int(x) for x in voxel])
        assert np.abs((affine @ [*voxel, 1])[:3] - theirs).max() < 1e-3
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(image), volume)
    np.testing.assert_array_equal(np.sort(series.volume.array.ravel()), np.sort(volume.ravel()))
