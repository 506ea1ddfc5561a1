"""The stenosis table at its limits, and its refusals."""

from pathlib import Path

import pytest

import grading.stenosis
from grading.findings import graded_by_rule
from grading.stenosis import load_rule
from grading.types import GradeStatus
from runtime.errors import ConfigError
from tests.grading.factories import LEVELS, canal_measurement, chain, levels_of, segmented_of

RULE = load_rule("canal_ap_verbiest/1")


@pytest.mark.parametrize(
    ("value", "grade"),
    [
        (18.0, "normal_mild"),
        (12.0001, "normal_mild"),
        (12.0, "moderate"),
        (11.0, "moderate"),
        (10.0, "moderate"),
        (9.9999, "severe"),
        (0.0, "severe"),
    ],
)
def test_limits(value: float, grade: str) -> None:
    assert RULE.step_for(value) == grade


def test_reason_quotes_rule_value_and_limits() -> None:
    assert RULE.explain(9.84) == ("rule canal_ap_verbiest/1: mid-sagittal canal AP diameter 9.8 mm, below 10 mm")
    assert RULE.explain(11.0).endswith("11.0 mm, from 10 to 12 mm")
    assert RULE.explain(15.0).endswith("15.0 mm, above 12 mm")
    assert "rsna" not in RULE.source.lower()


def test_grade_by_rule_points_to_its_measurement() -> None:
    levels = levels_of(chain())
    segmented = segmented_of({"S1": levels}, measurements=(canal_measurement(4, "L4-L5", 9.5),))
    grade = graded_by_rule(RULE, levels[LEVELS.index("L4-L5")], segmented)
    assert (grade.grade, grade.measurement_ids, grade.prediction_set) == ("severe", ("m4",), ("severe",))
    assert grade.probabilities == {}
    assert grade.evidence is not None
    assert grade.evidence.box_px == (120.0, 50.0, 135.0, 52.0)


def test_without_millimetres_the_reason_is_copied() -> None:
    levels = levels_of(chain())
    measured = canal_measurement(1, "L4-L5", None, reason="pixel spacing unknown")
    segmented = segmented_of({"S1": levels}, measurements=(measured,))
    grade = graded_by_rule(RULE, levels[5], segmented)
    assert grade.status is GradeStatus.NOT_ASSESSABLE
    assert (grade.grade, grade.reason, grade.evidence) == (None, "pixel spacing unknown", None)
    absent = graded_by_rule(RULE, levels[6], segmented)
    assert absent.reason == "mid-sagittal canal AP diameter was not measured at L5-S1"


def test_unknown_rule() -> None:
    with pytest.raises(ConfigError, match="expected a table in rules/, got 'nobody/3'"):
        load_rule("nobody/3")


def test_rule_with_limits_out_of_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules").mkdir()
    text = (Path(grading.stenosis.__file__).parent / "rules" / "canal_ap_verbiest_1.yaml").read_text()
    (tmp_path / "rules" / "odd_1.yaml").write_text(text.replace("above: 12.0", "above: 8.0"))
    monkeypatch.setattr(grading.stenosis, "__file__", str(tmp_path / "stenosis.py"))
    with pytest.raises(ConfigError, match="limits falling"):
        load_rule("odd/1")
