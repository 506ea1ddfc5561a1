"""Headers of MR instances as plain records, one for each slice; pixels are not read here.

Of the patient only sex and age are taken; the patient number leaves as a hash, to tell two patients apart.
"""

import hashlib
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pydicom
from pydicom.dataset import Dataset

from imaging.dicom.members import Member
from imaging.words import plain_text
from runtime.errors import StudyError

# What pydicom raises on damaged files.
BROKEN = (
    pydicom.errors.InvalidDicomError, pydicom.errors.BytesLengthException, struct.error, zlib.error, OSError,
    EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError, NotImplementedError,
    OverflowError, MemoryError,
)  # fmt: skip

# Ages above 89 are one class, as they identify. Source: US HIPAA safe harbour, 45 CFR 164.514(b)(2)(i)(C).
MAX_AGE_YEARS = 90.0

_TAGS = [
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "Modality",
    "ImageType", "PatientID", "PatientSex", "PatientAge", "PatientBirthDate", "StudyDate", "AcquisitionDate",
    "BodyPartExamined", "StudyDescription", "SeriesDescription", "ProtocolName", "SequenceName",
    "Manufacturer", "ManufacturerModelName", "MagneticFieldStrength", "ScanningSequence", "ScanOptions",
    "EchoTime", "RepetitionTime", "InversionTime", "FlipAngle", "EchoTrainLength", "SliceThickness",
    "SpacingBetweenSlices", "ContrastBolusAgent", "InstanceNumber", "AcquisitionNumber",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip

_FACTS = {
    "echo_time_ms": "EchoTime",
    "repetition_time_ms": "RepetitionTime",
    "inversion_time_ms": "InversionTime",
    "flip_angle_deg": "FlipAngle",
    "echo_train_length": "EchoTrainLength",
    "field_strength_t": "MagneticFieldStrength",
    "slice_thickness_mm": "SliceThickness",
    "slice_distance_mm": "SpacingBetweenSlices",
}


@dataclass(frozen=True)
class InstanceHeader:
    """What one instance says of itself, without its slices' places.

    Attributes:
        member: The file.
        study_uid: Study Instance UID.
        series_uid: Series Instance UID.
        instance_uid: SOP Instance UID.
        series_number: For the order of series; 0 when not told.
        modality: Such as ``MR``.
        image_type: Values of ImageType, upper case.
        patient_hash: Of the patient number; compared, never shown.
        sex: ``F``, ``M`` or None.
        age_years: Or None.
        rows: Image rows; 0 for an object without an image.
        columns: Image columns.
        frames: Number of frames.
        photometric: PhotometricInterpretation.
        region_text: Plain text of body part and descriptions, for ``imaging.body_region``.
        words: Plain text of series description, protocol and sequence name.
        scanning: Codes of ScanningSequence.
        has_contrast: A contrast agent is named.
        is_fat_suppressed: ScanOptions name fat saturation.
        facts: Non-identifying acquisition facts.
    """

    member: Member
    study_uid: str
    series_uid: str
    instance_uid: str
    series_number: int
    modality: str
    image_type: tuple[str, ...]
    patient_hash: str
    sex: str | None
    age_years: float | None
    rows: int
    columns: int
    frames: int
    photometric: str
    region_text: str
    words: str
    scanning: frozenset[str]
    has_contrast: bool
    is_fat_suppressed: bool
    facts: Mapping[str, float | str] = field(default_factory=dict)


def read_dataset(member: Member) -> Dataset:
    """Read the elements we use of one file, without pixels.

    Raises:
        StudyError: If it is damaged or cut short.
    """
    try:
        with member.open() as stream:
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=list(_TAGS))
            if "SOPClassUID" not in dataset:
                raise StudyError(f"{member.name}: expected a DICOM object, found no SOP class: {_CUT}")
            return dataset
    except StudyError:
        raise
    except BROKEN as error:
        raise StudyError(f"{member.name}: {_CUT} ({type(error).__name__})") from error


_CUT = "the DICOM file is damaged or cut short; send it again"


def instance_header(dataset: Dataset, member: Member) -> InstanceHeader:
    """Take the record out of a dataset of ``read_dataset``.

    Raises:
        StudyError: If an MR image lacks its size or UIDs, as one cut short does.
    """
    modality = text(dataset, "Modality").upper()
    rows, columns = int(number(dataset, "Rows") or 0), int(number(dataset, "Columns") or 0)
    uids = [text(dataset, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    if _is_mr_image(dataset) and not (rows and columns and all(uids)):
        raise StudyError(f"{member.name}: expected an MR image with size and UIDs, found none: {_CUT}")
    descriptions = [text(dataset, name) for name in ("SeriesDescription", "ProtocolName")]
    region = [text(dataset, name) for name in ("BodyPartExamined", "StudyDescription")]
    return InstanceHeader(
        member=member,
        study_uid=uids[0],
        series_uid=uids[1],
        instance_uid=uids[2],
        series_number=int(number(dataset, "SeriesNumber") or 0),
        modality=modality,
        image_type=codes(dataset, "ImageType"),
        patient_hash=hashlib.sha256(text(dataset, "PatientID").encode()).hexdigest(),
        sex=sex if (sex := text(dataset, "PatientSex").upper()) in ("F", "M") else None,
        age_years=_age(dataset),
        rows=rows,
        columns=columns,
        frames=int(number(dataset, "NumberOfFrames") or 1),
        photometric=text(dataset, "PhotometricInterpretation").upper(),
        region_text=plain_text(*region, *descriptions),
        words=plain_text(*descriptions, text(dataset, "SequenceName")),
        scanning=frozenset(codes(dataset, "ScanningSequence")),
        has_contrast=bool(text(dataset, "ContrastBolusAgent")),
        is_fat_suppressed=bool({"FS", "FATSAT"} & set(codes(dataset, "ScanOptions"))),
        facts=acquisition_facts(dataset),
    )


def acquisition_facts(dataset: Dataset) -> dict[str, float | str]:
    """Return the non-identifying acquisition facts that are there."""
    facts: dict[str, float | str] = {}
    for name, keyword in _FACTS.items():
        value = number(dataset, keyword)
        if value is not None:
            facts[name] = value
    for name, keyword in (("manufacturer", "Manufacturer"), ("model", "ManufacturerModelName")):
        if text(dataset, keyword):
            facts[name] = text(dataset, keyword)
    return facts


def text(dataset: Dataset, keyword: str) -> str:
    """Return an element as text, empty when it is absent."""
    value = element(dataset, keyword)
    return "" if value is None else str(value).strip()


def codes(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the values of a multi-valued code element in upper case."""
    value = element(dataset, keyword)
    items = [] if value is None else [value] if isinstance(value, str) else list(value)
    return tuple(str(item).strip().upper() for item in items)


def number(dataset: Dataset, keyword: str) -> float | None:
    """Return an element as a finite number, None when it is absent or none."""
    values = numbers(dataset, keyword)
    return values[0] if values is not None and len(values) == 1 else None


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...] | None:
    """Return the finite numbers of an element, None when it is absent or holds anything else."""
    value = element(dataset, keyword)
    items: list[Any] = [value] if value is None or isinstance(value, str | int | float) else list(value)
    try:
        found = tuple(float(item) for item in items)
    except (TypeError, ValueError):
        return None
    return found if all(abs(item) < float("inf") for item in found) else None


def element(dataset: Dataset, keyword: str) -> Any:
    """Return the value of an element, None when it is absent or its bytes are no value of its kind."""
    try:
        return dataset.get(keyword)
    except BROKEN:  # a malformed value is as good as none; what cannot do without it says so
        return None


def _is_mr_image(dataset: Dataset) -> bool:
    return text(dataset, "SOPClassUID") in (
        pydicom.uid.MRImageStorage,
        pydicom.uid.EnhancedMRImageStorage,
    )


def _age(dataset: Dataset) -> float | None:
    """Return the age in years at the study from PatientAge, else from the dates; None when neither tells."""
    stated = text(dataset, "PatientAge").upper()
    days = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
    if len(stated) == 4 and stated[:3].isdigit() and stated[3] in days:
        years = int(stated[:3]) * days[stated[3]] / 365.25
        return min(years, MAX_AGE_YEARS)
    birth = _date(text(dataset, "PatientBirthDate"))
    taken = _date(text(dataset, "StudyDate")) or _date(text(dataset, "AcquisitionDate"))
    if birth is None or taken is None or taken < birth:
        return None
    years_full = taken.year - birth.year - ((taken.month, taken.day) < (birth.month, birth.day))
    return min(float(years_full), MAX_AGE_YEARS)


def _date(value: str) -> date | None:
    try:
        return datetime.strptime(value, "%Y%m%d").date()
    except ValueError:
        return None
