"""Sentences of a human are never overwritten; where they contradict a decision, that is a conflict."""

from typing import Any

import pytest

from service.accounts.actor import Actor
from service.errors import InvalidError
from service.review import decisions, editing
from service.review.case import Case
from service.review.editing import GivenSection, GivenSentence
from service.review.rows import Origin
from service.review.view import ReportView
from service.store.words import Verdict
from tests.service.review.conftest import Desk


def _given(case: Case) -> dict[str, list[GivenSentence]]:
    return {section.name: [GivenSentence(row.id, row.text) for row in section.visible] for section in case.current}


def _put(desk: Desk, given: dict[str, list[GivenSentence]], actor: Actor | None = None) -> Case:
    sections = [GivenSection(name, tuple(sentences)) for name, sentences in given.items()]
    return editing.edit_text(desk.services, actor or desk.actor, desk.study_id, desk.case.version, sections)


def _rewritten(desk: Desk, sentence: str, text: str) -> Case:
    given = _given(desk.case)
    for name, sentences in given.items():
        given[name] = [GivenSentence(item.id, text if item.id == sentence else item.text) for item in sentences]
    return _put(desk, given)


def _row(case: Case, sentence: str) -> Any:
    return next(row for section in case.current for row in section.rows if row.id == sentence)


def test_a_human_sentence_keeps_what_was_proposed_beside_it(small_desk: Desk) -> None:
    case = _rewritten(small_desk, "findings-0", "L4-L5: Pfirrmann grade V disc with a vacuum phenomenon.")
    row = _row(case, "findings-0")
    assert (row.origin, row.author) == (Origin.HUMAN, small_desk.actor.user_id)
    assert row.finding_ids == ("g71",)
    shown = ReportView(case, small_desk.actor).to_dict()["sections"][1]["sentences"][0]
    assert shown["proposed_text"] == "L4-L5: Pfirrmann grade V disc degeneration."
    assert shown["source"] == "human"


def test_a_decision_does_not_touch_a_human_sentence_but_tells_the_conflict(small_desk: Desk) -> None:
    mine = "L4-L5: Severe spinal canal stenosis, worse on the left."
    _rewritten(small_desk, "findings-1", mine)
    case = small_desk.decide(Verdict.REJECT, "g75")
    assert _row(case, "findings-1").text == mine
    conflicts = [text for text in case.standing.blockers if text.startswith("Conflict")]
    assert conflicts == [f"Conflict: “{mine}” states what was rejected: spinal canal stenosis at L4-L5."]
    assert "Severe spinal canal stenosis" not in " ".join(small_desk.texts("impression"))


def test_a_sentence_against_an_edited_grade_is_a_conflict_and_settling_it_opens_the_way(small_desk: Desk) -> None:
    small_desk.decide(Verdict.EDIT, "g75", grade="moderate")
    case = _rewritten(small_desk, "findings-1", "L4-L5: No spinal canal stenosis.")
    assert any("contradicts the decision on g75" in text for text in case.standing.blockers)
    case = _rewritten(small_desk, "findings-1", "L4-L5: Moderate spinal canal stenosis.")
    assert not case.standing.conflicts


def test_against_the_machine_alone_it_is_a_warning(small_desk: Desk) -> None:
    case = _rewritten(small_desk, "findings-1", "L4-L5: No spinal canal stenosis.")
    assert not case.standing.conflicts
    warnings = ReportView(case, small_desk.actor).to_dict()["warnings"]
    assert any("contradicts the machine's grade" in text for text in warnings)


def test_a_deleted_sentence_does_not_come_back_with_a_decision(small_desk: Desk) -> None:
    given = _given(small_desk.case)
    given["findings"] = given["findings"][:1]
    _put(small_desk, given)
    case = small_desk.decide(Verdict.ACCEPT, "g75")
    assert small_desk.texts() == ["L4-L5: Pfirrmann grade V disc degeneration."]
    assert case.standing.conflicts == ()
    case = small_desk.decide(Verdict.EDIT, "g75", grade="moderate")
    assert small_desk.texts() == ["L4-L5: Pfirrmann grade V disc degeneration."]
    assert [remark.text for remark in case.remarks] == [
        "spinal canal stenosis at L4-L5 was edited and no sentence states it"
    ]


def test_a_sentence_that_loses_its_level_is_told(small_desk: Desk) -> None:
    """``Moderate stenosis.`` behind ``L4-L5: ...``: without the first it would speak of nothing."""
    given = _given(small_desk.case)
    given["findings"].append(GivenSentence(None, "Spondylolisthesis of 3 mm."))
    _put(small_desk, given)
    given = _given(small_desk.case)
    given["findings"] = given["findings"][2:]
    case = _put(small_desk, given)
    assert any("was written of L4-L5 and is now read of no level" in text for text in case.standing.conflicts)


def test_machine_sentences_moved_under_another_level_name_their_own(desk: Desk) -> None:
    given = _given(desk.case)
    rows = {row.id: row for row in given["findings"]}
    moved = rows.pop("findings-18")  # "Moderate spinal canal stenosis ..." of L4-L5
    given["findings"] = list(rows.values())
    given["findings"].insert(2, moved)
    case = _put(desk, given)
    assert _row(case, "findings-18").text.startswith("L4-L5: Moderate spinal canal stenosis")


def test_writing_the_proposed_words_again_makes_it_the_machines(small_desk: Desk) -> None:
    before = small_desk.case
    _rewritten(small_desk, "findings-0", "L4-L5: Something else.")
    case = _rewritten(small_desk, "findings-0", "L4-L5: Pfirrmann grade V disc degeneration.")
    assert _row(case, "findings-0") == _row(before, "findings-0")


def test_the_same_text_is_no_change(small_desk: Desk) -> None:
    assert _put(small_desk, _given(small_desk.case)).version == 1


@pytest.mark.parametrize(("section", "sentences", "told"), [
    ("findings", [GivenSentence("findings-9", "x")], "not of this section"),
    ("findings", [GivenSentence("findings-0", "x"), GivenSentence("findings-0", "y")], "there twice"),
    ("findings", [GivenSentence(None, "  ")], "1 to 2000 characters"),
    ("other", [], "each of the sections technique, findings, impression"),
])  # fmt: skip
def test_text_that_does_not_fit_is_refused(
    small_desk: Desk, section: str, sentences: list[GivenSentence], told: str
) -> None:
    with pytest.raises(InvalidError, match=told):
        _put(small_desk, {**_given(small_desk.case), section: sentences})


@pytest.mark.parametrize(("finding", "verdict", "grade", "told"), [
    ("g75", Verdict.EDIT, "IV", "expected a grade of normal_mild, moderate, severe"),
    ("g75", Verdict.EDIT, None, "expected a grade"),
    ("g75", Verdict.ACCEPT, "severe", "belongs to the verdict edit"),
    ("g5", Verdict.REJECT, None, "there is nothing to reject"),
    ("g76", Verdict.REJECT, None, "second way of grading"),
])  # fmt: skip
def test_decisions_that_do_not_fit_are_refused(
    desk: Desk, finding: str, verdict: Verdict, grade: str | None, told: str
) -> None:
    with pytest.raises(InvalidError, match=told):
        decisions.decide(desk.services, desk.actor, desk.study_id, 1, [finding], verdict, grade=grade)
    assert desk.case.version == 1
