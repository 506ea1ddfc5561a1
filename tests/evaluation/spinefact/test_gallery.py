"""The gallery of metrics: each edit does what its name says, on drawn findings."""

from random import Random

import pytest

from benchmarks.gallery_edits import FAITHFUL, WRONG, Case, at_step
from benchmarks.metric_gallery import METRICS, hand_written, measure, preferences, table, text_scores
from evaluation.spinefact import Outcome, compare_texts
from grading.types import GradeStatus
from tests.reporting.factories import make_findings, random_findings


def drawn_case(seed: int) -> Case:
    findings = random_findings(Random(seed), sided=True)
    graded = (item for item in findings.grades if item.status is GradeStatus.GRADED)
    single = [at_step(grade, str(grade.grade)) for grade in graded]
    return Case(seed, make_findings(*single, measurements=findings.measurements))


CASES = [drawn_case(seed) for seed in range(4)]
CASES = [Case(case.patient, case.findings, CASES[row - 1].reference) for row, case in enumerate(CASES)]
OUTCOMES = {
    "one side swapped": {Outcome.SIDE},
    "finding at the next level": {Outcome.LEVEL},
    "negation dropped": {Outcome.NEGATION},
    "negation added": {Outcome.NEGATION},
    "grade one step off": {Outcome.GRADE},
    "grade two steps off": {Outcome.GRADE},
    "finding missing": {Outcome.OMITTED},
    "level missing": {Outcome.OMITTED},
    "finding invented": {Outcome.INVENTED},
    "hedge added": {Outcome.HEDGE},
}
UNSEEN = {"fracture invented", "measured value changed"}
"""Wrong edits that change no fact: SpineFact does not see them."""
OVERSEEN = {"denials summed up"}
"""Faithful edits that the parser does not read."""


@pytest.mark.parametrize("name", OUTCOMES)
def test_an_edit_makes_the_error_it_is_named_for(name: str) -> None:
    texts = {case.patient: WRONG[name](case) for case in CASES}
    pairs = [compare_texts(text, CASES[patient].reference).pairs for patient, text in texts.items() if text]
    assert len(pairs) >= 3
    for found in pairs:
        assert {pair.outcome for pair in found} - {Outcome.MATCH} == OUTCOMES[name]


@pytest.mark.parametrize("name", [*WRONG, *FAITHFUL])
def test_wrong_edits_lower_spinefact_and_faithful_ones_do_not(name: str) -> None:
    edit = {**WRONG, **FAITHFUL}[name]
    for case in CASES:
        text = edit(case)
        if text is None:
            continue
        assert text != case.reference
        is_full = all(pair.outcome is Outcome.MATCH for pair in compare_texts(text, case.reference).pairs)
        assert is_full == (name in UNSEEN or (name in FAITHFUL and name not in OVERSEEN))


def test_a_row_and_the_table() -> None:
    references = [case.reference for case in CASES]
    copies = text_scores(references, references)
    assert set(copies) == set(METRICS)
    assert copies["bleu_4"] == pytest.approx(1.0, abs=1e-6)
    rows = [
        measure(name, {**WRONG, **FAITHFUL}[name], CASES, copies) for name in ("negation added", "other words")
    ]
    assert rows[0].changes["spinefact_f1"].value < 0.0 == rows[1].changes["spinefact_f1"].value
    assert rows[1].changes["bleu_4"].value < rows[0].changes["bleu_4"].value
    preferred = preferences(rows, CASES)
    assert preferred["spinefact_f1"].value == 100.0
    assert preferred["bleu_4"].value == 0.0
    assert sum(line.startswith("| negation added |") for line in table(rows, preferred)) == 1


def test_hand_written_sentences_are_counted() -> None:
    counts = hand_written()
    assert counts["correct"]["n"] >= 450
    assert counts["number"]["right"] == 0
    assert counts["value"]["right"] >= 0.9 * counts["value"]["n"] >= 25
    assert all(
        counts[kind]["right"] >= 0.95 * counts[kind]["n"] for kind in ("side", "level", "grade", "negation")
    )
