"""A small builder of MR instances, independent of the project's own DICOM writer."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from imaging.types import Study

SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)


class SeriesWriter:
    """Writes the slices of one series as MR Image Storage."""

    def __init__(self, folder: Path, study_uid: str) -> None:
        self.folder = folder
        self.study_uid = study_uid
        self.frame_uid = generate_uid()

    def write(
        self,
        volume: NDArray[np.generic],
        *,
        number: int = 1,
        orientation: tuple[float, ...] = SAGITTAL,
        origin: tuple[float, float, float] = (-20.0, -80.0, 150.0),
        spacing: tuple[float, float] = (0.7, 0.6),
        step_mm: float = 4.0,
        series_uid: str | None = None,
        change: Callable[[FileDataset, int], None] | None = None,
        **header: Any,
    ) -> list[Path]:
        """Write (slices, rows, columns) and return the files, in the order of the slices."""
        normal = np.cross(orientation[:3], orientation[3:])
        uid = series_uid or generate_uid()
        files = []
        for k, image in enumerate(volume):
            dataset = self._instance(image, uid, number, k, header)
            dataset.ImageOrientationPatient = list(orientation)
            dataset.ImagePositionPatient = [float(x) for x in np.array(origin) + k * step_mm * normal]
            dataset.PixelSpacing = list(spacing)
            if change is not None:
                change(dataset, k)
            file = self.folder / f"s{number}_{k:03d}_{dataset.SOPInstanceUID[-6:]}.dcm"
            dataset.save_as(file, enforce_file_format=True)
            files.append(file)
        return files

    def _instance(
        self, image: NDArray[np.generic], uid: str, number: int, k: int, header: dict[str, Any]
    ) -> FileDataset:
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset = FileDataset("x", Dataset(), file_meta=meta, preamble=b"\0" * 128)
        dataset.SOPClassUID = MRImageStorage
        dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID = self.study_uid
        dataset.SeriesInstanceUID = uid
        dataset.FrameOfReferenceUID = self.frame_uid
        dataset.SeriesNumber = number
        dataset.InstanceNumber = k + 1
        dataset.Modality = "MR"
        dataset.PatientName = "Secret^Name"
        dataset.PatientID = "SECRET-1"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        dataset.ScanningSequence = "SE"
        dataset.SliceThickness = 4.0
        dataset.Rows, dataset.Columns = image.shape
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
        dataset.PixelRepresentation = 0
        dataset.PixelData = image.astype("<u2").tobytes()
        for keyword, value in header.items():
            setattr(dataset, keyword, value)
        return dataset


@pytest.fixture
def series_writer(tmp_path: Path) -> SeriesWriter:
    folder = tmp_path / "study"
    folder.mkdir()
    return SeriesWriter(folder, generate_uid())


@pytest.fixture
def smooth_volume() -> NDArray[np.uint16]:
    """Return (5, 120, 100) = (slices, rows, columns), every pixel its own value, smooth within a slice."""
    k, j, i = np.meshgrid(np.arange(5), np.arange(120), np.arange(100), indexing="ij")
    return (k * 700 + j * 5 + i % 7).astype(np.uint16)


def same_voxels(study: Study, volume: NDArray[np.uint16]) -> bool:
    return np.array_equal(study.series[0].volume.array, volume.transpose(2, 1, 0))


def assert_same(first: Study, second: Study) -> None:
    """Compare two studies, arrays included."""
    assert replace(first, series=()) == replace(second, series=())
    assert len(first.series) == len(second.series)
    for ours, theirs in zip(first.series, second.series, strict=True):
        bare = replace(ours.volume, array=np.empty((0, 0, 0), np.float32), affine=None)
        assert replace(ours, volume=bare) == replace(theirs, volume=bare)
        np.testing.assert_array_equal(ours.volume.array, theirs.volume.array)
        assert ours.volume.array.dtype == theirs.volume.array.dtype
        assert (ours.volume.affine is None) == (theirs.volume.affine is None)
        if ours.volume.affine is not None and theirs.volume.affine is not None:
            np.testing.assert_array_equal(ours.volume.affine, theirs.volume.affine)
        spacing_etc = (ours.volume.spacing, ours.volume.source_shape, ours.volume.source_axes)
        assert spacing_etc == (theirs.volume.spacing, theirs.volume.source_shape, theirs.volume.source_axes)
