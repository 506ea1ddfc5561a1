"""The small pieces of the research screens, without gradio."""

from typing import Any

import pytest

from service.screens import tables

EVIL = "<script>alert(1)</script>"


def grade(**changes: Any) -> dict[str, Any]:
    return {
        "level": "L4-L5", "side": None, "condition": "disc_degeneration", "scale": "pfirrmann", "grade": "IV",
        "probabilities": {"III": 0.3, "IV": 0.7}, "prediction_set": ["III", "IV"], "reason": None, **changes,
    }  # fmt: skip


def draft(text: str, status: str = "supported") -> dict[str, Any]:
    sentence = {"text": text, "finding_ids": ["g1"], "source": "vlm", "status": status}
    return {"report": {"sections": [{"name": "findings", "sentences": [sentence]}]}}


def test_a_grade_row_shows_confidence_and_what_cannot_be_excluded() -> None:
    assert tables.grade_rows({"grades": [grade()]}) == [
        ["L4-L5", "disc degeneration", "Pfirrmann grade IV", "70%", "Pfirrmann grade III", "image"]
    ]


def test_what_is_not_assessable_says_why() -> None:
    (row,) = tables.grade_rows({"grades": [grade(grade=None, reason="no T1")]})
    assert row[2:] == ["not assessable", "", "", "no T1"]


def test_sided_conditions_name_the_side() -> None:
    sided = grade(
        condition="neural_foraminal_narrowing", side="left", scale="rsna", grade="severe", probabilities={},
        prediction_set=["severe"],
    )  # fmt: skip
    assert tables.grade_rows({"grades": [sided]})[0][1] == "left neural foraminal narrowing"


def test_only_abnormal_rows_when_asked() -> None:
    rows = tables.grade_rows({"grades": [grade(), grade(grade="I", prediction_set=["I"])]}, only_abnormal=True)
    assert [row[2] for row in rows] == ["Pfirrmann grade IV"]


def test_a_repaired_sentence_is_marked() -> None:
    html = tables.sentences_html(draft("Disc bulge at L4-L5.", "repaired"))
    assert 'class="repaired"' in html
    assert "repaired, vlm, g1" in html


def test_text_is_escaped_everywhere(document: dict[str, Any]) -> None:
    for html in (
        tables.sentences_html(draft(EVIL)),
        tables.error_html(EVIL),
        tables.status_html(EVIL, 0.5),
        tables.summary_html({**document, "notices": [EVIL]}, EVIL),
        tables.remarks_html({"failures": [EVIL], "notices": [EVIL]}),
        tables.downloads_html("0", [EVIL]),
        tables.plots_html("0", [f"plots/{EVIL}.png"]),
        tables.picture_html('"x', EVIL),
    ):
        assert "<script>" not in html
        assert '""x' not in html


@pytest.mark.parametrize(("fraction", "width"), [(0.5, "50%"), (-1.0, "0%"), (7.0, "100%")])
def test_the_bar_stays_in_its_frame(fraction: float, width: str) -> None:
    assert f"width:{width}" in tables.status_html("reading", fraction)


def test_figures_stand_with_their_intervals() -> None:
    metrics = {
        "schema": "x", "task": "grading", "patients": 8, "accuracy": 0.875, "auc": None, "notices": [],
        "intervals": {"accuracy": {"low": 0.5, "high": 1.0, "patients": 8}},
    }  # fmt: skip
    assert tables.figure_rows(metrics) == [
        ["accuracy", "0.875", "0.500 to 1.000"],
        ["auc", tables.NONE, tables.NONE],
    ]


def test_links_lead_to_our_own_api() -> None:
    assert 'href="/api/v1/research/evaluations/a/files/plots/x%20y.png"' in tables.downloads_html(
        "a", ["plots/x y.png"]
    )


def test_corrections_are_counted_in_words() -> None:
    counts = [("disc_degeneration", {"accept": 2, "edit": 1, "reject": 0})]
    assert tables.correction_rows(counts) == [["disc degeneration", 2, 1, 0]]
