"""A signature under a report that was signed before amends it: the formats that tell the two apart are told."""

from typing import Any

import pytest

from service.accounts.actor import Actor
from service.export.content import build_outgoing
from service.review.change import open_case
from service.services import Services
from service.store.base import now
from service.store.tables import ReportVersion, StudyReport
from service.store.words import ReportStatus
from tests.service.conftest import add_study


@pytest.mark.parametrize("status", [ReportStatus.SIGNED, ReportStatus.AMENDED])
@pytest.mark.parametrize("before", [ReportStatus.SIGNED, ReportStatus.REVIEWED])
def test_a_report_knows_whether_it_was_signed_before(
    services: Services, radiologist: Actor, document: dict[str, Any], before: ReportStatus, status: ReportStatus
) -> None:
    with services.database.begin() as session:
        study = add_study(session, radiologist, document)[0].id
        report = session.get_one(StudyReport, study)
        report.version, report.status = 5, status.value
        report.signed_by, report.signed_at = radiologist.user_id, now()
        rows = ((3, before), (5, ReportStatus.SIGNED))
        session.add_all(ReportVersion(study_id=study, version=n, status=s.value, content={}) for n, s in rows)
    outgoing = build_outgoing(open_case(services, radiologist, study))
    assert outgoing.amended_version == (3 if before is ReportStatus.SIGNED else None)
    assert (outgoing.signature is not None) is (status is ReportStatus.SIGNED)
