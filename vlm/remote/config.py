"""Configuration of the remote writer: where it is, what it may be sent, how long it may take."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runtime.errors import ConfigError
from runtime.settings import load_settings
from vlm.config import load_training_table, read_table

ARCHITECTURE = "remote"


@dataclass(frozen=True)
class RemoteConfig:
    """One remote preset."""

    architecture: str
    """``remote``."""
    url: str
    """Base address such as ``http://127.0.0.1:8000/v1``; empty takes ``SPINESCRIBE_REMOTE_URL``."""
    model: str
    """Name that the server knows; empty takes ``SPINESCRIBE_REMOTE_MODEL``."""
    licence: str
    """Licence of the served model."""
    prompt: str
    """Instructions, a file of ``vlm/prompts``."""
    pictures: int
    """Key slices sent with each slot; 0 sends none."""
    key_variable: str
    """Environment variable that holds the server's key."""
    allow_http: bool
    """Whether plain http to another machine is allowed."""
    timeout_s: float
    """Longest time of one request in seconds."""
    total_s: float
    """Longest time of one report in seconds."""
    attempts: int
    """How often a request is tried."""
    backoff_s: float
    """Wait before the second attempt in seconds; doubled each time."""
    concurrency: int
    """Requests at a time."""
    max_tokens: int
    """Longest text of one slot, in tokens."""

    @property
    def host(self) -> str:
        """Return the server's name and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "" if parts.port is None else f"{parts.hostname}:{parts.port}"


def load_remote_config(file: Path, *, model: str | None = None) -> RemoteConfig:
    """Read a remote preset; address and model may come from the environment.

    Args:
        file: The YAML.
        model: Name of the model in place of the preset's.

    Raises:
        ConfigError: If a key or value is wrong, or no address or model was configured.
    """
    table = load_training_table(file)
    return parse_remote_config(table if model is None else {**table, "model": model}, where=file.name)


def parse_remote_config(table: Mapping[str, Any], *, where: str) -> RemoteConfig:
    """Build the configuration from a table, checking every key and value.

    Raises:
        ConfigError: If a key or value is wrong, or no address or model was configured.
    """
    config = read_table(RemoteConfig, table, where=where)
    settings = load_settings()
    config = replace(
        config, url=(config.url or settings.remote_url).rstrip("/"), model=config.model or settings.remote_model
    )
    if config.architecture != ARCHITECTURE:
        raise ConfigError(f"{where}, architecture: expected {ARCHITECTURE}, got {config.architecture!r}")
    for name in ("timeout_s", "total_s", "attempts", "concurrency", "max_tokens"):
        if not getattr(config, name) > 0:
            raise ConfigError(f"{where}, {name}: expected a number above 0, got {getattr(config, name)!r}")
    if config.pictures < 0 or config.backoff_s < 0:
        raise ConfigError(f"{where}: expected pictures and backoff_s of at least 0")
    _check_url(config, where)
    if not config.model:
        raise ConfigError(
            f"{where}, model: expected the name that the server knows (--writer-model or "
            "SPINESCRIBE_REMOTE_MODEL), got none"
        )
    return config


def _check_url(config: RemoteConfig, where: str) -> None:
    if not config.url:
        raise ConfigError(
            f"{where}, url: no server is configured, so nothing is sent; set SPINESCRIBE_REMOTE_URL to its "
            "address, such as http://127.0.0.1:8000/v1"
        )
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{where}, url: expected http:// or https:// with a host, got scheme {parts.scheme!r}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(
            f"{where}, url: expected no user, password or query in it; a key goes into the environment"
        )
    if parts.scheme == "http" and not config.allow_http and not _is_loopback(parts.hostname):
        raise ConfigError(
            f"{where}, url: findings would travel unencrypted to another machine; use https, or set "
            "allow_http: true"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
