"""Readings in memory: what follows from them is worked out once, and no decision changes them."""

import copy

from service.review import machine
from service.review.machine import load_machine_reading
from service.store.tables import StoredReading
from service.store.words import Verdict
from tests.service.conftest import add_study
from tests.service.review.conftest import Desk


def test_a_reading_asked_for_again_is_the_same(small_desk: Desk) -> None:
    first, second = small_desk.case.reading, small_desk.case.reading
    assert first is second
    assert first.findings is second.findings


def test_decisions_leave_it_as_it_was_stored(small_desk: Desk) -> None:
    before = copy.deepcopy(small_desk.case.document)
    positive, *_ = small_desk.case.positive_ids
    case = small_desk.decide(Verdict.REJECT, positive)
    assert case.decided_document != before
    with small_desk.services.database.read() as session:
        stored = session.get_one(StoredReading, case.reading_id).document
    assert case.document == before == stored


def test_only_so_many_are_kept(small_desk: Desk, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(machine, "MOST_KEPT", 2)
    document = dict(small_desk.case.document)
    with small_desk.services.database.begin() as session:
        ids = [add_study(session, small_desk.actor, document)[1].id for _ in range(3)]
    with small_desk.services.database.read() as session:
        first, *others = (load_machine_reading(session, key) for key in ids)
        assert list(machine._kept) == ids[1:]
        assert load_machine_reading(session, ids[1]) is others[0]
        assert load_machine_reading(session, ids[0]) is not first
        assert list(machine._kept) == [ids[1], ids[0]]
