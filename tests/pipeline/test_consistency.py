"""Consistency in a reading: the notice counts what sampled drafts put otherwise, and the text stays the same."""

import pytest

from pipeline.consistency import EVEN, LOW, NOT_RATED, consistency_notice
from reporting.types import Report, ReportSection, ReportSentence, ReportState, SentenceSource, SentenceStatus
from tests.pipeline.fakes import FakeDrafter


def report_of(*scores: float | None) -> Report:
    sentences = tuple(
        ReportSentence(f"Sentence {n}.", (), SentenceSource.VLM, SentenceStatus.SUPPORTED, consistency=score)
        for n, score in enumerate(scores)
    )
    return Report(ReportState.DRAFT, (ReportSection("findings", sentences),))


@pytest.mark.parametrize(
    ("scores", "floor", "expected"),
    [
        ((0.2, 0.9, None), 0.6, LOW.format(count=1, all=2, floor=0.6)),
        ((0.8, 1.0), 0.6, EVEN.format(all=2)),
        ((None, None), 0.6, NOT_RATED),
        ((0.8,), None, NOT_RATED),
    ],
)
def test_the_notice_counts(scores: tuple[float | None, ...], floor: float | None, expected: str) -> None:
    drafter = FakeDrafter()
    drafter.consistency_floor = floor
    assert consistency_notice(report_of(*scores), drafter) == expected


def test_no_writer_is_no_score() -> None:
    assert consistency_notice(report_of(0.9), None) == NOT_RATED


def test_a_sentence_says_its_score_only_when_it_has_one() -> None:
    rated, plain = report_of(0.25, None).to_dict()["sections"][0]["sentences"]
    assert rated["consistency"] == 0.25
    assert "consistency" not in plain
