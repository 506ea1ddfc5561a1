"""The report as Encapsulated PDF: valid, of the same patient and study, marked as a draft."""

import io
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pypdf import PdfReader

from imaging.types import SourceKind
from reporting.dicom.document import dicom_pdf_files
from reporting.export.package import Package
from runtime.errors import StudyError
from tests.reporting.dicom.validators import dciodvfy
from tests.reporting.export.packages import PROTOCOLS, Phantoms, package_of, signed, without_source


@cache
def _read(package: Package) -> Any:
    (file,) = dicom_pdf_files(package)
    assert file.name == "dicom-pdf/report.dcm"
    return pydicom.dcmread(io.BytesIO(file.content))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_is_valid_and_belongs_to_the_study(phantoms: Phantoms, protocol: str, tmp_path: Path) -> None:
    package = package_of(phantoms, protocol)
    (file,) = dicom_pdf_files(package)
    path = tmp_path / "report.dcm"
    path.write_bytes(file.content)
    made = pydicom.dcmread(path)
    assert package.source is not None
    origin = next(iter(package.source.instances.values()))
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate"):
        assert made[keyword].value == origin[keyword].value
    assert made.SeriesInstanceUID != origin.SeriesInstanceUID
    told = {item.ReferencedSOPInstanceUID for item in made.SourceInstanceSequence}
    assert told == set(package.source.instances)
    (code,) = made.ConceptNameCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == (
        "25056-3" if protocol == "sacroiliac" else "18756-7",
        "LN",
    )
    assert dciodvfy(path) == []


def test_the_pdf_inside_is_the_report(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    made = _read(package)
    assert made.MIMETypeOfEncapsulatedDocument == "application/pdf"
    content = made.EncapsulatedDocument[: made.EncapsulatedDocumentLength]
    reader = PdfReader(io.BytesIO(content), strict=True)
    assert all(str(package.outgoing.mark) in page.extract_text() for page in reader.pages)
    assert sum(len(page.images) for page in reader.pages) == 3
    assert made.BurnedInAnnotation == "NO"


def test_a_draft_says_so_where_an_archive_shows_it(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    made = _read(package)
    assert "AI DRAFT" in made.SeriesDescription
    assert "AI DRAFT" in made.DocumentTitle
    assert made.VerificationFlag == "UNVERIFIED"
    done = _read(signed(package))
    assert "DRAFT" not in f"{done.SeriesDescription}{done.DocumentTitle}"
    assert done.VerificationFlag == "VERIFIED"


def test_what_is_exported_twice_is_one_object(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    first, second = _read(package), _read(replace(package))
    assert first.SOPInstanceUID == second.SOPInstanceUID
    later = replace(package, outgoing=replace(package.outgoing, version=2))
    assert _read(later).SOPInstanceUID != first.SOPInstanceUID


def test_names_in_another_script_stay_as_they_are(phantoms: Phantoms, tmp_path: Path) -> None:
    package = package_of(phantoms, "sacroiliac")
    assert package.source is not None
    stream = io.BytesIO()
    origin = Dataset(next(iter(package.source.instances.values())))
    origin.SpecificCharacterSet, origin.PatientName = "ISO_IR 144", "Иванов^Пётр"
    pydicom.dcmwrite(stream, origin, implicit_vr=False, little_endian=True, force_encoding=True)
    stream.seek(0)
    cyrillic = pydicom.dcmread(stream, force=True)
    source = replace(package.source)
    source.__dict__["instances"] = dict.fromkeys(package.source.instances, cyrillic)
    (file,) = dicom_pdf_files(replace(package, source=source))
    path = tmp_path / "report.dcm"
    path.write_bytes(file.content)
    made = pydicom.dcmread(path)
    assert (made.SpecificCharacterSet, str(made.PatientName)) == ("ISO_IR 192", "Иванов^Пётр")
    assert dciodvfy(path) == []


def test_a_slice_that_names_the_patient_is_told(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    assert package.source is not None
    source = replace(package.source)
    branded = {uid: Dataset(item) for uid, item in package.source.instances.items()}
    for item in branded.values():
        item.BurnedInAnnotation = "YES"
    source.__dict__["instances"] = branded
    assert _read(replace(package, source=source)).BurnedInAnnotation == "YES"


def test_a_picture_and_no_study_are_refused(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    with pytest.raises(StudyError, match="--source"):
        dicom_pdf_files(without_source(package))
    assert package.source is not None
    picture = replace(package.source, study=replace(package.source.study, source=SourceKind.PICTURE))
    with pytest.raises(StudyError, match="expected a DICOM study, found picture"):
        dicom_pdf_files(replace(package, source=picture))
