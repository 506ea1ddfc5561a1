"""The text follows any decisions on any findings: checked by the verifier against the decided graph."""

import json
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from anatomy import SCALES, Condition, Side, load_protocol
from grading.burden import measure_burden
from grading.types import Findings, GradeStatus
from reporting import SentenceContext, TemporalChecker, compose_report, verify_draft
from reporting.prior import Change, Comparison, compare_with_prior, compose_comparison
from reporting.types import (
    Report,
    ReportSection,
    ReportSentence,
    ReportState,
    SentenceSource,
    SentenceStatus,
    VerdictStatus,
)
from reporting.verifier import failures
from service.review.follow import follow
from service.review.graph import Ruling, decided_comparison, decided_findings
from service.review.rows import Sections, implied_scope, load_sections, with_levels
from service.store.words import Verdict
from tests.reporting.factories import CERVICAL, make_findings, make_grade, random_findings


def _drafted(findings: Findings, comparison: Comparison | None = None) -> Sections:
    report = verify_draft(compose_report(findings), findings, comparison).to_dict()
    return load_sections(report["sections"], findings)


def _rulings(findings: Findings, rng: Random, share: float) -> dict[str, Ruling]:
    found = {}
    for grade in findings.reported:
        if rng.random() >= share:
            continue
        kinds = [Verdict.ACCEPT, Verdict.EDIT]
        kinds += [Verdict.REJECT] if grade.status is GradeStatus.GRADED else []
        verdict = rng.choice(kinds)
        step = rng.choice(SCALES[grade.scale].grades) if verdict is Verdict.EDIT else None
        found[grade.id] = Ruling(verdict, step)
    return found


def _findings(protocol: str, seed: int) -> Findings:
    rng = Random(seed)
    if protocol == "lumbar":
        found = random_findings(rng, sided=True)
    elif protocol == "cervical":
        found = random_findings(rng, levels=CERVICAL)
        cord = make_grade(Condition.CORD_COMPRESSION, ("2",), level="C4-C5", scale="kang", grade_id="g900")
        found = replace(found, protocol="cervical", grades=(*found.grades, cord))
    else:
        steps = (Condition.SACROILIITIS, ("early", "moderate")), (Condition.SACROILIITIS, ("normal",))
        sides = zip(steps, (Side.LEFT, Side.RIGHT), strict=True)
        joints = [
            make_grade(condition, chosen, level="SIJ", side=side, scale="as_stage")
            for (condition, chosen), side in sides
        ]
        whole = make_grade(Condition.SACROILIITIS, ("positive",), level=None, scale="as_status")
        found = make_findings(*joints, whole, protocol="sacroiliac")
    return replace(found, burden=measure_burden(found.grades, load_protocol(found.protocol)))


def _report(sections: Sections, name: str) -> Report:
    rows = [row for section in sections if section.name == name for row in section.visible]
    sentences = tuple(
        ReportSentence(row.text, row.finding_ids, SentenceSource.COMPOSER, SentenceStatus.SUPPORTED)
        for row in rows
    )
    return Report(ReportState.DRAFT, (ReportSection(name, sentences),))


@pytest.mark.parametrize("share", [0.1, 0.6])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("protocol", ["lumbar", "cervical", "sacroiliac"])
def test_every_sentence_agrees_with_what_was_decided(protocol: str, seed: int, share: float) -> None:
    machine = _findings(protocol, seed)
    rulings = _rulings(machine, Random(seed + 100), share)
    proposed = _drafted(machine)
    after = follow(proposed, proposed, machine, rulings)
    decided = decided_findings(machine, rulings)
    assert failures(_report(after, "findings"), decided) == []
    checker = TemporalChecker(decided)
    rejected = {key for key, ruling in rulings.items() if ruling.verdict is Verdict.REJECT}
    for section in after:
        for row, levels in with_levels(section.rows).items():
            assert not rejected & set(row.finding_ids)
            if section.name == "impression":
                verdict = checker.check(row.text, SentenceContext(levels))
                assert verdict.status is not VerdictStatus.CONTRADICTED, verdict.reasons
                assert not rejected & set(implied_scope(row.text, machine, levels))
    assert follow(after, proposed, machine, rulings) == after
    assert follow(after, proposed, machine, {}) == proposed


@pytest.mark.parametrize("seed", range(2))
def test_the_comparison_follows(seed: int) -> None:
    machine, prior = _findings("lumbar", seed), replace(_findings("lumbar", seed + 50), study_key="prior")
    comparison = compare_with_prior(machine, prior)
    document: dict[str, Any] = {"comparison": json.loads(json.dumps(comparison.to_dict()))}
    proposed = _drafted(machine, comparison)
    assert decided_comparison(document, machine, {}) is not None
    assert follow(proposed, proposed, machine, {}, decided_comparison(document, machine, {})) == proposed
    moved = [row.now for row in comparison.grades if row.now is not None and row.change is Change.NEW][:2]
    rulings = {grade.id: Ruling(Verdict.REJECT) for grade in moved}
    rulings |= _rulings(machine, Random(seed), 0.1)
    decided, table = decided_findings(machine, rulings), decided_comparison(document, machine, rulings)
    assert table is not None
    after = follow(proposed, proposed, machine, rulings, table)
    texts = [row.text for section in after if section.name == "comparison" for row in section.visible]
    assert texts == [line.text for line in compose_comparison(table, decided)]
    old = {row.text for section in proposed if section.name == "comparison" for row in section.rows}
    for section in after:
        for row in section.visible if section.name == "comparison" else ():
            assert (row.origin.value == "machine") is (row.text in old)
    assert follow(after, proposed, machine, rulings, table) == after
    assert follow(after, proposed, machine, {}, decided_comparison(document, machine, {})) == proposed


def test_a_rejected_cord_compression_is_no_longer_critical() -> None:
    machine = _findings("cervical", 1)
    cord = next(grade for grade in machine.reported if grade.condition is Condition.CORD_COMPRESSION)
    proposed = _drafted(machine)
    texts = [row.text for row in proposed[2].visible]
    assert texts[0].startswith("Critical: ")
    after = follow(proposed, proposed, machine, {cord.id: Ruling(Verdict.REJECT)})
    assert not [row.text for section in after for row in section.visible if "cord" in row.text.lower()]
