"""Real nodes on loopback for the tests of the PACS: an Orthanc and a dcmqrscp, one each a session."""

from collections.abc import Iterator

import pytest

from tests.pacs import dcmtk as dcmtk_programs
from tests.pacs import orthanc as orthanc_program
from tests.pacs.dcmtk import Dcmqrscp, running_dcmqrscp
from tests.pacs.orthanc import Orthanc, running_orthanc
from tests.pacs.ports import free_port
from tests.service.conftest import document, empty_home, services

__all__ = ["document", "empty_home", "services"]

OUR_TITLE = "SPINESCRIBE"


@pytest.fixture(scope="session")
def our_port() -> int:
    """Return the port to which C-MOVE sends what ``SPINESCRIBE`` asks for."""
    return free_port()


@pytest.fixture(scope="session")
def orthanc_server() -> Iterator[Orthanc]:
    """Return Orthanc; skips, saying so, where it is missing."""
    if reason := orthanc_program.missing():
        pytest.skip(reason)
    with running_orthanc() as server:
        yield server


@pytest.fixture
def orthanc(orthanc_server: Orthanc, our_port: int) -> Orthanc:
    """Return Orthanc, emptied, knowing us."""
    orthanc_server.clear()
    orthanc_server.know(OUR_TITLE, our_port)
    return orthanc_server


@pytest.fixture(scope="session")
def dcmqrscp(our_port: int, dcmtk: None) -> Iterator[Dcmqrscp]:
    """Return dcmtk's archive; it keeps what earlier tests stored."""
    with running_dcmqrscp({OUR_TITLE: our_port}) as server:
        yield server


@pytest.fixture(scope="session")
def dcmtk() -> None:
    """Skip, saying so, where dcmtk is missing."""
    if reason := dcmtk_programs.missing():
        pytest.skip(reason)
