"""A real dcmqrscp for tests, and the dcmtk programs that talk to us: a second voice beside pynetdicom and Orthanc.

The programs are called by their path in /usr/bin: pynetdicom puts others of the same names into the environment.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.pacs.ports import FOLDER, LOOPBACK, free_port, wait_until

BINARIES = Path("/usr/bin")
AE_TITLE = "DCMQR"
_PROGRAMS = ("dcmqrscp", "storescu", "echoscu", "dcmcjpls")
_WAIT_S = 60.0
_RUN_S = 120.0


@dataclass(frozen=True)
class Dcmqrscp:
    """A running archive of dcmtk.

    Attributes:
        ae_title: Its AE title.
        port: Port on 127.0.0.1.
        storage: Folder of what it holds, one file an instance and its index.
        log: What it wrote.
    """

    ae_title: str
    port: int
    storage: Path
    log: Path

    def files(self) -> list[Path]:
        """Return the instances it holds."""
        return sorted(file for file in self.storage.iterdir() if file.name != "index.dat")


def missing() -> str | None:
    """Return what of dcmtk is not on this machine; None when all is there."""
    absent = [name for name in _PROGRAMS if not (BINARIES / name).is_file()]
    return f"no {', '.join(absent)} on this machine (Debian package dcmtk)" if absent else None


def run_dcmtk(program: str, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program of dcmtk to its end, whatever it returns."""
    command = [str(BINARIES / program), *words]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_RUN_S, check=False)


def storescu(
    port: int, *files: Path, called: str, calling: str = "STORESCU", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Send files or folders with dcmtk's own sender; ``options`` such as ``("-xs",)`` come first."""
    words = (*options, "-aet", calling, "-aec", called, "+sd", "+r", LOOPBACK, str(port))
    return run_dcmtk("storescu", *words, *map(str, files))


def echoscu(
    port: int, *, called: str, calling: str = "ECHOSCU", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    """Send a C-ECHO with dcmtk."""
    return run_dcmtk("echoscu", *options, "-aet", calling, "-aec", called, LOOPBACK, str(port))


@contextmanager
def running_dcmqrscp(destinations: Mapping[str, int]) -> Iterator[Dcmqrscp]:
    """Start an archive and end it.

    Args:
        destinations: AE title -> port on loopback, where C-MOVE may send to.
    """
    folder = Path(tempfile.mkdtemp(prefix="spinescribe-dcmqrscp-", dir=FOLDER))
    server = Dcmqrscp(AE_TITLE, free_port(), folder / "storage", folder / "log")
    try:
        server.storage.mkdir()
        file = folder / "dcmqrscp.cfg"
        file.write_text(_configuration(server, destinations), encoding="ascii")
        with server.log.open("wb") as log:
            command = [str(BINARIES / "dcmqrscp"), "-v", "-c", str(file)]
            # A session of its own: it forks for each association, and all of them end with it.
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            try:
                wait_until(lambda: _answers(server), process, what="dcmqrscp", limit_s=_WAIT_S)
                yield server
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)
    finally:
        shutil.rmtree(folder)


def _configuration(server: Dcmqrscp, destinations: Mapping[str, int]) -> str:
    hosts = "\n".join(f"{title.lower()} = ({title}, localhost, {port})" for title, port in destinations.items())
    return (
        f"NetworkTCPPort = {server.port}\nMaxPDUSize = 16384\nMaxAssociations = 16\n"
        f"HostTable BEGIN\n{hosts}\nHostTable END\n"
        "VendorTable BEGIN\nVendorTable END\n"
        f"AETable BEGIN\n{server.ae_title} {server.storage} RW (200, 1024mb) ANY\nAETable END\n"
    )


def _answers(server: Dcmqrscp) -> bool:
    return echoscu(server.port, called=server.ae_title).returncode == 0
