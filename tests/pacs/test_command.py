"""``spinescribe pacs`` with a real Orthanc: what it prints, where, and its exit codes."""

from pathlib import Path

import pytest
import yaml

from cli.main import main
from tests.pacs.clients import OUR_TITLE, SECRET, uids_in
from tests.pacs.orthanc import Orthanc
from tests.pacs.ports import LOOPBACK, free_port
from tests.pacs.slices import IDENTITY, NAME, SmallStudy, write_study

pytestmark = [pytest.mark.pacs, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]
NODES = ("archive", "web")


@pytest.fixture
def config(orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a configuration of Orthanc's both sides and of a dead node."""
    monkeypatch.setenv(SECRET, orthanc.password)
    dead = {"kind": "dimse", "host": LOOPBACK, "port": free_port(), "ae_title": "DEAD", "attempts": 1}
    archive = {"kind": "dimse", "host": LOOPBACK, "port": orthanc.dicom_port, "ae_title": orthanc.ae_title}
    web = {"kind": "dicomweb", "url": orthanc.dicomweb_url, "user": orthanc.user, "secret_variable": SECRET}
    file = tmp_path / "pacs.yaml"
    nodes = {"archive": archive, "web": web, "dead": dead}
    file.write_text(yaml.safe_dump({"own": {"ae_title": OUR_TITLE}, "nodes": nodes}))
    return str(file)


@pytest.fixture
def study(tmp_path: Path) -> SmallStudy:
    return write_study(tmp_path / "sent", "command/study")


@pytest.mark.parametrize("node", NODES)
def test_send_find_and_fetch(
    node: str, config: str, study: SmallStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--config", config, "--node", node]
    assert main(["pacs", "echo", *where]) == 0
    assert main(["pacs", "send", *where, str(study.folder)]) == 0
    assert "6 of 6 files sent" in capsys.readouterr().out
    assert main(["pacs", "find", *where, "--date", "20260704", "--modality", "MR"]) == 0
    header, line = capsys.readouterr().out.splitlines()
    row = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    assert (row["patient_name"], row["instances"]) == (NAME, "6")
    assert main(["pacs", "fetch", *where, row["study_instance_uid"], "--out", str(tmp_path / "in")]) == 0
    assert "6 instances (of 6), 6 new" in capsys.readouterr().out
    assert uids_in(tmp_path / "in") == study.sop_instance_uids


@pytest.mark.parametrize("level", ["study", "series"])
def test_without_identity(level: str, config: str, study: SmallStudy, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", config, "--node", "archive"]
    main(["pacs", "send", *where, str(study.folder)])
    capsys.readouterr()
    words = ["--no-identity", "--level", level, "--study", study.study_instance_uid]
    assert main(["pacs", "find", *where, *words]) == 0
    printed = capsys.readouterr()
    assert study.study_instance_uid in printed.out or level == "series"
    for word in IDENTITY:
        assert word not in printed.out + printed.err


@pytest.mark.parametrize(
    "words", [["echo"], ["find", "--modality", "MR"], ["fetch", "1.2.3", "--out", "x"], ["send", "SENT"]]
)
def test_a_dead_node_is_told_with_exit_code_2(
    words: list[str],
    config: str,
    study: SmallStudy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ready = [str(study.folder) if word == "SENT" else word for word in words]
    assert main(["pacs", ready[0], "--config", config, "--node", "dead", *ready[1:]]) == 2
    told = capsys.readouterr().err
    assert "nothing listens there" in told
    assert len(told.splitlines()) == 1


def test_what_was_not_sent_is_told(
    config: str, study: SmallStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "notes.txt"
    odd.write_text("no image")
    where = ["--config", config, "--node", "archive"]
    assert main(["pacs", "send", *where, str(study.folder), str(odd)]) == 2
    printed = capsys.readouterr()
    assert "notes.txt: not sent: no DICOM file" in printed.err
    assert "6 of 7 files sent" in printed.out
    (tmp_path / "empty").mkdir()
    assert main(["pacs", "send", *where, str(tmp_path / "empty")]) == 2
    assert "nothing to send" in capsys.readouterr().err


def test_a_study_that_is_not_there(config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--config", config, "--node", "web"]
    assert main(["pacs", "fetch", *where, "1.2.3", "--out", str(tmp_path / "in")]) == 2
    assert "no study of this UID" in capsys.readouterr().err
