"""``spinescribe export``: a stored reading in the formats that others read."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.errors import ConfigError

if TYPE_CHECKING:
    from reporting.export.formats import Export
    from reporting.export.package import Package

_FORMATS = ("md", "html", "csv", "pdf", "docx", "sr", "seg", "dicom-pdf", "key-images", "fhir", "bids")
_ALL = "all"
_SR_CLASSES = ("comprehensive", "comprehensive-3d")
_SEG_CLASSES = ("binary", "labelmap")


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "export",
        parents=[shared],
        help="write a reading as PDF, DOCX, DICOM SR and SEG, FHIR, BIDS ...",
        description="Write a stored reading in other formats, each marked as a draft that nobody signed. seg, sr, "
        "dicom-pdf, key-images and bids need the study that was read (--source); the four of DICOM need it as "
        "DICOM. `all` writes every format that can be made and says of the others why not. Files are written all "
        "or none; a file that no export of ours wrote is never replaced. See docs/interoperability.md.",
    )
    parser.add_argument("reading", type=Path, metavar="READING.json", help="reading.json, its files beside it")
    parser.add_argument("--source", type=Path, metavar="PATH", help="the study that was read, as `read` took it")
    parser.add_argument("--study", metavar="N", help="which study of several in the source: its number or key")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for the files (default: export, beside READING.json)"
    )
    parser.add_argument(
        "--format",
        required=True,
        dest="formats",
        nargs="+",
        action="extend",
        choices=(*_FORMATS, _ALL),
        metavar="F",
        help=f"one or more of {', '.join(_FORMATS)}, or all",
    )
    parser.add_argument(
        "--sr-class",
        choices=_SR_CLASSES,
        default=_SR_CLASSES[0],
        help="class of the DICOM structured report (default: %(default)s); its content is the same in both",
    )
    parser.add_argument(
        "--seg-class",
        choices=_SEG_CLASSES,
        default=_SEG_CLASSES[0],
        help="how the DICOM segmentations hold their structures (default: %(default)s); labelmap is smaller, and "
        "programs older than 2024 do not know it",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Export the reading; print a line for each file, and for each format that was left out.

    Raises:
        StudyError: If the reading is damaged, the source is another study, or a format cannot be made of it.
        ConfigError: If an option is wrong, or a file in the way is not ours.
    """
    from pipeline import load_reading
    from reporting.export.classes import Classes, SEGClass, SRClass
    from reporting.export.folder import write_export
    from reporting.export.package import load_package

    if arguments.study is not None and arguments.source is None:
        raise ConfigError("--study: expected --source beside it, since it names one of the studies there")
    load_reading(arguments.reading)  # refuses a reading.json that breaks its schema
    package = load_package(arguments.reading, arguments.source, study=arguments.study)
    classes = Classes(SRClass(arguments.sr_class), SEGClass(arguments.seg_class))
    export = _export(replace(package, classes=classes), arguments.formats)
    folder = arguments.out or arguments.reading.parent / "export"
    paths = write_export(package.outgoing, export, folder)
    for file, path in zip(export.files, paths, strict=False):  # the index comes after the files
        print(f"{path}: {file.media_type}, {len(file.content)} bytes")
    for kind, reason in export.left_out.items():
        print(f"{kind}: left out: {reason}")
    print(
        f"{package.outgoing.study_key}: {len(export.files)} files, {package.outgoing.mark or 'signed'}", flush=True
    )
    return 0


def _export(package: Package, asked: list[str]) -> Export:
    from reporting.export.formats import IMAGES, Export, ExportFormat, export_all, export_files

    if _ALL in asked:
        return export_all(package)
    kinds = [ExportFormat(name) for name in dict.fromkeys(asked)]
    if any(kind in IMAGES for kind in kinds):
        package.require_source()
    return Export(export_files(package, kinds))
