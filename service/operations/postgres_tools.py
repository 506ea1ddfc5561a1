"""PostgreSQL's own programs (pg_dump, pg_restore), told the password by environment, not command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from sqlalchemy import URL, make_url

from runtime.errors import ConfigError, SpineScribeError

_DEBIAN = Path("/usr/lib/postgresql")
_LONGEST = 300


def run_tool(program: str, url: str, *words: str) -> None:
    """Run a program of PostgreSQL on a database.

    Args:
        program: ``pg_dump`` or ``pg_restore``.
        url: SQLAlchemy's address of the database.
        words: Further words of the command line.

    Raises:
        ConfigError: If the program is not installed.
        SpineScribeError: If it fails; with the first line it said (later lines may quote rows).
    """
    given = make_url(url)
    bare = URL.create("postgresql", given.username, None, given.host, given.port, given.database, given.query)
    environment = {**os.environ, "PGCONNECT_TIMEOUT": "20"}
    if given.password is not None:
        environment["PGPASSWORD"] = str(given.password)
    done = subprocess.run(
        [str(find_tool(program)), "--no-password", f"--dbname={bare.render_as_string()}", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no words"])[0][:_LONGEST]
        raise SpineScribeError(f"{program} failed with code {done.returncode}: {said}")


def find_tool(program: str) -> Path:
    """Return where a program of PostgreSQL lies: on the path, else where Debian keeps the newest.

    Raises:
        ConfigError: If it is not installed.
    """
    found = shutil.which(program)
    if found is not None:
        return Path(found)
    kept = sorted(_DEBIAN.glob(f"*/bin/{program}"), key=lambda path: int(path.parts[-3]))
    if not kept:
        raise ConfigError(f"expected PostgreSQL's {program}, not found; install the package postgresql-client")
    return kept[-1]
