"""The text follows the decisions, on the stored reading of the phantom."""

from typing import Any

import pytest

from anatomy import Condition
from pipeline.document import validate_document
from reporting import parse_report
from reporting.parsing import read_sentence, split_sentences
from reporting.restored import restore_findings
from service.review.follow import follow
from service.review.graph import Ruling, changed_ids, decided_document, decided_findings
from service.review.rows import Sections, implied_scope, load_sections, reading_sections
from service.store.words import Verdict

REJECT = Ruling(Verdict.REJECT)


@pytest.fixture(scope="module")
def machine(document: dict[str, Any]) -> Any:
    return restore_findings(document)


@pytest.fixture(scope="module")
def proposed(document: dict[str, Any], machine: Any) -> Sections:
    return load_sections(document["report"]["sections"], machine)


def _edited(grade: str) -> Ruling:
    return Ruling(Verdict.EDIT, grade)


def _text(sections: Sections, name: str) -> str:
    return "\n".join(row.text for section in sections if section.name == name for row in section.visible)


def _asserted(sections: Sections, condition: Condition, level: str) -> list[str]:
    """Return what the text says of a condition at a level; technique sentence by sentence, as they are notices."""
    found = [fact for name in ("findings", "impression") for fact in parse_report(_text(sections, name))]
    for line in _text(sections, "technique").splitlines():
        found += parse_report(line)
    return [fact.sentence for fact in found if fact.condition is condition and fact.level == level]


def test_no_decision_changes_no_letter(machine: Any, proposed: Sections) -> None:
    assert follow(proposed, proposed, machine, {}) == proposed
    accepted = {grade.id: Ruling(Verdict.ACCEPT) for grade in machine.reported}
    assert follow(proposed, proposed, machine, accepted) == proposed


def test_the_worst_stenosis_rejected_is_asserted_nowhere(machine: Any, proposed: Sections) -> None:
    before = _asserted(proposed, Condition.SPINAL_CANAL_STENOSIS, "L4-L5")
    assert len(before) >= 3  # findings, impression, and the notice on the two ways of grading
    after = follow(proposed, proposed, machine, {"g75": REJECT})
    assert _asserted(after, Condition.SPINAL_CANAL_STENOSIS, "L4-L5") == []
    assert "6.5 mm" not in _text(after, "findings") + _text(after, "impression")


def test_only_touched_sentences_change(machine: Any, proposed: Sections) -> None:
    after = follow(proposed, proposed, machine, {"g75": REJECT})
    changed = [row.id for old, new in zip(proposed, after, strict=True) for row in new.rows if row not in old.rows]
    assert changed == ["technique-7", "findings-18", "impression-0", "impression-6"]


def test_an_edited_grade_is_said_with_the_readers_step(machine: Any, proposed: Sections) -> None:
    after = follow(proposed, proposed, machine, {"g75": _edited("severe")})
    assert "L4-L5: Severe spinal canal stenosis (canal AP diameter 6.5 mm)." in _text(after, "findings")
    assert _text(after, "impression").startswith(
        "Critical: suspected cauda equina crowding with severe spinal canal"
    )


def test_a_level_without_its_first_sentence_is_named_by_the_next(machine: Any, proposed: Sections) -> None:
    """``Moderate spinal canal stenosis`` would else be read of L3-L4."""
    gone = dict.fromkeys(("g71", "g72", "g73", "g74"), REJECT)
    after = follow(proposed, proposed, machine, gone)
    assert "L4-L5: Moderate spinal canal stenosis" in _text(after, "findings")
    facts = parse_report(_text(after, "findings"))
    stenosis = [fact for fact in facts if fact.condition is Condition.SPINAL_CANAL_STENOSIS and not fact.negated]
    assert [(fact.level, fact.grade) for fact in stenosis] == [("L4-L5", "moderate")]


@pytest.mark.parametrize("rulings", [
    {"g75": REJECT}, {"g75": _edited("normal_mild")}, {"g5": _edited("severe")}, {"g49": REJECT},
    {"g16": _edited("present")}, {"g71": REJECT, "g72": REJECT, "g73": REJECT, "g74": REJECT},
    {"g79": _edited("severe"), "g80": REJECT, "g31": REJECT, "g29": _edited("I")},
])  # fmt: skip
def test_following_is_settled_and_can_be_taken_back(
    machine: Any, proposed: Sections, rulings: dict[str, Ruling]
) -> None:
    after = follow(proposed, proposed, machine, rulings)
    assert follow(after, proposed, machine, rulings) == after
    assert follow(after, proposed, machine, {}) == proposed


@pytest.mark.parametrize("finding", ["g75", "g78", "g43", "g31", "g81", "g16", "g49", "g15"])
def test_every_fact_of_the_text_agrees_with_the_decided_graph(
    machine: Any, proposed: Sections, finding: str
) -> None:
    """Any one rejected: no sentence speaks of it, and each sentence is read at the levels it means."""
    after = follow(proposed, proposed, machine, {finding: REJECT})
    decided = decided_findings(machine, {finding: REJECT})
    for section in after:
        carried: tuple[str, ...] = ()
        for row in section.visible:
            assert finding not in row.finding_ids
            if section.name == "technique":
                continue
            assert finding not in implied_scope(row.text, machine, carried)
            spoken = set(implied_scope(row.text, decided, carried))
            stated = {key for key in row.finding_ids if decided.grade(key) is not None}
            assert section.name == "impression" or spoken == stated
            for part in split_sentences(row.text):
                carried = read_sentence(part, carried).levels


def test_what_was_not_assessed_can_be_graded(machine: Any, proposed: Sections) -> None:
    after = follow(proposed, proposed, machine, {"g5": _edited("severe")})
    assert _text(after, "findings").startswith(
        "T11-T12: Severe spinal canal stenosis (canal AP diameter 11.7 mm)."
    )
    assert "T11-T12: Severe spinal canal stenosis" in _text(after, "impression")
    left_out = next(line for line in _text(after, "technique").splitlines() if line.startswith("Not assessable"))
    assert "spinal canal stenosis" not in left_out


def test_the_score_follows(machine: Any, proposed: Sections) -> None:
    after = follow(proposed, proposed, machine, {"g75": REJECT})
    assert "burden score 60 of 100" in _text(proposed, "impression")
    assert "burden score 56 of 100" in _text(after, "impression")


def test_a_normal_grade_takes_the_level_out_of_the_impression(machine: Any, proposed: Sections) -> None:
    after = follow(proposed, proposed, machine, {"g87": REJECT, "g85": _edited("I")})
    assert "L5-S1: Disc bulge" not in _text(after, "impression")
    assert "L5-S1: Pfirrmann grade I disc." in _text(after, "findings")


def test_a_check_falls_with_the_decision_it_stands_beside(machine: Any) -> None:
    """``canal_ap`` says severe at L4-L5: a stenosis that was rejected must not come back by that door."""
    decided = decided_findings(machine, {"g75": REJECT})
    assert decided.grade("g75") is None
    assert decided.grade("g76") is None
    assert decided.burden.score is not None
    assert decided.burden.score < machine.burden.score


def test_an_edit_to_the_same_sure_grade_changes_nothing(machine: Any) -> None:
    assert changed_ids(machine, {"g75": _edited("moderate")}) == frozenset()
    assert changed_ids(machine, {"g79": _edited("moderate")}) == frozenset({"g79"})  # severe is excluded now


def test_the_decided_document_is_a_valid_reading(
    document: dict[str, Any], machine: Any, proposed: Sections
) -> None:
    rulings = {"g75": REJECT, "g5": _edited("severe"), "g79": _edited("severe")}
    after = follow(proposed, proposed, machine, rulings)
    decided = decided_document(document, rulings, reading_sections(after), "draft")
    by_id = {row["id"]: row for row in decided["grades"]}
    assert by_id["g75"]["status"] == "not_assessable"
    assert by_id["g75"]["reason"] == "rejected by the reader"
    assert (by_id["g5"]["grade"], by_id["g5"]["reason"]) == ("severe", "graded by the reader")
    assert by_id["g79"]["probabilities"] == {}
    assert by_id["g5"]["evidence"] is None  # the machine saw nothing there, and nobody drew a box
    decided["grades"] = [row for row in decided["grades"] if row["id"] != "g5"]
    decided["burden"]["terms"] = [term for term in decided["burden"]["terms"] if term["grade"] != "g5"]
    for section in decided["report"]["sections"]:
        section["sentences"] = [row for row in section["sentences"] if "g5" not in row["finding_ids"]]
    validate_document(decided)
    assert document["grades"][74]["status"] == "graded"  # the machine's own document is not touched
