"""DICOM files that the listener wrote: what is taken, the bytes of data sets, whether two are the same."""

from __future__ import annotations

import hashlib
import warnings
from io import BytesIO
from pathlib import Path

from pydicom import Dataset, dcmread, uid
from pydicom.filereader import read_file_meta_info

from imaging.dicom.sop_classes import SEGMENTATIONS
from imaging.dicom.values import BROKEN

IMAGES = (uid.MRImageStorage, uid.EnhancedMRImageStorage, uid.LegacyConvertedEnhancedMRImageStorage)
"""What is read."""
COMPANIONS = (
    uid.SecondaryCaptureImageStorage, uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage, uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
    uid.EnhancedMRColorImageStorage, uid.MRSpectroscopyStorage, uid.RawDataStorage, uid.BasicTextSRStorage,
    uid.EnhancedSRStorage, uid.ComprehensiveSRStorage, uid.Comprehensive3DSRStorage,
    uid.KeyObjectSelectionDocumentStorage, uid.GrayscaleSoftcopyPresentationStateStorage,
    uid.ColorSoftcopyPresentationStateStorage, *SEGMENTATIONS, uid.EncapsulatedPDFStorage,
)  # fmt: skip
"""What travels with MR images: an archive that sends a study gives up when one of its objects is not taken."""

_GROUP_LENGTH_AT = 140  # preamble 128, DICM, then (0002,0000) UL with its length: the value
_META_AT = 144


def is_image(file: Path) -> bool:
    """Return whether a file is an MR image."""
    return read_file_meta_info(file).get("MediaStorageSOPClassUID") in IMAGES


def uids_of(content: bytes) -> tuple[str, str]:
    """Return Study and SOP Instance UID; empty where there is none.

    Raises:
        Exception: One of ``imaging.dicom.values.BROKEN``, if the bytes are damaged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = ["StudyInstanceUID", "SOPInstanceUID"]
        head = dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=wanted)
        return str(head.get("StudyInstanceUID", "")), str(head.get("SOPInstanceUID", ""))


def data_of(content: bytes) -> bytes:
    """Return the data set of a file without preamble and meta information, which name who wrote the file."""
    length = int.from_bytes(content[_GROUP_LENGTH_AT:_META_AT], "little")
    return content[_META_AT + length :]


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a file's data set."""
    return hashlib.sha256(data_of(content)).hexdigest()


def is_same(first: bytes, second: bytes) -> bool:
    """Return whether two files hold the same instance, byte for byte or as the same elements.

    A sender may choose another transfer syntax the second time.
    """
    if data_of(first) == data_of(second):
        return True
    try:
        return _read(first) == _read(second)
    except BROKEN:
        return False  # what cannot be compared is not the same


def _read(content: bytes) -> Dataset:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = dcmread(BytesIO(content))
        plain = Dataset()
        plain.update({element.tag: element for element in dataset if element.tag.group != 2})
    return plain
