"""How the listener listens: section ``listener`` of the PACS configuration (YAML).

Files are named by their path; nothing secret stands in the file itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import yaml

from reporting.export.classes import Classes, SEGClass, SRClass
from reporting.export.formats import DICOM, ExportFormat
from runtime.errors import ConfigError
from runtime.records import as_record, require_positive

SECTION = "listener"
_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""An AE title: 1 to 16 printable ASCII characters but the backslash, no outer spaces (PS3.5, table 6.2-1)."""


class PushWhen(StrEnum):
    """Which state of a report is sent back. ``DRAFT``: the machine's draft, and later what was signed."""

    NONE = "none"
    DRAFT = "draft"
    SIGNED = "signed"


@dataclass(frozen=True)
class ListenerConfig:
    """Settings of the listener.

    Attributes:
        callers: AE titles that may call; at least one. Titles are claims: use TLS on a network of others.
        owner: Name of the user who owns what arrives.
        ae_title: Our own title; a call of another one is refused.
        host: Address to listen on.
        port: Port.
        group: Group that what arrives is shared with, one of the owner's; empty for none.
        quiet_s: Seconds without a new instance after which a study is taken to be whole.
        max_gb: GB that arriving studies may take on the disk; beyond it senders are told to try again.
        free_gb: GB that stay free on the disk.
        max_instance_mb: MB of the largest instance; who sends a larger one is cut off.
        max_associations: Associations at a time.
        idle_s: Seconds after which an association on which nothing comes is ended.
        tls_certificate: Our certificate (PEM); empty for no TLS.
        tls_key: Its key (PEM).
        tls_callers: Certificates (PEM) that must have signed those of the callers; empty: callers show none.
        push: When results are sent back.
        push_to: Name of the node that they are sent to.
        push_formats: What is sent.
        push_sr_class: Class of the structured report that is sent.
        push_seg_class: Class of the segmentations that are sent.
        push_attempts: How often sending is tried before a person must look.
    """

    callers: tuple[str, ...]
    owner: str
    ae_title: str = "SPINESCRIBE"
    host: str = "127.0.0.1"
    port: int = 11112
    group: str = ""
    quiet_s: float = 30.0
    max_gb: float = 50.0
    free_gb: float = 2.0
    max_instance_mb: float = 1024.0
    max_associations: int = 8
    idle_s: float = 60.0
    tls_certificate: str = ""
    tls_key: str = ""
    tls_callers: str = ""
    push: PushWhen = PushWhen.SIGNED
    push_to: str = ""
    push_formats: tuple[ExportFormat, ...] = (ExportFormat.SEG, ExportFormat.SR, ExportFormat.DICOM_PDF)
    push_sr_class: SRClass = SRClass.COMPREHENSIVE
    push_seg_class: SEGClass = SEGClass.BINARY
    push_attempts: int = 200

    @property
    def push_classes(self) -> Classes:
        """Return the SOP classes of what is sent."""
        return Classes(self.push_sr_class, self.push_seg_class)

    @property
    def has_push(self) -> bool:
        """Return whether results are sent back."""
        return self.push is not PushWhen.NONE and bool(self.push_to)


def load_listener_config(path: Path) -> ListenerConfig:
    """Read the listener's section; paths in it are taken from the file's folder.

    Raises:
        ConfigError: If the file or the section is missing, or a key or value in it is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path.name}: the PACS configuration cannot be read: {error.strerror}") from None
    except yaml.YAMLError:
        raise ConfigError(f"{path.name}: expected YAML") from None
    section = content.get(SECTION) if isinstance(content, dict) else None
    if not isinstance(section, dict):
        raise ConfigError(f"{path.name}: expected a section {SECTION!r}, with callers and owner at least")
    return listener_config(section, f"{path.name}: {SECTION}", path.parent)


def listener_config(section: dict[str, object], place: str, folder: Path) -> ListenerConfig:
    """Return the settings of a parsed section.

    Args:
        section: Keys and values.
        place: Where it stands, for messages.
        folder: What relative paths are relative to.

    Raises:
        ConfigError: If a key or a value is wrong.
    """
    values: dict[str, object] = dict(section)
    if "push" in values:
        values["push"] = _word(tuple(PushWhen), values["push"], f"{place}.push")
        if values["push"] is not PushWhen.NONE and not values.get("push_to"):
            raise ConfigError(
                f"{place}.push_to: expected the name of a node that results are sent to, or push: none"
            )
    for name, kind in (("push_sr_class", SRClass), ("push_seg_class", SEGClass)):
        if name in values:
            values[name] = _word(tuple(kind), values[name], f"{place}.{name}")
    if "push_formats" in values:
        found = values["push_formats"]
        listed = found if isinstance(found, list) else [found]
        values["push_formats"] = [_word(DICOM, item, f"{place}.push_formats") for item in listed]
    for name in ("tls_certificate", "tls_key", "tls_callers"):
        if values.get(name):
            values[name] = str(folder / str(values[name]))
    config = as_record(ListenerConfig, values, place)
    _check(config, place)
    return config


def _word(allowed: tuple[StrEnum, ...], value: object, place: str) -> StrEnum:
    for word in allowed:
        if word.value == value:
            return word
    raise ConfigError(f"{place}: expected one of {', '.join(allowed)}, got {value!r}")


def _check(config: ListenerConfig, place: str) -> None:
    numbers = ("quiet_s", "max_gb", "max_instance_mb", "max_associations", "idle_s", "push_attempts")
    require_positive(config, numbers, place)
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"{place}.port: expected a port, got {config.port!r}")
    if not isinstance(config.callers, tuple) or not config.callers:
        raise ConfigError(f"{place}.callers: expected a list of the AE titles that may call; nobody else may")
    for title in (config.ae_title, *config.callers):
        if not isinstance(title, str) or not _TITLE.fullmatch(title):
            raise ConfigError(f"{place}: expected an AE title of 1 to 16 ASCII characters, got {title!r}")
    if not isinstance(config.owner, str) or not config.owner:
        raise ConfigError(f"{place}.owner: expected the name of a user")
    if not config.push_formats:
        raise ConfigError(f"{place}.push_formats: expected at least one of {', '.join(DICOM)}")
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise ConfigError(f"{place}: tls_certificate and tls_key go together")
    if config.tls_callers and not config.tls_certificate:
        raise ConfigError(f"{place}.tls_callers: needs tls_certificate and tls_key")
