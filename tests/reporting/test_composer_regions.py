"""What the composer writes agrees with the findings it was made from: else nothing is written at all."""

from dataclasses import replace

import numpy as np
import pytest

from anatomy import SCALES, Condition, load_protocol
from grading.types import Findings
from reporting import compose_report, verify_draft
from vlm.training.synthetic_findings import draw_findings

KANG = SCALES["kang"].grades


def _with_kang(findings: Findings, rng: np.random.Generator) -> Findings:
    """Grade cord compression on Kang's scale too, as the cervical grader does."""
    grades = []
    for grade in findings.grades:
        grades.append(grade)
        if grade.condition is Condition.CORD_COMPRESSION and grade.grade is not None:
            low = int(rng.integers(len(KANG)))
            kept = KANG[low : low + 1 + int(rng.integers(3))]
            further = replace(grade, id=f"{grade.id}k", scale="kang", grade=kept[0], prediction_set=kept)
            grades.append(replace(further, probabilities={}))
    return replace(findings, grades=tuple(grades))


@pytest.mark.parametrize("name", ["lumbar", "cervical"])
def test_what_the_composer_writes_is_never_repaired(name: str) -> None:
    protocol = load_protocol(name)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        findings = draw_findings(rng, protocol)
        if Condition.CORD_COMPRESSION in protocol.conditions:
            findings = _with_kang(findings, rng)
        report = verify_draft(compose_report(findings), findings)  # raises where the two disagree
        sentences = [sentence for section in report.sections for sentence in section.sentences]
        assert sentences
        assert all(sentence.replaced_text is None for sentence in sentences)
