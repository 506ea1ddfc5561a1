"""Measured values never pass through the language model: it writes where a value goes, Findings say which.

A value in a prompt or a target is hidden behind ``0`` (``canal AP diameter 0 mm``); after writing, each hidden
value is filled in by the words before it. A value that the slot does not have stays ``0`` and fails verification.
"""

import re
from functools import cache

from anatomy import Condition
from grading.types import Findings
from reporting.phrases import measurement_phrases
from vlm.plan import Slot

HIDDEN = "0"
"""Stands for a value; reports always write one decimal, so no value looks like it."""

_VALUE = re.compile(r"-?\d+\.\d+(?= (?:mm2?|deg)\b)")


def hide_values(text: str) -> str:
    """Return serialised findings or report text with every value with a unit hidden."""
    return _VALUE.sub(HIDDEN, text)


def fill_values(text: str, slot: Slot, findings: Findings) -> str:
    """Return written text with the values of the slot's measurements filled in.

    Args:
        text: What the language model wrote.
        slot: What it was written for; only measurements among its evidence are filled in.
        findings: Where the values are.
    """
    for key in slot.finding_ids:
        measurement = findings.measurement(key)
        if measurement is None or measurement.value is None:
            continue
        for template in _templates().get(measurement.name, ()):
            hidden = template.format(value=HIDDEN)
            text = text.replace(hidden, template.format(value=f"{abs(measurement.value):.1f}"))
    return text


@cache
def _templates() -> dict[str, tuple[str, ...]]:
    """Return measurement name -> how its value is said."""
    phrases = [phrase for condition in Condition for phrase in measurement_phrases(condition)]
    names = dict.fromkeys(phrase.name for phrase in phrases)
    return {name: tuple(dict.fromkeys(phrase.text for phrase in phrases if phrase.name == name)) for name in names}
