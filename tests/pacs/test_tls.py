"""TLS of both kinds of node, with certificates made here: trusted works, untrusted and plain are refused."""

import http.server
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.uid import MRImageStorage
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from runtime.errors import ConfigError
from service.pacs.arrivals import Arrivals
from service.pacs.association import Silence
from service.pacs.config import OwnConfig
from service.pacs.dimse import DimseLink
from service.pacs.errors import PacsError
from service.pacs.query import Query
from tests.pacs.clients import OUR_TITLE, SECRET, dicomweb, dimse, node_of, of_orthanc, uids_in
from tests.pacs.orthanc import Orthanc, missing, running_orthanc
from tests.pacs.ports import LOOPBACK
from tests.pacs.slices import write_study

pytestmark = [pytest.mark.pacs, pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")]
TITLE = "SECURE"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ``node`` and ``us``: a self-signed certificate of 127.0.0.1 each, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on this machine (Debian package openssl)")
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("node", "us"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{name}.key", "-out", f"{name}.pem"],
            cwd=folder, check=True, capture_output=True, timeout=60,
        )  # fmt: skip
    return folder


def _server_context(certificates: Path, *, asks_for_ours: bool) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates / "node.pem", certificates / "node.key")
    if asks_for_ours:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificates / "us.pem")
    return context


@pytest.fixture
def dimse_port(certificates: Path) -> Iterator[int]:
    """Return the port of a node that speaks TLS and asks for our certificate."""
    entity = AE(ae_title=TITLE)
    entity.add_supported_context(Verification)
    context = _server_context(certificates, asks_for_ours=True)
    server = entity.start_server((LOOPBACK, 0), block=False, ssl_context=context)
    assert server is not None
    yield server.socket.getsockname()[1]
    entity.shutdown()


@pytest.fixture
def https_port(certificates: Path) -> Iterator[int]:
    """Return the port of a DICOMweb node without studies, over https."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/dicom+json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer((LOOPBACK, 0), Empty)
    context = _server_context(certificates, asks_for_ours=False)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_dimse_with_certificates_of_both_sides(dimse_port: int, certificates: Path) -> None:
    ours = {"tls_certificate": str(certificates / "us.pem"), "tls_key": str(certificates / "us.key")}
    plain = dimse(dimse_port, TITLE, wait_s=3.0)
    node_of(replace(plain, tls=True, tls_ca=str(certificates / "node.pem"), **ours)).echo()
    with pytest.raises(PacsError, match="TLS was not agreed"):
        node_of(replace(plain, tls=True, **ours)).echo()
    with pytest.raises(PacsError):
        node_of(replace(plain, tls=True, tls_ca=str(certificates / "node.pem"))).echo()
    with pytest.raises(PacsError):
        node_of(plain).echo()


def test_a_move_over_tls_needs_our_certificate(certificates: Path, tmp_path: Path) -> None:
    from service.pacs.tls import client_context, server_context

    config = replace(dimse(104, TITLE), tls=True, tls_ca=str(certificates / "node.pem"))
    with pytest.raises(ConfigError, match="needs tls_certificate"):
        server_context(config)
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(ConfigError, match="cannot be used"):
        client_context(replace(config, tls_ca=str(tmp_path / "bad.pem")))


@pytest.fixture(scope="module")
def secure_orthanc(certificates: Path) -> Iterator[Orthanc]:
    """Return an Orthanc that speaks DIMSE over TLS alone, with certificates of both sides."""
    if reason := missing():
        pytest.skip(reason)
    with running_orthanc(certificates) as server:
        yield server


@pytest.mark.parametrize("fetch", ["get", "move"])
def test_a_study_goes_and_comes_over_tls(
    secure_orthanc: Orthanc, certificates: Path, our_port: int, fetch: str, tmp_path: Path
) -> None:
    """A C-MOVE connects twice: we to the archive, and the archive to us."""
    study = write_study(tmp_path / "sent", f"tls/{fetch}", series=1)
    secure_orthanc.know(OUR_TITLE, our_port)
    config = replace(
        of_orthanc(secure_orthanc, fetch=fetch), tls=True, tls_ca=str(certificates / "node.pem"),
        tls_certificate=str(certificates / "us.pem"), tls_key=str(certificates / "us.key"),
    )  # fmt: skip
    node = node_of(config, own=OwnConfig(OUR_TITLE, move_port=our_port))
    assert all(outcome.is_stored for outcome in node.send(study.files))
    assert len(node.find(Query(study_instance_uid=study.study_instance_uid)).rows) == 1
    fetched = node.fetch(study.study_instance_uid, tmp_path / "in")
    assert (fetched.is_whole, fetched.new) == (True, 3), fetched.reason
    assert uids_in(tmp_path / "in") == study.sop_instance_uids
    with pytest.raises(PacsError):
        node_of(replace(config, tls=False, tls_ca="", tls_certificate="", tls_key="")).echo()
    with pytest.raises(PacsError):
        node_of(replace(config, tls_certificate="", tls_key="")).echo()


def test_a_stranger_cannot_answer_a_move_over_tls(
    secure_orthanc: Orthanc, certificates: Path, our_port: int, tmp_path: Path
) -> None:
    """While a C-MOVE runs we take calls of the archive's certificate alone: with another one nothing comes."""
    study = write_study(tmp_path / "sent", "tls/stranger", series=1)
    secure_orthanc.know(OUR_TITLE, our_port)
    ours = {"tls_certificate": str(certificates / "us.pem"), "tls_key": str(certificates / "us.key")}
    config = replace(
        of_orthanc(secure_orthanc, fetch="move"), tls=True, tls_ca=str(certificates / "node.pem"), **ours
    )
    node_of(config).send(study.files)
    link = DimseLink(config, OwnConfig(OUR_TITLE, move_port=our_port))
    arrivals = Arrivals(tmp_path / "in", study.study_instance_uid)
    with link._receiving(arrivals, Silence()):
        for context in (None, _client_context(certificates, "us")):
            entity = AE(ae_title=secure_orthanc.ae_title)
            entity.add_requested_context(MRImageStorage)
            arguments = None if context is None else (context, LOOPBACK)
            entity.acse_timeout = 3
            assert not entity.associate(LOOPBACK, our_port, ae_title=OUR_TITLE, tls_args=arguments).is_established


def _client_context(certificates: Path, name: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates / "us.pem")
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    return context


def test_dicomweb_over_https(https_port: int, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECRET, "token")
    config = dicomweb(f"https://{LOOPBACK}:{https_port}")
    node_of(replace(config, tls_ca=str(certificates / "node.pem"))).echo()
    with pytest.raises(PacsError, match="TLS was not agreed") as caught:
        node_of(config).echo()
    assert not caught.value.again
    with pytest.raises(ConfigError, match="is not there"):
        node_of(replace(config, tls_ca="absent.pem"))
