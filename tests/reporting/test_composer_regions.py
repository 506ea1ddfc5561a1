"""What the composer writes agrees with the findings it was made from: else nothing is written at all."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import Condition, load_protocol
from grading.types import Findings
from reporting import compose_report, verify_draft
from vlm.training.synthetic_findings import draw_findings


def _with_checks(findings: Findings, rng: np.random.Generator) -> Findings:
    """Also grade cord compression as present or absent, the second way of the cervical grader."""
    grades = []
    for grade in findings.grades:
        grades.append(grade)
        if grade.condition is Condition.CORD_COMPRESSION and grade.grade is not None:
            step = str(rng.choice(["absent", "present"]))
            further = replace(grade, id=f"{grade.id}p", scale="presence", grade=step, prediction_set=(step,))
            grades.append(further)
    return replace(findings, grades=tuple(grades))


@pytest.mark.parametrize("name", ["lumbar", "cervical", "sacroiliac"])
def test_what_the_composer_writes_is_never_repaired(name: str) -> None:
    protocol = load_protocol(name)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        findings = draw_findings(rng, protocol)
        if Condition.CORD_COMPRESSION in protocol.conditions:
            findings = _with_checks(findings, rng)
        report = verify_draft(compose_report(findings), findings)  # raises where the two disagree
        sentences = [sentence for section in report.sections for sentence in section.sentences]
        assert sentences
        assert all(sentence.replaced_text is None for sentence in sentences)
