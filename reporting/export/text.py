"""A report as Markdown and as one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2

from reporting import render_markdown
from reporting.export.content import RESEARCH_USE, Outgoing, provenance_lines
from reporting.export.measured import measurement_blocks
from reporting.export.package import ExportedFile, Package
from reporting.render import escape_markdown

_DECISION_HEAD = ("Finding", "Where and what", "The machine", "Decision", "By", "At (UTC)")


def to_markdown(outgoing: Outgoing) -> str:
    """Return a report as Markdown; the mark of a draft stands above and below (Markdown has no pages)."""
    frame = f"> **{escape_markdown(outgoing.mark)}**" if outgoing.mark else ""
    body = render_markdown(
        outgoing.report,
        outgoing.findings,
        notice=False,
        alert=outgoing.alert,
        comparison=outgoing.comparison,
    ).strip()
    standing = f"{escape_markdown(outgoing.standing)} Version {outgoing.version}."
    blocks = [frame, f"> **{RESEARCH_USE}**", standing, body]
    if outgoing.decisions:
        blocks.append(_table("Decisions of the readers", _DECISION_HEAD, _decision_rows(outgoing)))
    blocks.append(_table("Provenance", ("What", "Value"), provenance_lines(outgoing)))
    if outgoing.notices:
        told = "\n".join(f"- {escape_markdown(text)}" for text in outgoing.notices)
        blocks.append(f"## Notices of the machine's reading\n\n{told}")
    return "\n\n".join(block for block in (*blocks, f"> **{RESEARCH_USE}**", frame) if block) + "\n"


def to_html(outgoing: Outgoing) -> str:
    """Return a report as one HTML page without any outside resource; printed, the mark is on every page."""
    picture = "" if outgoing.overlay_png is None else base64.b64encode(outgoing.overlay_png).decode("ascii")
    return _page().render(
        out=outgoing,
        view=outgoing.view,
        notice=RESEARCH_USE,
        picture=picture,
        decision_head=_DECISION_HEAD,
        decisions=_decision_rows(outgoing),
        measured=measurement_blocks(outgoing.findings.measurements),
        provenance=provenance_lines(outgoing),
    )


def markdown_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the report as a Markdown file."""
    content = to_markdown(package.outgoing).encode()
    return (ExportedFile(f"{package.stem}.md", "text/markdown; charset=utf-8", content),)


def html_files(package: Package) -> tuple[ExportedFile, ...]:
    """Return the report as a page."""
    content = to_html(package.outgoing).encode()
    return (ExportedFile(f"{package.stem}.html", "text/html; charset=utf-8", content),)


def _decision_rows(outgoing: Outgoing) -> list[tuple[str, ...]]:
    return [
        (line.finding_id, line.what, line.machine, line.verdict, line.by, line.at) for line in outgoing.decisions
    ]


@cache
def _page() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    return environment.from_string(
        (Path(__file__).parent / "templates" / "report.html").read_text(encoding="utf-8")
    )


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"## {title}\n", _row(head), _row(["---"] * len(head))]
    return "\n".join([*lines, *(_row([escape_markdown(cell) for cell in row]) for row in rows)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
