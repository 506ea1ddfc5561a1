"""The tab "Evaluate": the evaluation suite on two uploads, with figures, plots and files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import gradio as gr

from runtime.errors import SpineScribeError
from service.accounts.actor import Actor
from service.research.evaluations import (
    SUFFIXES,
    TASKS,
    Upload,
    get_evaluation,
    list_evaluations,
    start_evaluation,
)
from service.screens import tables
from service.screens.users import actor_of
from service.services import Services
from service.store.tables import Evaluation
from service.store.words import JobState

_POLL_S = 0.5
_HELP = (
    "Figures, 95 % intervals and plots, as `spinescribe evaluate` gives them. Tables as CSV or JSONL; folders of "
    "texts, label maps or readings as a zip. Ids of both sides must match."
)

Shown = dict[Any, Any]


@dataclass(frozen=True)
class _Widgets:
    """What a handler reads or writes."""

    task: gr.Dropdown
    predictions: gr.File
    references: gr.File
    run: gr.Button
    earlier: gr.Dropdown
    status: gr.HTML
    figures: gr.Dataframe
    remarks: gr.HTML
    plots: gr.HTML
    files: gr.HTML

    @property
    def all(self) -> list[Any]:
        """Return every widget."""
        return [getattr(self, field.name) for field in fields(self)]


def build_evaluate_tab(services: Services, screen: gr.Blocks) -> None:
    """Lay out the tab and connect it."""
    w = _lay_out()

    def run(task: str, predictions: str | None, references: str | None, request: gr.Request) -> Iterator[Shown]:
        try:
            yield from _run(services, w, request, task, predictions, references)
        except SpineScribeError as error:
            yield {w.status: tables.error_html(str(error))}

    def show(evaluation_id: str | None, request: gr.Request) -> Shown:
        if not evaluation_id:
            return {w.status: tables.status_html("")}
        try:
            return _shown(w, get_evaluation(services, actor_of(services, request), evaluation_id))
        except SpineScribeError as error:
            return {w.status: tables.error_html(str(error))}

    def refresh(request: gr.Request) -> Shown:
        return {w.earlier: _earlier(services, request)}

    w.run.click(run, [w.task, w.predictions, w.references], w.all, api_visibility="private", concurrency_limit=4)
    w.earlier.input(show, w.earlier, w.all, api_visibility="private")
    screen.load(refresh, None, [w.earlier], api_visibility="private", show_progress="hidden")


def _lay_out() -> _Widgets:
    gr.Markdown(_HELP)
    with gr.Row():
        with gr.Column(scale=1, min_width=200):
            task = gr.Dropdown(list(TASKS), value=TASKS[0], label="Task", elem_id="task")
            run = gr.Button("Evaluate", variant="primary", elem_id="evaluate")
        with gr.Column(scale=2, min_width=240):
            predictions = _upload("Predictions")
        with gr.Column(scale=2, min_width=240):
            references = _upload("References")
        with gr.Column(scale=1, min_width=200):
            earlier = gr.Dropdown([], label="Earlier evaluations", interactive=True, elem_id="earlier")
    status = gr.HTML(tables.status_html(""), elem_id="evaluation-status")
    remarks = gr.HTML("", elem_id="remarks")
    with gr.Row():
        with gr.Column(scale=3, min_width=400):
            figures = gr.Dataframe(
                headers=tables.FIGURE_HEADERS,
                interactive=False,
                max_height=560,
                wrap=True,
                elem_id="figures",
                column_widths=["46%", "20%", "34%"],
            )
            files = gr.HTML("", elem_id="evaluation-files")
        with gr.Column(scale=3, min_width=400):
            plots = gr.HTML("", elem_id="plots")
    return _Widgets(task, predictions, references, run, earlier, status, figures, remarks, plots, files)


def _upload(label: str) -> gr.File:
    return gr.File(label=label, file_types=list(SUFFIXES), type="filepath", height=132, elem_id=label.lower())


def _run(
    services: Services,
    w: _Widgets,
    request: gr.Request,
    task: str,
    predictions: str | None,
    references: str | None,
) -> Iterator[Shown]:
    actor = actor_of(services, request)
    if not predictions or not references:
        yield {w.status: tables.error_html("Choose both files first: predictions and references.")}
        return
    yield {w.predictions: None, w.references: None, w.figures: [], w.remarks: "", w.plots: "", w.files: ""}
    row = _start(services, actor, task, Path(predictions), Path(references))
    while row.state == JobState.RUNNING.value:
        seconds = int(time.time() - row.at.timestamp())
        yield {w.status: tables.status_html(f"Evaluating, {seconds} s")}
        time.sleep(_POLL_S)
        row = get_evaluation(services, actor, row.id)
    yield {**_shown(w, row), w.earlier: _earlier(services, request, chosen=row.id)}


def _start(services: Services, actor: Actor, task: str, *files: Path) -> Evaluation:
    """Hand both uploads over; Gradio's own copies are removed."""
    try:
        with ExitStack() as stack:
            told, truth = (Upload(file.name, stack.enter_context(file.open("rb"))) for file in files)
            return start_evaluation(services, actor, task, told, truth)
    finally:
        for file in files:
            file.unlink(missing_ok=True)


def _shown(w: _Widgets, row: Evaluation) -> Shown:
    """Return what a finished evaluation shows."""
    if row.state == JobState.FAILED.value:
        status = tables.error_html(row.cause or "")
    else:
        status = tables.status_html(f"{row.task}: {row.state}")
    names = list(row.files)
    return {
        w.status: status,
        w.figures: tables.figure_rows(row.metrics),
        w.remarks: tables.remarks_html(row.metrics),
        w.plots: tables.plots_html(row.id, names),
        w.files: tables.downloads_html(row.id, names),
    }


def _earlier(services: Services, request: gr.Request, *, chosen: str | None = None) -> gr.Dropdown:
    try:
        rows = list_evaluations(services, actor_of(services, request))
    except SpineScribeError:  # who may not evaluate has none; the tab says so when asked to
        rows = []
    choices = [(f"{row.at:%Y-%m-%d %H:%M}, {row.task}, {row.state}", row.id) for row in rows]
    return gr.Dropdown(choices=choices, value=chosen)
