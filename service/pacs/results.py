"""Results on their way back: what was read or signed of a study that a node sent goes to a node.

The outbox is a table: what is to go is written there first, and marked as done when the node has confirmed every
file. A node that is down loses nothing; sending is tried again, ever more rarely. The same report gives the same
UIDs, so what is sent twice is one object there.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event

from sqlalchemy import exists, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from runtime.errors import SpineScribeError
from service import audit
from service.accounts.actor import Actor
from service.errors import NotFoundError
from service.export.gather import gather
from service.export.isolated import isolated_files
from service.export.request import Format
from service.pacs.listener_config import ListenerConfig, PushWhen
from service.services import Services
from service.store.base import now
from service.store.tables import PacsDelivery, PacsPush, StudyReport
from service.store.words import PushState, ReportStatus, Role

logger = logging.getLogger(__name__)

Send = Callable[[Sequence[Path]], None]
"""Send files to the node; returns when it has confirmed each of them.

Raises:
    SpineScribeError: If it did not, in words without identity. It is tried again.
"""

_LOOK_S = 2.0
_FIRST_PAUSE_S = 15.0
_LONGEST_PAUSE_S = 3600.0
_CAUSE_CHARS = 300
_WORK_PREFIX = "push-"
SYSTEM = Actor(user_id="", name="system", display_name="system", role=Role.ADMINISTRATOR)
"""Who acts when nobody does: sees every study."""
SUPERSEDED = "another version stands by now"


@dataclass
class Results:
    """Sends results back.

    Attributes:
        services: The open service.
        config: What is sent, and where to.
        send: How.
        first_pause_s: Seconds after the first failure; twice as long after each further one, an hour at most.
    """

    services: Services
    config: ListenerConfig
    send: Send
    first_pause_s: float = _FIRST_PAUSE_S

    def run(self, stop: Event) -> None:
        """Send until told to stop; what was given up is tried again from the start."""
        is_begun = False
        while not stop.wait(_LOOK_S):
            try:
                if not is_begun:
                    self._begin()
                is_begun = True
                self.step(stop)
            except (SQLAlchemyError, SpineScribeError, OSError) as error:
                logger.warning("%s; results are sent later", type(error).__name__)

    def step(self, stop: Event | None = None) -> None:
        """Put into the outbox what is new, and send what is due."""
        self._find()
        for push in self._due():
            if stop is not None and stop.is_set():
                return
            self._push(push)

    def _begin(self) -> None:
        """Remove what a killed process left of an export, and take up again what was given up."""
        for folder in self.services.config.work_dir.glob(f"{_WORK_PREFIX}*"):
            shutil.rmtree(folder)
        again = {"state": PushState.WAITING.value, "attempt": 0, "next_at": now(), "finished_at": None}
        with self.services.database.begin() as session:
            session.execute(update(PacsPush).where(PacsPush.state == PushState.FAILED.value).values(**again))

    def _find(self) -> None:
        """Put results into the outbox that are not in it."""
        with self.services.database.read() as session:
            is_needed = bool(_missing(session, self.config.push))
        if is_needed:
            with self.services.database.begin() as session:
                for report, status in _missing(session, self.config.push):
                    session.add(
                        PacsPush(
                            study_id=report.study_id,
                            status=status.value,
                            version=report.version,
                            node=self.config.push_to,
                        )
                    )

    def _due(self) -> list[PacsPush]:
        query = (
            select(PacsPush)
            .where(PacsPush.state == PushState.WAITING.value, PacsPush.next_at <= now())
            .order_by(PacsPush.created_at)
        )
        with self.services.database.read() as session:
            return list(session.scalars(query))

    def _push(self, push: PacsPush) -> None:
        try:
            sent = self._export_and_send(push)
        except NotFoundError:
            return  # deleted meanwhile, and its row with it
        except (SpineScribeError, OSError) as error:
            self._try_later(push, str(error) if isinstance(error, SpineScribeError) else type(error).__name__)
        except Exception as error:  # a fault of an export stops no other result
            logger.error("push %s: %s", push.id, type(error).__name__, exc_info=error)
            self._try_later(push, type(error).__name__)
        else:
            self._finish(push, sent)

    def _export_and_send(self, push: PacsPush) -> dict[str, bytes] | None:
        """Return what was sent; None where something else stands by now."""
        kinds = [Format(kind.value) for kind in self.config.push_formats]
        case, request = gather(self.services, SYSTEM, push.study_id, *kinds, classes=self.config.push_classes)
        is_draft = push.status == ReportStatus.DRAFT.value  # a draft goes as it stands, others as they were signed
        if case.status.value != push.status or not (is_draft or case.version == push.version):
            return None
        work = self.services.config.work_dir
        files = isolated_files(request, work)
        with tempfile.TemporaryDirectory(prefix=_WORK_PREFIX, dir=work) as name:
            paths = [Path(name) / f"{number:04}.dcm" for number in range(len(files))]
            for path, content in zip(paths, files.values(), strict=True):
                path.write_bytes(content)
            self.send(paths)
        return files

    def _finish(self, push: PacsPush, sent: dict[str, bytes] | None) -> None:
        with self.services.database.begin() as session:
            row = session.get(PacsPush, push.id)
            if row is None:
                return
            row.state, row.finished_at, row.attempt = PushState.DONE.value, now(), row.attempt + 1
            row.node = self.config.push_to
            row.cause = SUPERSEDED if sent is None else None
            if sent is not None:
                digests = [hashlib.sha256(content).hexdigest() for content in sent.values()]
                self._tell(session, row, "report.push", {"files": len(sent), "sha256": digests})

    def _try_later(self, push: PacsPush, cause: str) -> None:
        with self.services.database.begin() as session:
            row = session.get(PacsPush, push.id)
            if row is None:
                return
            row.attempt, row.cause, row.node = row.attempt + 1, cause[:_CAUSE_CHARS], self.config.push_to
            if row.attempt >= self.config.push_attempts:
                row.state, row.finished_at = PushState.FAILED.value, now()
                self._tell(session, row, "report.push_fail", {"attempts": row.attempt})
                logger.error("a result was not sent after %d attempts: %s", row.attempt, row.cause)
                return
            pause = min(_LONGEST_PAUSE_S, self.first_pause_s * 2.0 ** min(row.attempt - 1, 20))
            row.next_at = now() + timedelta(seconds=pause)
            logger.warning("a result could not be sent (%s); tried again in %.0f s", row.cause, pause)

    def _tell(self, session: Session, row: PacsPush, action: str, more: dict[str, object]) -> None:
        details = {
            "node": row.node,
            "status": row.status,
            "version": row.version,
            "formats": [kind.value for kind in self.config.push_formats],
            **more,
        }
        audit.append(session, "system", action, subject=f"study:{row.study_id}", details=details)


def _missing(session: Session, when: PushWhen) -> list[tuple[StudyReport, ReportStatus]]:
    """Return the reports that are to go and are not in the outbox, with the state they go in."""
    from_node = exists().where(PacsDelivery.study_id == StudyReport.study_id)
    of_study = PacsPush.study_id == StudyReport.study_id
    signed = exists().where(
        of_study, PacsPush.status == ReportStatus.SIGNED.value, PacsPush.version == StudyReport.version
    )
    found = select(StudyReport).where(from_node, StudyReport.status == ReportStatus.SIGNED.value, ~signed)
    rows = [(report, ReportStatus.SIGNED) for report in session.scalars(found)]
    if when is PushWhen.DRAFT:
        drafted = exists().where(of_study)
        found = select(StudyReport).where(from_node, StudyReport.status == ReportStatus.DRAFT.value, ~drafted)
        rows += [(report, ReportStatus.DRAFT) for report in session.scalars(found)]
    return rows
