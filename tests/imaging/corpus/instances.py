"""Sound DICOM instances of the corpus patient, and raw elements to spoil them with."""

import io
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

from tests.imaging.corpus.registry import IDENTITY

COLUMNS, ROWS, SLICES = 20, 24, 3
SHAPE = (COLUMNS, ROWS, SLICES)
ONE_SHAPE = (COLUMNS, ROWS, 1)
STUDY, SERIES = "1.2.826.0.1.1", "1.2.826.0.1.1.1"
PIXELS = (np.arange(SLICES * ROWS * COLUMNS) % 1999).reshape(SLICES, ROWS, COLUMNS).astype("<u2")
ITEM, ITEM_END, SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
UNDEFINED = b"\xff\xff\xff\xff"

Change = Callable[[FileDataset], None]


def instance(k: int = 0, **header: Any) -> FileDataset:
    """Return slice k of a sagittal T2 series of the corpus patient."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = f"{SERIES}.{k + 1}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("x", Dataset(), file_meta=meta, preamble=b"\0" * 128)
    for keyword, value in IDENTITY.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = STUDY, SERIES
    dataset.FrameOfReferenceUID = f"{STUDY}.9"
    dataset.SeriesNumber, dataset.InstanceNumber = 1, k + 1
    dataset.Modality, dataset.ImageType = "MR", ["ORIGINAL", "PRIMARY", "M"]
    dataset.StudyDate = "20200101"
    dataset.ScanningSequence, dataset.SequenceVariant, dataset.ScanOptions = "SE", "NONE", ""
    dataset.EchoTime, dataset.RepetitionTime = "100", "3500"
    dataset.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    dataset.ImagePositionPatient = [-4.0 * k, -80.0, 150.0]
    dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.6], "4"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = ROWS, COLUMNS
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.PixelData = PIXELS[k].tobytes()
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    return dataset


def enhanced(**header: Any) -> FileDataset:
    """Return the whole series as one enhanced MR object."""
    dataset = instance(0)
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(dataset, keyword)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = EnhancedMRImageStorage
    dataset.NumberOfFrames = SLICES
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [0.0, 1.0, 0.0, 0.0, 0.0, -1.0]
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.6], "4"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = Sequence([orientation]), Sequence([measures])
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    dataset.PerFrameFunctionalGroupsSequence = Sequence([_frame(k) for k in range(SLICES)])
    dataset.PixelData = PIXELS.tobytes()
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    return dataset


def _frame(k: int) -> Dataset:
    frame, position, content, echo = Dataset(), Dataset(), Dataset(), Dataset()
    position.ImagePositionPatient = [-4.0 * k, -80.0, 150.0]
    content.StackID, content.InStackPositionNumber = "1", k + 1
    content.DimensionIndexValues = [1, k + 1]
    echo.EffectiveEchoTime = 100.0
    frame.PlanePositionSequence, frame.FrameContentSequence = Sequence([position]), Sequence([content])
    frame.MREchoSequence = Sequence([echo])
    return frame


def to_bytes(dataset: FileDataset, *, file_format: bool = True) -> bytes:
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=file_format)
    return buffer.getvalue()


def slice_bytes(k: int = 0, **header: Any) -> bytes:
    """Return slice k as the bytes of a file."""
    return to_bytes(instance(k, **header))


@lru_cache
def sound_slice(k: int) -> bytes:
    """Return the unchanged slice k, made once."""
    return slice_bytes(k)


def series_files(folder: Path) -> list[Path]:
    """Write the series, one file a slice, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for k in range(SLICES):
        file = folder / f"{k}.dcm"
        file.write_bytes(sound_slice(k))
        files.append(file)
    return files


def element(tag: int, vr: str, value: bytes, *, length: int | None = None) -> bytes:
    """Return an explicit little-endian element; ``length`` overrides the true one."""
    size = len(value) if length is None else length
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr.encode()
    is_long = vr in ("OB", "OW", "OF", "OD", "OL", "OV", "SQ", "UN", "UT", "UC", "UR", "SV", "UV")
    return head + (b"\0\0" + struct.pack("<I", size) if is_long else struct.pack("<H", size)) + value


def implicit(tag: int, value: bytes, *, length: int | None = None) -> bytes:
    """Return an implicit little-endian element."""
    size = len(value) if length is None else length
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, size) + value


def with_element(raw: bytes, extra: bytes, *, before: int = 0x00280002) -> bytes:
    """Return an explicit file with raw bytes put before an element (of group 28 by default)."""
    place = raw.index(struct.pack("<HH", before >> 16, before & 0xFFFF), 132)
    return raw[:place] + extra + raw[place:]


def boundaries(raw: bytes) -> list[int]:
    """Return where each element, item and delimiter of an explicit little-endian file begins, in sequences too."""
    found, position = [], 132
    while position + 8 <= len(raw):
        found.append(position)
        tag, vr = raw[position : position + 4], raw[position + 4 : position + 6]
        if tag in (ITEM, ITEM_END, SEQUENCE_END):
            position += 8
        elif vr == b"SQ":
            position += 12
        elif vr in (b"OB", b"OW", b"UN", b"UT"):
            position += 12 + int.from_bytes(raw[position + 8 : position + 12], "little")
        else:
            position += 8 + int.from_bytes(raw[position + 6 : position + 8], "little")
    assert position == len(raw), "a sound file ends with its last element"
    return found
