"""``spinescribe pacs listen`` as a process of its own, and how results reach a node of the configuration."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from cli.main import main
from runtime.errors import ConfigError
from service.pacs.errors import PacsError
from service.pacs.outcome import Outcome
from service.pacs.sending import send_all, send_to
from service.services import Services
from tests.pacs.arriving import CALLER, deliveries, studies
from tests.pacs.dcmtk import echoscu, storescu
from tests.pacs.orthanc import Orthanc
from tests.pacs.ports import LOOPBACK, end, free_port, wait_until
from tests.pacs.slices import IDENTITY, SmallStudy, write_study
from tests.service.conftest import add_user

pytestmark = pytest.mark.pacs
ROOT = Path(__file__).parents[2]


@pytest.fixture
def study(tmp_path: Path) -> SmallStudy:
    return write_study(tmp_path / "sent", "command")


def write_config(folder: Path, **sections: object) -> Path:
    file = folder / "pacs.yaml"
    file.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return file


@pytest.fixture
def command(services: Services, tmp_path: Path) -> Iterator[tuple[int, Path, "subprocess.Popen[bytes]"]]:
    """Start the command; return its port, the file of what it wrote, and the process."""
    add_user(services, "rad")
    port, log = free_port(), tmp_path / "log"
    config = write_config(tmp_path, listener={"callers": [CALLER], "owner": "rad", "port": 1})
    words = ["pacs", "listen", "--config", str(config), "--port", str(port), "--quiet-s", "0.5", "--debug"]
    environment = {**os.environ, "SPINESCRIBE_HOME": str(services.config.home), "PYTHONPATH": str(ROOT)}
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words], cwd=tmp_path, env=environment, stderr=stream
        )
        try:
            is_up = lambda: echoscu(port, called="SPINESCRIBE", calling=CALLER).returncode == 0  # noqa: E731
            wait_until(is_up, process, what="the listener", limit_s=60)
            yield port, log, process
        finally:
            end(process)


def test_a_study_becomes_an_entry_and_sigterm_ends_it(
    command: tuple[int, Path, "subprocess.Popen[bytes]"], services: Services, study: SmallStudy, dcmtk: None
) -> None:
    port, log, process = command
    assert storescu(port, study.folder, called="SPINESCRIBE", calling=CALLER).returncode == 0
    wait_until(lambda: bool(studies(services)), process, what="an entry", limit_s=30)
    assert len(deliveries(services)[0].instances) == 6
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    written = log.read_text()
    assert f"SPINESCRIBE listens on port {port}" in written
    assert not [word for word in (*IDENTITY, study.study_instance_uid) if word in written]


def test_what_is_wrong_is_said_at_once(
    services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPINESCRIBE_HOME", str(services.config.home))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    config = write_config(tmp_path, listener={"callers": [CALLER], "owner": "nobody"})
    assert main(["pacs", "listen", "--config", str(config)]) == 2
    assert "there is no user 'nobody'" in capsys.readouterr().err
    config = write_config(tmp_path, listener={"callers": [CALLER], "owner": "rad", "push_to": "mars"})
    assert main(["pacs", "listen", "--config", str(config)]) == 2
    assert "no node 'mars'" in capsys.readouterr().err


class HalfNode:
    """A node that takes the first file alone."""

    def send(self, files: Sequence[Path]) -> list[Outcome]:
        first, *others = files
        return [
            Outcome(first, True),
            *(Outcome(file, False, "refused: out of resources", True) for file in others),
        ]


def test_some_files_are_not_enough() -> None:
    with pytest.raises(PacsError, match="1 of 2 files were not stored: refused: out of resources"):
        send_all(HalfNode())([Path("a"), Path("b")])


def test_results_reach_a_node_of_the_file(orthanc: Orthanc, study: SmallStudy, tmp_path: Path) -> None:
    node = {"kind": "dimse", "host": LOOPBACK, "port": orthanc.dicom_port, "ae_title": orthanc.ae_title}
    config = write_config(tmp_path, nodes={"archive": node})
    send_to(config, "archive")(study.files)
    assert orthanc.instances() == study.sop_instance_uids
    with pytest.raises(ConfigError, match="no node 'mars'"):
        send_to(config, "mars")
