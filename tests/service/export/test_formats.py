"""Every format through the service: of the report as decided, in a process of its own when images are opened."""

import hashlib
import io
import json
import signal
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydicom import dcmread
from pydicom.uid import Comprehensive3DSRStorage
from sqlalchemy import select

from imaging.limits import Limits
from reporting.dicom.sr_reading import read_report
from reporting.export import formats
from reporting.export.archive import read_zip
from reporting.export.classes import Classes, SRClass
from reporting.export.formats import ExportFormat
from reporting.export.package import ExportedFile, Package
from runtime.errors import StudyError
from service.accounts.actor import Actor
from service.api import exports
from service.errors import BusyError, InvalidError, NotFoundError, ServiceError
from service.export import Exported, Format, build_outgoing, export_report, isolated
from service.export.gather import gather
from service.export.make import make_export
from service.export.request import Request
from service.review import decisions
from service.review.case import Case
from service.review.change import open_case
from service.services import Services
from service.store.tables import AuditEntry
from service.store.words import Verdict
from tests.read_phantoms import ReadPhantom
from tests.service.conftest import add_study
from tests.service.export.kept import keep, unzipped


@pytest.fixture
def study(services: Services, radiologist: Actor, phantoms: Callable[[str], ReadPhantom]) -> str:
    """Return a study with its upload and the files of its reading."""
    return keep(services, radiologist, phantoms("sacroiliac"))


def test_the_service_has_all_formats_of_the_library_under_their_names() -> None:
    assert {kind.value for kind in Format} == {kind.value for kind in ExportFormat} | {"json", "all"}
    assert all(Format[kind.name].value == kind.value for kind in ExportFormat)


def request_of(services: Services, case: Case, made: ReadPhantom, kind: Format) -> Request:
    """Return a request as the service makes it."""
    files = {file.name: file for file in made.reading.iterdir()}
    return Request((kind,), build_outgoing(case), case.decided_document, made.archive, files, Limits())


def bytes_of(exported: Exported) -> bytes:
    return b"".join(exported.chunks())


def fake_of(kind: ExportFormat, package: Package) -> tuple[ExportedFile, ...]:
    """Stand in for a format: tells what it was given."""
    if kind is ExportFormat.SR:
        raise StudyError("nothing to state")
    given = f"{package.outgoing.mark} {sorted(package.label_maps)} {package.source is not None}"
    return (ExportedFile(f"{kind.value}.txt", "text/plain", given.encode()),)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put stand-ins in the place of all formats, in this process."""
    homes = {}
    for kind in ExportFormat:
        monkeypatch.setattr(sys.modules[__name__], f"fake_{kind.name}", partial(fake_of, kind), raising=False)
        homes[kind] = f"{__name__}:fake_{kind.name}"
    monkeypatch.setattr(formats, "_HOMES", homes)


def test_bids_leaves_as_decided_and_marked(services: Services, radiologist: Actor, study: str) -> None:
    case = open_case(services, radiologist, study)
    graded = next(grade for grade in case.machine.reported if grade.grade is not None)
    decisions.decide(services, radiologist, study, 1, [graded.id], Verdict.REJECT)
    exported = export_report(services, radiologist, study, Format.BIDS)
    assert exported.media_type == "application/zip"
    assert exported.name.startswith("report-draft-")
    assert exported.name.endswith("-bids.zip")
    files = unzipped(bytes_of(exported))
    assert sum(name.endswith("_dseg.nii.gz") for name in files) == 2
    assert b"DRAFT" in files["bids/README"]
    (table,) = (content for name, content in files.items() if name.endswith("_findings.tsv"))
    (row,) = (line for line in table.decode().splitlines() if line.startswith(f"{graded.id}\t"))
    assert "not_assessable" in row
    assert "rejected by a reader" in row
    assert list(services.config.work_dir.iterdir()) == []


def test_each_export_is_audited_with_its_sum(services: Services, radiologist: Actor, study: str) -> None:
    exported = export_report(services, radiologist, study, Format.BIDS)
    with services.database.read() as session:
        (line,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "report.export")).all()
    assert line.details["format"] == "bids"
    assert line.details["sha256"] == hashlib.sha256(bytes_of(exported)).hexdigest()
    assert line.details["status"] == "draft"


def test_everything_leaves_through_the_process(services: Services, radiologist: Actor, study: str) -> None:
    """All formats as they are, made without the right to write, to start programs or to use the network."""
    with export_report(services, radiologist, study, Format.ALL).stream as stream:
        stream.seek(0)
        files = unzipped(stream.read())
    assert json.loads(files["export.json"])["left_out"] == {}
    assert {name.partition("/")[0] for name in files if "/" in name} >= {
        "csv", "seg", "sr", "dicom-pdf", "key-images", "fhir", "bids",
    }  # fmt: skip
    assert {name.rpartition(".")[2] for name in files if "/" not in name} == {"json", "md", "html", "pdf", "docx"}
    for name in ("seg/S1.dcm", "seg/S2.dcm", "sr/report.dcm", "dicom-pdf/report.dcm", "key-images/1.dcm"):
        assert files[name][128:132] == b"DICM"


def test_what_is_sent_together_is_led_to_by_the_structured_report(
    services: Services, radiologist: Actor, study: str, phantoms: Callable[[str], ReadPhantom]
) -> None:
    request = request_of(services, open_case(services, radiologist, study), phantoms("sacroiliac"), Format.SR)
    both = replace(request, kinds=(Format.SR, Format.DICOM_PDF), classes=Classes(SRClass.COMPREHENSIVE_3D))
    files = isolated.isolated_files(both, services.config.work_dir)
    content = {name.partition("/")[0]: file for name, file in files.items() if name.endswith(".dcm")}
    read = read_report(content["sr"])
    assert dcmread(io.BytesIO(content["sr"])).SOPClassUID == Comprehensive3DSRStorage
    assert read.documents == (str(dcmread(io.BytesIO(content["dicom-pdf"])).SOPInstanceUID),)
    assert read.key_images == ()


@pytest.mark.usefixtures("fakes")
def test_everything_is_one_zip_that_says_what_it_lacks(
    services: Services, radiologist: Actor, study: str, phantoms: Callable[[str], ReadPhantom]
) -> None:
    case = open_case(services, radiologist, study)
    stream = io.BytesIO()
    answer = make_export(request_of(services, case, phantoms("sacroiliac"), Format.ALL), stream)
    assert answer.left_out == {"sr": "nothing to state"}
    files = unzipped(stream.getvalue())
    assert len(files) == len(ExportFormat)  # all but SR, and the index
    assert files["seg.txt"].endswith(b"['S1', 'S2'] True")
    assert json.loads(files["export.json"])["left_out"] == answer.left_out


def test_several_formats_leave_as_one_export(services: Services, radiologist: Actor, study: str) -> None:
    _, request = gather(services, radiologist, study, Format.SR, Format.SEG)
    files = isolated.isolated_files(request, services.config.work_dir)
    assert next(iter(files)) == "sr/report.dcm"
    assert set(files) == {"sr/report.dcm", "seg/S1.dcm", "seg/S2.dcm"}
    assert read_report(files["sr/report.dcm"]).mark == "AI DRAFT - not reviewed, not signed"


@pytest.mark.usefixtures("fakes")
def test_of_several_formats_all_leave_or_none(
    services: Services, radiologist: Actor, study: str, phantoms: Callable[[str], ReadPhantom]
) -> None:
    case = open_case(services, radiologist, study)
    request = request_of(services, case, phantoms("sacroiliac"), Format.SEG)
    stream = io.BytesIO()
    answer = make_export(replace(request, kinds=(Format.SEG, Format.DICOM_PDF)), stream)
    assert answer.name.endswith("-seg-dicom-pdf.zip")
    assert read_zip(stream, 10**6).keys() == {"seg.txt", "dicom-pdf.txt"}
    with pytest.raises(StudyError, match="nothing to state"):
        make_export(replace(request, kinds=(Format.SEG, Format.SR)), io.BytesIO())


@pytest.mark.parametrize("content", [b"no zip", None])
def test_files_that_a_process_could_not_have_made_are_refused(
    services: Services, radiologist: Actor, study: str, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No zip, and one that says that it holds more than a study may."""
    stream = io.BytesIO(content or b"")
    if content is None:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x/bomb.dcm", bytes(10**6))
    _, request = gather(services, radiologist, study, Format.SEG)
    bounded = replace(request, limits=replace(request.limits, study_bytes=10**5))
    monkeypatch.setattr(isolated, "export_isolated", lambda *_: (None, stream))
    with pytest.raises(ServiceError, match="no usable files"):
        isolated.isolated_files(bounded, services.config.work_dir)


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("kind", [Format.PDF, Format.DOCX, Format.MARKDOWN, Format.HTML])
def test_formats_of_one_file_leave_as_it_is(
    services: Services, radiologist: Actor, study: str, phantoms: Callable[[str], ReadPhantom], kind: Format
) -> None:
    stream = io.BytesIO()
    case = open_case(services, radiologist, study)
    answer = make_export(request_of(services, case, phantoms("sacroiliac"), kind), stream)
    assert answer.name == f"{kind.value}.txt"
    assert b"DRAFT" in stream.getvalue()


@pytest.mark.usefixtures("fakes")
def test_a_study_that_cannot_be_opened_again_stops_only_what_needs_it(
    services: Services, radiologist: Actor, study: str, phantoms: Callable[[str], ReadPhantom]
) -> None:
    case = open_case(services, radiologist, study)
    other = request_of(services, case, phantoms("lumbar"), Format.PDF)  # another study's images
    stream = io.BytesIO()
    answer = make_export(other, stream)
    assert "found another" in answer.left_out["images"]
    assert stream.getvalue().endswith(b"[] False")
    with pytest.raises(StudyError, match="found another"):
        make_export(replace(other, kinds=(Format.SEG,)), io.BytesIO())


def test_an_upload_that_was_changed_is_told(services: Services, radiologist: Actor, study: str) -> None:
    case = open_case(services, radiologist, study)
    bad = services.blobs.put(b"no study at all")
    request = Request(
        (Format.BIDS,), build_outgoing(case), case.decided_document, services.blobs.path(bad.sha256), {}, Limits()
    )
    with pytest.raises(StudyError, match="expected a PNG, JPEG or TIFF picture"):
        isolated.export_isolated(request, services.config.work_dir)
    assert list(services.config.work_dir.iterdir()) == []


def test_an_export_that_takes_too_long_is_stopped(
    services: Services,
    radiologist: Actor,
    study: str,
    phantoms: Callable[[str], ReadPhantom],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolated, "START_S", 0.0)
    request = request_of(services, open_case(services, radiologist, study), phantoms("sacroiliac"), Format.BIDS)
    with pytest.raises(ServiceError, match="took too long"):
        isolated.export_isolated(replace(request, limits=Limits(seconds=0.05)), services.config.work_dir)
    assert list(services.config.work_dir.iterdir()) == []


@pytest.mark.parametrize(("code", "words"), [(-signal.SIGKILL, "ended without"), (0, "gave no answer")])
def test_a_process_that_dies_is_told(code: int, words: str) -> None:
    with pytest.raises(ServiceError, match=words):
        isolated._answer(io.BytesIO(b"not an answer"), code)


def test_only_a_few_are_made_at_one_time(services: Services, radiologist: Actor, study: str) -> None:
    with isolated._slot(), isolated._slot(), pytest.raises(BusyError) as caught:
        export_report(services, radiologist, study, Format.BIDS)
    assert caught.value.retry_after_s > 0


def test_what_is_no_dicom_leaves_no_dicom(
    services: Services, radiologist: Actor, document: dict[str, Any], client_of: Callable[..., TestClient]
) -> None:
    picture = document | {"study": document["study"] | {"source": "picture"}}
    with services.database.begin() as session:
        study = add_study(session, radiologist, picture)[0].id
    client = client_of([exports.router], radiologist)
    for kind in ("seg", "sr", "dicom-pdf", "key-images"):
        answer = client.get(f"/api/v1/studies/{study}/export/{kind}")
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "no_dicom"
        assert "expected a DICOM study, found picture" in answer.json()["error"]["message"]


def test_images_that_are_not_kept_are_told(
    services: Services, radiologist: Actor, stranger: Actor, document: dict[str, Any]
) -> None:
    with services.database.begin() as session:
        study = add_study(session, radiologist, document)[0].id
    with pytest.raises(InvalidError, match="not kept"):
        export_report(services, radiologist, study, Format.SEG)
    assert export_report(services, radiologist, study, Format.PDF).content.startswith(b"%PDF")
    with pytest.raises(NotFoundError):
        export_report(services, stranger, study, Format.ALL)


def test_without_images_everything_else_leaves(
    services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    with services.database.begin() as session:
        study = add_study(session, radiologist, document)[0].id
    files = unzipped(export_report(services, radiologist, study, Format.ALL).content)
    left_out = json.loads(files["export.json"])["left_out"]
    assert set(left_out) == {"seg", "sr", "dicom-pdf", "key-images", "bids"}
    assert "csv/grades.csv" in files
    assert unzipped(export_report(services, radiologist, study, Format.CSV).content).keys() == {
        name for name in files if name.startswith("csv/")
    } | {"export.json"}
    with services.database.read() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.action == "report.export")).all()
    assert [line.details.get("left_out") for line in lines] == [sorted(left_out), None]


def test_the_route_streams_the_zip(
    services: Services, radiologist: Actor, study: str, client_of: Callable[..., TestClient]
) -> None:
    answer = client_of([exports.router], radiologist).get(f"/api/v1/studies/{study}/export/bids")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert answer.headers["X-Report-Status"] == "draft"
    assert 'filename="report-draft-' in answer.headers["Content-Disposition"]
    assert "bids/dataset_description.json" in unzipped(answer.content)


def test_a_file_goes_when_its_reader_went(services: Services, radiologist: Actor, study: str) -> None:
    exported = export_report(services, radiologist, study, Format.BIDS)
    pieces = exported.chunks()
    assert next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert exported.stream.closed
