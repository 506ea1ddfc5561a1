"""The reading screen: upload, progress, overlay with toggles, grades, editable draft, questions, downloads.

Widgets only: no medicine, no tensors, no file parsing. Every handler goes through the workbench.
"""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from pipeline import OverlayLayers
from reporting import NOTICE
from runtime.errors import SpineScribeError
from runtime.progress import Progress
from service.screens import tables
from service.workbench import OpenReading, Workbench

logger = logging.getLogger(__name__)

LAYERS = ["structures", "level names", "measurements"]
FILE_TYPES = [".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".gz", ".zip", ".dcm"]
CLOSED = "This reading was closed to make room for newer ones; please read the study again."
FAULT = "Something went wrong on our side; nothing was kept. The server's log says more."


@dataclass(frozen=True)
class _Widgets:
    """Every widget that a handler reads or writes."""

    token: gr.State
    upload: gr.File
    spacing: gr.Textbox
    protocol: gr.Dropdown
    read: gr.Button
    sample: gr.Button
    status: gr.HTML
    overlay: gr.Image
    layers: gr.CheckboxGroup
    slice_index: gr.Slider
    grades: gr.Dataframe
    only_abnormal: gr.Checkbox
    draft: gr.Textbox
    save: gr.Button
    sentences: gr.HTML
    sentence: gr.Dropdown
    files: gr.File
    chat: gr.Chatbot
    question: gr.Textbox

    @property
    def results(self) -> list[Any]:
        """Return what a finished reading fills."""
        return [
            self.status, self.token, self.overlay, self.slice_index, self.grades, self.draft, self.sentences,
            self.sentence, self.files, self.chat,
        ]  # fmt: skip


def build_reading_room(workbench: Workbench) -> gr.Blocks:
    """Lay out the screen and connect it to a workbench."""
    screen: gr.Blocks
    with gr.Blocks(title="SpineScribe", analytics_enabled=False, delete_cache=(3600, 86400)) as screen:
        widgets = _lay_out(workbench)
        _connect(workbench, widgets)
    return screen


def _lay_out(workbench: Workbench) -> _Widgets:
    gr.HTML(f'<h2>SpineScribe</h2><div class="notice" role="note">{NOTICE}</div>')
    token = gr.State("")
    inputs = _lay_out_inputs(workbench)
    status = gr.HTML('<div class="status" role="status">No study yet.</div>', elem_id="status")
    with gr.Row():
        with gr.Column(scale=5, min_width=360):
            viewer = _lay_out_viewer()
        with gr.Column(scale=6, min_width=420):
            results = _lay_out_results()
    return _Widgets(token=token, status=status, **inputs, **viewer, **results)


def _lay_out_inputs(workbench: Workbench) -> dict[str, Any]:
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            upload = gr.File(
                label="Study: picture, NIfTI, or zip of DICOM",
                file_types=FILE_TYPES,
                type="filepath",
                height=132,
            )
        with gr.Column(scale=1, min_width=220):
            spacing = gr.Textbox(
                label="Pixel spacing of a picture, mm", placeholder="0.625 or row,column", elem_id="spacing"
            )
            protocol = gr.Dropdown(list(workbench.protocols), value="auto", label="Protocol", elem_id="protocol")
        with gr.Column(scale=1, min_width=180):
            read = gr.Button("Read the study", variant="primary", elem_id="read")
            sample = gr.Button("Read a phantom study", elem_id="sample")
    return {"upload": upload, "spacing": spacing, "protocol": protocol, "read": read, "sample": sample}


def _lay_out_viewer() -> dict[str, Any]:
    overlay = gr.Image(
        label="Overlay",
        type="pil",
        format="png",
        interactive=False,
        height=640,
        buttons=["download", "fullscreen"],
        elem_id="overlay",
        alt_text="Slice with structures and level names",
    )
    layers = gr.CheckboxGroup(LAYERS, value=LAYERS[:2], label="Show", elem_id="layers")
    slice_index = gr.Slider(0, 1, value=0, step=1, label="Slice", interactive=True, elem_id="slice")
    return {"overlay": overlay, "layers": layers, "slice_index": slice_index}


def _lay_out_results() -> dict[str, Any]:
    with gr.Tab("Draft report"):
        draft = gr.Textbox(label="Draft, editable", lines=22, max_lines=32, interactive=True, elem_id="draft")
        save = gr.Button("Save my edits to the downloads", elem_id="save")
    with gr.Tab("Sentence check"):
        sentence = gr.Dropdown([], label="Show where a sentence lies", interactive=True, elem_id="sentence")
        sentences = gr.HTML("", elem_id="sentences")
    with gr.Tab("Grades"):
        only_abnormal = gr.Checkbox(False, label="Only abnormal or not assessable", elem_id="abnormal")
        grades = gr.Dataframe(
            headers=tables.GRADE_HEADERS, interactive=False, wrap=True, max_height=560, elem_id="grades"
        )
    with gr.Tab("Ask"):
        chat = gr.Chatbot(label="Answers come from this study's findings only", height=440)
        question = gr.Textbox(
            label="Question", placeholder="What is at L4-L5? Which level is worst?", elem_id="question"
        )
    with gr.Tab("Downloads"):
        files = gr.File(label="Files", file_count="multiple", interactive=False, elem_id="files")
    return {
        "draft": draft,
        "save": save,
        "sentences": sentences,
        "sentence": sentence,
        "only_abnormal": only_abnormal,
        "grades": grades,
        "chat": chat,
        "question": question,
        "files": files,
    }


def _connect(workbench: Workbench, w: _Widgets) -> None:
    def read_upload(path: str | None, spacing: str, protocol: str) -> Iterator[dict[Any, Any]]:
        if not path:
            yield {w.status: tables.error_html("Choose a file first: a picture, a NIfTI file or a zip of DICOM.")}
            return
        yield from _read(workbench, w, Path(path), spacing, protocol)

    def read_sample() -> Iterator[dict[Any, Any]]:
        yield {w.status: tables.progress_html(Progress("phantom", 0.0, "making a phantom study"))}
        yield from _read(workbench, w, workbench.sample_study(), "", "auto")

    def redraw(token: str, names: list[str], slice_index: int) -> Image.Image | None:
        png = workbench.overlay(token, layers=_chosen(names), slice_index=int(slice_index))
        return None if png is None else _picture(png)

    def point(token: str, names: list[str], number: int | None) -> dict[Any, Any]:
        png = None if number is None else workbench.sentence_overlay(token, int(number), layers=_chosen(names))
        return {} if png is None else {w.overlay: _picture(png)}

    def filter_grades(token: str, only_abnormal: bool) -> list[list[str]]:
        item = workbench.get(token)
        return [] if item is None else tables.grade_rows(item.reading.findings, only_abnormal=only_abnormal)

    def save_edit(token: str, text: str) -> tuple[list[str] | None, str]:
        item = workbench.get(token)
        if item is None or workbench.save_edit(token, text) is None:
            return None, tables.error_html(CLOSED)
        return [str(file) for file in item.files], (
            '<div class="status" role="status">Your edits are in report-edited.md under Downloads.</div>'
        )

    def ask(token: str, question: str, history: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str]:
        if not question.strip():
            return history, ""
        answer = workbench.ask(token, question)
        text = "Read a study first." if answer is None else _answer_text(answer.text, answer.finding_ids)
        told = [{"role": "user", "content": question}, {"role": "assistant", "content": text}]
        return [*history, *told], ""

    w.read.click(read_upload, [w.upload, w.spacing, w.protocol], w.results, concurrency_limit=2)
    w.sample.click(read_sample, None, w.results, concurrency_limit=2)
    for changed in (w.layers.change, w.slice_index.release):
        changed(redraw, [w.token, w.layers, w.slice_index], w.overlay, show_progress="hidden")
    w.sentence.input(point, [w.token, w.layers, w.sentence], [w.overlay], show_progress="hidden")
    w.only_abnormal.change(filter_grades, [w.token, w.only_abnormal], w.grades)
    w.save.click(save_edit, [w.token, w.draft], [w.files, w.status])
    w.question.submit(ask, [w.token, w.question, w.chat], [w.chat, w.question])


def _read(workbench: Workbench, w: _Widgets, path: Path, spacing: str, protocol: str) -> Iterator[dict[Any, Any]]:
    try:
        for event in workbench.read(path, spacing=spacing, protocol=protocol):
            yield (
                _shown(workbench, w, event)
                if isinstance(event, OpenReading)
                else {w.status: tables.progress_html(event)}
            )
    except SpineScribeError as error:
        yield {w.status: tables.error_html(str(error))}
    except Exception:
        logger.exception("reading failed")
        yield {w.status: tables.error_html(FAULT)}


def _shown(workbench: Workbench, w: _Widgets, item: OpenReading) -> dict[Any, Any]:
    """Return the values of all widgets for a finished reading."""
    reading = item.reading
    slices = reading.primary_series.volume.shape[2]
    shown = reading.segmented.levels[0].slice_index if reading.segmented.levels else slices // 2
    return {
        w.status: tables.summary_html(reading),
        w.token: item.token,
        w.overlay: _picture(reading.overlay_png),
        w.slice_index: gr.Slider(maximum=max(1, slices - 1), value=shown, visible=slices > 1),
        w.grades: tables.grade_rows(reading.findings),
        w.draft: tables.report_text(reading.report),
        w.sentences: tables.sentences_html(reading.report),
        w.sentence: gr.Dropdown(choices=workbench.placed_sentences(item.token), value=None),
        w.files: [str(file) for file in item.files],
        w.chat: [],
    }


def _chosen(names: list[str]) -> OverlayLayers:
    """Return the layers of the ticked boxes."""
    return OverlayLayers(structures=LAYERS[0] in names, names=LAYERS[1] in names, measurements=LAYERS[2] in names)


def _picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png))


def _answer_text(text: str, finding_ids: tuple[str, ...]) -> str:
    return f"{text} [{', '.join(finding_ids)}]" if finding_ids else text
