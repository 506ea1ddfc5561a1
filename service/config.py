"""What the web service needs to know: where it keeps things, how much it accepts, how long a sign-in lasts.

Read from the environment when asked for, never at import. Secrets are read by ``load_secret_key`` alone and are
part of no setting, message or log line.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from runtime.errors import ConfigError
from runtime.settings import read_secret

GIB = 2**30
_SECRET_FILE = "secret.key"
_SECRET_BYTES = 32


@dataclass(frozen=True)
class ServiceConfig:
    """Settings of the service.

    Attributes:
        home: Folder of the database, the files and the key (``SPINESCRIBE_HOME``).
        database_url: SQLAlchemy's address of the database (``SPINESCRIBE_DATABASE_URL``); empty: SQLite. Its
            password may come apart (``SPINESCRIBE_DATABASE_PASSWORD``), and either from a file, named by the
            variable with ``_FILE`` after its name.
        max_upload_bytes: Largest upload (``SPINESCRIBE_MAX_UPLOAD_MB``, default 2048).
        max_queued: Studies that may wait before uploads are refused with 429 (``SPINESCRIBE_MAX_QUEUED``).
        job_timeout_s: A reading that takes longer is ended with that cause (``SPINESCRIBE_JOB_TIMEOUT_S``).
        job_memory_mb: A reading whose process grows beyond it is ended so too (``SPINESCRIBE_JOB_MEMORY_MB``).
        job_attempts: How often a reading is tried when its process dies (``SPINESCRIBE_JOB_ATTEMPTS``).
        lease_s: A running job not heard of for so long is taken to be dead and given out again.
        session_idle_s: A session unused for so long ends (``SPINESCRIBE_SESSION_IDLE_S``).
        session_max_s: A session ends after so long in any case (``SPINESCRIBE_SESSION_MAX_S``).
        session_rotate_s: A session's token is exchanged for a new one after so long.
        has_secure_cookies: Whether cookies travel over https only (``SPINESCRIBE_SECURE_COOKIES``, 1 or 0). Set it
            to 1 behind https; 0 is for this machine alone.
        allowed_hosts: Host names the service answers to (``SPINESCRIBE_ALLOWED_HOSTS``, commas); empty for any.
        oidc_issuer: Address of the OpenID Connect provider (``SPINESCRIBE_OIDC_ISSUER``); empty for none.
        oidc_client_id: Our name there (``SPINESCRIBE_OIDC_CLIENT_ID``).
        oidc_creates_users: Whether someone unknown whom it recognises gets an account, as a radiologist
            (``SPINESCRIBE_OIDC_CREATE``, 1 or 0).
    """

    home: Path
    database_url: str = field(default="", repr=False)
    max_upload_bytes: int = 2 * GIB
    max_queued: int = 200
    job_timeout_s: float = 900.0
    job_memory_mb: int = 8192
    job_attempts: int = 3
    lease_s: float = 30.0
    session_idle_s: float = 2 * 3600.0
    session_max_s: float = 12 * 3600.0
    session_rotate_s: float = 900.0
    has_secure_cookies: bool = False
    allowed_hosts: tuple[str, ...] = ()
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_creates_users: bool = False

    @property
    def sqlalchemy_url(self) -> str:
        """Return the address of the database in use."""
        return self.database_url or f"sqlite:///{self.home / 'spinescribe.sqlite'}"

    @property
    def is_sqlite(self) -> bool:
        """Return whether the database is a file on this machine."""
        return self.sqlalchemy_url.startswith("sqlite")

    @property
    def blob_dir(self) -> Path:
        """Return the folder of the content-addressed files."""
        return self.home / "blobs"

    @property
    def work_dir(self) -> Path:
        """Return the folder of uploads and readings under way; it may be emptied when nothing runs."""
        return self.home / "work"


def load_service_config() -> ServiceConfig:
    """Read the settings from the environment.

    Raises:
        ConfigError: If a number is not one or not positive, or a switch is neither 0 nor 1.
    """
    default_home = Path.home() / ".local" / "share" / "spinescribe"
    hosts = os.environ.get("SPINESCRIBE_ALLOWED_HOSTS", "")
    return ServiceConfig(
        home=Path(os.environ.get("SPINESCRIBE_HOME", str(default_home))).expanduser(),
        database_url=_database_url(),
        max_upload_bytes=_positive("SPINESCRIBE_MAX_UPLOAD_MB", 2048) * 2**20,
        max_queued=_positive("SPINESCRIBE_MAX_QUEUED", 200),
        job_timeout_s=float(_positive("SPINESCRIBE_JOB_TIMEOUT_S", 900)),
        job_memory_mb=_positive("SPINESCRIBE_JOB_MEMORY_MB", 8192),
        job_attempts=_positive("SPINESCRIBE_JOB_ATTEMPTS", 3),
        session_idle_s=float(_positive("SPINESCRIBE_SESSION_IDLE_S", 2 * 3600)),
        session_max_s=float(_positive("SPINESCRIBE_SESSION_MAX_S", 12 * 3600)),
        has_secure_cookies=_switch("SPINESCRIBE_SECURE_COOKIES"),
        allowed_hosts=tuple(host.strip() for host in hosts.split(",") if host.strip()),
        oidc_issuer=os.environ.get("SPINESCRIBE_OIDC_ISSUER", ""),
        oidc_client_id=os.environ.get("SPINESCRIBE_OIDC_CLIENT_ID", ""),
        oidc_creates_users=_switch("SPINESCRIBE_OIDC_CREATE"),
    )


def load_secret_key(config: ServiceConfig) -> bytes:
    """Return the key that signs tokens: of ``SPINESCRIBE_SECRET_KEY`` or the file that
    ``SPINESCRIBE_SECRET_KEY_FILE`` names, else of a file in ``home``, made if absent.

    Raises:
        ConfigError: If the key has fewer than 32 characters.
    """
    given = read_secret("SPINESCRIBE_SECRET_KEY")
    if given is not None:
        if len(given) < _SECRET_BYTES:
            raise ConfigError(
                f"SPINESCRIBE_SECRET_KEY: expected at least {_SECRET_BYTES} characters, got {len(given)}"
            )
        return given.encode()
    file = config.home / _SECRET_FILE
    config.home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes()
    with os.fdopen(handle, "wb") as stream:
        stream.write(secrets.token_hex(_SECRET_BYTES).encode())
    return file.read_bytes()


def _database_url() -> str:
    """Return the database's address with its password; for PostgreSQL without a driver named, psycopg 3.

    Raises:
        ConfigError: If it is no address.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    given = read_secret("SPINESCRIBE_DATABASE_URL")
    if given is None:
        return ""
    try:
        url = make_url(given)
    except ArgumentError:
        raise ConfigError(
            "SPINESCRIBE_DATABASE_URL: expected an address such as postgresql://user@host/name"
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    password = read_secret("SPINESCRIBE_DATABASE_PASSWORD")
    if password is not None:
        url = url.set(password=password)
    return url.render_as_string(hide_password=False)


def _positive(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"{name}: expected a whole number above 0, got {text!r}")
    return int(text)


def _switch(name: str) -> bool:
    text = os.environ.get(name, "0")
    if text not in ("0", "1"):
        raise ConfigError(f"{name}: expected 0 or 1, got {text!r}")
    return text == "1"
