"""The language of reports, without torch: compose from Findings, parse text to facts, verify, render.

One verb a file: ``compose_report`` writes, ``parse_report`` reads, ``verify_draft`` compares and repairs,
``render_markdown`` and ``render_html`` show. Findings is the only source of facts.
"""

from reporting.checker import Checker, SentenceContext, check_sentence
from reporting.composer import compose_impression, compose_report, compose_technique
from reporting.grammar import compose_level, vary
from reporting.notice import NOTICE
from reporting.parsing import parse_measurements, parse_report, split_sentences
from reporting.phrases import template_versions
from reporting.render import render_html, render_markdown
from reporting.serialise import SERIAL_VERSION, serialise_findings, serialise_level
from reporting.statements import facts_of
from reporting.temporal import TemporalChecker
from reporting.verifier import verify_draft

__all__ = [
    "NOTICE",
    "SERIAL_VERSION",
    "Checker",
    "SentenceContext",
    "TemporalChecker",
    "check_sentence",
    "compose_impression",
    "compose_level",
    "compose_report",
    "compose_technique",
    "facts_of",
    "parse_measurements",
    "parse_report",
    "render_html",
    "render_markdown",
    "serialise_findings",
    "serialise_level",
    "split_sentences",
    "template_versions",
    "vary",
    "verify_draft",
]
