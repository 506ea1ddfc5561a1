"""The whole story: one path in, one ``Reading`` out; it draws no conclusions of its own.

``Reader`` loads the models once and reads many studies, yielding ``Progress`` and at last the ``Reading``;
``write_reading`` puts a reading into a folder; ``load_reading`` reads a reading.json back, validated.
Importing this package loads neither torch nor DICOM: the rooms are opened when they are needed.
"""

from pipeline.config import ReadOptions, Writer, parse_anchor
from pipeline.document import SCHEMA_NAME, load_reading, reading_to_dict, validate_document
from pipeline.overlay import OverlayLayers, render_overlay
from pipeline.run import Reader, read_study
from pipeline.types import Reading
from pipeline.write import clear_reading, write_error, write_reading

__all__ = [
    "SCHEMA_NAME",
    "OverlayLayers",
    "ReadOptions",
    "Reader",
    "Reading",
    "Writer",
    "clear_reading",
    "load_reading",
    "parse_anchor",
    "read_study",
    "reading_to_dict",
    "render_overlay",
    "validate_document",
    "write_error",
    "write_reading",
]
