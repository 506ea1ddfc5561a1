"""Serves the application on a folder of its own that holds users and studies, for browser tests.

``python -m tests.service.pages.serve HOME PORT COUNT``: no worker runs, so uploads stay queued; studies that look
read come from a stored reading. Users: ``rita`` (radiologist), ``otto`` (researcher), ``ada`` (administrator).
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy.orm import Session

from service import audit
from service.accounts.actor import Actor
from service.accounts.groups import add_group
from service.accounts.users import add_user
from service.config import ServiceConfig
from service.jobs.summary import finding_rows, levels_summary
from service.services import Services
from service.store.base import now
from service.store.tables import Job, Study, StudyReport
from service.store.words import ReportStatus, Role, StudyStatus
from service.web import create_app
from tests.service.conftest import READING, add_study

PASSWORD = "four words of phantom"
HOSTILE = '<img src=x onerror="document.title=1"> & "label"'
MORE = 31


def build(home: Path, count: int = MORE) -> FastAPI:
    """Return the application on a folder, with users and studies in it; ``count`` more studies than the few."""
    config = ServiceConfig(home=home)
    services = Services.open(config)
    with services.database.begin() as opened:
        fill(opened, count)
    services.database.close()
    return create_app(config)


def fill(opened: Session, count: int) -> None:
    """Add a group, the users and the studies."""
    group = add_group(opened, "system", "Spine team")
    common = {"password": PASSWORD, "group_ids": [group.id]}
    rita = add_user(opened, "system", "rita", role=Role.RADIOLOGIST, display_name="Dr Rita Brandt", **common)
    add_user(opened, "system", "otto", role=Role.RESEARCHER, display_name="Otto Lind", **common)
    add_user(opened, "system", "ada", role=Role.ADMINISTRATOR, display_name="Ada Moser", password=PASSWORD)
    opened.flush()
    owner = Actor.of(rita)
    document: dict[str, Any] = json.loads(READING.read_text(encoding="utf-8"))
    alert = "Spinal canal at L4-L5 narrowed to 6.5 mm (severe by measurement)."
    _add(opened, owner, document, "Bench 3", age=1, is_critical=True, alert=alert)
    _add(opened, owner, document, "Shared case", age=3, group_id=group.id, report=ReportStatus.SIGNED)
    failed = "the reading took longer than 900 s and was ended"
    _plain(opened, owner, "Too slow", StudyStatus.FAILED, age=5, error_code="timeout", error_message=failed)
    refused = "no sagittal series was found"
    _plain(opened, owner, "A knee", StudyStatus.REFUSED, age=8, error_code="not_eligible", error_message=refused)
    if count > 0:
        waiting = _plain(opened, owner, "Being read", StudyStatus.QUEUED, age=0)
        opened.add(Job(study_id=waiting.id))
    for number in range(count):
        label = HOSTILE if number == 0 else f"Series of tests {number}"
        _add(opened, owner, document, label, age=24 + number, burden=30.0 - number / 2)


def _add(
    opened: Session,
    owner: Actor,
    document: dict[str, Any],
    label: str,
    *,
    age: int,
    report: ReportStatus = ReportStatus.DRAFT,
    **fields: Any,
) -> None:
    study, _reading = add_study(opened, owner, document, **{k: v for k, v in fields.items() if k != "burden"})
    study.label = label
    study.burden = fields.get("burden", study.burden)
    study.burden_category = document["burden"]["category"]
    study.levels_summary = levels_summary(document)
    study.created_at = study.finished_at = now() - timedelta(hours=age)
    opened.add_all(finding_rows(study.id, document))
    opened.flush()
    opened.get_one(StudyReport, study.id).status = report.value
    audit.append(opened, owner.name, "study.add", subject=f"study:{study.id}", details={"protocol": "lumbar"})


def _plain(opened: Session, owner: Actor, label: str, status: StudyStatus, *, age: int, **fields: Any) -> Study:
    study = Study(
        owner_id=owner.user_id,
        label=label,
        status=status.value,
        upload_sha256="0" * 64,
        created_at=now() - timedelta(hours=age),
        **fields,
    )
    opened.add(study)
    opened.flush()
    return study


if __name__ == "__main__":
    application = build(Path(sys.argv[1]), int(sys.argv[3]))
    uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
