"""The closed sets of the tables: roles, and how far a study, a job, a report and a decision are."""

from enum import StrEnum


class Role(StrEnum):
    """What a user may do, beyond the studies of their own and of their groups."""

    RADIOLOGIST = "radiologist"
    RESEARCHER = "researcher"
    ADMINISTRATOR = "administrator"


class StudyStatus(StrEnum):
    """How far a study is. ``REFUSED``: read, but not eligible, with the reason."""

    QUEUED = "queued"
    READING = "reading"
    READY = "ready"
    REFUSED = "refused"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ReportStatus(StrEnum):
    """How far a report is: draft -> reviewed -> signed -> amended (and signed anew)."""

    DRAFT = "draft"
    REVIEWED = "reviewed"
    SIGNED = "signed"
    AMENDED = "amended"


class Verdict(StrEnum):
    """What a reader decided of one finding."""

    ACCEPT = "accept"
    EDIT = "edit"
    REJECT = "reject"


class PushState(StrEnum):
    """How far sending a result to another node is."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
