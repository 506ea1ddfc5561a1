"""The language of reports, without torch: compose from Findings, parse text to facts, verify, render.

One verb a file: ``compose_report`` writes, ``parse_report`` reads, ``verify_draft`` compares and repairs,
``render_markdown`` and ``render_html`` show. Findings is the only source of facts.
"""

from reporting.composer import compose_report
from reporting.grammar import compose_level, vary
from reporting.serialise import SERIAL_VERSION, serialise_findings, serialise_level
from reporting.statements import facts_of

__all__ = [
    "SERIAL_VERSION",
    "compose_level",
    "compose_report",
    "facts_of",
    "serialise_findings",
    "serialise_level",
    "vary",
]
