"""A report as Markdown or HTML: the notice at both ends, sentences, grades, measurements, burden, provenance.

Everything that comes from outside (reasons, methods, drafted text, keys) is escaped: it is shown, never run. HTML
is one file without any outside resource, fit to print.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from grading.types import Findings
from reporting.notice import NOTICE
from reporting.prior import Comparison
from reporting.types import Report
from reporting.view import ReportView, SentenceRow, build_view

_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]<>#|!~])")
_LIST_MARK = re.compile(r"^([-+]|\d+[.)])(?=\s)")
_GRADE_HEAD = ("Id", "Level", "Side", "Condition", "Scale", "Grade", "Probability", "Cannot be excluded", "Remark")
_CHANGE_HEAD = ("Level", "Side", "What", "Earlier", "Now", "Change", "Remark", "Ids")
_VALUE_HEAD = ("Id", "Level", "Side", "Quantity", "Value", "Percentile", "Method")


def render_markdown(
    report: Report,
    findings: Findings,
    *,
    notice: bool = True,
    provenance: Mapping[str, Any] | None = None,
    alert: str | None = None,
    comparison: Comparison | None = None,
) -> str:
    """Return a report as Markdown.

    Args:
        report: The verified report.
        findings: Its findings, for the tables.
        notice: Whether the notice stands at the top and the bottom; leave it out only where it is shown beside.
        provenance: ``Provenance.to_dict()``; None leaves the block out.
        alert: What the reader must know before anything else, above the title; None for nothing.
        comparison: Change table against an earlier reading; None without one.
    """
    view = build_view(report, findings, provenance, comparison)
    blocks = [] if alert is None else [f"> **{escape_markdown(alert)}**"]
    blocks += [
        f"# {escape_markdown(view.title)}",
        f"Report state: {view.state}. Study key: `{_code(view.study_key)}`.",
    ]
    blocks += _section_blocks(view)
    blocks += _table_blocks(view)
    if view.provenance:
        blocks.append("## Provenance\n\n" + "\n".join(f"    {line}" for line in view.provenance.splitlines()))
    if notice:
        blocks = [f"> **{NOTICE}**", *blocks, f"> **{NOTICE}**"]
    return "\n\n".join(blocks) + "\n"


def render_html(
    report: Report,
    findings: Findings,
    overlay_png: bytes | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    alert: str | None = None,
    comparison: Comparison | None = None,
) -> str:
    """Return a report as one self-contained HTML page.

    Args:
        report: The verified report.
        findings: Its findings, for the tables.
        overlay_png: PNG bytes of the overlay, embedded; None for none.
        provenance: ``Provenance.to_dict()``; None leaves the block out.
        alert: What the reader must know before anything else, above the title; None for nothing.
        comparison: Change table against an earlier reading; None without one.
    """
    view = build_view(report, findings, provenance, comparison)
    overlay = "" if overlay_png is None else base64.b64encode(overlay_png).decode("ascii")
    return _page().render(notice=NOTICE, alert=alert or "", overlay=overlay, **vars(view))


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(
        (Path(__file__).parent / "templates" / "report.html").read_text(encoding="utf-8")
    )


def _section_blocks(view: ReportView) -> list[str]:
    blocks = []
    for section in view.sections:
        lines = [f"- {' '.join(_sentence(item) for item in paragraph)}" for paragraph in section.paragraphs]
        blocks.append(f"## {escape_markdown(section.name.capitalize())}\n\n" + "\n".join(lines))
    return blocks


def _sentence(row: SentenceRow) -> str:
    return escape_markdown(row.text) + (" *[repaired]*" if row.is_repaired else "")


def _table_blocks(view: ReportView) -> list[str]:
    blocks = []
    if view.changes:
        blocks.append(
            _table("Change since the earlier reading", _CHANGE_HEAD, [_cells(row, 8) for row in view.changes])
        )
    blocks += [_table("Grades", _GRADE_HEAD, [_cells(row, 9) for row in view.grades])]
    if view.measurements:
        blocks.append(_table("Measurements", _VALUE_HEAD, [_cells(row, 7) for row in view.measurements]))
    blocks.append(f"## Burden score\n\n{escape_markdown(view.burden.text)}")
    if view.burden.terms:
        terms = [(term.id, term.what, term.points) for term in view.burden.terms]
        blocks.append(_table("", ("Grade", "What", "Points"), terms))
    if view.repairs:
        repairs = [(row.before, row.after) for row in view.repairs]
        blocks.append(_table("Repaired sentences", ("Drafted", "Written instead"), repairs))
    return blocks


def _cells(row: object, count: int) -> tuple[str, ...]:
    return tuple(vars(row).values())[:count]


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"## {title}\n"] if title else []
    lines += [_row(head), _row(["---"] * len(head))]
    lines += [_row([escape_markdown(cell) for cell in row]) for row in rows]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def escape_markdown(text: str) -> str:
    """Escape what Markdown or HTML inside it would act on; line breaks become spaces."""
    escaped = _MARKDOWN_SIGNS.sub(r"\\\1", " ".join(text.split()).replace("&", "&amp;"))
    return _LIST_MARK.sub(r"\\\1", escaped.replace(r"\<", "&lt;").replace(r"\>", "&gt;"))


def _code(text: str) -> str:
    return "".join(sign for sign in text if sign.isalnum() or sign in "-_.")
