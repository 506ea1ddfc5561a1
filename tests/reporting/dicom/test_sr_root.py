"""The structured report as the root of its export: what it leads to, its class, the version before, weights."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import highdicom
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage, EncapsulatedPDFStorage

from reporting.dicom.sr_reading import read_report
from reporting.export.classes import Classes, SRClass
from reporting.export.content import SignedBy
from reporting.export.formats import DICOM, Export, ExportFormat, export_all, export_files
from reporting.export.key_pictures import count_key_pictures, key_pictures
from reporting.export.package import ExportedFile, Package, load_package
from reporting.types import ReportState
from tests.read_phantoms import ReadPhantom
from tests.reporting.dicom.reread import assert_equals_findings
from tests.reporting.dicom.validators import dciodvfy, dcmtk

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
Give = Callable[[str], Package]


@pytest.fixture(scope="module")
def package(phantoms: Callable[[str], ReadPhantom]) -> Give:
    """Return what gives the package of a read phantom with its study."""

    @cache
    def give(protocol: str) -> Package:
        made = phantoms(protocol)
        return load_package(made.reading / "reading.json", made.archive)

    return give


@pytest.fixture(scope="module")
def files(package: Give) -> dict[str, bytes]:
    """Return the DICOM files of one export of the sacroiliac phantom by name."""
    return {file.name: file.content for file in export_files(package("sacroiliac"), DICOM)}


@pytest.fixture(scope="module")
def exported(files: dict[str, bytes]) -> dict[str, Dataset]:
    """Return the same as data sets."""
    return {name: dcmread(BytesIO(content)) for name, content in files.items()}


def test_it_leads_to_all_objects_of_its_export(exported: dict[str, Dataset]) -> None:
    root = exported["sr/report.dcm"]
    listed = {
        (str(series.SeriesInstanceUID), str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
        for study in root.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    others = [item for item in exported.values() if item.Modality != "SR"]
    assert {item.Modality for item in others} == {"SEG", "DOC", "OT"}
    assert {(item.SeriesInstanceUID, item.SOPClassUID, item.SOPInstanceUID) for item in others} < listed
    assert "PertinentOtherEvidenceSequence" not in root


def test_the_content_names_key_images_and_the_pdf(files: dict[str, bytes], exported: dict[str, Dataset]) -> None:
    read = read_report(files["sr/report.dcm"])
    pictures = [item for name, item in exported.items() if name.startswith("key-images/")]
    assert read.key_images == tuple(item.SOPInstanceUID for item in pictures)
    assert read.documents == (exported["dicom-pdf/report.dcm"].SOPInstanceUID,)
    assert read.predecessors == ()
    (item,) = _container(exported["sr/report.dcm"], "Supplementary Data").ContentSequence
    assert (item.ValueType, item.ReferencedSOPSequence[0].ReferencedSOPClassUID) == (
        "COMPOSITE", EncapsulatedPDFStorage,
    )  # fmt: skip
    assert item.ConceptNameCodeSequence == exported["dicom-pdf/report.dcm"].ConceptNameCodeSequence


def test_alone_it_leads_to_nothing_and_is_another_object(package: Give, exported: dict[str, Dataset]) -> None:
    content = _structured(package("sacroiliac"))
    read, alone = read_report(content), dcmread(BytesIO(content))
    assert (read.key_images, read.documents) == ((), ())
    assert alone.SOPInstanceUID != exported["sr/report.dcm"].SOPInstanceUID
    with_seg = _read(package("sacroiliac"), (ExportFormat.SEG, ExportFormat.SR))
    assert with_seg.SOPInstanceUID == alone.SOPInstanceUID


def test_every_format_at_once_knows_of_the_others(package: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Package] = []

    def write(package: Package) -> tuple[ExportedFile, ...]:
        made.append(package)
        return ()

    monkeypatch.setattr("reporting.export.formats._writer", lambda kind: write)
    assert export_all(package("sacroiliac")) == Export(())
    assert {item.beside for item in made} == {frozenset(kind.value for kind in ExportFormat)}


@pytest.mark.parametrize(
    ("protocol", "sr_class"),
    [
        *(("sacroiliac", kind) for kind in SRClass),
        *(pytest.param(protocol, SRClass.COMPREHENSIVE_3D, marks=pytest.mark.slow) for protocol in PROTOCOLS[:2]),
    ],
)
def test_both_classes_are_valid_and_equal_findings(
    package: Give, protocol: str, sr_class: SRClass, tmp_path: Path
) -> None:
    given = _amended(replace(package(protocol), classes=Classes(sr_class)))
    content = _structured(given, DICOM)
    path = tmp_path / "report.dcm"
    path.write_bytes(content)
    assert dciodvfy(path) == []
    shown = dcmtk("dsrdump", "+Pl", str(path))
    name = "Comprehensive 3D SR" if sr_class is SRClass.COMPREHENSIVE_3D else "Comprehensive SR"
    assert f"{name} Document" in shown
    assert "Predecessor Docs" in shown
    assert "EncapsulatedPDFStorage" in shown
    assert_equals_findings(read_report(content), given.outgoing.findings)
    assert highdicom.sr.srread(path).content.get_planar_roi_measurement_groups()


def test_the_class_is_comprehensive_unless_asked_otherwise(package: Give) -> None:
    given = package("sacroiliac")
    plain, spatial = (_read(replace(given, classes=Classes(kind))) for kind in SRClass)
    assert given.classes.sr is SRClass.COMPREHENSIVE
    assert (plain.SOPClassUID, spatial.SOPClassUID) == (ComprehensiveSRStorage, Comprehensive3DSRStorage)
    assert plain.SOPInstanceUID != spatial.SOPInstanceUID


@pytest.mark.parametrize("sr_class", SRClass)
def test_an_amended_report_names_the_signed_one_before(package: Give, sr_class: SRClass) -> None:
    given = replace(package("sacroiliac"), classes=Classes(sr_class))
    signed = replace(given.outgoing, version=2, status=ReportState.SIGNED, mark=None, signature=_SIGNED)
    first, second = _read(replace(given, outgoing=signed)), _read(_amended(given))
    (study,) = second.PredecessorDocumentsSequence
    (series,) = study.ReferencedSeriesSequence
    (item,) = series.ReferencedSOPSequence
    assert study.StudyInstanceUID == first.StudyInstanceUID
    assert series.SeriesInstanceUID == first.SeriesInstanceUID
    assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == (first.SOPClassUID, first.SOPInstanceUID)
    assert first.SOPInstanceUID != second.SOPInstanceUID
    assert "PredecessorDocumentsSequence" not in first


def test_each_group_names_the_weights(package: Give) -> None:
    given = package("sacroiliac")
    models = given.outgoing.provenance["models"]
    groups = [
        group
        for container in _read(given).ContentSequence
        if _name(container) == "Imaging Measurements"
        for group in container.ContentSequence
    ]
    assert models
    assert groups
    for group in groups:
        told = [item.TextValue for item in group.ContentSequence if _name(item) == "Algorithm Parameters"]
        assert told == [f"weights {name} SHA-256 {models[name]}" for name in sorted(models)]


def test_a_finding_carries_the_codes_that_mean_the_same(package: Give) -> None:
    found = {}
    for container in _read(package("lumbar")).ContentSequence:
        for group in container.get("ContentSequence", ()):
            for item in group.get("ContentSequence", ()):
                if _name(item) == "Finding":
                    (code,) = item.ConceptCodeSequence
                    found[code.CodeValue] = [other.CodeValue for other in code.get("EquivalentCodeSequence", ())]
    assert found["77547008"] == ["RID5086"]
    assert found["371000119109"] == ["RID5034", "cond-foraminal"]
    assert found["cond-endplate-up"] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_key_pictures_are_counted_without_drawing_them(package: Give, protocol: str) -> None:
    given = package(protocol)
    assert count_key_pictures(given) == len(key_pictures(given)) > 0
    assert count_key_pictures(replace(given, source=None)) == 0


_SIGNED = SignedBy("Dr. Ana Müller", datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC))


def _amended(package: Package) -> Package:
    outgoing = replace(
        package.outgoing,
        version=5,
        amended_version=2,
        status=ReportState.SIGNED,
        mark=None,
        signature=_SIGNED,
    )
    return replace(package, outgoing=outgoing)


def _structured(package: Package, beside: tuple[ExportFormat, ...] = ()) -> bytes:
    """Return the structured report of an export of some formats; the others need not be made for it."""
    together = replace(package, beside=frozenset(kind.value for kind in beside))
    (file,) = export_files(together, [ExportFormat.SR])
    return file.content


def _read(package: Package, beside: tuple[ExportFormat, ...] = ()) -> Dataset:
    return dcmread(BytesIO(_structured(package, beside)))


def _container(document: Dataset, name: str) -> Dataset:
    return next(item for item in document.ContentSequence if _name(item) == name)


def _name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning) if "ConceptNameCodeSequence" in item else ""
