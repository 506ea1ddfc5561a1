"""Measured values bypass the language model: hidden in what it reads and writes, filled in from Findings."""

import numpy as np
import pytest

from anatomy import Protocol
from vlm.plan import plan_report, slots_of
from vlm.training.synthetic_findings import draw_findings
from vlm.values import fill_values, hide_values


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("spinal_canal_stenosis severe 7.5 mm | modic 2", "spinal_canal_stenosis severe 0 mm | modic 2"),
        ("slip -3.0 mm", "slip 0 mm"),
        ("tilt 12.5 deg and 88.1 mm2", "tilt 0 deg and 0 mm2"),
        ("L4-L5: Pfirrmann grade IV, score 49 of 100.", "L4-L5: Pfirrmann grade IV, score 49 of 100."),
    ],
)
def test_only_values_with_units_are_hidden(text: str, hidden: str) -> None:
    assert hide_values(text) == hidden


def test_hidden_values_come_back_as_they_were(lumbar: Protocol) -> None:
    rng = np.random.default_rng(1)
    values = 0
    for _ in range(30):
        findings = draw_findings(rng, lumbar)
        for slot in slots_of(plan_report(findings)):
            hidden = hide_values(slot.target)
            values += hidden.count(" 0 mm")
            assert fill_values(hidden, slot, findings) == slot.target
    assert values > 50


def test_a_value_the_slot_does_not_have_stays_hidden(lumbar: Protocol) -> None:
    findings = draw_findings(np.random.default_rng(1), lumbar)
    slot = next(item for item in slots_of(plan_report(findings)) if "mm" not in item.target)
    text = "Severe spinal canal stenosis (canal AP diameter 0 mm)."
    assert fill_values(text, slot, findings) == text
