"""What a user may do to a study; files go with the last study that names them."""

import os
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from service.accounts.actor import Actor
from service.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from service.services import Services
from service.store.base import Base, now
from service.store.tables import AuditEntry, Evaluation, Group, Job, ReadingFile, ReportVersion, Study, StudyReport
from service.studies.accept import Incoming, accept_study, mean_reading_s, retry_after_s
from service.studies.lifecycle import cancel_study, change_study, delete_study, read_again, retry_study
from service.studies.upkeep import clean_up, unnamed
from tests.service.conftest import add_study, add_user
from tests.service.jobs.fakes import picture
from tests.service.jobs.steps import accept, jobs_of, study_of


def test_a_waiting_study_is_cancelled_at_once_and_tried_again(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist)
    cancel_study(services, radiologist, study_id)
    study = study_of(services, study_id)
    assert (study.status, study.error_message) == ("cancelled", "cancelled by the user")
    with pytest.raises(ConflictError, match="nothing of this study waits"):
        cancel_study(services, radiologist, study_id)
    retry_study(services, radiologist, study_id)
    assert study_of(services, study_id).status == "queued"
    assert [job.state for job in jobs_of(services, study_id)] == ["cancelled", "queued"]
    with pytest.raises(ConflictError, match="only a study that failed"):
        retry_study(services, radiologist, study_id)


def test_only_what_was_read_is_read_again_and_once_at_a_time(
    services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    waiting = accept(services, radiologist)
    with pytest.raises(ConflictError, match="only a study that was read"):
        read_again(services, radiologist, waiting, {})
    with services.database.begin() as session:
        ready = add_study(session, radiologist, document)[0].id
    read_again(services, radiologist, ready, {"writer": "composer"})
    with pytest.raises(ConflictError, match="waits or is under way"):
        read_again(services, radiologist, ready, {})
    cancel_study(services, radiologist, ready)
    assert study_of(services, ready).status == "ready"


def test_renaming_and_sharing(services: Services, stranger: Actor) -> None:
    owner, friend = add_user(services, "owner", group="ward"), add_user(services, "friend", group="ward")
    with services.database.read() as session:
        ward = session.query(Group).one().id
    study_id = accept(services, owner)
    assert study_of(services, study_id).label == f"Study {study_id[:6]}"
    change_study(services, owner, study_id, {"label": "Bed 4", "group_id": ward})
    assert (study_of(services, study_id).label, study_of(services, study_id).group_id) == ("Bed 4", ward)
    change_study(services, friend, study_id, {"label": ""})
    assert study_of(services, study_id).label == f"Study {study_id[:6]}"
    with pytest.raises(ForbiddenError, match="only the owner"):
        change_study(services, friend, study_id, {"group_id": None})
    with pytest.raises(ForbiddenError, match="one of your own groups"):
        change_study(services, owner, study_id, {"group_id": "f" * 32})
    with pytest.raises(NotFoundError):
        change_study(services, stranger, study_id, {"label": "mine"})
    with pytest.raises(ForbiddenError, match="only the owner"):
        delete_study(services, friend, study_id)


def test_deleting_takes_every_row_and_file(
    services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    blob = services.blobs.put(b"report")
    with services.database.begin() as session:
        study, reading = add_study(session, radiologist, document)
        reading.files.append(ReadingFile(name="report.md", sha256=blob.sha256, bytes=blob.bytes))
        later, _ = add_study(session, radiologist, document, prior_study_id=study.id)
    delete_study(services, radiologist, study.id)
    assert not services.blobs.path(blob.sha256).exists()
    assert study_of(services, later.id).prior_study_id is None
    with services.database.read() as session:
        for table in Base.metadata.tables.values():
            if "study_id" in table.c:
                left = select(func.count()).select_from(table).where(table.c.study_id == study.id)
                assert session.scalar(left) == 0, table.name
        assert session.query(AuditEntry).filter_by(action="study.delete").count() == 1


def test_a_file_that_another_study_names_stays(services: Services, radiologist: Actor) -> None:
    first, second = accept(services, radiologist), accept(services, radiologist)
    name = study_of(services, first).upload_sha256
    delete_study(services, radiologist, first)
    assert services.blobs.check(name)
    delete_study(services, radiologist, second)
    assert not services.blobs.path(name).exists()


def test_signed_and_running_studies_are_not_deleted(
    services: Services, radiologist: Actor, document: dict[str, Any]
) -> None:
    with services.database.begin() as session:
        study, _ = add_study(session, radiologist, document)
        session.get_one(StudyReport, study.id).signed_at = now()
        amended, _ = add_study(session, radiologist, document)
        session.get_one(StudyReport, amended.id).status = "amended"
        redrafted, _ = add_study(session, radiologist, document)
        session.add(ReportVersion(study_id=redrafted.id, version=3, status="signed", content={}))
    for kept in (study, amended, redrafted):
        with pytest.raises(ConflictError, match="signed study is kept"):
            delete_study(services, radiologist, kept.id)
    running = accept(services, radiologist)
    with services.database.begin() as session:
        session.query(Job).filter_by(study_id=running).one().state = "running"
    with pytest.raises(ConflictError, match="cancel it first"):
        delete_study(services, radiologist, running)


def test_a_prior_must_have_been_read_and_be_visible(
    services: Services, radiologist: Actor, stranger: Actor
) -> None:
    unread = accept(services, radiologist)
    with pytest.raises(InvalidError, match="expected a study that was read"):
        accept(services, radiologist, prior_study_id=unread)
    with pytest.raises(NotFoundError):
        accept(services, stranger, prior_study_id=unread)
    with pytest.raises(ForbiddenError, match="one of your own groups"):
        accept(services, radiologist, group_id="f" * 32)


def test_an_upload_whose_file_was_removed_meanwhile_is_not_accepted(
    services: Services, radiologist: Actor
) -> None:
    blob = services.blobs.put(picture())
    services.blobs.remove(blob.sha256)
    with pytest.raises(Exception, match="lost on its way"):
        accept_study(services, radiologist, Incoming(blob=blob, suffix=".png"))


def test_the_time_to_try_again_follows_the_latest_readings(services: Services, radiologist: Actor) -> None:
    with services.database.begin() as session:
        assert (mean_reading_s(session), retry_after_s(session, 3)) == (60.0, 60)
    study_id = accept(services, radiologist)
    with services.database.begin() as session:
        job = session.query(Job).filter_by(study_id=study_id).one()
        moment = now()
        job.state, job.started_at, job.finished_at = "done", moment, moment + timedelta(seconds=12)
    with services.database.read() as session:
        assert (retry_after_s(session, 5), retry_after_s(session, 100)) == (12, 120)


def test_cleaning_up_leaves_what_is_named_or_young(services: Services, radiologist: Actor) -> None:
    study_id = accept(services, radiologist)
    named, plot = study_of(services, study_id).upload_sha256, services.blobs.put(b"plot").sha256
    orphan, young = services.blobs.put(b"orphan").sha256, services.blobs.put(b"young").sha256
    half = services.config.blob_dir / ".incoming-abc"
    half.touch()
    (services.config.work_dir / "job-gone-1").mkdir()
    with services.database.begin() as session:
        session.add(Evaluation(user_id=radiologist.user_id, task="grading", files={"plot.png": plot}))
    for file in (half, *(services.blobs.path(name) for name in (named, plot, orphan))):
        os.utime(file, (0, 0))
    clean_up(services)
    assert sorted(services.blobs.names()) == sorted([named, plot, young])
    assert not half.exists()
    assert not list(services.config.work_dir.iterdir())
    with services.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Study)) == 1
        assert unnamed(session, [named, young]) == {young}
