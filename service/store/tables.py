"""The tables of the service, in SQLAlchemy's typed style; ``migrations/`` makes them.

Ids are random (uuid4, 32 hexadecimal digits): nothing can be guessed from one. Times are aware and in UTC. No
column holds the identity of a patient: studies have the key of ``Study.key`` and a label that a user chose.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from service.store.base import Base, new_id, now
from service.store.words import JobState, PushState, ReportStatus, Role, StudyStatus


class User(Base):
    """A person who signs in. ``password_hash`` is argon2id; None for those of an OpenID Connect provider."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    display_name: Mapped[str] = mapped_column(String(200), default="")
    password_hash: Mapped[str | None] = mapped_column(String(300))
    role: Mapped[str] = mapped_column(String(20), default=Role.RADIOLOGIST.value)
    is_active: Mapped[bool] = mapped_column(default=True)
    oidc_subject: Mapped[str | None] = mapped_column(String(300), unique=True)
    preferences: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    groups: Mapped[list[Group]] = relationship(secondary="memberships", back_populates="members")


class Group(Base):
    """Users who share studies."""

    __tablename__ = "groups"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(String(120), unique=True)
    members: Mapped[list[User]] = relationship(secondary="memberships", back_populates="groups")


class Membership(Base):
    """A user of a group."""

    __tablename__ = "memberships"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[str] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)


class LoginSession(Base):
    """A sign-in. ``id`` is the SHA-256 of its token: who reads the table cannot sign in with it."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
    rotated_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    successor_id: Mapped[str | None] = mapped_column(String(64))
    user: Mapped[User] = relationship()


class LoginFailure(Base):
    """A refused sign-in, for the rate limit: name as given (hashed) and address (hashed)."""

    __tablename__ = "login_failures"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(default=now)


class Study(Base):
    """An accepted upload. ``upload_sha256`` is its blob; ``label`` is what users see, never a patient's name."""

    __tablename__ = "studies"
    __table_args__ = (Index("ix_studies_order", "status", "is_critical", "burden"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    owner_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    group_id: Mapped[str | None] = mapped_column(ForeignKey("groups.id"), index=True)
    label: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(20), default=StudyStatus.QUEUED.value)
    upload_sha256: Mapped[str] = mapped_column(String(64))
    upload_suffix: Mapped[str] = mapped_column(String(20), default="")
    upload_bytes: Mapped[int] = mapped_column(default=0)
    is_sample: Mapped[bool] = mapped_column(default=False)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    prior_study_id: Mapped[str | None] = mapped_column(ForeignKey("studies.id"))
    created_at: Mapped[datetime] = mapped_column(default=now, index=True)
    finished_at: Mapped[datetime | None]
    study_key: Mapped[str | None] = mapped_column(String(64))
    protocol: Mapped[str | None] = mapped_column(String(20))
    burden: Mapped[float | None]
    burden_category: Mapped[str | None] = mapped_column(String(20))
    levels_summary: Mapped[str] = mapped_column(String(400), default="")
    is_critical: Mapped[bool] = mapped_column(default=False)
    alert: Mapped[str | None] = mapped_column(Text)
    error_code: Mapped[str | None] = mapped_column(String(60))
    error_message: Mapped[str | None] = mapped_column(Text)
    owner: Mapped[User] = relationship()
    group: Mapped[Group | None] = relationship()


class Job(Base):
    """One reading to be made. The truth of the queue: a job whose lease has run out is given out again.

    ``options``: protocol, spacing, writer, anchor. ``cause``: why it failed or was cancelled, for the reader.
    """

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(20), default=JobState.QUEUED.value, index=True)
    options: Mapped[dict[str, Any]] = mapped_column(default=dict)
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(80))
    lease_until: Mapped[datetime | None]
    is_cancel_requested: Mapped[bool] = mapped_column(default=False)
    stage: Mapped[str] = mapped_column(String(40), default="queue")
    fraction: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(String(300), default="")
    cause: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    study: Mapped[Study] = relationship()


class StoredReading(Base):
    """A finished reading of a study; a study has one for each model that read it. ``document`` is reading.json.

    What is long stands last in its table: SQLite reads through it to get at what stands after.
    """

    __tablename__ = "readings"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id"), unique=True)
    writer: Mapped[str] = mapped_column(String(80), default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    document: Mapped[dict[str, Any]]
    files: Mapped[list[ReadingFile]] = relationship(back_populates="reading", cascade="all, delete-orphan")


class ReadingFile(Base):
    """A file of a reading (reading.json, report.md, overlay.png, label maps, viewer data): name -> blob."""

    __tablename__ = "reading_files"
    __table_args__ = (UniqueConstraint("reading_id", "name"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    reading_id: Mapped[str] = mapped_column(ForeignKey("readings.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    sha256: Mapped[str] = mapped_column(String(64))
    bytes: Mapped[int]
    media_type: Mapped[str] = mapped_column(String(80), default="application/octet-stream")
    reading: Mapped[StoredReading] = relationship(back_populates="files")


class StudyFinding(Base):
    """A grade of a study's first reading, in columns, so that the worklist can be filtered by it."""

    __tablename__ = "study_findings"
    __table_args__ = (Index("ix_study_findings_filter", "condition", "level", "grade"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    finding_id: Mapped[str] = mapped_column(String(80))
    level: Mapped[str | None] = mapped_column(String(20))
    side: Mapped[str | None] = mapped_column(String(10))
    condition: Mapped[str] = mapped_column(String(60))
    scale: Mapped[str] = mapped_column(String(20))
    grade: Mapped[str] = mapped_column(String(40))
    is_positive: Mapped[bool]


class WorkerBeat(Base):
    """A worker process and when it was last heard of; ``job_id`` is what it reads."""

    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(default=now)
    heard_at: Mapped[datetime] = mapped_column(default=now)
    job_id: Mapped[str | None] = mapped_column(String(32))


class StudyReport(Base):
    """The report of a study as it stands. ``version`` is raised by each change: who writes must name the last one.

    ``proposed`` is what the machine drafted (sections of reading.json), never changed; ``current`` is what stands.
    """

    __tablename__ = "reports"

    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), primary_key=True)
    reading_id: Mapped[str] = mapped_column(ForeignKey("readings.id"))
    status: Mapped[str] = mapped_column(String(20), default=ReportStatus.DRAFT.value, index=True)
    version: Mapped[int] = mapped_column(default=1)
    updated_at: Mapped[datetime] = mapped_column(default=now)
    updated_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    proposed: Mapped[list[Any]]
    current: Mapped[list[Any]]
    study: Mapped[Study] = relationship()
    reading: Mapped[StoredReading] = relationship()


class ReportVersion(Base):
    """The report after each change, whole, with decisions: nothing that stood is ever lost."""

    __tablename__ = "report_versions"
    __table_args__ = (UniqueConstraint("study_id", "version"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    version: Mapped[int]
    status: Mapped[str] = mapped_column(String(20))
    content: Mapped[dict[str, Any]]
    what: Mapped[str] = mapped_column(String(300), default="")
    author_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(default=now)


class Decision(Base):
    """What stands of one finding: accepted, edited (with the grade that is right), or rejected."""

    __tablename__ = "decisions"
    __table_args__ = (UniqueConstraint("study_id", "finding_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    finding_id: Mapped[str] = mapped_column(String(80))
    verdict: Mapped[str] = mapped_column(String(10))
    grade: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text, default="")
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(default=now)


class Acknowledgement(Base):
    """A critical finding that a reader has taken note of."""

    __tablename__ = "acknowledgements"
    __table_args__ = (UniqueConstraint("study_id", "finding_id"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    finding_id: Mapped[str] = mapped_column(String(80))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    at: Mapped[datetime] = mapped_column(default=now)


class ChatMessage(Base):
    """A question about a study and its answer."""

    __tablename__ = "chat_messages"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    finding_ids: Mapped[list[Any]] = mapped_column(default=list)
    is_refused: Mapped[bool] = mapped_column(default=False)
    at: Mapped[datetime] = mapped_column(default=now)


class Evaluation(Base):
    """A run of the evaluation suite on uploaded predictions.

    ``state`` is ``running``, ``done`` or ``failed``, then with ``cause`` for the user. ``files``: name -> sha256,
    bytes and media_type of a blob.
    """

    __tablename__ = "evaluations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    task: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default=JobState.RUNNING.value)
    cause: Mapped[str | None] = mapped_column(Text)
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    files: Mapped[dict[str, Any]] = mapped_column(default=dict)
    at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class PacsDelivery(Base):
    """What a node sent of a DICOM study by a moment, and the worklist's study that was made of it.

    ``dicom_study`` is the SHA-256 of the Study Instance UID, ``sender`` an AE title. ``instances``: SHA-256 of the
    SOP Instance UID -> SHA-256 of the data set, of all instances that the study's file holds.
    """

    __tablename__ = "pacs_deliveries"
    __table_args__ = (UniqueConstraint("dicom_study", "number"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    dicom_study: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"), index=True)
    sender: Mapped[str] = mapped_column(String(16), default="")
    at: Mapped[datetime] = mapped_column(default=now)
    instances: Mapped[dict[str, Any]]


class PacsPush(Base):
    """A result on its way to a node: a version of a study's report in a state. ``cause``: why it did not go."""

    __tablename__ = "pacs_pushes"
    __table_args__ = (UniqueConstraint("study_id", "status", "version"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    study_id: Mapped[str] = mapped_column(ForeignKey("studies.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    node: Mapped[str] = mapped_column(String(120))
    state: Mapped[str] = mapped_column(String(20), default=PushState.WAITING.value, index=True)
    attempt: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(default=now)
    cause: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]


class AuditEntry(Base):
    """One line of the audit log. ``hash`` covers the line and ``previous``: a change anywhere breaks the chain."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(60), index=True)
    subject: Mapped[str] = mapped_column(String(120), default="", index=True)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))
