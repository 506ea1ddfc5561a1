"""DIMSE with a real Orthanc and a real dcmqrscp: echo, find, fetch both ways, send."""

from collections.abc import Callable
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import JPEGLSLossless

from service.pacs.config import DimseConfig, OwnConfig
from service.pacs.errors import PacsError
from service.pacs.query import Level, Query
from tests.pacs.clients import OUR_TITLE, node_of, of_dcmqrscp, of_orthanc, uids_in
from tests.pacs.dcmtk import storescu
from tests.pacs.orthanc import Orthanc
from tests.pacs.slices import ACCESSION, NAME, PATIENT_ID, SmallStudy, write_study

pytestmark = pytest.mark.pacs
ARCHIVES = ("orthanc", "dcmqrscp")


@pytest.fixture(params=ARCHIVES)
def archive(request: pytest.FixtureRequest) -> Callable[..., DimseConfig]:
    """Return the settings of an archive, by the way to fetch."""
    server = request.getfixturevalue(request.param)
    settings: Callable[..., DimseConfig] = of_orthanc if request.param == "orthanc" else of_dcmqrscp
    return lambda fetch="get": settings(server, fetch=fetch)


@pytest.fixture
def study(tmp_path: Path, archive: Callable[..., DimseConfig], dcmtk: None) -> SmallStudy:
    """Return a study that dcmtk has sent to the archive."""
    study = write_study(tmp_path / "sent", "dimse/first", date="20260704")
    write = archive()
    sent = storescu(write.port, study.folder, called=write.ae_title)
    assert sent.returncode == 0, sent.stderr
    return study


def test_echo(archive: Callable[..., DimseConfig]) -> None:
    node_of(archive()).echo()


@pytest.mark.parametrize(
    "query",
    [
        Query(date="20260701-20260731", modality="MR"),
        Query(date="20260704", patient_id=PATIENT_ID),
        Query(accession_number=ACCESSION),
        Query(date="-20260705", modality="MR"),
    ],
)
def test_find_by_what_a_study_has(archive: Callable[..., DimseConfig], study: SmallStudy, query: Query) -> None:
    rows = node_of(archive()).find(query).rows
    [row] = [row for row in rows if row.study_instance_uid == study.study_instance_uid]
    assert (row.date, row.patient_name, row.patient_id) == ("20260704", NAME, PATIENT_ID)
    assert row.instances in (None, len(study.files))


@pytest.mark.parametrize("query", [Query(date="20250101-20251231"), Query(patient_id="NOBODY")])
def test_find_nothing(archive: Callable[..., DimseConfig], study: SmallStudy, query: Query) -> None:
    assert node_of(archive()).find(query).rows == ()


def test_a_study_of_another_modality_is_not_found(orthanc: Orthanc, dcmtk: None, tmp_path: Path) -> None:
    node_of(of_orthanc(orthanc)).send(write_study(tmp_path, "dimse/mr").files)
    assert node_of(of_orthanc(orthanc)).find(Query(modality="CT")).rows == ()


def test_find_series(archive: Callable[..., DimseConfig], study: SmallStudy) -> None:
    query = Query(level=Level.SERIES, study_instance_uid=study.study_instance_uid)
    rows = node_of(archive()).find(query).rows
    assert sorted(row.series_number or 0 for row in rows) == [1, 2]
    assert {row.modalities for row in rows} == {("MR",)}


def test_a_long_answer_is_cut(orthanc: Orthanc, tmp_path: Path) -> None:
    node = node_of(of_orthanc(orthanc))
    for number in range(3):
        node.send(write_study(tmp_path / str(number), f"dimse/many/{number}", series=1, slices=1).files)
    found = node.find(Query(modality="MR", limit=2))
    assert (len(found.rows), found.is_cut) == (2, True)
    assert not node.find(Query(modality="MR", limit=3)).is_cut


@pytest.mark.parametrize("fetch", ["get", "move"])
def test_fetch(
    archive: Callable[..., DimseConfig], study: SmallStudy, fetch: str, our_port: int, tmp_path: Path
) -> None:
    node = node_of(archive(fetch), own=OwnConfig(OUR_TITLE, move_port=our_port))
    fetched = node.fetch(study.study_instance_uid, tmp_path / "fetched")
    assert fetched.is_whole, fetched.reason
    assert (fetched.expected, fetched.instances, fetched.new) == (6, 6, 6)
    assert uids_in(tmp_path / "fetched") == study.sop_instance_uids
    sent = {str(dataset.SOPInstanceUID): dataset for dataset in map(dcmread, study.files)}
    for file in (tmp_path / "fetched").iterdir():
        came = dcmread(file)
        assert came.PixelData == sent[came.SOPInstanceUID].PixelData
    again = node.fetch(study.study_instance_uid, tmp_path / "fetched")
    assert (again.is_whole, again.new, again.known, again.differing) == (True, 0, 6, 0)


def test_fetching_what_is_not_there_says_so(archive: Callable[..., DimseConfig], tmp_path: Path) -> None:
    with pytest.raises(PacsError, match="no study of this UID") as caught:
        node_of(archive()).fetch("1.2.3.4.5", tmp_path / "none")
    assert caught.value.code == "not_found"


def test_send_and_send_again(archive: Callable[..., DimseConfig], tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "dimse/sent")
    node = node_of(archive())
    for _ in range(2):
        outcomes = node.send(study.files)
        assert [outcome.file for outcome in outcomes] == list(study.files)
        assert all(outcome.is_stored for outcome in outcomes), outcomes
    fetched = node.fetch(study.study_instance_uid, tmp_path / "back")
    assert (fetched.instances, fetched.is_whole) == (6, True)


def test_what_is_no_dicom_is_told_and_the_rest_is_sent(orthanc: Orthanc, tmp_path: Path) -> None:
    study = write_study(tmp_path / "sent", "dimse/mixed")
    odd, absent = tmp_path / "notes.txt", tmp_path / "absent.dcm"
    odd.write_text("no image")
    outcomes = node_of(of_orthanc(orthanc)).send([odd, *study.files, absent])
    assert [outcome.is_stored for outcome in outcomes] == [False, *[True] * 6, False]
    assert (outcomes[0].reason, outcomes[-1].reason[:22]) == ("no DICOM file", "the file cannot be rea")
    assert orthanc.instances() == study.sop_instance_uids


@pytest.mark.parametrize("fetch", ["get", "move"])
def test_compressed_slices_go_and_come(orthanc: Orthanc, our_port: int, fetch: str, tmp_path: Path) -> None:
    study = _compressed(write_study(tmp_path / "sent", "dimse/compressed", series=1))
    node = node_of(of_orthanc(orthanc, fetch=fetch), own=OwnConfig(OUR_TITLE, move_port=our_port))
    assert all(outcome.is_stored for outcome in node.send(study.files))
    stored = {entry["ID"] for entry in orthanc.request("GET", "/instances?expand")}
    for key in stored:
        syntax = orthanc.request("GET", f"/instances/{key}/header?simplify")["TransferSyntaxUID"]
        assert syntax == JPEGLSLossless
    assert node.fetch(study.study_instance_uid, tmp_path / "fetched").is_whole
    assert uids_in(tmp_path / "fetched") == study.sop_instance_uids


def test_a_node_without_the_compression_gets_the_slices_uncompressed(
    archive: Callable[..., DimseConfig], tmp_path: Path
) -> None:
    """dcmqrscp takes uncompressed objects alone."""
    plain = write_study(tmp_path / "plain", "dimse/decompressed", series=1)
    pixels = {str(dataset.SOPInstanceUID): dataset.pixel_array.copy() for dataset in map(dcmread, plain.files)}
    study = _compressed(plain)
    node = node_of(archive())
    assert all(outcome.is_stored for outcome in node.send(study.files))
    assert node.fetch(study.study_instance_uid, tmp_path / "back").is_whole
    for file in (tmp_path / "back").iterdir():
        came = dcmread(file)
        assert (came.pixel_array == pixels.pop(str(came.SOPInstanceUID))).all()
    assert not pixels


def _compressed(study: SmallStudy) -> SmallStudy:
    for file in study.files:
        dataset = dcmread(file)
        dataset.compress(JPEGLSLossless, generate_instance_uid=False)
        dataset.save_as(file, enforce_file_format=True)
    return study
