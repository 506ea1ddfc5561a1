"""Words of time: without an earlier reading none survives, with one only what the change table holds."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import pytest

from anatomy import Condition, Side
from grading.types import Findings
from reporting import SentenceContext, compose_report, verify_draft
from reporting.grammar import compose_statements
from reporting.parsing.lexicon import words
from reporting.prior import Comparison, compare_with_prior
from reporting.statements import state
from reporting.temporal import TemporalChecker, find_temporal
from reporting.types import Draft, DraftSection, DraftSentence, SentenceSource, VerdictStatus
from reporting.verifier import failures, positive_grades
from tests.reporting.factories import make_findings, make_grade, make_measurement, random_findings

TAILS = (
    "unchanged", "stable", "progressed", "new since the previous examination", "compared with the prior study",
    "previously absent", "again seen", "worse than before", "improved in the interval", "resolved", "now",
    "increased since the earlier reading", "decreased", "persistent", "no interval change", "no longer seen",
    "no new changes", "remains", "still present", "chronic", "as before", "newly developed", "no progression",
    "interval worsening", "earlier", "recurrent", "regressed", "better", "larger", "months ago",
)  # fmt: skip
LEADS = (
    "New",
    "Unchanged",
    "Stable",
    "Previously known",
    "Interval increase:",
    "Again,",
    "Progressive",
    "Persisting",
)


def mutations(text: str, rng: Random) -> Iterator[str]:
    """Yield a sentence with words of time before, behind and inside it."""
    header, _, body = text.rpartition(": ")
    lead = f"{header}: " if header else ""
    lowered = body[:1].lower() + body[1:] if body[1:2].islower() else body
    yield f"{lead}{rng.choice(LEADS)} {lowered}"
    yield f"{text.rstrip('.')}, {rng.choice(TAILS)}."
    yield f"{text.rstrip('.')} {rng.choice(TAILS)}."


def test_without_a_prior_every_drafted_word_of_time_is_repaired() -> None:
    rng = Random(7)
    tried = 0
    for seed in range(20):
        findings = random_findings(Random(seed), sided=bool(seed % 2))
        plain = compose_report(findings)
        own = {item.text for part in plain.sections for item in part.sentences}
        sections, changed = [], []
        for part in plain.sections:
            lines = []
            for item in part.sentences:
                text = rng.choice(list(mutations(item.text, rng))) if part.name != "technique" else item.text
                changed += [text] if text != item.text else []
                lines.append(DraftSentence(text, item.finding_ids, SentenceSource.VLM))
            sections.append(DraftSection(part.name, tuple(lines)))
        report = verify_draft(Draft(tuple(sections)), findings)
        assert failures(report, findings) == []
        kept = {line.text for part in report.sections for line in part.sentences}
        assert not kept & set(changed)
        assert all(not find_temporal(text).found for text in kept - own)
        tried += len(changed)
    assert tried >= 200


@pytest.mark.parametrize("tail", TAILS)
def test_each_word_is_found_and_blocked_without_a_prior(tail: str) -> None:
    findings = make_findings(make_grade(Condition.DISC_BULGING, ("present",)))
    text = f"L4-L5: Disc bulge, {tail}."
    assert find_temporal(text).found
    verdict = TemporalChecker(findings).check(text, SentenceContext())
    assert verdict.status is not VerdictStatus.SUPPORTED
    assert any("without an earlier study" in reason for reason in verdict.reasons)


def test_all_comparing_words_of_the_parser_are_found() -> None:
    for word in words("comparison"):
        assert find_temporal(f"Disc bulge {word}.").found == (word,), word


def test_plain_sentences_hold_no_word_of_time() -> None:
    """Nothing that the composer writes of findings is taken for a comparison."""
    for seed in range(40):
        findings = random_findings(Random(seed), sided=True)
        for part in compose_report(findings).sections:
            for item in part.sentences:
                assert find_temporal(item.text).found == (), item.text
    assert find_temporal("L4-L5: No change of the upper endplate.").found == ()
    assert find_temporal("L4-L5: No change of both endplates.").found == ()
    assert find_temporal("L4-L5: No change of the disc.").claims == {"unchanged"}


@pytest.fixture
def pair() -> tuple[Findings, Comparison]:
    """L4-L5: bulge new, canal moderate to severe, herniation gone, slip unchanged, left recess better."""
    recess = Condition.SUBARTICULAR_STENOSIS
    prior = make_findings(
        make_grade(Condition.DISC_BULGING, ("absent",)),
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("moderate",)),
        make_grade(Condition.DISC_HERNIATION, ("present",)),
        make_grade(Condition.SPONDYLOLISTHESIS, ("present",)),
        make_grade(recess, ("severe",), side=Side.LEFT),
        make_grade(recess, ("moderate",), side=Side.RIGHT),
        make_grade(Condition.DISC_DEGENERATION, ("III", "IV")),
        make_grade(Condition.DISC_NARROWING, ("absent",)),
        make_grade(Condition.DISC_BULGING, ("present",), level="L5-S1"),
        measurements=(make_measurement("canal_ap_diameter", 15.0), make_measurement("disc_height", 9.0)),
    )
    now = make_findings(
        make_grade(Condition.DISC_BULGING, ("present",)),
        make_grade(Condition.SPINAL_CANAL_STENOSIS, ("severe",)),
        make_grade(Condition.DISC_HERNIATION, ("absent",)),
        make_grade(Condition.SPONDYLOLISTHESIS, ("present",)),
        make_grade(recess, ("moderate",), side=Side.LEFT),
        make_grade(recess, ("moderate",), side=Side.RIGHT),
        make_grade(Condition.DISC_DEGENERATION, ("IV",)),
        make_grade(Condition.DISC_NARROWING, ("present",)),
        make_grade(Condition.DISC_BULGING, ("present",), level="L5-S1"),
        measurements=(
            make_measurement("canal_ap_diameter", 9.0),
            make_measurement("disc_height", 8.5, measurement_id="m2"),
        ),
    )
    return now, compare_with_prior(now, prior)


SUPPORTED = [
    "New disc bulge at L4-L5.",
    "L4-L5: New disc bulge since the previous examination.",
    "L4-L5: Disc bulge, newly developed.",
    "L4-L5: Severe spinal canal stenosis, progressed since the prior study.",
    "L4-L5: Severe spinal canal stenosis has worsened.",
    "L4-L5: Increased severe spinal canal stenosis compared with the earlier reading.",
    "L4-L5: Spondylolisthesis, unchanged.",
    "Stable spondylolisthesis at L4-L5.",
    "L5-S1: Disc bulge, again seen.",
    "L4-L5: Moderate left subarticular stenosis, improved.",
    "L4-L5: The disc herniation has resolved.",
    "L4-L5: Disc herniation is no longer seen.",
    "L4-L5: Disc height 8.5 mm, unchanged.",
    "Decreased canal AP diameter 9.0 mm at L4-L5.",
]
UNSUPPORTED = [
    "Unchanged disc bulge at L4-L5.",
    "New disc bulge at L5-S1.",
    "L5-S1: Disc bulge, progressed.",
    "L4-L5: Moderate spinal canal stenosis, progressed.",
    "L4-L5: Severe spinal canal stenosis, improved.",
    "L4-L5: Severe spinal canal stenosis, unchanged.",
    "L4-L5: New severe spinal canal stenosis.",
    "L4-L5: Moderate right subarticular stenosis, improved.",
    "L4-L5: The disc bulge has resolved.",
    "L4-L5: The spondylolisthesis has resolved.",
    "L4-L5: No new disc herniation.",
    "L4-L5: Pfirrmann grade IV disc degeneration, progressed.",
    "L4-L5: Pfirrmann grade IV disc degeneration, unchanged.",
    "L4-L5: New disc bulge, unchanged.",
    "L4-L5: Chronic disc bulge.",
    "L4-L5: Disc bulge, seen since the previous examination.",
    "L4-L5: Decreased disc height.",
    "L4-L5: New disc bulge and spondylolisthesis.",
    "L4-L5: Disc height 8.5 mm, decreased.",
    "L4-L5: Canal AP diameter 9.0 mm, unchanged.",
    "L4-L5: New disc bulge since 2019.",
    "L3-L4: New disc bulge.",
    "Compared with the previous examination.",
    "L4-L5: Canal AP diameter has decreased from 14.0 to 9.0 mm.",
    "Unchanged.",
]


@pytest.mark.parametrize("text", SUPPORTED)
def test_a_claim_that_the_table_holds_is_supported(text: str, pair: tuple[Findings, Comparison]) -> None:
    verdict = TemporalChecker(*pair).check(text, SentenceContext())
    assert verdict.status is VerdictStatus.SUPPORTED, verdict.reasons
    assert verdict.finding_ids


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_any_other_claim_is_not(text: str, pair: tuple[Findings, Comparison]) -> None:
    verdict = TemporalChecker(*pair).check(text, SentenceContext())
    assert verdict.status is not VerdictStatus.SUPPORTED
    assert verdict.reasons


def test_a_false_claim_is_repaired_and_a_true_one_kept(pair: tuple[Findings, Comparison]) -> None:
    now, comparison = pair
    items = (
        DraftSentence("L4-L5: New disc bulge.", ("g1",), SentenceSource.VLM),
        DraftSentence("L5-S1: New disc bulge.", ("g9",), SentenceSource.VLM),
    )
    report = verify_draft(Draft((DraftSection("findings", items),)), now, comparison)
    texts = [line.text for line in report.sections[1].sentences]
    assert "L4-L5: New disc bulge." in texts
    assert "L5-S1: Disc bulge." in texts
    assert "L5-S1: New disc bulge." not in texts


CLAIMS = {"New": "new", "Unchanged": "unchanged", "Progressive": "worse", "Improved": "better"}


def test_a_claim_on_one_finding_is_kept_exactly_where_its_row_has_the_change() -> None:
    kept = refused = 0
    for seed in range(12):
        now, prior = (random_findings(Random(seed + offset), sided=True) for offset in (0, 500))
        comparison = compare_with_prior(now, prior)
        checker = TemporalChecker(now, comparison)
        for grade in positive_grades(now):
            (item,) = compose_statements([replace(state(grade, now), measurements=())], grade.level)
            level, _, body = item.text.partition(": ")
            row = comparison.grade(grade.id)
            for word, change in CLAIMS.items():
                text = f"{level}: {word} {body[:1].lower() if body[1:2].islower() else body[:1]}{body[1:]}"
                verdict = checker.check(text, SentenceContext((), (grade.id,)))
                is_true = row is not None and row.change.value == change
                assert (verdict.status is VerdictStatus.SUPPORTED) == is_true, (text, verdict.reasons)
                kept, refused = kept + is_true, refused + (not is_true)
    assert kept >= 30
    assert refused >= 300
