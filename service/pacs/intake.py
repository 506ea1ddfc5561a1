"""From arriving instances to the worklist: a study of which nothing came for a while becomes an entry.

What comes of a study after that becomes an entry of its own, with all instances that came by then: the report of
the first belongs to the images it was made of and may be signed, so its images never change. The delivery's row is
written in the transaction that adds the study, and the instances leave the inbox after it: a crash at any point
takes nothing in twice, because a delivery without a new image makes no entry.
"""

from __future__ import annotations

import logging
import tempfile
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from runtime.errors import ConfigError, SpineScribeError
from service import audit
from service.accounts.actor import Actor
from service.accounts.groups import find_group
from service.accounts.users import find_user
from service.errors import BusyError, NotFoundError
from service.pacs.inbox import SUFFIX, Delivery, Inbox
from service.pacs.listener import Listener
from service.pacs.listener_config import ListenerConfig
from service.pacs.part10 import digest_of, is_image, is_same
from service.services import Services
from service.store import Blob
from service.store.tables import PacsDelivery, Study
from service.studies.accept import Incoming, add_study, default_label

logger = logging.getLogger(__name__)

FOLDER = "pacs"
"""Folder of the inbox in ``work_dir``."""
_LOOK_S = 0.5
_LONGEST_WAIT_S = 60.0
_FAULT_WAIT_S = 10.0
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class _Before:
    """The last delivery of a study: its number, the label of its first entry, the kept file and what it holds."""

    number: int
    label: str
    blob: Path
    instances: Mapping[str, str]


@dataclass
class Intake:
    """Makes worklist entries of an inbox.

    Attributes:
        services: The open service.
        config: For whom, and after how long.
        inbox: What arrives.
        listener: Who tells what is being sent; None when nobody listens.
    """

    services: Services
    config: ListenerConfig
    inbox: Inbox
    listener: Listener | None = None
    _wait_until: float = field(default=0.0, init=False)

    def run(self, stop: Event) -> None:
        """Take in until told to stop; what fails is tried again."""
        while not stop.wait(_LOOK_S):
            self.step()

    def step(self) -> None:
        """Take in what is due now."""
        open_studies = set() if self.listener is None else self.listener.open_studies
        for study in self.inbox.quiet(self.config.quiet_s, open_studies):
            self.inbox.take(study)
        if time.monotonic() < self._wait_until:
            return
        for delivery in self.inbox.taken():
            try:
                self._take_in(delivery)
            except BusyError as error:
                self._pause(min(_LONGEST_WAIT_S, error.retry_after_s), "the queue is full")
                return
            except (SQLAlchemyError, SpineScribeError, OSError, zipfile.BadZipFile) as error:
                self._pause(_FAULT_WAIT_S, type(error).__name__)

    def _pause(self, seconds: float, why: str) -> None:
        logger.warning("a study that arrived waits (%s); tried again in %.0f s", why, seconds)
        self._wait_until = time.monotonic() + seconds

    def _take_in(self, delivery: Delivery) -> None:
        with self.services.database.read() as session:
            before = _before(session, self.services, delivery.study)
        new = self._new_files(delivery, before)
        if not any(is_image(file) for file in new):
            self._without_images(delivery, new)
        else:
            with tempfile.TemporaryDirectory(dir=self.inbox.part) as folder:
                archive = Path(folder) / "study.zip"
                instances = _write_zip(archive, new, before)
                blob = self.services.blobs.put_file(archive)
            self._accept(delivery, before, instances, len(new), blob)
        self.inbox.drop(delivery)

    def _without_images(self, delivery: Delivery, files: list[Path]) -> None:
        """Put aside what came without a new image, such as our own results sent around: nothing is to be read."""
        if files:
            logger.warning("%d objects came without a new MR image of their study; kept aside", len(files))
        for file in files:
            self.inbox.put_aside(file, delivery.study)

    def _new_files(self, delivery: Delivery, before: _Before | None) -> list[Path]:
        """Return what no earlier delivery had; other bytes under a UID of an earlier one are put aside."""
        if before is None:
            return delivery.files
        new = []
        with zipfile.ZipFile(before.blob) as archive:
            for file in delivery.files:
                if file.stem not in before.instances:
                    new.append(file)
                elif not is_same(archive.read(file.name), file.read_bytes()):
                    logger.warning("other content came under a UID that was taken in before; kept aside")
                    self.inbox.put_aside(file, delivery.study)
        return new

    def _accept(
        self, delivery: Delivery, before: _Before | None, instances: dict[str, str], new: int, blob: Blob
    ) -> None:
        """Add study, delivery and audit lines in one transaction."""
        number = 1 if before is None else before.number + 1
        details = {
            "instances": len(instances),
            "new": new,
            "delivery": number,
            "aside": self.inbox.count_aside(delivery.study),
            "is_broken_off": delivery.is_unfinished,
        }
        with self.services.database.begin() as session:
            actor, group_id = owner_of(session, self.config)
            incoming = Incoming(blob=blob, suffix=".zip", group_id=group_id)
            study, job = add_study(session, self.services, actor, incoming)
            study.label = _label(study, delivery, before, len(instances))
            session.add(
                PacsDelivery(
                    dicom_study=delivery.study,
                    number=number,
                    study_id=study.id,
                    sender=delivery.sender,
                    instances=instances,
                )
            )
            audit.append(
                session, f"pacs:{delivery.sender}", "study.arrive", subject=f"study:{study.id}", details=details
            )
        self.services.queue.put(job.id)


def owner_of(session: Session, config: ListenerConfig) -> tuple[Actor, str | None]:
    """Return for whom studies are taken in, and the group they are shared with.

    Raises:
        ConfigError: If there is no such user or group, or the user is not of the group or not active.
    """
    try:
        user = find_user(session, config.owner)
    except NotFoundError:
        raise ConfigError(
            f"listener.owner: there is no user {config.owner!r}; add one (spinescribe user)"
        ) from None
    if not user.is_active:
        raise ConfigError(f"listener.owner: the user {config.owner!r} is deactivated")
    actor = Actor.of(user)
    if not config.group:
        return actor, None
    group = find_group(session, config.group)
    if group is None or group.id not in actor.group_ids:
        raise ConfigError(f"listener.group: expected a group of the user {config.owner!r}, got {config.group!r}")
    return actor, group.id


def _before(session: Session, services: Services, dicom_study: str) -> _Before | None:
    """Return the last delivery of a study that was not deleted."""
    query = (
        select(PacsDelivery, Study)
        .join(Study, Study.id == PacsDelivery.study_id)
        .where(PacsDelivery.dicom_study == dicom_study)
        .order_by(PacsDelivery.number)
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    last, study = rows[-1]
    label = rows[0][1].label
    return _Before(last.number, label, services.blobs.path(study.upload_sha256), dict(last.instances))


def _write_zip(archive: Path, new: list[Path], before: _Before | None) -> dict[str, str]:
    """Write what came before and what is new; the same instances give the same bytes.

    Returns:
        SHA-256 of the SOP Instance UID -> SHA-256 of the data set.
    """
    instances = {} if before is None else dict(before.instances)
    with zipfile.ZipFile(archive, "w") as target:
        if before is not None:
            with zipfile.ZipFile(before.blob) as earlier:
                for name in sorted(before.instances):
                    target.writestr(zipfile.ZipInfo(name + SUFFIX, _ZIP_DATE), earlier.read(name + SUFFIX))
        for file in new:
            content = file.read_bytes()
            target.writestr(zipfile.ZipInfo(file.name, _ZIP_DATE), content)
            instances[file.stem] = digest_of(content)
    return instances


def _label(study: Study, delivery: Delivery, before: _Before | None, count: int) -> str:
    """Return what users see: how many instances came, and that there may be more."""
    name = default_label(study.id) if before is None else before.label.split(" - ")[0]
    parts = [f"{count} instance{'' if count == 1 else 's'} from {delivery.sender or 'the archive'}"]
    if before is not None:
        parts.append(f"delivery {before.number + 1}")
    if delivery.is_unfinished:
        parts.append("sender broke off")
    return f"{name} - {', '.join(parts)}"[:200]
