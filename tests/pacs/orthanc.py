"""A real Orthanc for tests: made in a folder of its own, on free ports of loopback, with a login, ended after."""

import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.pacs.ports import FOLDER, LOOPBACK, end, free_port, wait_until

PROGRAM = Path("/usr/sbin/Orthanc")
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
AE_TITLE = "ORTHANC"
_WAIT_S = 60.0


@dataclass(frozen=True)
class Orthanc:
    """A running Orthanc.

    Attributes:
        ae_title: Its AE title; a call of another title is refused.
        dicom_port: Port of DIMSE on 127.0.0.1.
        http_port: Port of REST and DICOMweb on 127.0.0.1.
        user: Name of the only login.
        password: Its password, made anew each time.
        log: What it wrote to its error stream.
        has_tls: Whether DIMSE is encrypted, in and out.
    """

    ae_title: str
    dicom_port: int
    http_port: int
    user: str
    password: str
    log: Path
    has_tls: bool = False

    @property
    def dicomweb_url(self) -> str:
        """Return the base address of DICOMweb."""
        return f"http://{LOOPBACK}:{self.http_port}/dicom-web"

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return the JSON of a REST call, such as GET ``/studies?expand``; None for an empty answer."""
        content = self._answer(method, path, None if body is None else json.dumps(body))
        return json.loads(content) if content.strip() else None

    def file(self, key: str) -> bytes:
        """Return an instance as it is stored, by Orthanc's own key."""
        return self._answer("GET", f"/instances/{key}/file", None)

    def know(self, ae_title: str, port: int) -> None:
        """Let a node query and fetch, and make it a destination of C-MOVE and of forwarding (``/modalities``)."""
        told = {"AET": ae_title, "Host": LOOPBACK, "Port": port, "UseDicomTls": self.has_tls}
        self.request("PUT", f"/modalities/{ae_title}", told)

    def forget(self, ae_title: str) -> None:
        """Take a node out again."""
        self.request("DELETE", f"/modalities/{ae_title}")

    def instances(self) -> set[str]:
        """Return the SOP Instance UIDs it holds."""
        return {entry["MainDicomTags"]["SOPInstanceUID"] for entry in self.request("GET", "/instances?expand")}

    def clear(self) -> None:
        """Delete all studies."""
        for key in self.request("GET", "/studies"):
            self.request("DELETE", f"/studies/{key}")

    def _answer(self, method: str, path: str, content: str | None) -> bytes:
        # Plain http: no certificates are loaded, which would take longer than the call.
        with httpx.Client(auth=(self.user, self.password), trust_env=False, verify=False, timeout=30) as client:
            answer = client.request(method, f"http://{LOOPBACK}:{self.http_port}{path}", content=content)
        answer.raise_for_status()
        return answer.content


def missing() -> str | None:
    """Return what of Orthanc is not on this machine; None when all is there."""
    if not PROGRAM.is_file():
        return "no Orthanc on this machine (Debian package orthanc)"
    if not DICOMWEB.is_file():
        return "no DICOMweb of Orthanc on this machine (Debian package orthanc-dicomweb)"
    return None


@contextmanager
def running_orthanc(certificates: Path | None = None) -> Iterator[Orthanc]:
    """Start a server and end it.

    Args:
        certificates: Folder with ``node.pem`` and ``node.key``, its own, and ``us.pem``, whom it trusts; None for
            no TLS.
    """
    folder = Path(tempfile.mkdtemp(prefix="spinescribe-orthanc-", dir=FOLDER))
    server = Orthanc(
        AE_TITLE,
        free_port(),
        free_port(),
        "tester",
        secrets.token_hex(16),
        folder / "log",
        certificates is not None,
    )
    try:
        file = folder / "orthanc.json"
        file.write_text(json.dumps(_configuration(server, folder) | _tls(certificates)), encoding="utf-8")
        with server.log.open("wb") as log:
            process = subprocess.Popen(
                [str(PROGRAM), str(file)], cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
            try:
                wait_until(lambda: _answers(server), process, what="Orthanc", limit_s=_WAIT_S)
                yield server
            finally:
                end(process)
    finally:
        shutil.rmtree(folder)


def _configuration(server: Orthanc, folder: Path) -> dict[str, Any]:
    return {
        "Name": "tests",
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": server.http_port,
        "DicomPort": server.dicom_port,
        "DicomAet": server.ae_title,
        "DicomCheckCalledAet": True,
        "DicomCheckModalityHost": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": True,
        "DicomAlwaysAllowFind": False,
        "DicomAlwaysAllowGet": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {server.user: server.password},
        "OverwriteInstances": False,
        "Plugins": [str(DICOMWEB)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        "DicomModalities": {},
    }


def _tls(certificates: Path | None) -> dict[str, Any]:
    if certificates is None:
        return {}
    return {
        "DicomTlsEnabled": True,
        "DicomTlsCertificate": str(certificates / "node.pem"),
        "DicomTlsPrivateKey": str(certificates / "node.key"),
        "DicomTlsTrustedCertificates": str(certificates / "us.pem"),
        "DicomTlsRemoteCertificateRequired": True,
    }


def _answers(server: Orthanc) -> bool:
    try:
        server.request("GET", "/system")
    except httpx.HTTPError:
        return False
    return True
