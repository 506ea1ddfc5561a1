"""Headers of MR instances as plain records; pixels are not read here, only the place where they lie in the file.

Of the patient only sex and age are taken; the patient number leaves as a hash, to tell two patients apart.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import BinaryIO

import pydicom
from pydicom import uid
from pydicom.dataset import Dataset

from imaging.dicom.deidentify.text import controlled_form
from imaging.dicom.derived import why_left_out
from imaging.dicom.members import Member
from imaging.dicom.native import NativePixels, find_native_pixels
from imaging.dicom.structure import Structure, check_structure
from imaging.dicom.values import BROKEN, Elements, codes, items, number, numbers, whole
from imaging.dicom.values import text as text
from imaging.words import plain_text
from runtime.errors import StudyError

# Ages above 89 are one class, as they identify. Source: US HIPAA safe harbour, 45 CFR 164.514(b)(2)(i)(C).
MAX_AGE_YEARS = 90.0

# Source: DICOM PS3.5 section 8.1.1; 64 for Double Float Pixel Data. Single bits are segments, no images.
BITS_ALLOCATED = (8, 16, 32, 64)

_TAGS = [
    "SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID",
    "SeriesNumber", "Modality", "ImageType", "PatientID", "PatientSex", "PatientAge", "PatientBirthDate",
    "StudyDate", "StudyTime", "AcquisitionDate", "BodyPartExamined", "StudyDescription", "SeriesDescription",
    "ProtocolName", "SequenceName", "PulseSequenceName", "Manufacturer", "ManufacturerModelName",
    "MagneticFieldStrength", "ScanningSequence", "SequenceVariant", "ScanOptions", "EchoPulseSequence",
    "SpectrallySelectedSuppression", "AcquisitionContrast", "EchoTime", "RepetitionTime",
    "InversionTime", "FlipAngle", "EchoTrainLength", "SliceThickness", "SpacingBetweenSlices",
    "ContrastBolusAgent", "ContrastBolusAgentSequence", "InstanceNumber", "AcquisitionNumber",
    "TemporalPositionIdentifier", "TriggerTime", "DiffusionBValue", "WindowCenter", "WindowWidth",
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated",
    "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope", "RescaleIntercept",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
_TAG_NUMBERS: list[pydicom.tag.BaseTag | int] = [pydicom.tag.Tag(keyword) for keyword in _TAGS]

_FACTS = {
    "echo_time_ms": "EchoTime",
    "repetition_time_ms": "RepetitionTime",
    "inversion_time_ms": "InversionTime",
    "flip_angle_deg": "FlipAngle",
    "echo_train_length": "EchoTrainLength",
    "field_strength_t": "MagneticFieldStrength",
    "slice_thickness_mm": "SliceThickness",
    "slice_distance_mm": "SpacingBetweenSlices",
    "diffusion_b_value": "DiffusionBValue",
}


@dataclass(frozen=True)
class InstanceHeader:
    """What one instance says of itself, without its slices' places.

    Attributes:
        member: The file.
        study_uid: Study Instance UID.
        study_time: Date and time of the study as written; only for the order of studies, never shown.
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
        left_out: Why its images are not read, or None.
        region_text: Plain text of body part and descriptions, for ``imaging.body_region``.
        words: Plain text of series description, protocol and sequence name.
        scanning: Codes of ScanningSequence.
        variant: Codes of SequenceVariant.
        options: Codes of ScanOptions, and ``FS`` where an enhanced header tells of suppressed fat.
        contrast_code: AcquisitionContrast of an enhanced header; empty otherwise.
        has_contrast_agent: A contrast agent is named.
        facts: Non-identifying acquisition facts.
        padding: Lowest and highest stored value that stands for "nothing measured here", or None.
        native: Where uncompressed pixels lie, or None when they must be decoded.
    """

    member: Member
    study_uid: str
    study_time: str
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
    left_out: str | None
    region_text: str
    words: str
    scanning: frozenset[str]
    variant: frozenset[str]
    options: frozenset[str]
    contrast_code: str
    has_contrast_agent: bool
    facts: Mapping[str, float | str] = field(default_factory=dict)
    padding: tuple[int, int] | None = None
    native: NativePixels | None = None


def read_header(member: Member) -> tuple[Dataset, InstanceHeader]:
    """Read the elements we use of one file, without pixels.

    Raises:
        StudyError: If it is damaged or cut short.
    """
    with member.open() as stream:
        structure = check_structure(stream, member.name)
        dataset = _read_dataset(stream, member)
        elements = Elements(dataset)
        native = find_native_pixels(stream, dataset, elements, member.size)
    instance = _instance_header(elements, member, native)
    _check_pixels(instance, structure, whole(elements, "BitsAllocated"))
    return dataset, instance


def _read_dataset(stream: BinaryIO, member: Member) -> Dataset:
    try:
        dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, specific_tags=_TAG_NUMBERS)
    except BROKEN as error:
        raise StudyError(f"{member.name}: {_CUT} ({type(error).__name__})") from error
    if "SOPClassUID" not in dataset:
        raise StudyError(f"{member.name}: expected a DICOM object, found no SOP class: {_CUT}")
    return dataset


def _check_pixels(instance: InstanceHeader, structure: Structure, bits: int | None) -> None:
    """Refuse an MR image without pixels, of odd bits, or with more bytes than its size, bits and frames tell.

    Raises:
        StudyError: If so: a file cut between two elements, or a header that lies.
    """
    if instance.modality != "MR" or not instance.rows:
        return
    name = instance.member.name
    if not structure.pixel_bytes:
        raise StudyError(f"{name}: expected the pixels of an MR image, found none: {_CUT}")
    if bits not in BITS_ALLOCATED:
        raise StudyError(
            f"{name}: expected pixels of {', '.join(map(str, BITS_ALLOCATED))} bits, found {bits}; the file is "
            "damaged: send it again"
        )
    if instance.native is None:
        return
    frame = instance.rows * instance.columns * int(instance.native.dtype[-1])
    needed = frame * max(1, instance.frames)
    if structure.pixel_bytes >= needed + frame:
        raise StudyError(
            f"{name}: expected {needed} bytes of pixels as size, bits and frames of the header tell, found "
            f"{structure.pixel_bytes}; the file is damaged: send it again"
        )


_CUT = "the DICOM file is damaged or cut short; send it again"


def _instance_header(elements: Elements, member: Member, native: NativePixels | None) -> InstanceHeader:
    """Take the record out of a data set.

    Raises:
        StudyError: If an MR image lacks its size or UIDs, as one cut short does.
    """
    rows, columns = max(0, whole(elements, "Rows") or 0), max(0, whole(elements, "Columns") or 0)
    uids = [text(elements, name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
    if _is_mr_image(elements) and not (rows and columns and all(uids)):
        raise StudyError(f"{member.name}: expected an MR image with size and UIDs, found none: {_CUT}")
    descriptions = [text(elements, name) for name in ("SeriesDescription", "ProtocolName")]
    sequences = [text(elements, name) for name in ("SequenceName", "PulseSequenceName")]
    region = [text(elements, name) for name in ("BodyPartExamined", "StudyDescription")]
    image_type = codes(elements, "ImageType")
    return InstanceHeader(
        member=member,
        study_uid=uids[0],
        study_time=text(elements, "StudyDate") + text(elements, "StudyTime"),
        series_uid=uids[1],
        instance_uid=uids[2],
        series_number=whole(elements, "SeriesNumber") or 0,
        modality=text(elements, "Modality").upper(),
        image_type=image_type,
        patient_hash=hashlib.sha256(text(elements, "PatientID").encode()).hexdigest(),
        sex=sex if (sex := text(elements, "PatientSex").upper()) in ("F", "M") else None,
        age_years=_age(elements),
        rows=rows,
        columns=columns,
        frames=max(1, whole(elements, "NumberOfFrames") or 1),
        photometric=text(elements, "PhotometricInterpretation").upper(),
        left_out=why_left_out(text(elements, "SOPClassUID"), image_type),
        region_text=plain_text(*region, *descriptions),
        words=plain_text(*descriptions, *sequences),
        scanning=_scanning(elements),
        variant=frozenset(codes(elements, "SequenceVariant")),
        options=_options(elements),
        contrast_code=text(elements, "AcquisitionContrast").upper(),
        has_contrast_agent=bool(
            text(elements, "ContrastBolusAgent") or items(elements, "ContrastBolusAgentSequence")
        ),
        facts=_acquisition_facts(elements),
        padding=_padding(elements),
        native=native,
    )


def window_facts(centre: tuple[float, ...] | None, width: tuple[float, ...] | None) -> dict[str, float | str]:
    """Return the first window of an image, in units after rescale, if it is one.

    Source: DICOM PS3.3 C.11.2.1.2 (a width is at least 1; several windows are alternatives).
    """
    if not centre or not width or width[0] < 1:
        return {}
    return {"window_centre": centre[0], "window_width": width[0]}


def _acquisition_facts(elements: Elements) -> dict[str, float | str]:
    """Return the non-identifying acquisition facts that are there."""
    facts: dict[str, float | str] = {}
    for name, keyword in _FACTS.items():
        value = number(elements, keyword)
        if value is not None:
            facts[name] = value
    for name, keyword in (("manufacturer", "Manufacturer"), ("model", "ManufacturerModelName")):
        # Free text, in the hands of whoever wrote the file: a maker or model that is not known is not passed on.
        public = controlled_form(keyword, text(elements, keyword))
        if public:
            facts[name] = public
    return facts | window_facts(numbers(elements, "WindowCenter"), numbers(elements, "WindowWidth"))


def _scanning(elements: Elements) -> frozenset[str]:
    """Return the codes of ScanningSequence; the words of an enhanced header are translated.

    Source: DICOM PS3.3 C.8.13.4 (Echo Pulse Sequence: SPIN, GRADIENT, BOTH).
    """
    enhanced = {"SPIN": {"SE"}, "GRADIENT": {"GR"}, "BOTH": {"SE", "GR"}}
    return frozenset(codes(elements, "ScanningSequence")) | enhanced.get(
        text(elements, "EchoPulseSequence").upper(), set()
    )


def _options(elements: Elements) -> frozenset[str]:
    """Return the codes of ScanOptions; other ways to say that fat is suppressed become ``FS``.

    Source: DICOM PS3.3 C.8.3.1 (FS), C.8.13.1 (Spectrally Selected Suppression); FATSAT is a habit of vendors.
    """
    found = set(codes(elements, "ScanOptions"))
    is_suppressed = "FATSAT" in found or "FAT" in text(elements, "SpectrallySelectedSuppression").upper()
    return frozenset(found | {"FS"} if is_suppressed else found)


def _padding(elements: Elements) -> tuple[int, int] | None:
    """Return the range of stored values that pad the image. Source: DICOM PS3.3 C.7.5.1.1.2."""
    first = whole(elements, "PixelPaddingValue")
    if first is None:
        return None
    last = whole(elements, "PixelPaddingRangeLimit")
    size = 1 << (whole(elements, "BitsAllocated") or 16)
    is_signed = whole(elements, "PixelRepresentation") == 1

    def as_stored(value: int) -> int:  # files confuse US and SS here: the bits are what counts
        value %= size
        return value - size if is_signed and value >= size // 2 else value

    ends = sorted((as_stored(first), as_stored(first if last is None else last)))
    return ends[0], ends[1]


def _is_mr_image(elements: Elements) -> bool:
    return text(elements, "SOPClassUID") in (
        uid.MRImageStorage,
        uid.EnhancedMRImageStorage,
        uid.LegacyConvertedEnhancedMRImageStorage,
    )


def _age(elements: Elements) -> float | None:
    """Return the age in years at the study from PatientAge, else from the dates; None when neither tells."""
    stated = text(elements, "PatientAge").upper()
    days = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
    if len(stated) == 4 and stated[:3].isdigit() and stated[3] in days:
        years = int(stated[:3]) * days[stated[3]] / 365.25
        return min(years, MAX_AGE_YEARS)
    birth = _date(text(elements, "PatientBirthDate"))
    taken = _date(text(elements, "StudyDate")) or _date(text(elements, "AcquisitionDate"))
    if birth is None or taken is None or taken < birth:
        return None
    years_full = taken.year - birth.year - ((taken.month, taken.day) < (birth.month, birth.day))
    return min(float(years_full), MAX_AGE_YEARS)


def _date(value: str) -> date | None:
    try:
        return datetime.strptime(value, "%Y%m%d").date()
    except ValueError:
        return None
