"""The structured report: equal to Findings when read again, valid, its state visible, its references right."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import highdicom
import pytest
from pydicom import Dataset, dcmread

from imaging.types import SourceKind
from reporting.dicom.sr_items import clean_text
from reporting.dicom.sr_places import segments_of
from reporting.dicom.sr_reading import read_report
from reporting.dicom.sr_root import report_uids
from reporting.dicom.structured import sr_files
from reporting.export.content import DecisionLine, SignedBy, draft_of
from reporting.export.formats import DICOM, export_files
from reporting.export.package import Package, Source, load_package
from reporting.types import ReportSection, ReportState
from runtime.errors import ReportError, StudyError
from tests.read_phantoms import ReadPhantom
from tests.reporting.dicom.reread import assert_equals_findings
from tests.reporting.dicom.validators import dciodvfy, dcmtk

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")
SIGNED_AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOSTILE = "Диск L4-L5 \x00\x1b[31m\x07 椎間板 \ud800 a\\b^c=d\n" + "very long " * 900
CAN_HOLD = clean_text(HOSTILE)


@dataclass(frozen=True)
class Made:
    """A package and its structured report."""

    package: Package
    content: bytes

    @property
    def dataset(self) -> Dataset:
        """Return the report as a data set."""
        return dcmread(BytesIO(self.content))


@pytest.fixture(scope="module")
def reports(phantoms: Callable[[str], ReadPhantom]) -> Callable[[str], Made]:
    """Return what gives the draft of a protocol's phantom."""

    @cache
    def make(protocol: str) -> Made:
        made = phantoms(protocol)
        return _made(load_package(made.reading / "reading.json", made.archive))

    return make


@pytest.fixture(scope="module")
def signed(reports: Callable[[str], Made]) -> Made:
    """Return a signed report."""
    package = reports("sacroiliac").package
    outgoing = replace(
        package.outgoing,
        status=ReportState.SIGNED,
        version=2,
        mark=None,
        at=SIGNED_AT,
        standing="Signed by Dr. Ana Müller on 2026-03-04.",
        signature=SignedBy("Dr. Ana Müller", SIGNED_AT),
    )
    return _made(replace(package, outgoing=outgoing))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_read_again_it_equals_findings(reports: Callable[[str], Made], protocol: str) -> None:
    made = reports(protocol)
    assert_equals_findings(read_report(made.content), made.package.outgoing.findings)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_it_holds_the_report_and_what_each_sentence_states(reports: Callable[[str], Made], protocol: str) -> None:
    made = reports(protocol)
    outgoing, read = made.package.outgoing, read_report(made.content)
    assert [(item.section, item.text, item.finding_ids) for item in read.sentences] == [
        (section.name, sentence.text, sentence.finding_ids)
        for section in outgoing.report.sections
        for sentence in section.sentences
    ]
    assert set(outgoing.notices) <= set(read.notices)
    assert read.notices[0].startswith("Research use only.")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dciodvfy_finds_no_error(reports: Callable[[str], Made], protocol: str, tmp_path: Path) -> None:
    file = tmp_path / "report.dcm"
    file.write_bytes(reports(protocol).content)
    assert dciodvfy(file) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dcmtk_shows_levels_and_the_mark(reports: Callable[[str], Made], protocol: str, tmp_path: Path) -> None:
    made = reports(protocol)
    file = tmp_path / "report.dcm"
    file.write_bytes(made.content)
    for shown in (dcmtk("dsrdump", "+Pl", str(file)), dcmtk("dsr2html", str(file))):
        assert "AI DRAFT - not reviewed, not signed" in shown
        assert "PRELIMINARY" in shown.upper()
        for level in made.package.outgoing.findings.levels:
            assert (level.name.replace("-", "/") if "-" in level.name else "Sacroiliac joint") in shown


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_highdicom_reads_it(reports: Callable[[str], Made], protocol: str) -> None:
    made = reports(protocol)
    read = highdicom.sr.srread(BytesIO(made.content))
    findings = made.package.outgoing.findings
    planar = read.content.get_planar_roi_measurement_groups()
    assert len(planar) == sum(grade.evidence is not None for grade in findings.grades)
    assert {str(group.tracking_identifier) for group in planar} <= {grade.id for grade in findings.grades}
    assert read.content.get_volumetric_roi_measurement_groups()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_reference_is_in_the_source_or_the_seg(reports: Callable[[str], Made], protocol: str) -> None:
    made = reports(protocol)
    instances = made.package.require_source().instances
    segments = {item.sop_instance_uid: item for item in segments_of(made.package).values()}
    listed = {
        str(item.ReferencedSOPInstanceUID): str(series.SeriesInstanceUID)
        for study in made.dataset.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert set(listed) == set(instances) | set(segments)
    for uid, series_uid in listed.items():
        there = instances[uid].SeriesInstanceUID if uid in instances else segments[uid].series_instance_uid
        assert series_uid == there
    referenced = list(_references(made.dataset))
    assert set(instances) <= {str(item.ReferencedSOPInstanceUID) for item in referenced} <= set(listed)
    for item in referenced:
        uid = str(item.ReferencedSOPInstanceUID)
        if uid in instances:
            assert item.ReferencedSOPClassUID == instances[uid].SOPClassUID
        else:
            assert int(item.ReferencedSegmentNumber) in segments[uid].numbers.values()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_box_lies_on_its_slice_and_in_its_image(reports: Callable[[str], Made], protocol: str) -> None:
    made = reports(protocol)
    source = made.package.require_source()
    for ours, theirs in zip(made.package.outgoing.findings.grades, read_report(made.content).grades, strict=True):
        if ours.evidence is None or theirs.box is None:
            continue
        series = source.series(ours.evidence.series_id)
        assert theirs.instance_uid == series.instance_uids[ours.evidence.slice_index]
        instance = source.instances[str(theirs.instance_uid)]
        left, top, right, bottom = theirs.box
        assert 0 <= left < right <= instance.Columns
        assert 0 <= top < bottom <= instance.Rows


def test_measurements_rest_on_the_segment_of_their_structure(reports: Callable[[str], Made]) -> None:
    made = reports("lumbar")
    segments = segments_of(made.package)["S2"]
    heights = [item for item in read_report(made.content).measurements if item.name == "disc_height"]
    found = {item.level: item.segment for item in heights}
    assert found["L4-L5"] == (segments.sop_instance_uid, segments.numbers[202])
    assert found["L5-S1"] == (segments.sop_instance_uid, segments.numbers[201])


def test_the_segments_are_those_of_the_seg(reports: Callable[[str], Made]) -> None:
    segmentation = pytest.importorskip("reporting.dicom.segmentation", reason="the SEG export is not there")
    made = reports("sacroiliac")
    package = made.package
    told = segments_of(package)
    followed: set[str] = set()
    for file in segmentation.seg_files(package):
        seg = dcmread(BytesIO(file.content))
        segments = told[Path(file.name).stem]
        assert (seg.SOPInstanceUID, seg.SeriesInstanceUID) == (
            segments.sop_instance_uid,
            segments.series_instance_uid,
        )
        assert [int(item.SegmentNumber) for item in seg.SegmentSequence] == list(segments.numbers.values())
        followed |= {str(item.TrackingUID) for item in seg.SegmentSequence}
    read = highdicom.sr.srread(BytesIO(made.content))
    measured = {str(group.tracking_uid) for group in read.content.get_volumetric_roi_measurement_groups()}
    assert measured
    assert measured <= followed


def test_a_frame_of_a_multi_frame_instance_is_named(reports: Callable[[str], Made]) -> None:
    package = reports("sacroiliac").package
    source = package.require_source()
    series = [
        replace(
            item,
            instance_uids=(item.instance_uids[0],) * len(item.instance_uids),
            frame_numbers=tuple(range(1, len(item.instance_uids) + 1)),
        )
        for item in source.study.series
    ]
    many = Source(source.path, replace(source.study, series=tuple(series)))
    for uid, instance in source.instances.items():
        if uid in {item.instance_uids[0] for item in series}:
            enhanced = Dataset()
            enhanced.update(instance)
            enhanced.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4.1"
            many.instances[uid] = enhanced
    read = read_report(_made(replace(package, source=many)).content)
    for ours, theirs in zip(package.outgoing.findings.grades, read.grades, strict=True):
        assert theirs.frame == (None if ours.evidence is None else ours.evidence.slice_index + 1)


def test_a_draft_says_so_everywhere(reports: Callable[[str], Made]) -> None:
    dataset = reports("sacroiliac").dataset
    assert (dataset.CompletionFlag, dataset.VerificationFlag, dataset.PreliminaryFlag) == (
        "PARTIAL", "UNVERIFIED", "PRELIMINARY",
    )  # fmt: skip
    assert "VerifyingObserverSequence" not in dataset
    assert "AI DRAFT" in dataset.SeriesDescription
    text = [item for item in dataset.ContentSequence if item.ValueType == "TEXT" and "TextValue" in item]
    first = next(item for item in text if item.RelationshipType == "CONTAINS")
    assert first.TextValue == "AI DRAFT - not reviewed, not signed"


def test_a_signed_report_is_verified_by_who_signed(signed: Made, tmp_path: Path) -> None:
    dataset, read = signed.dataset, read_report(signed.content)
    assert (read.completion, read.verification, read.preliminary) == ("COMPLETE", "VERIFIED", "FINAL")
    assert "DRAFT" not in dataset.SeriesDescription
    assert read.mark == "Signed by Dr. Ana Müller on 2026-03-04."
    (observer,) = dataset.VerifyingObserverSequence
    assert observer.VerifyingObserverName == "Dr. Ana Müller^"
    assert observer.VerifyingOrganization == "Not stated"
    assert observer.VerificationDateTime == "20260304050607+0000"
    assert (dataset.ContentDate, dataset.ContentTime) == ("20260304", "050607")
    file = tmp_path / "signed.dcm"
    file.write_bytes(signed.content)
    assert dciodvfy(file) == []
    assert "Dr. Ana" in dcmtk("dsrdump", str(file))


def test_an_amended_report_is_a_draft_again(signed: Made) -> None:
    outgoing = replace(signed.package.outgoing, status=ReportState.AMENDED, mark="DRAFT - opened for amendment")
    read = read_report(_made(replace(signed.package, outgoing=outgoing)).content)
    assert (read.completion, read.verification, read.preliminary) == ("PARTIAL", "UNVERIFIED", "PRELIMINARY")
    assert read.mark == "AI DRAFT - opened for amendment"


def test_uids_are_the_same_for_the_same_report_only(reports: Callable[[str], Made], signed: Made) -> None:
    made = reports("sacroiliac")
    again = _made(made.package).dataset
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        assert made.dataset[keyword].value == again[keyword].value
        assert made.dataset[keyword].value != signed.dataset[keyword].value
    assert (
        list(_tracking_uids(made.dataset)) == list(_tracking_uids(again)) == list(_tracking_uids(signed.dataset))
    )


def test_an_export_is_the_same_every_time_byte_for_byte(signed: Made) -> None:
    package = replace(signed.package, beside=frozenset())
    first, second = (export_files(package, DICOM) for _ in range(2))
    assert {file.name.partition("/")[0] for file in first} == {"seg", "sr", "dicom-pdf", "key-images"}
    assert first == second
    for file in first:
        made = dcmread(BytesIO(file.content))
        assert (made.InstanceCreationDate, made.InstanceCreationTime) == ("20260304", "050607")


def test_another_reading_of_the_study_is_another_object(signed: Made) -> None:
    document = dict(signed.package.document)
    document["provenance"] = document["provenance"] | {"config_hash": "0" * 64}
    first, second = (draft_of(item, SIGNED_AT) for item in (signed.package.document, document))
    uids = {report_uids(replace(signed.package, outgoing=item))[1] for item in (first, second)}
    assert len(uids) == 2


def test_hostile_text_survives_or_is_cleaned(reports: Callable[[str], Made], tmp_path: Path) -> None:
    package = reports("sacroiliac").package
    sections = tuple(
        ReportSection(item.name, tuple(replace(sentence, text=HOSTILE) for sentence in item.sentences))
        for item in package.outgoing.report.sections
    )
    decision = DecisionLine("g1", "left joint", "said normal", HOSTILE, "a reader", "2026-03-04")
    outgoing = replace(
        package.outgoing,
        report=replace(package.outgoing.report, sections=sections),
        notices=(HOSTILE, "", "\x00\x01"),
        alert="Внимание",
        decisions=(decision,),
    )
    made = _made(replace(package, outgoing=outgoing))
    dataset, read = made.dataset, read_report(made.content)
    assert dataset.SpecificCharacterSet == "ISO_IR 192"
    expected = CAN_HOLD.replace("\r\n", "\n")
    assert expected.startswith("Диск L4-L5   [31m  椎間板 \N{REPLACEMENT CHARACTER} a\\b^c=d\nvery long")
    assert {sentence.text for sentence in read.sentences} == {expected}
    assert read.notices[1:] == ("Внимание", expected)
    file = tmp_path / "hostile.dcm"
    file.write_bytes(made.content)
    assert dciodvfy(file) == []
    assert "椎間板" in dcmtk("dsr2html", str(file))


def test_the_patient_comes_from_the_source_in_another_character_set(reports: Callable[[str], Made]) -> None:
    package = reports("sacroiliac").package
    source = package.require_source()
    first, *others = source.instances.items()
    latin = Dataset()
    latin.update(first[1])
    latin.SpecificCharacterSet, latin.PatientName = "ISO_IR 100", "Müller^Äda"
    latin.PatientSex, latin.StudyDate = "X", ""
    del latin.PatientBirthDate
    changed = Source(source.path, source.study)
    changed.instances.clear()
    changed.instances.update({first[0]: latin, **dict(others)})
    dataset = _made(replace(package, source=changed)).dataset
    assert dataset.PatientName == "Müller^Äda"
    assert dataset.PatientID == latin.PatientID
    assert dataset.StudyInstanceUID == latin.StudyInstanceUID
    assert (dataset.PatientSex, dataset.PatientBirthDate) == ("X", "")


def test_decisions_are_in_the_text(reports: Callable[[str], Made]) -> None:
    package = reports("sacroiliac").package
    line = DecisionLine("g1", "left joint", "said normal", "rejected", "a reader", "2026-03-04")
    content = _made(replace(package, outgoing=replace(package.outgoing, decisions=(line,)))).content
    assert b"left joint: the machine said normal; rejected (2026-03-04)." in content


def test_without_a_study_or_without_dicom_it_says_what_it_needs(reports: Callable[[str], Made]) -> None:
    package = reports("sacroiliac").package
    with pytest.raises(StudyError, match="--source"):
        sr_files(replace(package, source=None))
    source = package.require_source()
    picture = Source(source.path, replace(source.study, source=SourceKind.PICTURE))
    with pytest.raises(StudyError, match="expected a DICOM study, found picture"):
        sr_files(replace(package, source=picture))


def test_what_is_not_ours_is_refused(reports: Callable[[str], Made]) -> None:
    made = reports("sacroiliac")
    with pytest.raises(ReportError, match="found no measurement group"):
        read_report(_empty())
    changed = made.content.replace(b"scale-asstage", b"scale-unknown")
    with pytest.raises(ReportError, match="expected a scale and its step"):
        read_report(changed)
    with pytest.raises(ReportError, match=re.escape("expected the code of a condition")):
        read_report(made.content.replace(b"55146009", b"55146008"))


def _made(package: Package) -> Made:
    (file,) = sr_files(package)
    assert (file.name, file.media_type) == ("sr/report.dcm", "application/dicom")
    return Made(package, file.content)


def _empty() -> bytes:
    dataset = Dataset()
    dataset.PatientName = "A^B"
    stream = BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def _references(item: Dataset) -> Iterator[Dataset]:
    for child in item.get("ContentSequence", ()):
        yield from child.get("ReferencedSOPSequence", ())
        yield from _references(child)


def _tracking_uids(item: Dataset) -> Iterator[str]:
    for child in item.get("ContentSequence", ()):
        if child.ValueType == "UIDREF" and child.ConceptNameCodeSequence[0].CodeValue == "112040":
            yield str(child.UID)
        yield from _tracking_uids(child)
