"""Reading an instance whole, and writing its cleaned copy: the file format around the data set."""

import io
import math
from collections.abc import Callable

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from imaging.dicom.deidentify.ages import age_from_dates
from imaging.dicom.deidentify.check import check_bytes, identity_of
from imaging.dicom.deidentify.clean import Cleaner
from imaging.dicom.deidentify.codes import method_codes
from imaging.dicom.deidentify.types import Action
from imaging.dicom.members import Member
from imaging.dicom.values import number, text
from imaging.dicom.write import stable_uid

IMPLEMENTATION = "SPINESCRIBE_1"
METHOD = "SpineScribe: PS3.15 Basic Profile; ages above 89 as 90"

_NO_IMAGE = "no image: documents and structured reports are free text and are not cleaned"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_META_FORMAT = frozenset({0x00020000, 0x00020001, 0x00020010})  # group length, version, transfer syntax


def read_instance(member: Member) -> Dataset:
    """Read a whole file, with the transfer syntax it is written in."""
    with member.open() as stream:
        dataset = pydicom.dcmread(stream, force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, _ = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else ExplicitVRLittleEndian
    return dataset


def why_damaged(dataset: Dataset) -> str | None:
    """Return what is missing of an image, or None; compressed pixels are not decoded here."""
    if "Rows" not in dataset:
        return "no size of the image"
    kept = next((name for name in _PIXELS if name in dataset), None)
    if kept is None:
        return "no pixels"
    if kept != "PixelData" or UID(dataset.file_meta.TransferSyntaxUID).is_compressed:
        return None
    parts = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated")
    bits = math.prod(int(number(dataset, name) or 0) for name in parts) * int(
        number(dataset, "NumberOfFrames") or 1
    )
    is_subsampled = text(dataset, "PhotometricInterpretation").startswith("YBR_FULL_422")
    expected = bits // 8 * 2 // 3 if is_subsampled else bits // 8
    return "fewer pixels than the header says" if len(dataset.PixelData) < expected or not expected else None


def why_unusable(dataset: Dataset) -> str | None:
    """Return why an object is left out by rule, or None for an image that can be cleaned."""
    sop_class = UID(text(dataset, "SOPClassUID"))
    if sop_class.is_private or sop_class.name == sop_class:
        return "an object of a manufacturer's own class"
    is_image = "Rows" in dataset or "Image Storage" in sop_class.name
    return None if is_image else _NO_IMAGE


def cleaned_file(
    dataset: Dataset, cleaner: Cleaner, warn: Callable[[Dataset], tuple[str, ...]]
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of the cleaned instance and what to look at in its pixels.

    Args:
        dataset: Of ``read_instance``.
        cleaner: For the subject.
        warn: Judges the pixels of the cleaned instance.

    Raises:
        IdentityLeftError: If the check finds identity left.
    """
    cleaned = cleaner.clean(dataset)
    cleaned.file_meta = _meta(dataset, cleaned, cleaner)
    if cleaner.keep_characteristics and "PatientAge" not in cleaned:
        age = age_from_dates(dataset)
        if age is not None:
            cleaned.PatientAge = age
            cleaner.log.add(0x00101010, "PatientAge", Action.ADDED, "from the birth date, which cannot stay")
    warnings = warn(cleaned)
    _mark(cleaned, is_free=not warnings, keeps_characteristics=cleaner.keep_characteristics)
    content = io.BytesIO()
    cleaned.save_as(content, enforce_file_format=True)
    check_bytes(content.getvalue(), identity_of(dataset))
    return content.getvalue(), warnings


def _meta(dataset: Dataset, cleaned: Dataset, cleaner: Cleaner) -> FileMetaDataset:
    """Return new file meta information; of the original only the transfer syntax stays."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = dataset.file_meta.TransferSyntaxUID
    meta.MediaStorageSOPClassUID = cleaned.SOPClassUID
    meta.MediaStorageSOPInstanceUID = cleaned.SOPInstanceUID
    meta.ImplementationClassUID = stable_uid("implementation", IMPLEMENTATION)
    meta.ImplementationVersionName = IMPLEMENTATION
    for element in dataset.file_meta:
        if element.tag not in _META_FORMAT:
            is_new = element.tag in meta
            action = Action.REPLACED if is_new else Action.REMOVED
            cleaner.log.add(int(element.tag), element.keyword, action, "file meta information is made anew")
    return meta


def _mark(cleaned: Dataset, *, is_free: bool, keeps_characteristics: bool) -> None:
    """Say in the data set what was done. Source: PS3.15 E.1.1 and PS3.3 C.12.1.1.

    Identity counts as removed only if nothing suspicious was seen in the pixels, as the attribute speaks of both.
    """
    cleaned.PatientIdentityRemoved = "YES" if is_free else "NO"
    cleaned.DeidentificationMethod = METHOD
    cleaned.DeidentificationMethodCodeSequence = method_codes(keeps_characteristics=keeps_characteristics)
    cleaned.LongitudinalTemporalInformationModified = "MODIFIED"
