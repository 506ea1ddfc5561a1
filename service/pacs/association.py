"""An association with a node: opened with words for what went wrong, and ended in any case."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydicom import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu import A_ASSOCIATE_RJ
from pynetdicom.presentation import PresentationContext

from service.pacs.config import DimseConfig, OwnConfig
from service.pacs.errors import PacsError
from service.pacs.quiet import silence_libraries
from service.pacs.tls import client_context

Handlers = Sequence[Any]
_TRANSIENT = 2
_UNKNOWN_CALLING, _UNKNOWN_CALLED = "Calling AE title not recognised", "Called AE title not recognised"


@dataclass
class Silence:
    """How long the node has said nothing; ``touch`` when something comes."""

    since: float = 0.0

    def touch(self) -> None:
        """Note that something came."""
        self.since = time.monotonic()

    def lasted(self, limit_s: float) -> bool:
        """Return whether the node was silent for (nearly) a limit."""
        return time.monotonic() - self.since >= 0.9 * limit_s


@dataclass
class _Opening:
    """What was seen of the node before an association stood, noted as it comes.

    pynetdicom 3.0.4 forgets a refusal that came before its caller looked whether there is a connection: on a busy
    machine it tells an abort.
    """

    is_connected: bool = False
    refusal: A_ASSOCIATE_RJ | None = None


@contextmanager
def associated(
    config: DimseConfig,
    own: OwnConfig,
    contexts: list[PresentationContext],
    *,
    roles: Sequence[Any] = (),
    handlers: Handlers = (),
) -> Iterator[Association]:
    """Open an association; release it at the end, abort it on an error.

    Args:
        config: The node.
        own: Who we are.
        contexts: What we ask for.
        roles: Role selection items (C-GET).
        handlers: pynetdicom's pairs of event and handler.

    Raises:
        PacsError: If there is no association, and why.
    """
    silence_libraries()
    association = _open(config, own, contexts, roles, handlers)
    try:
        yield association
    except BaseException:
        association.abort()
        raise
    if association.is_established:
        association.release()


def lost(config: DimseConfig, silence: Silence) -> PacsError:
    """Return the error of an association that ended before the answer."""
    if silence.lasted(config.answer_s):
        return PacsError(f"the node was silent for {config.answer_s:g} s", code="timeout", again=True)
    return PacsError(
        "the node broke the connection off; if it does so each time, it may not know our AE title",
        code="aborted",
        again=True,
    )


def status_of(answer: Dataset, config: DimseConfig, silence: Silence) -> int:
    """Return the status of an answer.

    Raises:
        PacsError: If there was no answer.
    """
    if "Status" not in answer:
        raise lost(config, silence)
    silence.touch()
    return int(answer.Status)


def _open(
    config: DimseConfig,
    own: OwnConfig,
    contexts: list[PresentationContext],
    roles: Sequence[Any],
    handlers: Handlers,
) -> Association:
    entity = AE(ae_title=own.ae_title)
    entity.connection_timeout = config.connect_s
    entity.acse_timeout = config.connect_s
    entity.dimse_timeout = config.answer_s
    entity.network_timeout = config.answer_s
    tls = client_context(config)
    opening, silence = _Opening(), Silence()
    silence.touch()
    try:
        association = entity.associate(
            config.host,
            config.port,
            contexts=contexts,
            ae_title=config.ae_title,
            ext_neg=list(roles),
            evt_handlers=[
                (evt.EVT_CONN_OPEN, _on_open, [opening]),
                (evt.EVT_PDU_RECV, _on_message, [opening]),
                *handlers,
            ],
            tls_args=None if tls is None else (tls, config.host),
        )
    except (socket.gaierror, OSError) as error:
        raise PacsError(
            f"the host of the node cannot be resolved ({type(error).__name__})", code="unreachable", again=True
        ) from None
    if not association.is_established:
        raise _not_established(association, config, opening, silence)
    return association


def _on_open(event: evt.Event, opening: _Opening) -> None:
    """Note the connection; let small messages go at once, as each instance waits for the answer to the last."""
    opening.is_connected = True
    transport = event.assoc.dul.socket
    if transport is not None and transport.socket is not None:
        transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _on_message(event: evt.Event, opening: _Opening) -> None:
    if isinstance(event.pdu, A_ASSOCIATE_RJ):
        opening.refusal = event.pdu


def _not_established(
    association: Association, config: DimseConfig, opening: _Opening, silence: Silence
) -> PacsError:
    place = f"{config.host}:{config.port}"
    is_late = silence.lasted(config.connect_s)
    if opening.refusal is not None:
        return _rejected(opening.refusal)
    if not opening.is_connected and is_late:
        return PacsError(f"no connection to {place} within {config.connect_s:g} s", code="timeout", again=True)
    if not opening.is_connected:
        told = "nothing listens there, or TLS was not agreed" if config.tls else "nothing listens there"
        return PacsError(f"no connection to {place}: {told}", code="unreachable", again=True)
    if is_late:
        return PacsError(
            f"{place} took the connection, but did not answer within {config.connect_s:g} s",
            code="timeout",
            again=True,
        )
    if association.rejected_contexts and not association.accepted_contexts:
        return PacsError("the node offers none of the services or kinds of object asked for", code="refused")
    return PacsError(f"{place} took the connection and broke it off", code="aborted", again=True)


def _rejected(refusal: A_ASSOCIATE_RJ) -> PacsError:
    """Return the error of an A-ASSOCIATE-RJ (PS3.8, 9.3.4), with what to look at."""
    try:
        reason = refusal.reason_str
    except ValueError:  # a number that the standard does not have
        reason = "no reason that DICOM knows"
    hint = {
        _UNKNOWN_CALLING: "; our AE title (own.ae_title) must be registered there",
        _UNKNOWN_CALLED: "; look at the node's ae_title",
    }.get(reason, "")
    return PacsError(
        f"the node refused the association: {reason}{hint}", code="refused", again=refusal.result == _TRANSIENT
    )
