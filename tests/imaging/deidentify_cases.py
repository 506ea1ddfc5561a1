"""Studies with a planted secret in every place that can hold text, built without the project's own writer."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.datadict import DicomDictionary, dictionary_VM, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

CANARY = "CANARY"
CANARY_UID = "1.3.6.1.4.1.99999.4242"
BIRTH, STUDY = "19530412", "20190817"
TEXT_KINDS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT")


def mr_image(
    number: int = 1, *, study: str = "1", series: str = "1", pixels: NDArray[np.uint16] | None = None
) -> Dataset:
    """Return a valid MR image of a patient of 66 years with names, numbers, institutions and dates."""
    image = np.arange(40 * 50, dtype=np.uint16).reshape(40, 50) if pixels is None else pixels
    ds = Dataset()
    ds.SOPClassUID = MRImageStorage
    ds.SOPInstanceUID = f"{CANARY_UID}.{study}.{series}.{number}"
    ds.StudyInstanceUID = f"{CANARY_UID}.{study}"
    ds.SeriesInstanceUID = f"{CANARY_UID}.{study}.{series}"
    ds.FrameOfReferenceUID = f"{CANARY_UID}.{study}.9"
    ds.Modality, ds.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M", "SE"]
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Canaryson^Hans^^Dr", "CANARY-4711", BIRTH
    ds.PatientSex, ds.PatientAge, ds.PatientWeight = "F", "066Y", "71"
    ds.InstitutionName, ds.InstitutionAddress = "Canary General Hospital", "1 Canary Street"
    ds.AccessionNumber, ds.StudyID = "CANARYACC1", "CANARY9"
    ds.ReferringPhysicianName = ds.OperatorsName = "Canaryref^Eva"
    ds.StudyDate = ds.SeriesDate = ds.AcquisitionDate = ds.ContentDate = STUDY
    ds.StudyTime, ds.SeriesTime, ds.AcquisitionTime, ds.ContentTime = "235000", "235500.25", "235900", "000100"
    ds.StudyDescription, ds.SeriesDescription = "MRI Lumbar Spine Canaryson", "T2 SAG TSE for Dr Canaryref"
    ds.SeriesNumber, ds.InstanceNumber = 3, number
    ds.Manufacturer, ds.ManufacturerModelName, ds.DeviceSerialNumber = "SIEMENS", "Avanto", "CANARY123"
    ds.StationName = "CANARYST1"
    ds.ScanningSequence, ds.SequenceVariant, ds.ScanOptions = "SE", "SK", ""
    ds.MRAcquisitionType, ds.EchoTime, ds.RepetitionTime, ds.EchoTrainLength = "2D", "100", "3500", "15"
    ds.BodyPartExamined, ds.PatientPosition = "LSPINE", "HFS"
    ds.ImageOrientationPatient, ds.PixelSpacing = [0, 1, 0, 0, 0, -1], ["0.7", "0.6"]
    ds.ImagePositionPatient = [str(-20.0 + 4 * number), "-80", "150"]
    ds.SliceThickness = "4"
    ds.Rows, ds.Columns = image.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = image.astype("<u2").tobytes()
    return ds


def written(ds: Dataset, *, preamble: bytes = b"\0" * 128) -> bytes:
    """Return the file's bytes, with identity in the file meta information and the preamble."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.SourceApplicationEntityTitle = meta.SendingApplicationEntityTitle = "CANARYAE"
    meta.PrivateInformationCreatorUID = CANARY_UID
    meta.PrivateInformation = b"CANARY meta "
    ds.file_meta, ds.preamble = meta, preamble
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def write_study(folder: Path, images: list[Dataset]) -> Path:
    """Write images as ``CANARY 01.dcm`` ... into a folder."""
    folder.mkdir(parents=True)
    for index, ds in enumerate(images, start=1):
        (folder / f"CANARY {index:02d}.dcm").write_bytes(written(ds, preamble=b"CANARY".ljust(128, b"x")))
    return folder


def outputs(folder: Path) -> list[Dataset]:
    """Return the cleaned images in the order of their names."""
    return [pydicom.dcmread(file) for file in sorted(folder.rglob("*.dcm"))]


def all_bytes(folder: Path) -> bytes:
    """Return the names and contents of all files of a folder, one after the other, in lower case."""
    parts = [
        str(file.relative_to(folder)).encode() + file.read_bytes() for file in folder.rglob("*") if file.is_file()
    ]
    return b"\n".join(parts).lower()


def every_tag() -> Iterator[int]:
    """Yield each tag of the standard's dictionary that a data set can hold, retired ones included."""
    return (tag for tag in sorted(DicomDictionary) if tag >= 0x00080000 and tag & 0xFFFF)


def planted(tag: int, text: str = CANARY, depth: int = 0) -> DataElement | None:
    """Return an element of a tag with the text in it; None where its kind holds neither text nor items."""
    kind = dictionary_VR(tag).split(" or ")[0]
    value: Any = None
    if kind in TEXT_KINDS:
        value = text
    elif kind == "UI":
        value = f"{CANARY_UID}.7"
    elif kind in ("OB", "OW", "UN"):
        value = text.encode().ljust(len(text) + len(text) % 2, b" ") * 2
    elif kind in ("DA", "TM", "DT"):
        value = {"DA": BIRTH, "TM": "101112", "DT": BIRTH + "101112"}[kind]
    elif kind == "SQ" and depth < 2:
        item = Dataset()
        for inner in (0x00100010, 0x00081030, 0x0040A123, 0x00400280):
            item.add(planted(inner, text))
        value = Sequence([item])
    if value is None:
        return None
    many = dictionary_VM(tag) not in ("1",) and kind in ("CS", "LO", "SH") and text == CANARY
    return DataElement(tag, kind, [value, value] if many else value)


def name_of(tag: int) -> str:
    """Return the keyword of a tag."""
    return keyword_for_tag(tag)
