"""The reference report of a phantom: its truth in plain sentences.

A separate, small text so that the language of ``reporting`` can be tested against something it did not write. A
region supplies ``report.py`` with ``report_parts(phantom) -> ReportParts``; its words are a table of
``configs/phantom``.
"""

from dataclasses import dataclass
from importlib import import_module

from imaging.phantom.types import Phantom

_TITLE = "Reference report of {name}"
_NOTICE = "Made-up patient. This text follows from the truth of the phantom and is for testing only."


@dataclass(frozen=True)
class ReportParts:
    """Technique in one paragraph, findings and impression in one paragraph each."""

    technique: str
    findings: tuple[str, ...]
    impression: tuple[str, ...]


def reference_report(phantom: Phantom) -> str:
    """Return the report as Markdown: technique, findings, impression."""
    parts: ReportParts = import_module(f"imaging.phantom.{phantom.protocol}.report").report_parts(phantom)
    lines = [
        f"# {_TITLE.format(name=phantom.name)}",
        f"{_NOTICE} ({phantom.version})",
        "## Technique",
        parts.technique,
        "## Findings",
        *parts.findings,
        "## Impression",
        *parts.impression,
    ]
    return "\n\n".join(lines) + "\n"
