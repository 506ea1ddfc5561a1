"""What our documents and pictures have in common as DICOM objects: patient and study of the source, our equipment.

Text is written as UTF-8 whatever the source uses; the names of the source are decoded first.
"""

from __future__ import annotations

from dataclasses import dataclass

from highdicom.base import SOPClass
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from reporting.dicom.common import SERIES_NUMBERS, date_by, description_of, equipment, made_uid, software_version
from reporting.export.package import Package

UTF_8 = "ISO_IR 192"


@dataclass(frozen=True)
class Kind:
    """What sort of object is made.

    Attributes:
        sop_class_uid: SOP class.
        modality: Modality of the series.
        name: Its name in UIDs and descriptions, such as ``key images``.
        series_number: Number of its series.
    """

    sop_class_uid: str
    modality: str
    name: str
    series_number: int


PDF_REPORT = Kind(EncapsulatedPDFStorage, "DOC", "report", SERIES_NUMBERS.document)
KEY_IMAGE = Kind(SecondaryCaptureImageStorage, "OT", "key images", SERIES_NUMBERS.key_images)


def series_uid(package: Package, kind: Kind) -> str:
    """Return the UID of the series of our objects of a kind."""
    return made_uid(package, kind.name, "series")


def instance_uid(package: Package, kind: Kind, number: int = 1) -> str:
    """Return the UID of one of our objects of a kind, by its instance number."""
    return made_uid(package, kind.name, "instance", str(number))


def new_object(package: Package, kind: Kind, source: Dataset, number: int = 1) -> SOPClass:
    """Return an object with patient, study, series, equipment and the SOP common module, and nothing else yet.

    Args:
        package: What is exported.
        kind: What sort of object it is.
        source: An instance of the study: the patient and the study are its.
        number: Instance number.
    """
    made = SOPClass(
        study_instance_uid=str(source.StudyInstanceUID),
        series_instance_uid=series_uid(package, kind),
        series_number=kind.series_number,
        sop_instance_uid=instance_uid(package, kind, number),
        sop_class_uid=kind.sop_class_uid,
        instance_number=number,
        modality=kind.modality,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        series_description=description_of(package, kind.name),
        software_versions=software_version(package),
        **equipment(),
    )
    source.decode()
    made.copy_patient_and_study_information(source)
    made.SpecificCharacterSet = UTF_8
    date_by(made, package)
    return made


def reference_to(instance: Dataset, frame_number: int | None = None) -> Dataset:
    """Return an item that refers to an instance, or to one of its frames (from 1)."""
    item = Dataset()
    item.ReferencedSOPClassUID = instance.SOPClassUID
    item.ReferencedSOPInstanceUID = instance.SOPInstanceUID
    if frame_number is not None:
        item.ReferencedFrameNumber = frame_number
    return item


def code_item(code: Code) -> Dataset:
    """Return a code as an item of a code sequence."""
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
