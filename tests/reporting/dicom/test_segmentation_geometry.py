"""SEG out of any orientation and of enhanced objects: pixels, places, references to the right frames."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.dataset import FileDataset

from reporting.dicom.segmentation import seg_files, segment_numbers
from reporting.export.classes import SEGClass
from reporting.export.package import Package
from runtime.errors import StudyError
from tests.imaging.conftest import SeriesWriter
from tests.imaging.test_dicom_enhanced import SHARED, Frame, group, place, plain_frames, write_enhanced
from tests.reporting.dicom.packages import package_on
from tests.reporting.dicom.segs import ORIENTATIONS, as_class, check_it_comes_back, opened
from tests.reporting.dicom.validators import dciodvfy


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("orientation", ORIENTATIONS.values(), ids=list(ORIENTATIONS))
def test_any_orientation_keeps_its_pixels(
    lumbar: Package,
    series_writer: SeriesWriter,
    volume: NDArray[np.uint16],
    orientation: tuple[float, ...],
    kind: SEGClass,
    tmp_path: Path,
) -> None:
    files = series_writer.write(volume, orientation=orientation, EchoTime=100.0, RepetitionTime=3500.0)
    package = package_on(lumbar, series_writer.folder)
    assert package.source is not None
    (series,) = package.source.study.series
    before = {uid: deepcopy(item) for uid, item in package.source.instances.items()}
    (file,) = seg_files(as_class(package, kind))
    assert package.source.instances == before
    seg = opened(file.content)
    path = tmp_path / "seg.dcm"
    path.write_bytes(file.content)
    sources = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, files)}
    order = [sources[uid] for uid in series.instance_uids]
    pixels = highdicom.seg.segread(path).get_pixels_by_source_instance(
        [item.SOPInstanceUID for item in order], combine_segments=True, assert_missing_frames_are_empty=True
    )
    numbers = segment_numbers(as_class(package, kind), series.id)
    label_of = {number: label for label, number in numbers.items()}
    for k, source in enumerate(order):
        rows, columns = np.nonzero(pixels[k])
        assert pixels[k].shape == source.pixel_array.shape
        for row, column in zip(rows[::5], columns[::5], strict=True):
            i, j = _ours(series, source, row, column, k)
            assert package.label_maps[series.id][i, j, k] == label_of[pixels[k, row, column]]
        assert np.count_nonzero(pixels[k]) == np.count_nonzero(package.label_maps[series.id][:, :, k])
    for frame in seg.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[reference.ReferencedSOPInstanceUID]
        assert reference.ReferencedSOPClassUID == source.SOPClassUID
        assert "ReferencedFrameNumber" not in reference
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert list(position) == pytest.approx(list(source.ImagePositionPatient), abs=1e-10)
    shared = seg.SharedFunctionalGroupsSequence[0]
    cosines = shared.PlaneOrientationSequence[0].ImageOrientationPatient
    assert list(cosines) == pytest.approx(list(order[0].ImageOrientationPatient), abs=1e-10)
    assert shared.PixelMeasuresSequence[0].PixelSpacing == order[0].PixelSpacing
    assert seg.FrameOfReferenceUID == order[0].FrameOfReferenceUID
    check_it_comes_back(path, package, series.id)


def _ours(series: Any, source: Dataset, row: int, column: int, k: int) -> tuple[int, int]:
    """Return our (i, j) of a pixel of an instance, through the world."""
    cosines = np.array(source.ImageOrientationPatient, dtype=float).reshape(2, 3)
    between_rows, between_columns = map(float, source.PixelSpacing)
    lps = np.array(source.ImagePositionPatient, dtype=float) + column * between_columns * cosines[0]
    lps = lps + row * between_rows * cosines[1]
    i, j, found = np.linalg.inv(series.volume.affine)[:3] @ [-lps[0], -lps[1], lps[2], 1.0]
    assert abs(found - k) < 0.02
    return round(i), round(j)


@pytest.mark.parametrize("kind", SEGClass)
@pytest.mark.parametrize("is_per_frame", [False, True], ids=["orientation shared", "orientation of each frame"])
def test_frames_of_an_enhanced_object_are_referred_to_by_number(
    lumbar: Package,
    series_writer: SeriesWriter,
    volume: NDArray[np.uint16],
    kind: SEGClass,
    is_per_frame: bool,
    tmp_path: Path,
) -> None:
    frames = plain_frames(volume, [3, 0, 4, 1, 2])
    shared = {}
    if is_per_frame:
        for frame in frames:
            frame.groups = [SHARED["orientation"](), SHARED["measures"]()]
        shared = {"orientation": Dataset(), "measures": Dataset()}
    frames.append(Frame(volume[0], place(0), [group("MREchoSequence", EffectiveEchoTime=20.0), *frames[1].groups]))
    file = write_enhanced(series_writer, frames, shared=shared)
    package = package_on(lumbar, file)
    assert package.source is not None
    series = package.source.study.series[0]
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_files(as_class(package, kind))[0].content)
    seg, source = pydicom.dcmread(path), pydicom.dcmread(file)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
        assert reference.ReferencedSOPClassUID == source.SOPClassUID
        theirs = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == theirs.PlanePositionSequence[0].ImagePositionPatient
    (told,) = seg.SourceImageSequence
    assert told.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert told.ReferencedFrameNumber == sorted(series.frame_numbers)
    (listed,) = seg.ReferencedSeriesSequence[0].ReferencedInstanceSequence
    assert listed.ReferencedSOPInstanceUID == source.SOPInstanceUID
    check_it_comes_back(path, package, series.id)
    if kind is SEGClass.BINARY:
        assert dciodvfy(path) == []


def test_one_stack_in_two_enhanced_objects_is_one_segmentation(
    lumbar: Package, series_writer: SeriesWriter, volume: NDArray[np.uint16], tmp_path: Path
) -> None:
    frames = plain_frames(volume, list(range(5)))

    def join(dataset: FileDataset) -> None:
        dataset.SeriesInstanceUID = "2.25.77"

    files = [write_enhanced(series_writer, part, change=join) for part in (frames[:2], frames[2:])]
    package = package_on(lumbar, series_writer.folder)
    assert package.source is not None
    series = package.source.study.series[0]
    assert len(set(series.instance_uids)) == 2
    path = tmp_path / "seg.dcm"
    path.write_bytes(seg_files(package)[0].content)
    assert dciodvfy(path) == []
    seg = pydicom.dcmread(path)
    assert len(seg.SourceImageSequence) == 2
    sources = {item.SOPInstanceUID: item for item in map(pydicom.dcmread, files)}
    for frame in seg.PerFrameFunctionalGroupsSequence:
        reference = frame.DerivationImageSequence[0].SourceImageSequence[0]
        source = sources[reference.ReferencedSOPInstanceUID]
        theirs = source.PerFrameFunctionalGroupsSequence[reference.ReferencedFrameNumber - 1]
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == theirs.PlanePositionSequence[0].ImagePositionPatient
    check_it_comes_back(path, package, series.id)


def test_what_has_no_frame_of_reference_is_refused(
    lumbar: Package, series_writer: SeriesWriter, volume: NDArray[np.uint16]
) -> None:
    series_writer.write(
        volume, change=lambda dataset, _: dataset.pop("FrameOfReferenceUID"), EchoTime=100.0, RepetitionTime=3500.0
    )
    with pytest.raises(StudyError, match="expected a frame of reference"):
        seg_files(package_on(lumbar, series_writer.folder))
