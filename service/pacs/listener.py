"""The Storage SCP: takes MR studies from callers on a list, answers C-ECHO, and says success when they are safe.

It knows associations and files, not studies of the worklist: those are made of the inbox by ``intake``. No log
line holds anything of a data set; callers are named by their AE title.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import Any, cast

from pydicom import Dataset
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, evt
from pynetdicom.dimse_primitives import C_STORE

from imaging.dicom.values import BROKEN
from runtime.errors import ConfigError
from service.pacs.inbox import FullError, Inbox, Stored, hash_of
from service.pacs.listener_config import ListenerConfig
from service.pacs.part10 import COMPANIONS, IMAGES, uids_of
from service.pacs.quiet import silence_libraries

logger = logging.getLogger(__name__)

SYNTAXES = (
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian,
    JPEGLosslessSV1, JPEGLossless, JPEGLSLossless, JPEGLSNearLossless, JPEG2000Lossless, JPEG2000, RLELossless,
    JPEGBaseline8Bit, JPEGExtended12Bit,
)  # fmt: skip

_VERIFICATION = "1.2.840.10008.1.1"  # C-ECHO (PS3.4, A.4)
SUCCESS = 0x0000
DUPLICATE = 0x0111  # duplicate SOP Instance (PS3.7, C.5.9)
OUT_OF_RESOURCES = 0xA700  # PS3.4, table B.2-1
MISMATCH = 0xA900
NOT_UNDERSTOOD = 0xC000
_MB = 10**6
_START_S = 30.0


@dataclass
class _Call:
    """An open association: who calls, the study sent last, and bytes since the last instance."""

    caller: str = ""
    study_uid: str = ""
    pending: int = 0


@dataclass
class _Calls:
    """The open associations."""

    mutex: Lock = field(default_factory=Lock)
    open: dict[Any, _Call] = field(default_factory=dict)

    def of(self, association: Any) -> _Call:
        with self.mutex:
            return self.open.setdefault(association, _Call())

    def end(self, association: Any) -> _Call | None:
        with self.mutex:
            return self.open.pop(association, None)

    def studies(self) -> set[str]:
        """Return the studies being sent; an association whose thread ended without a word sends nothing more."""
        with self.mutex:
            for association in [found for found in self.open if not found.is_alive()]:
                del self.open[association]
            return {hash_of(call.study_uid) for call in self.open.values() if call.study_uid}


class Listener:
    """Takes in instances while ``listening``.

    Args:
        config: How to listen.
        inbox: Where instances go.
    """

    def __init__(self, config: ListenerConfig, inbox: Inbox) -> None:
        self._config, self._inbox, self._calls = config, inbox, _Calls()

    @property
    def open_studies(self) -> set[str]:
        """Return the hashes of the studies that somebody is sending now."""
        return self._calls.studies()

    @contextmanager
    def listening(self) -> Iterator[int]:
        """Listen as long as the context is open; yields the port.

        Raises:
            ConfigError: If the address is taken, or a certificate cannot be used.
        """
        silence_libraries()
        entity = self._entity()
        address = self._config.host, self._config.port
        context = tls_context(self._config) if self._config.tls_certificate else None
        try:
            server = entity.start_server(address, block=False, ssl_context=context, evt_handlers=self._handlers())
        except OSError as error:
            raise ConfigError(f"cannot listen on {address[0]} port {address[1]}: {error.strerror}") from None
        assert server is not None
        try:
            yield int(server.server_address[1])
        finally:
            entity.shutdown()

    def _entity(self) -> AE:
        entity = AE(ae_title=self._config.ae_title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self._config.callers)
        entity.maximum_associations = self._config.max_associations
        entity.network_timeout = entity.dimse_timeout = self._config.idle_s
        entity.acse_timeout = _START_S
        for uid in (*IMAGES, *COMPANIONS):
            entity.add_supported_context(uid, list(SYNTAXES))
        entity.add_supported_context(_VERIFICATION)
        return entity

    def _handlers(self) -> list[Any]:
        return [
            (evt.EVT_CONN_OPEN, _bound),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_C_ECHO, lambda _event: SUCCESS),
            (evt.EVT_DATA_RECV, self._count),
            (evt.EVT_RELEASED, self._released),
            (evt.EVT_ABORTED, self._broken_off),
            (evt.EVT_CONN_CLOSE, self._broken_off),
            (evt.EVT_REJECTED, self._rejected),
        ]

    def _store(self, event: evt.Event) -> Dataset:
        """Answer a C-STORE."""
        call = self._calls.of(event.assoc)
        call.caller, call.pending = str(event.assoc.requestor.ae_title).strip(), 0
        try:
            content = event.encoded_dataset()
            study_uid, sop_uid = uids_of(content)
        except BROKEN as error:
            logger.warning("%s sent an instance that cannot be read (%s)", call.caller, type(error).__name__)
            return _answer(NOT_UNDERSTOOD, "cannot be read")
        request = cast(C_STORE, event.request)
        if not study_uid or sop_uid != str(request.AffectedSOPInstanceUID):
            logger.warning("%s sent an instance whose UIDs are missing or differ", call.caller)
            return _answer(MISMATCH, "UIDs are missing or differ from the command's")
        if call.study_uid not in ("", study_uid):
            self._inbox.mark_finished(call.study_uid)  # the sender went on to another study
        call.study_uid = study_uid
        return self._keep(study_uid, sop_uid, content, call.caller)

    def _keep(self, study_uid: str, sop_uid: str, content: bytes, caller: str) -> Dataset:
        try:
            stored = self._inbox.store(study_uid, sop_uid, content, sender=caller)
        except FullError:
            logger.warning("no room for what %s sends; it was told to try again", caller)
            return _answer(OUT_OF_RESOURCES, "no room; try again later")
        except OSError as error:
            logger.error("an instance of %s cannot be written: %s", caller, error.strerror)
            return _answer(OUT_OF_RESOURCES, "cannot be written; try again later")
        if stored is Stored.ASIDE:
            logger.warning("%s sent other content under a UID that is taken; kept aside", caller)
            return _answer(DUPLICATE, "other content is kept under this UID")
        return _answer(SUCCESS)

    def _count(self, event: evt.Event) -> None:
        """Cut off who sends an instance that is too large to be held."""
        call = self._calls.of(event.assoc)
        call.pending += len(event.data)
        if call.pending > self._config.max_instance_mb * _MB:
            call.pending = 0
            logger.warning(
                "an instance larger than %g MB came; its sender was cut off", self._config.max_instance_mb
            )
            Thread(target=event.assoc.abort, daemon=True).start()  # this is the thread that abort waits for

    def _released(self, event: evt.Event) -> None:
        call = self._calls.end(event.assoc)
        if call is not None and call.study_uid:
            self._inbox.mark_finished(call.study_uid)

    def _broken_off(self, event: evt.Event) -> None:
        call = self._calls.end(event.assoc)
        if call is not None and call.study_uid:
            self._inbox.mark_unfinished(call.study_uid)
            logger.warning("%s broke off; what came is kept", call.caller)

    def _rejected(self, event: evt.Event) -> None:
        self._calls.end(event.assoc)
        logger.warning("association refused: %r called %r", *_titles(event))


def tls_context(config: ListenerConfig) -> ssl.SSLContext:
    """Return the server's side of TLS; with ``tls_callers`` callers must show a certificate.

    The handshake runs in the association's own thread: one who says nothing holds up nobody.

    Raises:
        ConfigError: If a file cannot be used.
    """
    context = _LazyContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(config.tls_certificate, config.tls_key)
        if config.tls_callers:
            context.load_verify_locations(config.tls_callers)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"listener: the TLS files cannot be used: {error.strerror or error.args[0]}") from None
    return context


class _LazyContext(ssl.SSLContext):
    def wrap_socket(self, sock: Any, *arguments: Any, **words: Any) -> ssl.SSLSocket:
        return super().wrap_socket(sock, *arguments, **{**words, "do_handshake_on_connect": False})


def _bound(event: evt.Event) -> None:
    """Let no caller hold a thread by falling silent within a message or a handshake."""
    connection = event.assoc.dul.socket
    if connection is not None and connection.socket is not None:
        connection.socket.settimeout(_START_S)


def _answer(status: int, comment: str = "") -> Dataset:
    answer = Dataset()
    answer.Status = status
    if comment:
        answer.ErrorComment = comment
    return answer


def _titles(event: evt.Event) -> tuple[str, str]:
    """Return calling and called AE title of a refused association."""
    request = event.assoc.requestor.primitive
    return (str(request.calling_ae_title), str(request.called_ae_title)) if request else ("?", "?")
