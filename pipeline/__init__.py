"""The whole story: one path in, one ``Reading`` out; it draws no conclusions of its own.

``Reader`` loads the models once and reads many studies, yielding ``Progress`` and at last the ``Reading``;
``write_reading`` puts a reading into a folder; ``load_reading`` reads a reading.json back, validated.
Importing this package loads neither torch nor DICOM: the rooms are opened when they are needed.
"""

from pipeline.config import ReadOptions, Writer, parse_anchor
from pipeline.document import SCHEMA_NAME, load_reading, reading_to_dict, validate_document
from pipeline.grounding import Grounding, Place, SentenceRef, evidence_of, place_of, sentences, sentences_of
from pipeline.overlay import OverlayLayers, render_overlay
from pipeline.run import Reader, read_study
from pipeline.types import Reading
from pipeline.write import clear_reading, write_error, write_reading

__all__ = [
    "SCHEMA_NAME",
    "Grounding",
    "OverlayLayers",
    "Place",
    "ReadOptions",
    "Reader",
    "Reading",
    "SentenceRef",
    "Writer",
    "clear_reading",
    "evidence_of",
    "load_reading",
    "parse_anchor",
    "place_of",
    "read_study",
    "reading_to_dict",
    "render_overlay",
    "sentences",
    "sentences_of",
    "validate_document",
    "write_error",
    "write_reading",
]
