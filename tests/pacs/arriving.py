"""What tests of the listener do again and again: one that runs here, senders, a look at the worklist."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydicom import Dataset, dcmread
from pynetdicom import AE, Association
from sqlalchemy import select

from service.pacs.inbox import Inbox
from service.pacs.intake import Intake
from service.pacs.listen import open_inbox
from service.pacs.listener import SYNTAXES, Listener
from service.pacs.listener_config import ListenerConfig
from service.pacs.part10 import IMAGES
from service.services import Services
from service.store.tables import AuditEntry, Job, PacsDelivery, PacsPush, Study
from tests.pacs.ports import LOOPBACK

CALLER = "MR1"
QUIET_S = 0.3


@dataclass(frozen=True)
class Running:
    """A listener that runs: its port, its inbox, and what makes entries, stepped by the test."""

    port: int
    inbox: Inbox
    listener: Listener
    intake: Intake

    def settle(self, is_done: Callable[[], bool], seconds: float = 20.0) -> None:
        """Step the intake until something holds."""
        until = time.monotonic() + seconds
        while not is_done():
            assert time.monotonic() < until, "it did not come about in time"
            self.intake.step()
            time.sleep(0.05)


def config_of(**changes: Any) -> ListenerConfig:
    return ListenerConfig(**{"callers": (CALLER,), "owner": "rad", "port": 0, "quiet_s": QUIET_S, **changes})


@contextmanager
def running(services: Services, **changes: Any) -> Iterator[Running]:
    config = config_of(**changes)
    inbox = open_inbox(services, config)
    listener = Listener(config, inbox)
    try:
        with listener.listening() as port:
            yield Running(port, inbox, listener, Intake(services, config, inbox, listener))
    finally:
        inbox.close()


def associate(
    port: int, *, calling: str = CALLER, called: str = "SPINESCRIBE", wanted: tuple[str, ...] = (), **words: Any
) -> Association:
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 20
    for uid in (*IMAGES, *wanted):
        entity.add_requested_context(uid, list(SYNTAXES[:2]))
    entity.add_requested_context("1.2.840.10008.1.1")
    return entity.associate(LOOPBACK, port, ae_title=called, **words)


def send(port: int, *files: Path, **words: Any) -> list[int]:
    """Send files in one association; return the status of each."""
    association = associate(port, **words)
    assert association.is_established
    found = [status_of(association.send_c_store(dcmread(file))) for file in files]
    association.release()
    return found


def status_of(answer: Dataset) -> int:
    return int(answer.Status) if "Status" in answer else -1


def client_tls(certificates: Path, *, shows: bool = True) -> tuple[ssl.SSLContext, str]:
    context = ssl.create_default_context(cafile=certificates / "server.pem")
    context.check_hostname = False
    if shows:
        context.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    return context, "server"


def studies(services: Services) -> list[Study]:
    with services.database.read() as session:
        return list(session.scalars(select(Study).order_by(Study.created_at)))


def deliveries(services: Services) -> list[PacsDelivery]:
    with services.database.read() as session:
        return list(session.scalars(select(PacsDelivery).order_by(PacsDelivery.number)))


def pushes(services: Services) -> list[PacsPush]:
    with services.database.read() as session:
        return list(session.scalars(select(PacsPush).order_by(PacsPush.created_at)))


def jobs(services: Services) -> list[Job]:
    with services.database.read() as session:
        return list(session.scalars(select(Job)))


def lines(services: Services, action: str) -> list[AuditEntry]:
    with services.database.read() as session:
        return list(session.scalars(select(AuditEntry).where(AuditEntry.action == action)))
