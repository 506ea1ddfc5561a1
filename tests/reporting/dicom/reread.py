"""Whether a structured report says what Findings hold."""

from grading.types import Findings
from reporting.dicom.sr_reading import ReadReport

GRADE_FIELDS = (
    "level", "side", "condition", "scale", "grade", "probabilities", "prediction_set", "status", "reason",
    "measurement_ids",
)  # fmt: skip
MEASUREMENT_FIELDS = ("name", "level", "side", "value", "method", "reason")


def assert_equals_findings(read: ReadReport, findings: Findings) -> None:
    """Compare every grade and every measurement, field by field.

    Raises:
        AssertionError: If one is missing, too much, or differs.
    """
    assert [grade.id for grade in read.grades] == [grade.id for grade in findings.grades]
    for ours, theirs in zip(findings.grades, read.grades, strict=True):
        for field in GRADE_FIELDS:
            assert getattr(theirs, field) == getattr(ours, field), (ours.id, field)
        assert (theirs.box is None) == (ours.evidence is None)
    values = {item.id: item for item in read.measurements}
    assert set(values) == {item.id for item in findings.measurements}
    assert len(read.measurements) == len(findings.measurements)
    for item in findings.measurements:
        for field in MEASUREMENT_FIELDS:
            assert getattr(values[item.id], field) == getattr(item, field), (item.id, field)
        assert values[item.id].unit == (None if item.value is None else item.unit)
