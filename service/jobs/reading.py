"""The reader that the reading process opens: the pipeline, and the files that a reading leaves.

A request's options: ``protocol``, ``spacing`` (text of a form), ``anchor`` (``LEVEL=X,Y``), ``writer`` (name of a
preset; empty for the service's own), ``prior`` (content of an earlier reading.json).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grading.triage import triage_alert
from imaging import parse_spacing
from pipeline import Reader, Reading, ReadOptions, Writer, parse_anchor, write_reading
from reporting import render_html
from runtime.progress import Progress
from runtime.settings import load_settings
from service.jobs.finish import REPORT_PAGE
from service.viewing.pack import viewer_files
from service.viewing.saliency import saliency_files
from vlm.writers import DEFAULT, WriterChoice

_KEPT_READERS = 2


class PipelineReader:
    """Reads with the pipeline; the models of the last two writers are kept."""

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def read(self, source: Path, folder: Path, options: dict[str, Any]) -> Iterator[Progress | dict[str, Any]]:
        """Read a file; see ``child.StudyReader``."""
        writer = str(options.get("writer") or "")
        yield Progress("models", 0.0, "opening the models")
        reader = self._reader(writer)
        for event in reader.read(source, read_options(options)):
            if isinstance(event, Reading):
                yield Progress("files", 0.97, "writing the files and where the networks looked")
                yield write_files(event, folder, writer, reader)
            else:
                yield event

    def _reader(self, writer: str) -> Reader:
        name = "" if writer == Writer.COMPOSER else writer
        if name not in self._readers:
            while len(self._readers) >= _KEPT_READERS:
                del self._readers[next(iter(self._readers))]
            self._readers[name] = Reader.load(writer=WriterChoice(name) if name else None)
        return self._readers[name]


def open_reader() -> PipelineReader:
    """Return the reader of the service."""
    return PipelineReader()


def read_options(options: dict[str, Any]) -> ReadOptions:
    """Return the pipeline's options of a job's.

    Raises:
        ConfigError: If one is wrong.
    """
    spacing, anchor = str(options.get("spacing") or ""), str(options.get("anchor") or "")
    return ReadOptions(
        protocol=str(options.get("protocol") or "auto"),
        spacing=parse_spacing(spacing) if spacing else None,
        anchor=parse_anchor(anchor) if anchor else None,
        prior=options.get("prior"),
        writer=Writer.COMPOSER if options.get("writer") == Writer.COMPOSER else Writer.VLM,
    )


def write_files(reading: Reading, folder: Path, writer: str, reader: Reader) -> dict[str, Any]:
    """Write all files of a reading; return what the worker is to know of it."""
    write_reading(reading, folder)
    page = render_html(
        reading.report,
        reading.findings,
        reading.overlay_png,
        alert=reading.alert,
        comparison=reading.comparison,
    )
    (folder / REPORT_PAGE).write_text(page, encoding="utf-8")
    for name, content in {**viewer_files(reading), **saliency_files(reader, reading)}.items():
        (folder / name).write_bytes(content)
    return {
        "writer": writer_name(reading, writer),
        "alert": reading.alert,
        "is_critical": triage_alert(reading.findings.grades) is not None,
        "seconds": {stage: round(seconds, 3) for stage, seconds in reading.timings_s.items()},
    }


def writer_name(reading: Reading, asked: str) -> str:
    """Return who wrote the text: the composer where no language model did, whatever was asked for."""
    wrote = "vlm" in reading.provenance.prompts
    return (asked or load_settings().writer or DEFAULT) if wrote else Writer.COMPOSER.value
