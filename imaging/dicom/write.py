"""Write MR series as DICOM: the border where RAS+ becomes LPS.

Knows nothing of phantoms. One series becomes one MR Image Storage instance a slice, uncompressed, 16 bit. All
identifiers are made from the texts that the caller gives, so the same input writes the same files.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from imaging.types import AffineMatrix, FloatVolume
from runtime.errors import StudyError

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])
_NAMESPACE = uuid.UUID("6f3f1d0e-6a0f-5d52-9a55-6d0f5be0a9c1")
_IMPLEMENTATION = "SPINESCRIBE_1"
_PROTON_MHZ_T = 42.577478518  # Source: CODATA
_ORTHOGONAL = 1e-4  # largest cosine between axes that still counts as a right angle


@dataclass(frozen=True)
class StudyHeader:
    """What all instances of a study share.

    Attributes:
        key: Text that the identifiers are made from, such as ``phantom/lumbar/7``.
        patient_id: Never a real person's; the name is the same with ^ for -, DICOM's separator of name parts.
        sex: ``F``, ``M`` or None.
        age_years: None when unknown.
        description: Study description.
        body_part: DICOM's word, such as ``LSPINE``.
        date: ``YYYYMMDD``.
    """

    key: str
    patient_id: str
    sex: str | None
    age_years: int | None
    description: str
    body_part: str
    date: str


@dataclass(frozen=True)
class SeriesHeader:
    """How a series was taken.

    Attributes:
        number: Series number.
        description: Series description.
        repetition_time_ms: TR.
        echo_time_ms: TE.
        flip_angle_deg: Flip angle.
        echo_train_length: Turbo factor; 1 for plain spin echo.
        field_strength_t: Field.
        slice_thickness_mm: Thickness of a slice.
        slice_spacing_mm: Between the middles of neighbouring slices.
        inversion_time_ms: TI; 0 for no inversion.
        pixel_bandwidth_hz: Receiver bandwidth of a pixel; 0 when unknown.
        phase_axis: Voxel axis of phase encoding, ``i`` (along a row) or ``j`` (down a column); None when unknown.
        phase_share: Share of the phase-encoding steps that were measured.
    """

    number: int
    description: str
    repetition_time_ms: float
    echo_time_ms: float
    flip_angle_deg: float
    echo_train_length: int
    field_strength_t: float
    slice_thickness_mm: float
    slice_spacing_mm: float
    inversion_time_ms: float = 0.0
    pixel_bandwidth_hz: float = 0.0
    phase_axis: str | None = None
    phase_share: float = 1.0


def stable_uid(*texts: str) -> UID:
    """Return a UID under 2.25 that depends on the texts only."""
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, '/'.join(texts)).int}")


def ras_to_lps(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a RAS+ point or direction (3,) in LPS, as DICOM stores it."""
    return np.asarray(_RAS_TO_LPS @ vector)


def write_mr_series(
    array: FloatVolume, affine: AffineMatrix, *, study: StudyHeader, series: SeriesHeader, folder: Path
) -> tuple[Path, ...]:
    """Write one series into a folder, one file a slice in the order of k.

    Args:
        array: (I, J, K) = (columns, rows, slices), whole numbers from 0 to 65535.
        affine: (4, 4) voxel (i, j, k) -> RAS+ mm, axes at right angles.
        study: Shared header.
        series: Series header.
        folder: Made when missing.

    Returns:
        The files ``IM0001.dcm`` and so on.

    Raises:
        StudyError: If the array is not 3-D, does not fit 16 bits, or the axes are not at right angles.
    """
    _check(array, affine)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k in range(array.shape[2]):
        dataset = _instance(array[:, :, k], affine, k, study, series)
        file = folder / f"IM{k + 1:04d}.dcm"
        dataset.save_as(file, enforce_file_format=True)
        files.append(file)
    return tuple(files)


def _check(array: FloatVolume, affine: AffineMatrix) -> None:
    if array.ndim != 3:
        raise StudyError(f"DICOM series: expected 3 axes (columns, rows, slices), got shape {array.shape!r}")
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 65535:
        raise StudyError(f"DICOM series: expected values from 0 to 65535, got {low!r} to {high!r}")
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    skew = np.abs(axes.T @ axes - np.eye(3)).max()
    if not skew < _ORTHOGONAL:
        raise StudyError(f"DICOM series: expected axes at right angles, got a cosine of {skew:.4f} between two")


def _instance(
    image: NDArray[np.float32], affine: AffineMatrix, k: int, study: StudyHeader, series: SeriesHeader
) -> Dataset:
    """Return the data set of slice k; ``image`` is (columns, rows)."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = stable_uid("implementation", _IMPLEMENTATION)
    dataset.file_meta.ImplementationVersionName = _IMPLEMENTATION
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = stable_uid(study.key, str(series.number), str(k + 1))
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    _set_patient_and_study(dataset, study)
    _set_series(dataset, study, series)
    _set_acquisition(dataset, series)
    _set_encoding(dataset, series, steps=image.shape)
    _set_plane(dataset, affine, k)
    _set_pixels(dataset, image)
    dataset.InstanceNumber = k + 1
    return dataset


def _set_patient_and_study(dataset: Dataset, study: StudyHeader) -> None:
    dataset.PatientName = study.patient_id.replace("-", "^")
    dataset.PatientID = study.patient_id
    dataset.PatientBirthDate = ""
    dataset.PatientSex = study.sex or ""
    if study.age_years is not None:
        dataset.PatientAge = f"{study.age_years:03d}Y"
    dataset.StudyInstanceUID = stable_uid(study.key)
    dataset.StudyID = "1"
    dataset.StudyDate = study.date
    dataset.StudyTime = "120000"
    dataset.StudyDescription = study.description
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""


def _set_series(dataset: Dataset, study: StudyHeader, series: SeriesHeader) -> None:
    dataset.Modality = "MR"
    dataset.SeriesInstanceUID = stable_uid(study.key, str(series.number))
    dataset.SeriesNumber = series.number
    dataset.SeriesDescription = series.description
    dataset.SeriesDate = study.date
    dataset.SeriesTime = "120000"
    dataset.ContentDate = study.date
    dataset.ContentTime = "120000"
    dataset.AcquisitionDate = study.date
    dataset.AcquisitionTime = "120000"
    dataset.BodyPartExamined = study.body_part
    dataset.PatientPosition = "HFS"
    dataset.FrameOfReferenceUID = stable_uid(study.key, "frame")
    dataset.PositionReferenceIndicator = ""
    dataset.Manufacturer = "SpineScribe"
    dataset.ManufacturerModelName = "phantom"
    dataset.SoftwareVersions = _IMPLEMENTATION


def _set_acquisition(dataset: Dataset, series: SeriesHeader) -> None:
    """Set the sequence: (fast) spin echo, with inversion where there is one."""
    is_inverted = series.inversion_time_ms > 0
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
    dataset.AcquisitionNumber = 1
    dataset.ScanningSequence = ["SE", "IR"] if is_inverted else "SE"
    # A train of echoes fills k-space in segments. Source: DICOM PS3.3 C.8.3.1, Sequence Variant.
    dataset.SequenceVariant = ["SK", "MP"] if is_inverted else "SK" if series.echo_train_length > 1 else "NONE"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "2D"
    dataset.RepetitionTime = _decimal(series.repetition_time_ms)
    dataset.EchoTime = _decimal(series.echo_time_ms)
    if is_inverted:
        dataset.InversionTime = _decimal(series.inversion_time_ms)
    dataset.EchoTrainLength = series.echo_train_length
    dataset.EchoNumbers = 1
    dataset.NumberOfAverages = _decimal(1.0)
    dataset.FlipAngle = _decimal(series.flip_angle_deg)
    dataset.MagneticFieldStrength = _decimal(series.field_strength_t)
    dataset.ImagedNucleus = "1H"
    dataset.ImagingFrequency = _decimal(_PROTON_MHZ_T * series.field_strength_t)
    dataset.SliceThickness = _decimal(series.slice_thickness_mm)
    dataset.SpacingBetweenSlices = _decimal(series.slice_spacing_mm)


def _set_encoding(dataset: Dataset, series: SeriesHeader, *, steps: tuple[int, ...]) -> None:
    """Set how lines were measured; ``steps`` are (columns, rows). DICOM's ROW means phase runs along a row."""
    if series.pixel_bandwidth_hz > 0:
        dataset.PixelBandwidth = _decimal(series.pixel_bandwidth_hz)
    if series.phase_axis is None:
        return
    columns, rows = steps
    is_row = series.phase_axis == "i"
    measured = round((columns if is_row else rows) * series.phase_share)
    dataset.InPlanePhaseEncodingDirection = "ROW" if is_row else "COL"
    dataset.NumberOfPhaseEncodingSteps = measured
    dataset.PercentSampling = _decimal(100.0 * series.phase_share)
    dataset.PercentPhaseFieldOfView = _decimal(100.0)
    # Read rows, read columns, phase rows, phase columns. Source: DICOM PS3.3 C.8.3.1, Acquisition Matrix.
    dataset.AcquisitionMatrix = [rows, 0, 0, measured] if is_row else [0, columns, measured, 0]


def _set_plane(dataset: Dataset, affine: AffineMatrix, k: int) -> None:
    """Set position and orientation: DICOM's first direction runs along a row, that is with growing column i."""
    along_row, along_column = affine[:3, 0], affine[:3, 1]
    col_mm, row_mm = float(np.linalg.norm(along_row)), float(np.linalg.norm(along_column))
    directions = np.concatenate([ras_to_lps(along_row / col_mm), ras_to_lps(along_column / row_mm)])
    position = ras_to_lps(affine[:3, 3] + affine[:3, 2] * k)
    normal = np.cross(directions[:3], directions[3:])
    dataset.ImageOrientationPatient = [_decimal(value) for value in directions]
    dataset.ImagePositionPatient = [_decimal(value) for value in position]
    dataset.PixelSpacing = [_decimal(row_mm), _decimal(col_mm)]
    dataset.SliceLocation = _decimal(float(position @ normal))


def _set_pixels(dataset: Dataset, image: NDArray[np.float32]) -> None:
    pixels = np.rint(image.T).astype("<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 16
    dataset.BitsStored = 16
    dataset.HighBit = 15
    dataset.PixelRepresentation = 0
    top = max(float(np.percentile(pixels, 99.5)), 1.0)
    dataset.WindowCenter = _decimal(top / 2)
    dataset.WindowWidth = _decimal(top)
    dataset.BurnedInAnnotation = "NO"
    dataset.PixelData = pixels.tobytes()


def _decimal(value: float) -> DSfloat:
    """Return a decimal string of at most 16 characters."""
    return DSfloat(float(value) + 0.0, auto_format=True)
