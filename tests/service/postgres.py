"""A real PostgreSQL for tests: made in a folder of its own, on a free port, with scram passwords, ended after.

Fast and forgetful (no fsync): what a test needs of it is its behaviour, not its durability.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

_VERSIONS = Path("/usr/lib/postgresql")
BINARIES = max(
    (folder.parent for folder in _VERSIONS.glob("*/bin/initdb") if folder.parent.parent.name.isdecimal()),
    key=lambda folder: int(folder.parent.name),
    default=_VERSIONS / "none",
)
"""Programs of the newest PostgreSQL that Debian's packages have put here."""

_SUPERUSER, _OWNER = "postgres", "spinescribe"
_SETTINGS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60"
_WAIT_S = 60


@dataclass(frozen=True)
class PostgresServer:
    """A running server.

    Attributes:
        port: Port on 127.0.0.1.
        password: Of the superuser and of ``spinescribe``, an ordinary role that owns the databases made here.
    """

    port: int
    password: str

    def url(self, name: str) -> str:
        """Return SQLAlchemy's address of a database."""
        return f"postgresql+psycopg://{_OWNER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def add_owner(self) -> None:
        """Make the ordinary role."""
        self._run(f"CREATE ROLE {_OWNER} LOGIN PASSWORD '{self.password}'")

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make an empty database, give its address, drop it at the end."""
        name = f"test_{secrets.token_hex(6)}"
        self._run(f"CREATE DATABASE {name} OWNER {_OWNER}")
        try:
            yield self.url(name)
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        address = {"host": "127.0.0.1", "port": self.port, "user": _SUPERUSER, "dbname": "postgres"}
        with psycopg.connect(**address, password=self.password, autocommit=True) as connection:
            connection.execute(statement)


def is_installed() -> bool:
    """Return whether PostgreSQL is there and, where we are root, its user too (it refuses to run as root)."""
    return (BINARIES / "initdb").is_file() and (os.geteuid() != 0 or _has_user("postgres"))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Start a server and end it."""
    folder = Path(tempfile.mkdtemp(prefix="spinescribe-postgres-", dir="/tmp"))
    server = PostgresServer(_free_port(), secrets.token_hex(16))
    try:
        _initialise(folder, server.password)
        options = f"-h 127.0.0.1 -p {server.port} -k {folder} {_SETTINGS}"
        log = folder / "log"
        _as_postgres("pg_ctl", "-D", f"{folder}/data", "-l", f"{log}", "-w", "-o", options, "start")
        try:
            server.add_owner()
            yield server
        finally:
            _as_postgres("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _initialise(folder: Path, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password, encoding="ascii")
    if os.geteuid() == 0:
        for path in (folder, secret):
            shutil.chown(path, "postgres", "postgres")
    scram = ("-A", "scram-sha-256", "-U", _SUPERUSER, "--pwfile", str(secret))
    _as_postgres("initdb", "-D", f"{folder}/data", *scram, "-E", "UTF8", "--no-locale", "--no-sync")


def _as_postgres(program: str, *words: str) -> None:
    command = [str(BINARIES / program), *words]
    if os.geteuid() == 0:
        command = ["su", "postgres", "-s", "/bin/sh", "-c", 'exec "$0" "$@"', "--", *command]
    # No pipes: the server would inherit them and never close them.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=_WAIT_S, check=False
        )
        if done.returncode != 0:
            output.seek(0)
            raise RuntimeError(f"{program} failed ({done.returncode}): {output.read().decode(errors='replace')}")


def _has_user(name: str) -> bool:
    import pwd

    return name in {entry.pw_name for entry in pwd.getpwall()}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
