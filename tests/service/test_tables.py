"""The small pieces of the reading screen, without gradio or models."""

from anatomy import Condition, Side
from grading.types import Burden, Findings, Grade, GradeStatus
from reporting.types import (
    Report,
    ReportSection,
    ReportSentence,
    ReportState,
    SentenceSource,
    SentenceStatus,
)
from runtime.progress import Progress
from service.screens import tables


def _grade(name: str, **changes: object) -> Grade:
    values: dict[str, object] = {
        "id": name, "level": "L4-L5", "side": None, "condition": Condition.DISC_DEGENERATION, "scale": "pfirrmann",
        "grade": "IV", "probabilities": {"III": 0.3, "IV": 0.7}, "prediction_set": ("III", "IV"),
        "status": GradeStatus.GRADED, "reason": None, "evidence": None,
    }  # fmt: skip
    return Grade(**{**values, **changes})  # type: ignore[arg-type]


def _findings(*grades: Grade) -> Findings:
    return Findings("k", "lumbar", ("sagittal_t2",), (), (), grades, Burden(None, None, (), "burden/1"))


def _report(text: str, status: SentenceStatus = SentenceStatus.SUPPORTED) -> Report:
    sentence = ReportSentence(text, ("g1",), SentenceSource.VLM, status)
    return Report(ReportState.DRAFT, (ReportSection("findings", (sentence,)),))


def test_a_grade_row_shows_confidence_and_what_cannot_be_excluded() -> None:
    assert tables.grade_rows(_findings(_grade("g1"))) == [
        ["L4-L5", "disc degeneration", "Pfirrmann grade IV", "70%", "Pfirrmann grade III", "image"]
    ]


def test_what_is_not_assessable_says_why() -> None:
    grade = _grade(
        "g1", grade=None, probabilities={}, prediction_set=(), status=GradeStatus.NOT_ASSESSABLE, reason="no T1"
    )
    assert tables.grade_rows(_findings(grade))[0][2:] == ["not assessable", "", "", "no T1"]


def test_sided_conditions_name_the_side() -> None:
    grade = _grade(
        "g1", condition=Condition.NEURAL_FORAMINAL_NARROWING, side=Side.LEFT, scale="rsna", grade="severe",
        probabilities={}, prediction_set=("severe",),
    )  # fmt: skip
    assert tables.grade_rows(_findings(grade))[0][1] == "left neural foraminal narrowing"


def test_only_abnormal_rows_when_asked() -> None:
    normal = _grade("g2", grade="I", prediction_set=("I",))
    rows = tables.grade_rows(_findings(_grade("g1"), normal), only_abnormal=True)
    assert [row[2] for row in rows] == ["Pfirrmann grade IV"]


def test_text_is_escaped_everywhere() -> None:
    evil = "<script>alert(1)</script>"
    for html in (
        tables.sentences_html(_report(evil)),
        tables.error_html(evil),
        tables.progress_html(Progress("x", 0.5, evil)),
    ):
        assert "<script>" not in html
        assert "&lt;script&gt;" in html


def test_a_repaired_sentence_is_marked() -> None:
    html = tables.sentences_html(_report("Disc bulge at L4-L5.", SentenceStatus.REPAIRED))
    assert 'class="repaired"' in html
    assert "repaired, vlm, g1" in html


def test_the_editable_text_has_headings_and_sentences() -> None:
    assert tables.report_text(_report("Disc bulge at L4-L5.")) == "FINDINGS\nDisc bulge at L4-L5."
