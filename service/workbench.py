"""What the screens do with the pipeline: read an upload, keep the reading, write its files. No gradio here."""

import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anatomy import protocol_names
from imaging import parse_spacing
from pipeline import (
    OverlayLayers,
    Reader,
    Reading,
    ReadOptions,
    evidence_of,
    reading_to_dict,
    render_overlay,
    sentences,
    write_reading,
)
from reporting import NOTICE, render_html
from runtime.progress import Progress
from vlm import Answer, answer_question

KEPT_READINGS = 16
AUTO = "auto"


@dataclass(frozen=True)
class OpenReading:
    """A reading on the bench.

    Attributes:
        token: Random key by which a page asks for it.
        reading: The reading.
        folder: Its files.
    """

    token: str
    reading: Reading
    folder: Path

    @property
    def files(self) -> list[Path]:
        """Return the files to download, report first."""
        order = {"report.md": 0, "report.html": 1, "reading.json": 2, "overlay.png": 3}
        return sorted(self.folder.iterdir(), key=lambda file: (order.get(file.name, 9), file.name))


class Workbench:
    """Reads one study at a time and keeps the last readings; safe to call from several threads."""

    def __init__(self, reader: Reader | None, folder: Path) -> None:
        self._reader = reader
        self._folder = folder
        self._open: OrderedDict[str, OpenReading] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def protocols(self) -> tuple[str, ...]:
        """Return the choices of the protocol field."""
        return (AUTO, *protocol_names())

    def read(self, path: Path, *, spacing: str = "", protocol: str = AUTO) -> Iterator[Progress | OpenReading]:
        """Read an uploaded file; yields progress and, last, the open reading.

        Args:
            path: The uploaded picture, NIfTI file or zip of DICOM.
            spacing: ``MM`` or ``ROW,COL``; empty when unknown.
            protocol: ``auto`` or a protocol's name.

        Raises:
            SpineScribeError: With one clear sentence, if the study cannot be read.
        """
        options = ReadOptions(protocol=protocol, spacing=parse_spacing(spacing) if spacing.strip() else None)
        if self._lock.locked():
            yield Progress("queue", 0.0, "another study is being read, please wait")
        with self._lock:
            if self._reader is None:
                yield Progress("models", 0.02, "loading the models")
                self._reader = Reader.load()
            for event in self._reader.read(path, options):
                yield self._keep(event) if isinstance(event, Reading) else event

    def sample_study(self) -> Path:
        """Return a generated DICOM study (phantom, seed 7) as a zip, made the first time it is asked for."""
        from imaging.phantom import build_phantom, write_phantom_study

        target = self._folder / "sample"
        archive = target / "study.zip"
        with self._lock:
            if not archive.is_file():
                write_phantom_study(build_phantom("lumbar", seed=7), target)
        return archive

    def get(self, token: str) -> OpenReading | None:
        """Return an open reading, or None when it was closed to make room."""
        return self._open.get(token)

    def overlay(self, token: str, *, layers: OverlayLayers, slice_index: int | None = None) -> bytes | None:
        """Return a PNG of one slice with the chosen layers, or None when the reading is closed."""
        item = self.get(token)
        if item is None:
            return None
        return render_overlay(item.reading.study, item.reading.segmented, layers=layers, slice_index=slice_index)

    def placed_sentences(self, token: str) -> list[tuple[str, int]]:
        """Return the sentences that lie somewhere in the images: words to choose from, place in the report."""
        item = self.get(token)
        if item is None:
            return []
        document = reading_to_dict(item.reading)
        numbered = enumerate(sentences(document))
        return [
            (f"{ref.section}: {ref.text}", number) for number, ref in numbered if evidence_of(document, ref).boxes
        ]

    def sentence_overlay(self, token: str, number: int, *, layers: OverlayLayers) -> bytes | None:
        """Return a PNG of the slice that a sentence rests on, with the boxes of its findings.

        Args:
            token: Of the reading.
            number: Place of the sentence in the report, from 0, over all sections.
            layers: What else is drawn.

        Returns:
            None when the reading is closed, there is no such sentence, or it has no box.
        """
        item = self.get(token)
        if item is None:
            return None
        document = reading_to_dict(item.reading)
        found = next((ref for index, ref in enumerate(sentences(document)) if index == number), None)
        boxes = () if found is None else evidence_of(document, found).boxes
        if not boxes:
            return None
        return render_overlay(item.reading.study, item.reading.segmented, layers=layers, boxes=boxes)

    def ask(self, token: str, question: str) -> Answer | None:
        """Answer a question from the reading's findings, or None when it is closed."""
        item = self.get(token)
        return None if item is None else answer_question(reading_to_dict(item.reading), question)

    def save_edit(self, token: str, text: str) -> Path | None:
        """Write the edited report beside the others, the notice above and below it."""
        item = self.get(token)
        if item is None:
            return None
        file = item.folder / "report-edited.md"
        file.write_text(f"> {NOTICE}\n\n{text.strip()}\n\n> {NOTICE}\n", encoding="utf-8")
        return file

    def _keep(self, reading: Reading) -> OpenReading:
        token = secrets.token_urlsafe(16)
        folder = self._folder / token
        write_reading(reading, folder)
        page = render_html(
            reading.report,
            reading.findings,
            reading.overlay_png,
            alert=reading.alert,
            comparison=reading.comparison,
        )
        (folder / "report.html").write_text(page, encoding="utf-8")
        item = OpenReading(token, reading, folder)
        self._open[token] = item
        while len(self._open) > KEPT_READINGS:
            _, oldest = self._open.popitem(last=False)
            shutil.rmtree(oldest.folder, ignore_errors=True)
        return item
