"""The report upon another reading of the study: only while nobody has worked on it, and nothing is lost."""

import copy
from typing import Any

import pytest

from service.errors import ConflictError, NotFoundError, StaleError
from service.review.rebase import base_upon
from service.review.versions import list_versions
from service.store.tables import AuditEntry, Job, StoredReading, Study
from service.store.words import JobState, Verdict
from tests.service.conftest import add_study
from tests.service.review.conftest import Desk


@pytest.fixture
def other(desk: Desk, document: dict[str, Any]) -> str:
    """Return another reading of the desk's study, with one sentence worded otherwise."""
    changed = copy.deepcopy(document)
    changed["report"]["sections"][1]["sentences"][0]["text"] = "T12-L1: Pfirrmann grade II disc."
    changed["burden"]["score"] = 12.0
    with desk.services.database.begin() as session:
        job = Job(study_id=desk.study_id, state=JobState.DONE.value)
        session.add(job)
        session.flush()
        reading = StoredReading(study_id=desk.study_id, job_id=job.id, writer="composer", document=changed)
        session.add(reading)
        session.flush()
        return reading.id


def test_the_report_stands_on_the_other_reading(desk: Desk, other: str) -> None:
    case = base_upon(desk.services, desk.actor, desk.study_id, 1, other)
    assert (case.reading_id, case.version) == (other, 2)
    assert desk.texts()[0] == "T12-L1: Pfirrmann grade II disc."
    assert case.proposed == case.current
    with desk.services.database.read() as session:
        assert session.get_one(Study, desk.study_id).burden == 12.0
        assert list_versions(session, desk.actor, desk.study_id)[0].what == "based on the reading by composer"
        assert session.query(AuditEntry).filter_by(action="report.rebase").count() == 1


def test_it_can_be_decided_on_as_any_report(desk: Desk, other: str) -> None:
    base_upon(desk.services, desk.actor, desk.study_id, 1, other)
    assert desk.decide(Verdict.ACCEPT, "g75").version == 3


def test_a_report_that_was_worked_on_keeps_its_reading(desk: Desk, other: str) -> None:
    version = desk.decide(Verdict.ACCEPT, "g75").version
    with pytest.raises(ConflictError, match="worked on"):
        base_upon(desk.services, desk.actor, desk.study_id, version, other)


def test_an_old_version_and_a_strange_reading_are_refused(
    desk: Desk, other: str, document: dict[str, Any]
) -> None:
    with pytest.raises(StaleError):
        base_upon(desk.services, desk.actor, desk.study_id, 7, other)
    with desk.services.database.begin() as session:
        strange = add_study(session, desk.actor, document)[1].id
    for reading_id in (strange, "0" * 32):
        with pytest.raises(NotFoundError):
            base_upon(desk.services, desk.actor, desk.study_id, 1, reading_id)


def test_the_same_reading_changes_nothing(desk: Desk) -> None:
    assert base_upon(desk.services, desk.actor, desk.study_id, 1, desk.case.reading_id).version == 1
