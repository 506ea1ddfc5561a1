"""The PACS configuration, a YAML file: who we are, and the nodes that we talk to. No secret stands in it.

Sections: ``own``, ``nodes`` (name -> node) and ``listener``, which ``listener_config`` reads. Paths are taken from
the file's folder. Example: ``configs/pacs.example.yaml``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import yaml

from runtime.errors import ConfigError
from runtime.records import as_record, require_positive

_SECTIONS = ("own", "nodes", "listener")
_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""An AE title: 1 to 16 printable ASCII characters, no backslash, spaces only inside (PS3.5, table 6.2-1)."""
Config = TypeVar("Config", "DimseConfig", "DicomwebConfig")


@dataclass(frozen=True)
class OwnConfig:
    """Who we are in DIMSE."""

    ae_title: str = "SPINESCRIBE"
    """The title we call with. A node that sends by C-MOVE sends to it."""
    move_host: str = "127.0.0.1"
    """Address on which we receive while a C-MOVE runs."""
    move_port: int = 11113
    """Port on which we receive then; not the listener's, which may run beside it."""


@dataclass(frozen=True, kw_only=True)
class _NodeConfig:
    """What nodes of both kinds share."""

    tls_ca: str = ""
    """Certificates (PEM) that must have signed the node's; empty: those of the system."""
    tls_certificate: str = ""
    """Our own certificate (PEM), where the node asks for one; empty for none."""
    tls_key: str = ""
    """Its key (PEM)."""
    connect_s: float = 10.0
    """Longest time to connect and agree, in seconds."""
    answer_s: float = 60.0
    """Longest silence while we wait for an answer, in seconds. Some archives are silent for all of a C-MOVE."""
    attempts: int = 4
    """How often a request is tried."""
    backoff_s: float = 1.0
    """Seconds before the second attempt; doubled each time."""


@dataclass(frozen=True, kw_only=True)
class DimseConfig(_NodeConfig):
    """A node that speaks DIMSE."""

    host: str
    """Name or address."""
    port: int
    """Port."""
    ae_title: str
    """Its AE title."""
    fetch: str = "get"
    """How studies are fetched: ``get`` (over our connection) or ``move`` (it connects to us, and must know us)."""
    tls: bool = False
    """Whether the connection is encrypted."""


@dataclass(frozen=True, kw_only=True)
class DicomwebConfig(_NodeConfig):
    """A node that speaks DICOMweb."""

    url: str
    """Base address, such as ``https://pacs.example.org/dicom-web``."""
    allow_http: bool = False
    """Whether plain http to another machine is allowed."""
    user: str = ""
    """Name of the login (Basic); empty sends the secret as a bearer token."""
    secret_variable: str = ""
    """Environment variable with the password or token; with ``_FILE`` after its name, of a file that holds it."""
    secret_file: str = ""
    """File that holds the password or token, in place of the variable."""


NodeConfig = DimseConfig | DicomwebConfig


@dataclass(frozen=True)
class PacsConfig:
    """The whole file but the listener's section."""

    own: OwnConfig = field(default_factory=OwnConfig)
    """Who we are."""
    nodes: Mapping[str, NodeConfig] = field(default_factory=dict)
    """The nodes by the name they have here."""

    def node(self, name: str) -> NodeConfig:
        """Return a node.

        Raises:
            ConfigError: If there is none of that name.
        """
        if name not in self.nodes:
            raise ConfigError(f"PACS: no node {name!r}; expected one of {', '.join(sorted(self.nodes)) or 'none'}")
        return self.nodes[name]


def load_pacs_config(path: Path) -> PacsConfig:
    """Read the configuration.

    Raises:
        ConfigError: If the file cannot be read, or a key or value is wrong.
    """
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: the PACS configuration cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError:
        raise ConfigError(f"{path.name}: expected YAML") from None
    if not isinstance(table, dict) or not set(table) <= set(_SECTIONS):
        raise ConfigError(f"{path.name}: expected the sections {', '.join(_SECTIONS)} and no other")
    own = as_record(OwnConfig, _table(table, "own", path.name), f"{path.name}: own")
    _check_title(own.ae_title, f"{path.name}: own.ae_title")
    _check_port(own.move_port, f"{path.name}: own.move_port")
    nodes = {
        str(name): _node(value, f"{path.name}: nodes.{name}", path.parent)
        for name, value in _table(table, "nodes", path.name).items()
    }
    return PacsConfig(own, nodes)


def _table(table: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    section = table.get(name) or {}
    if not isinstance(section, dict):
        raise ConfigError(f"{place}: {name}: expected a table of keys, got {type(section).__name__}")
    return section


def _node(value: object, place: str, folder: Path) -> NodeConfig:
    if not isinstance(value, dict):
        raise ConfigError(f"{place}: expected a table of keys, got {type(value).__name__}")
    keys = dict(value)
    kind = keys.pop("kind", None)
    if kind == "dimse":
        return _shared(_checked_dimse(as_record(DimseConfig, keys, place), place), place, folder)
    if kind == "dicomweb":
        return _shared(_checked_dicomweb(as_record(DicomwebConfig, keys, place), place, folder), place, folder)
    raise ConfigError(f"{place}.kind: expected dimse or dicomweb, got {kind!r}")


def _checked_dimse(config: DimseConfig, place: str) -> DimseConfig:
    _check_title(config.ae_title, f"{place}.ae_title")
    _check_port(config.port, f"{place}.port")
    if not isinstance(config.host, str) or not config.host:
        raise ConfigError(f"{place}.host: expected a name or an address, got {config.host!r}")
    if config.fetch not in ("get", "move"):
        raise ConfigError(f"{place}.fetch: expected get or move, got {config.fetch!r}")
    if not config.tls and (config.tls_ca or config.tls_certificate):
        raise ConfigError(f"{place}: tls_ca and tls_certificate need tls: true")
    return config


def _checked_dicomweb(config: DicomwebConfig, place: str, folder: Path) -> DicomwebConfig:
    parts = urlsplit(str(config.url))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{place}.url: expected http:// or https:// with a host")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{place}.url: expected no user, password or query in it; use secret_variable")
    if parts.scheme == "http" and not config.allow_http and not _is_loopback(parts.hostname):
        raise ConfigError(
            f"{place}.url: patients' data would travel unencrypted to another machine; use https, or set "
            "allow_http: true"
        )
    if config.secret_variable and config.secret_file:
        raise ConfigError(f"{place}: expected secret_variable or secret_file, got both")
    if config.user and not (config.secret_variable or config.secret_file):
        raise ConfigError(f"{place}.user: needs secret_variable or secret_file")
    return replace(config, url=config.url.rstrip("/"), secret_file=_from(folder, config.secret_file))


def _shared(config: Config, place: str, folder: Path) -> Config:
    require_positive(config, ("connect_s", "answer_s", "attempts", "backoff_s"), place)
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise ConfigError(f"{place}: tls_certificate and tls_key go together")
    return replace(
        config,
        tls_ca=_from(folder, config.tls_ca),
        tls_certificate=_from(folder, config.tls_certificate),
        tls_key=_from(folder, config.tls_key),
    )


def _from(folder: Path, name: str) -> str:
    return str(folder / name) if name else ""


def _check_title(title: object, place: str) -> None:
    if not isinstance(title, str) or not _TITLE.fullmatch(title):
        raise ConfigError(f"{place}: expected an AE title of 1 to 16 ASCII characters, got {title!r}")


def _check_port(port: object, place: str) -> None:
    if type(port) is not int or not 0 < port < 65536:
        raise ConfigError(f"{place}: expected 1 to 65535, got {port!r}")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
