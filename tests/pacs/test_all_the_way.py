"""The whole way, nothing faked: an archive forwards a study, it is read, the archive gets draft and signed report.

A study of the lumbar spine goes it in every run; necks and sacroiliac joints in the slow one.

Orthanc, the listener, the reading room and its worker with the shipped weights are processes of their own; what
came back is fetched again, judged by programs of others and compared with what the service keeps.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pypdf import PdfReader
from sqlalchemy import update

from grading.types import Findings
from imaging.dicom.segmentation import read_onto
from imaging.phantom import write_phantom_study
from reporting.dicom.sr_reading import read_report
from reporting.export.package import open_source, place_label_maps
from reporting.restored import restore_findings
from service.config import ServiceConfig
from service.export.gather import gather
from service.export.request import Format
from service.pacs.config import OwnConfig
from service.pacs.part10 import is_same
from service.pacs.query import Level, Query
from service.pacs.results import SYSTEM
from service.services import Services
from service.store.tables import PacsPush, StoredReading
from service.store.words import PushState
from tests.built_phantoms import built_phantom
from tests.pacs.arriving import deliveries, lines, pushes, studies
from tests.pacs.clients import OUR_TITLE, node_of, of_dcmqrscp
from tests.pacs.dcmtk import Dcmqrscp, storescu
from tests.pacs.house import FORMATS, OWNER, House, Room, entered_room, running_house
from tests.pacs.orthanc import Orthanc, missing, running_orthanc
from tests.pacs.slices import IDENTITY, NAME, identify
from tests.reporting.dicom.validators import dciodvfy, dcmtk

pytestmark = pytest.mark.pacs
DRAFT = "DRAFT - not reviewed, not signed"
STATES = ("draft", "signed")
_READ_S, _PUSH_S = 240.0, 120.0


@dataclass
class Way:
    """What came of it.

    Attributes:
        protocol: Of the study.
        house: SpineScribe, still running.
        services: Its database and files, opened here too.
        source: SOP Instance UIDs of the images.
        sent: State of the report -> UIDs of what the archive got of it.
        again: UIDs of all that the archive held after study and draft had been sent once more.
        findings: State of the report -> the findings that stood then.
    """

    protocol: str
    house: House
    services: Services
    source: set[str]
    sent: dict[str, set[str]] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    findings: dict[str, Findings] = field(default_factory=dict)

    @property
    def archive(self) -> Orthanc:
        """Return the archive."""
        return self.house.archive

    @property
    def waiting(self) -> list[Path]:
        """Return what arrived and is not taken in."""
        inbox = self.house.home / "work" / "pacs"
        return [file for name in ("arriving", "taking") for file in (inbox / name).rglob("*.dcm")]


@pytest.fixture(
    scope="module",
    params=["lumbar", *(pytest.param(name, marks=pytest.mark.slow) for name in ("cervical", "sacroiliac"))],
)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, dcmtk: None) -> Iterator[Way]:
    """Go the whole way once."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("whole-way")
    (folder / "house").mkdir()
    with running_orthanc() as archive, running_house(folder / "house", archive) as house:
        source = _send_phantom(request.param, folder / "phantom", archive)
        house.wait_for_listener()
        _forward(archive)
        house.wait_for_room()
        services = Services.open(ServiceConfig(home=house.home))
        way = Way(request.param, house, services, source)
        with entered_room(house) as room:
            _go_on(way, room)
        yield way
        services.close()


def _send_phantom(protocol: str, folder: Path, archive: Orthanc) -> set[str]:
    """Send a phantom with a name into the archive, as a scanner would; return its SOP Instance UIDs."""
    write_phantom_study(built_phantom(protocol), folder)
    files = sorted((folder / "dicom").rglob("*.dcm"))
    for file in files:
        identify(file)
    sent = storescu(archive.dicom_port, folder / "dicom", called=archive.ae_title)
    assert sent.returncode == 0, sent.stderr
    assert len(archive.instances()) == len(files)
    return archive.instances()


def _forward(archive: Orthanc) -> None:
    """Let the archive send us all that it holds of the study, what we made of it too."""
    (study,) = archive.request("GET", "/studies")
    archive.request("POST", f"/modalities/{OUR_TITLE}/store", {"Resources": [study], "Synchronous": True})


def _go_on(way: Way, room: Room) -> None:
    """From the images' arrival to the signed report in the archive."""
    house, services, archive = way.house, way.services, way.archive
    house.wait(lambda: any(item["status"] == "ready" for item in room.studies()), "a reading", _READ_S)
    (study,) = room.studies()
    _wait_for_pushes(way, 1)
    way.sent["draft"] = archive.instances() - way.source
    with services.database.read() as session:
        way.findings["draft"] = restore_findings(session.query(StoredReading).one().document)
    _forward(archive)
    house.wait(lambda: not way.waiting, "the end of the intake", 60)
    _push_again_after_a_crash(way)
    way.again = archive.instances()
    assert room.sign(study["id"])["status"] == "signed"
    _wait_for_pushes(way, 3)
    way.sent["signed"] = archive.instances() - way.again
    way.findings["signed"] = gather(services, SYSTEM, study["id"], Format.SR)[0].decided


def _push_again_after_a_crash(way: Way) -> None:
    """Kill the listener when the draft has been sent and that is not noted, and start it again."""
    way.house.kill_listener()
    with way.services.database.begin() as session:
        session.execute(update(PacsPush).values(state=PushState.WAITING.value, finished_at=None))
    way.house.start_listener()
    way.house.wait_for_listener()
    _wait_for_pushes(way, 2)


def _wait_for_pushes(way: Way, count: int) -> None:
    done = lambda: len(lines(way.services, "report.push")) == count  # noqa: E731
    way.house.wait(done, f"push {count}", _PUSH_S)


@pytest.fixture(scope="module")
def fetched(way: Way, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Return SOP Instance UID -> file, of all that ``spinescribe pacs fetch`` brings by DICOMweb."""
    return _fetch(way, "web", tmp_path_factory.mktemp("web"))


def _fetch(way: Way, node: str, folder: Path) -> dict[str, Path]:
    (study,) = way.archive.request("GET", "/studies?expand")
    uid = study["MainDicomTags"]["StudyInstanceUID"]
    way.house.command(
        "pacs", "fetch", uid, "--config", str(way.house.config), "--node", node, "--out", str(folder)
    )
    return {str(dcmread(file).SOPInstanceUID): file for file in folder.iterdir()}


def _of(way: Way, fetched: Mapping[str, Path], state: str, kind: str) -> list[Path]:
    """Return the files of a state and a SOP class."""
    files = [fetched[uid] for uid in sorted(way.sent[state])]
    return [file for file in files if dcmread(file, stop_before_pixels=True).SOPClassUID == kind]


def test_the_study_is_one_entry_however_often_it_comes(way: Way) -> None:
    (study,), (delivery,) = studies(way.services), deliveries(way.services)
    assert study.label.endswith(f"{len(way.source)} instances from {way.archive.ae_title}")
    assert (study.status, study.protocol) == ("ready", way.protocol)
    assert len(delivery.instances) == len(way.source)
    (line,) = lines(way.services, "study.arrive")
    assert (line.actor, line.details["is_broken_off"]) == (f"pacs:{way.archive.ae_title}", False)


def test_what_was_pushed_twice_is_one_object(way: Way) -> None:
    assert way.again == way.source | way.sent["draft"]
    assert [(push.status, push.state, push.cause) for push in pushes(way.services)] == [
        ("draft", "done", None),
        ("signed", "done", None),
    ]
    first, second, third = (dict(line.details) for line in lines(way.services, "report.push"))
    assert first == second
    assert (first["status"], first["files"], first["formats"]) == ("draft", len(way.sent["draft"]), list(FORMATS))
    assert (third["status"], third["files"]) == ("signed", len(way.sent["signed"]))


def test_every_way_of_fetching_gives_the_same(way: Way, fetched: Mapping[str, Path], tmp_path: Path) -> None:
    uids = way.source | way.sent["draft"] | way.sent["signed"]
    assert set(fetched) == uids
    by_get = _fetch(way, "archive", tmp_path)
    assert set(by_get) == uids
    for row in way.archive.request("GET", "/instances?expand"):
        uid = row["MainDicomTags"]["SOPInstanceUID"]
        stored = way.archive.file(row["ID"])
        assert is_same(stored, fetched[uid].read_bytes())
        assert is_same(stored, by_get[uid].read_bytes())


@pytest.mark.parametrize("fetch", ["get", "move"])
def test_another_archive_takes_and_gives_all_of_it(
    way: Way, fetched: Mapping[str, Path], dcmqrscp: Dcmqrscp, our_port: int, fetch: str, tmp_path: Path
) -> None:
    """dcmqrscp is of another make than Orthanc: the results as they are, stored, found and fetched."""
    node = node_of(of_dcmqrscp(dcmqrscp, fetch=fetch), own=OwnConfig(OUR_TITLE, move_port=our_port))
    assert all(outcome.is_stored for outcome in node.send(fetched.values()))
    uid = str(dcmread(next(iter(fetched.values())), stop_before_pixels=True).StudyInstanceUID)
    kinds = Counter(row.modalities[0] for row in node.find(Query(level=Level.SERIES, study_instance_uid=uid)).rows)
    series = {str(dcmread(fetched[uid], stop_before_pixels=True).SeriesInstanceUID) for uid in way.source}
    assert kinds["MR"] == len(series) > 1
    assert {"SEG", "SR", "DOC"} <= set(kinds)
    came = node.fetch(uid, tmp_path)
    assert (came.is_whole, came.instances) == (True, len(fetched)), came.reason
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert is_same(content, fetched[str(dcmread(file, stop_before_pixels=True).SOPInstanceUID)].read_bytes())


@pytest.mark.parametrize("state", STATES)
def test_all_kinds_came_and_are_valid(way: Way, fetched: Mapping[str, Path], state: str) -> None:
    counts = {}
    for kind in (
        SegmentationStorage,
        ComprehensiveSRStorage,
        EncapsulatedPDFStorage,
        SecondaryCaptureImageStorage,
    ):
        found = _of(way, fetched, state, kind)
        counts[kind] = len(found)
        for file in found:
            assert dciodvfy(file) == []
            assert dcmread(file, stop_before_pixels=True).PatientName == NAME
    assert list(counts.values())[:3] == [len(_label_maps(way)), 1, 1]
    assert counts[SecondaryCaptureImageStorage] >= 1
    assert sum(counts.values()) == len(way.sent[state])


def test_every_reference_is_in_the_archive(way: Way, fetched: Mapping[str, Path]) -> None:
    held = way.archive.instances()
    for uid in way.sent["draft"] | way.sent["signed"]:
        told = _references(dcmread(fetched[uid], stop_before_pixels=True))
        assert told & way.source
        assert told <= held


def _references(dataset: Dataset) -> set[str]:
    return {str(element.value) for element in dataset.iterall() if element.keyword == "ReferencedSOPInstanceUID"}


def _label_maps(way: Way) -> list[str]:
    """Return the label maps that the reading names: one an outlined series, never none."""
    with way.services.database.read() as session:
        found = [row["file"] for row in session.query(StoredReading).one().document["label_maps"]]
    assert found
    return found


@pytest.mark.parametrize("state", STATES)
def test_the_segmentation_is_the_kept_label_map(way: Way, fetched: Mapping[str, Path], state: str) -> None:
    (study,) = studies(way.services)
    _, request = gather(way.services, SYSTEM, study.id, Format.SEG)
    assert request.source is not None
    source = open_source(request.source, request.document)
    labels = place_label_maps(request.label_maps, request.document, source)
    files = _of(way, fetched, state, SegmentationStorage)
    assert len(files) == len(labels) == len(_label_maps(way))
    for file in files:
        seg = dcmread(file)
        (told,) = {
            item.id for item in source.study.series if _references(seg) & {str(uid) for uid in item.instance_uids}
        }
        placed = read_onto(io.BytesIO(file.read_bytes()), file.name, source.series(told))
        assert placed.is_same_grid
        np.testing.assert_array_equal(placed.array, labels[told])
        assert np.count_nonzero(seg.pixel_array) == np.count_nonzero(labels[told])


@pytest.mark.parametrize("state", STATES)
def test_the_structured_report_holds_the_findings(way: Way, fetched: Mapping[str, Path], state: str) -> None:
    (file,) = _of(way, fetched, state, ComprehensiveSRStorage)
    read, findings = read_report(file.read_bytes()), way.findings[state]
    assert [(item.id, item.grade, item.status, item.probabilities) for item in read.grades] == [
        (item.id, item.grade, item.status, item.probabilities) for item in findings.grades
    ]
    assert {item.id: item.value for item in read.measurements} == {
        item.id: item.value for item in findings.measurements
    }
    leads_to = {*read.documents, *read.key_images}
    beside = _of(way, fetched, state, EncapsulatedPDFStorage) + _of(
        way, fetched, state, SecondaryCaptureImageStorage
    )
    assert leads_to == {str(dcmread(file, stop_before_pixels=True).SOPInstanceUID) for file in beside}
    flags = (read.completion, read.verification, read.preliminary)
    shown = dcmtk("dsrdump", "+Pl", str(file)) + dcmtk("dsr2html", str(file))
    if state == "draft":
        assert flags == ("PARTIAL", "UNVERIFIED", "PRELIMINARY")
        assert read.mark == f"AI {DRAFT}"
        assert DRAFT in shown
    else:
        assert flags == ("COMPLETE", "VERIFIED", "FINAL")
        assert OWNER in shown
        assert DRAFT not in shown


@pytest.mark.parametrize("state", STATES)
def test_the_pdf_holds_mark_and_impression(way: Way, fetched: Mapping[str, Path], state: str) -> None:
    (file,) = _of(way, fetched, state, EncapsulatedPDFStorage)
    content = dcmread(file).EncapsulatedDocument
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(content)).pages]
    assert all((DRAFT in page) is (state == "draft") for page in pages)
    (sr,) = _of(way, fetched, state, ComprehensiveSRStorage)
    impression = [item.text for item in read_report(sr.read_bytes()).sentences if item.section == "impression"]
    assert impression
    text = re.sub(r"\s+", " ", " ".join(pages))
    for sentence in impression:
        assert sentence in text


def test_the_log_is_whole_and_tells_who_and_nothing_of_the_patient(way: Way) -> None:
    assert "intact" in way.house.command("audit", "verify")
    log = way.house.command("audit", "export")
    assert not [word for word in (*IDENTITY, *way.source) if word in log + way.house.written]
