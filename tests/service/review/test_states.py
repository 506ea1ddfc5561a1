"""There is no way to a signature around the gate: every small world, and random walks on the real service."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.errors import ConflictError, ServiceError
from service.review import decisions, editing, signing
from service.review.case import Case
from service.review.editing import GivenSection, GivenSentence
from service.review.states import Action, Standing, may, next_status
from service.store.words import ReportStatus, Verdict
from tests.service.review.conftest import Desk

_FREE: tuple[tuple[str, ...], ...] = ((), ("something",))
WORLDS = [
    Standing(status, undecided, unseen, conflicts)
    for status, undecided, unseen, conflicts in product(ReportStatus, _FREE, _FREE, _FREE)
]


def _after(action: Action, world: Standing) -> ReportStatus | None:
    try:
        return next_status(action, world)
    except ConflictError:
        return None


@pytest.mark.parametrize("world", WORLDS, ids=str)
def test_only_signing_signs_and_only_through_the_gate(world: Standing) -> None:
    for action in Action:
        after = _after(action, world)
        assert may(action, world) is (after is not None)
        if after is ReportStatus.SIGNED:
            assert action is Action.SIGN
            assert world.status in (ReportStatus.REVIEWED, ReportStatus.AMENDED)
            assert not world.blockers
        if after is ReportStatus.REVIEWED and world.status is not ReportStatus.REVIEWED:
            assert not world.blockers


@pytest.mark.parametrize("world", [world for world in WORLDS if world.status is ReportStatus.SIGNED], ids=str)
def test_a_signed_report_is_opened_by_amending_alone(world: Standing) -> None:
    assert [action for action in Action if _after(action, world)] == [Action.AMEND]
    assert _after(Action.AMEND, world) is ReportStatus.AMENDED


@pytest.mark.parametrize("action", [Action.EDIT, Action.DECIDE])
def test_a_change_after_the_review_takes_it_back_to_a_draft(action: Action) -> None:
    assert next_status(action, Standing(ReportStatus.REVIEWED)) is ReportStatus.DRAFT
    assert next_status(action, Standing(ReportStatus.AMENDED)) is ReportStatus.AMENDED


def test_no_word_of_blockers_is_lost() -> None:
    world = Standing(ReportStatus.REVIEWED, ("a",), ("b",), ("c",))
    assert world.blockers == ("Not decided: a.", "Critical and not acknowledged: b.", "Conflict: c.")
    with pytest.raises(ConflictError, match="3 things in the way: Not decided: a"):
        next_status(Action.SIGN, world)


def _steps(desk: Desk) -> dict[str, Callable[[int], Case]]:
    work = desk.services, desk.actor, desk.study_id

    def edit(version: int, text: str) -> Case:
        given = [
            GivenSection(section.name, tuple(GivenSentence(row.id, row.text) for row in section.visible))
            for section in desk.case.current
        ]
        changed = [
            GivenSection(item.name, (*item.sentences, GivenSentence(None, text)))
            if item.name == "findings"
            else item
            for item in given
        ]
        return editing.edit_text(*work, version, changed)

    def decide(key: str, verdict: Verdict, grade: str | None = None) -> Callable[[int], Case]:
        return lambda version: decisions.decide(*work, version, [key], verdict, grade=grade)

    return {
        "accept 71": decide("g71", Verdict.ACCEPT),
        "reject 71": decide("g71", Verdict.REJECT),
        "accept 75": decide("g75", Verdict.ACCEPT),
        "edit 75": decide("g75", Verdict.EDIT, "moderate"),
        "withdraw 75": lambda version: decisions.withdraw(*work, version, "g75"),
        "acknowledge": lambda version: decisions.acknowledge(*work, version, "g75"),
        "contradict": lambda version: edit(version, "L4-L5: No spinal canal stenosis."),
        "write": lambda version: edit(version, "L4-L5: Conus at a normal level."),
        "review": lambda version: signing.review(*work, version),
        "sign": lambda version: signing.sign(*work, version, desk.actor.name),
        "amend": lambda version: signing.amend(*work, version, "late information"),
    }


STEPS = (
    "accept 71", "reject 71", "accept 75", "edit 75", "withdraw 75", "acknowledge", "contradict", "write",
    "review", "sign", "sign", "amend",
)  # fmt: skip


@settings(
    max_examples=6,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(walk=st.lists(st.sampled_from(STEPS), min_size=3, max_size=8), opens=st.booleans())
def test_random_walks_never_sign_what_is_not_settled(
    new_desk: Callable[[], Desk], walk: list[str], opens: bool
) -> None:
    desk = new_desk()
    steps = _steps(desk)
    for name in [*(("accept 71", "accept 75", "acknowledge", "review") if opens else ()), *walk]:
        before = desk.case
        try:
            steps[name](before.version)
        except ServiceError:
            assert desk.case == before  # what is refused changes nothing
            continue
        after = desk.case
        if name == "acknowledge" and after == before:
            continue  # taken note of already
        assert after.version == before.version + 1
        if after.status is ReportStatus.SIGNED:
            assert name == "sign"
            assert {"g71", "g75"} <= set(after.decisions)
            assert "g75" in after.acknowledged
            assert not after.standing.conflicts
            assert before.status in (ReportStatus.REVIEWED, ReportStatus.AMENDED)
            assert after.current == before.current
        assert (after.signature is not None) is (after.status is ReportStatus.SIGNED)
        if before.status is ReportStatus.SIGNED:
            assert (name, after.status) == ("amend", ReportStatus.AMENDED)
