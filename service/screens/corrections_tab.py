"""The tab "Corrections": what readers changed, counted, with a look at the lines and the download."""

from __future__ import annotations

from typing import Any

import gradio as gr

from runtime.errors import SpineScribeError
from service.research.corrections import counts_by_condition
from service.research.exports import preview_corrections
from service.screens import tables
from service.screens.users import actor_of
from service.services import Services

_PREVIEW = 20
_PREVIEW_HEADERS = ["Kind", "Study", "Month", "Level", "Condition or section", "Machine", "Reader"]
_ADDRESS = f"{tables.API}/research/corrections"
_FORMS = (
    ("jsonl", "All corrections (JSON lines)"),
    ("references", "Readers' grades (CSV, references of the grading task)"),
    ("predictions", "Machine's grades (CSV, predictions of the grading task)"),
)
_HELP = (
    "What readers decided and rewrote in signed reports of your own studies and those of your groups, without "
    "identity. Sentences that may hold any are left out and counted. Each download is noted in the audit log."
)


def build_corrections_tab(services: Services) -> None:
    """Lay out the tab and connect it."""
    gr.Markdown(_HELP)
    with gr.Row():
        with gr.Column(scale=1, min_width=220):
            count = gr.Button("Count the corrections", variant="primary", elem_id="count")
        with gr.Column(scale=4):
            status = gr.HTML(tables.status_html(""), elem_id="corrections-status")
    counts = gr.Dataframe(headers=tables.CORRECTION_HEADERS, interactive=False, elem_id="counts")
    lines = gr.Dataframe(headers=_PREVIEW_HEADERS, interactive=False, wrap=True, max_height=420, elem_id="lines")
    links = gr.HTML("", elem_id="corrections-files")

    def look(request: gr.Request) -> dict[Any, Any]:
        try:
            made = preview_corrections(services, actor_of(services, request))
        except SpineScribeError as error:
            return {status: tables.error_html(str(error))}
        return {
            status: tables.status_html(_told(made.summary())),
            counts: tables.correction_rows(counts_by_condition(made)),
            lines: [_row(line) for line in made.lines[:_PREVIEW]],
            links: tables.list_html(
                tables.link_html(f"{_ADDRESS}?format={form}", words, is_download=True) for form, words in _FORMS
            ),
        }

    count.click(look, None, [status, counts, lines, links], api_visibility="private")


def _told(summary: dict[str, Any]) -> str:
    dropped = sum(summary["dropped_sentences"].values())
    return (
        f"{summary['studies']} signed reports: {summary['findings']} decided findings, {summary['sentences']} "
        f"changed sentences, {dropped} sentences left out as they may tell who the patient is"
    )


def _row(line: dict[str, Any]) -> list[str]:
    head = [line["kind"], line["study"], line["month"]]
    if line["kind"] == "sentence":
        levels = ", ".join(level or "study" for level in line["levels"])
        return [*head, levels, line["section"], line["machine_sentence"] or "", line["signed_sentence"] or ""]
    human = f"{line['verdict']}: {line['human_grade']}" if line["human_grade"] else line["verdict"]
    machine = line["machine"]["grade"] or "not assessable"
    return [*head, line["level"] or "study", line["condition"], machine, human]
