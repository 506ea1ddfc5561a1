"""Signing: who, with what proof, and what is kept; amendments; two readers at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from service.accounts.actor import Actor
from service.accounts.passwords import hash_password
from service.audit import verify_log
from service.errors import BusyError, ConflictError, ForbiddenError, NotFoundError, StaleError
from service.review import decisions, signing
from service.review.change import content_hash
from service.review.versions import PROPOSED, diff_versions, list_versions
from service.store.tables import AuditEntry, ReportVersion, StudyReport, User
from service.store.words import ReportStatus, Verdict
from tests.service.review.conftest import Desk


def _settled(desk: Desk) -> int:
    desk.decide(Verdict.ACCEPT, "g71")
    desk.decide(Verdict.EDIT, "g75", grade="moderate")
    decisions.acknowledge(desk.services, desk.actor, desk.study_id, desk.case.version, "g75")
    return signing.review(desk.services, desk.actor, desk.study_id, desk.case.version).version


def _with_password(desk: Desk) -> None:
    with desk.services.database.begin() as session:
        user = session.get(User, desk.actor.user_id)
        assert user is not None
        user.password_hash = "hash of right"


def _verify(password_hash: str, password: str) -> bool:
    return password_hash == f"hash of {password}"


def test_a_settled_report_is_signed_with_the_password(small_desk: Desk) -> None:
    version = _settled(small_desk)
    _with_password(small_desk)
    work = small_desk.services, small_desk.actor, small_desk.study_id
    with pytest.raises(ForbiddenError, match="the password is wrong"):
        signing.sign(*work, version, "wrong", verify=_verify)
    case = signing.sign(*work, version, "right", verify=_verify)
    assert case.status is ReportStatus.SIGNED
    assert case.signature is not None
    assert case.name(case.signature.user_id) == "Dr rad"
    with small_desk.services.database.read() as session:
        line = session.scalar(select(AuditEntry).where(AuditEntry.action == "report.sign"))
        kept = session.scalar(select(ReportVersion).where(ReportVersion.version == case.version))
        assert line is not None
        assert kept is not None
        assert line.details["content_sha256"] == content_hash(kept.content)
        assert line.details["proof"] == "password"
        assert line.details["decisions"] == {"g71": "accept", "g75": "edit"}
        assert set(line.details["models"]) >= {"grading", "segmentation"}
        assert verify_log(session).is_intact


def test_the_password_is_that_of_the_accounts(small_desk: Desk) -> None:
    version = _settled(small_desk)
    with small_desk.services.database.begin() as session:
        user = session.get(User, small_desk.actor.user_id)
        assert user is not None
        user.password_hash = hash_password("correct horse battery")
    work = small_desk.services, small_desk.actor, small_desk.study_id
    for wrong in ("rad", "correct horse batter", ""):
        with pytest.raises(ForbiddenError):
            signing.sign(*work, version, wrong)
    assert signing.sign(*work, version, "correct horse battery").status is ReportStatus.SIGNED


def test_users_without_a_password_type_their_name(small_desk: Desk) -> None:
    version = _settled(small_desk)
    work = small_desk.services, small_desk.actor, small_desk.study_id
    with pytest.raises(ForbiddenError, match="type the name you sign in with"):
        signing.sign(*work, version, "Dr rad")
    assert signing.sign(*work, version, "rad").status is ReportStatus.SIGNED


def test_too_many_wrong_passwords_close_the_door_for_a_while(small_desk: Desk) -> None:
    version = _settled(small_desk)
    work = small_desk.services, small_desk.actor, small_desk.study_id
    for _ in range(5):
        with pytest.raises(ForbiddenError):
            signing.sign(*work, version, "guess")
    with pytest.raises(BusyError, match="too many wrong passwords"):
        signing.sign(*work, version, "rad")
    assert small_desk.case.status is ReportStatus.REVIEWED


def test_the_gate_is_told_before_any_password_is_asked(small_desk: Desk) -> None:
    with pytest.raises(ConflictError, match="review it first"):
        signing.sign(small_desk.services, small_desk.actor, small_desk.study_id, 1, "rad")
    with pytest.raises(ConflictError, match="Not decided: disc degeneration at L4-L5"):
        signing.review(small_desk.services, small_desk.actor, small_desk.study_id, 1)


def test_an_amendment_needs_a_reason_and_a_new_signature(small_desk: Desk) -> None:
    work = small_desk.services, small_desk.actor, small_desk.study_id
    signed = signing.sign(*work, _settled(small_desk), "rad")
    with pytest.raises(ConflictError, match="only an amendment"):
        small_desk.decide(Verdict.REJECT, "g75")
    opened = signing.amend(*work, signed.version, "compared with the outside study")
    assert (opened.status, opened.signature) == (ReportStatus.AMENDED, None)
    small_desk.decide(Verdict.REJECT, "g75")
    again = signing.sign(*work, small_desk.case.version, "rad")
    assert again.status is ReportStatus.SIGNED
    with small_desk.services.database.read() as session:
        lines = list_versions(session, small_desk.actor, small_desk.study_id)
        assert [line.what for line in lines][:4] == [
            "signed",
            "reject: spinal canal stenosis at L4-L5",
            "amended: compared with the outside study",
            "signed",
        ]  # fmt: skip
        assert lines[-1].what == "drafted by the machine"
        diff = diff_versions(session, small_desk.actor, small_desk.study_id, signed.version)
        assert [(item.finding_id, item.after) for item in diff.decisions] == [
            ("g75", {"verdict": "reject", "grade": None, "note": ""})
        ]


def test_what_the_machine_proposed_and_what_was_signed_are_both_kept(small_desk: Desk) -> None:
    signed = signing.sign(small_desk.services, small_desk.actor, small_desk.study_id, _settled(small_desk), "rad")
    with small_desk.services.database.read() as session:
        diff = diff_versions(session, small_desk.actor, small_desk.study_id, PROPOSED, signed.version)
        words = next(item.words for item in diff.sections if item.name == "findings")
        before = "".join(word.text for word in words if word.op != "insert")
        after = "".join(word.text for word in words if word.op != "delete")
        assert before.splitlines()[1] == "Severe spinal canal stenosis (canal AP diameter 6.5 mm)."
        assert after.splitlines()[1] == "L4-L5: Moderate spinal canal stenosis (canal AP diameter 6.5 mm)."
        report = session.get(StudyReport, small_desk.study_id)
        assert report is not None
        assert report.proposed == report.reading.document["report"]["sections"]
        with pytest.raises(NotFoundError):
            diff_versions(session, small_desk.actor, small_desk.study_id, 0, 99)


@pytest.mark.parametrize("other", ["researcher", "administrator", "stranger"])
def test_nobody_else_decides_or_signs(small_desk: Desk, other: str, request: pytest.FixtureRequest) -> None:
    actor: Actor = request.getfixturevalue(other)
    work = small_desk.services, actor, small_desk.study_id
    expected = ForbiddenError if other == "administrator" else NotFoundError
    with pytest.raises(expected):
        decisions.decide(*work, 1, ["g71"], Verdict.ACCEPT)
    with pytest.raises(expected):
        signing.sign(*work, 1, actor.name)


def test_a_stale_version_is_told_the_one_that_stands(small_desk: Desk) -> None:
    small_desk.decide(Verdict.ACCEPT, "g71")
    with pytest.raises(StaleError) as caught:
        decisions.decide(small_desk.services, small_desk.actor, small_desk.study_id, 1, ["g75"], Verdict.ACCEPT)
    assert caught.value.current_version == 2


def test_of_many_readers_at_once_one_wins_and_the_others_are_told(small_desk: Desk) -> None:
    def decide(index: int) -> bool:
        verdict = (Verdict.ACCEPT, Verdict.REJECT)[index % 2]
        try:
            decisions.decide(small_desk.services, small_desk.actor, small_desk.study_id, 1, ["g71"], verdict)
        except StaleError as error:
            return error.current_version != 2
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(decide, range(8)))
    assert won.count(True) == 1
    case = small_desk.case
    assert (case.version, case.decisions["g71"].verdict) == (
        2,
        (Verdict.ACCEPT, Verdict.REJECT)[won.index(True) % 2],
    )
    with small_desk.services.database.read() as session:
        assert [row.version for row in session.scalars(select(ReportVersion).order_by(ReportVersion.version))] == [
            1,
            2,
        ]
        actions = session.scalars(select(AuditEntry.action)).all()
    assert actions == ["report.decide"]
