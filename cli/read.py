"""``spinescribe read``: one or many studies to readings."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from anatomy import protocol_names
from cli import faults
from cli.progress import ProgressDisplay
from runtime.errors import ConfigError, SpineScribeError
from runtime.names import shown_name

if TYPE_CHECKING:
    from imaging.label_import import ImportedLabels
    from imaging.types import Spacing
    from pipeline import Reader, Reading, ReadOptions
    from vlm.writers import WriterChoice

_PRECEDENCE = (1, 2, 3)
_LAST_SUFFIX = re.compile(r"(\.nii\.gz|\.[A-Za-z][A-Za-z0-9]*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Job:
    """One input and the folder its reading goes to."""

    path: Path
    folder: Path


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "read",
        parents=[shared],
        help="read studies and write their draft reports",
        description="Read studies: DICOM file, folder or zip, NIfTI, or a PNG/JPEG/TIFF picture of a sagittal "
        "slice. Writes reading.json, report.md, overlay.png and the label maps. With several paths each study "
        "gets its own folder, and a bad one does not stop the others.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument("--protocol", default="auto", choices=("auto", *protocol_names()), help="body region")
    parser.add_argument(
        "--spacing", metavar="MM|ROW,COL", help="pixel spacing in mm of pictures, which carry none"
    )
    parser.add_argument(
        "--spacing-csv", type=Path, metavar="FILE", help="spacing per picture: columns file,row_mm,col_mm"
    )
    parser.add_argument(
        "--study",
        metavar="N",
        help="which study of several in a DICOM folder or zip: its number or key, as the refusal lists them",
    )
    parser.add_argument(
        "--prior",
        type=Path,
        metavar="READING.json",
        help="earlier reading of the same patient and body region: adds what changed; for one path at a time",
    )
    parser.add_argument(
        "--override",
        metavar="REASON",
        help="read a study that the gate refuses, where it can be computed; the reason is kept in the reading "
        "and shown above the report (no names, please)",
    )
    parser.add_argument(
        "--anchor",
        metavar="LEVEL=X,Y",
        help="a disc level that you have confirmed, and a point on it (x the column, y the row) in pixels of the "
        "primary series' slice, such as L5-S1=201,388: all levels are numbered from it; for one path at a time",
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="label map of another tool (NIfTI, MetaImage or DICOM SEG) to read with in place of our own "
        "outlines; for one path at a time",
    )
    parser.add_argument(
        "--label-convention",
        default="auto",
        metavar="C",
        help="how the label map is numbered: auto, spider, totalspineseg, spineps, totalsegmentator, sct, or one "
        "kind of file of a tool such as spineps:vert (docs/label-conventions.md)",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="also write attention.png and attention.npz: where each prompt of the segmentation network looked",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ... (default: auto)")
    _add_writer(parser)
    parser.set_defaults(run=run)


def _add_writer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--writer",
        metavar="W",
        help="who writes the draft: spine-tiny (the default), composer, a preset such as smolvlm, llava-med, "
        "medgemma, qwen-vl, biomedclip or remote, a YAML, or the folder of a tuning run "
        "(default: SPINESCRIBE_WRITER; docs/writers.md)",
    )
    parser.add_argument(
        "--writer-model",
        metavar="M",
        help="folder or hub id of the writer's model in place of the preset's (a hub id named here is fetched)",
    )
    parser.add_argument(
        "--style",
        default="structured",
        metavar="STYLE",
        help="style of the writer's text: structured (the default), telegraphic, narrative or patient; for others "
        "than structured, which spine-tiny as shipped does not obey, the composer writes in its place",
    )
    parser.add_argument(
        "--consistency",
        action="store_true",
        help="also sample drafts and tell how far they agree with each sentence (spine-tiny only)",
    )
    parser.add_argument(
        "--draft-seconds",
        type=float,
        metavar="S",
        help="longest time the writer may take before the composer writes instead (default: 60)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Read every path; return the exit code of the worst outcome.

    Raises:
        ConfigError: If an option is wrong; then nothing is read.
        StudyError: If the prior reading is not one.
    """
    make_folder(arguments.out)
    options = _options(arguments)
    spacings = _spacings(arguments.spacing_csv)
    reader = open_reader(arguments.device, _writer(arguments))
    jobs = plan_jobs(arguments.paths, arguments.out)
    codes = []
    for number, job in enumerate(jobs, start=1):
        name = shown_name(job.path.name)
        title = name if len(jobs) == 1 else f"[{number}/{len(jobs)}] {name}"
        spacing = _spacing_of(job.path, spacings) or options.spacing
        codes.append(read_one(reader, job, replace(options, spacing=spacing), title=title, debug=arguments.debug))
    return worst_code(codes)


def open_reader(device: str, writer: WriterChoice | None = None) -> Reader:
    """Return a reader of the real rooms.

    Raises:
        ConfigError: If there is no such writer.
    """
    from pipeline import Reader

    return Reader.load(device=device, writer=writer)


def read_quietly(reader: Reader, path: Path, protocol: str) -> Reading:
    """Read a study whose report nobody asked for, showing progress.

    Raises:
        StudyError: If the path cannot be read.
        NotEligibleError: If it may not be read.
    """
    from pipeline import Reading, ReadOptions, Writer

    with ProgressDisplay(shown_name(path.name)) as display:
        for event in reader.read(path, ReadOptions(protocol=protocol, writer=Writer.COMPOSER)):
            if isinstance(event, Reading):
                return event
            display.show(event)
    raise AssertionError("Reader.read ends with a Reading or raises")


def plan_jobs(paths: list[Path], out: Path) -> list[Job]:
    """Return where each input goes: straight into ``out`` when it is alone, else ``out``/<stem>/.

    A stem seen again gets ``-2``, ``-3`` ...
    """
    if len(paths) == 1:
        return [Job(paths[0], out)]
    taken: set[str] = set()
    jobs = []
    for path in paths:
        name = _free_name(study_stem(path), taken)
        taken.add(name)
        jobs.append(Job(path, out / name))
    return jobs


def study_stem(path: Path) -> str:
    """Return the name of an input without its extension.

    ``.nii.gz`` goes as a whole; a folder keeps its name; a number after the last point (a DICOM file named by its
    UID) is no extension.
    """
    name = path.name or path.resolve().name
    if os.path.isdir(path):  # of a name too long for any file it says no; Path raises
        return name or "study"
    return _LAST_SUFFIX.sub("", name) or name or "study"


def worst_code(codes: Iterable[int]) -> int:
    """Return 1 if any was our fault, else 2, else 3, else 0."""
    seen = set(codes)
    return next((code for code in _PRECEDENCE if code in seen), 0)


def read_one(reader: Reader, job: Job, options: ReadOptions, *, title: str, debug: bool) -> int:
    """Read one input into its folder; every failure ends in error.json and an exit code."""
    from pipeline import Reading, write_error, write_reading

    try:
        with ProgressDisplay(title) as display:
            for event in reader.read(job.path, options):
                if isinstance(event, Reading):
                    write_reading(event, job.folder)
                    summary = _summary(event)
                else:
                    display.show(event)
    except SpineScribeError as error:
        write_error(error, shown_name(job.path.name), job.folder)
        faults.say(str(error))
        return error.exit_code
    except Exception as error:
        write_error(error, shown_name(job.path.name), job.folder)
        faults.report_fault(error, job.folder, debug=debug)
        return 1
    print(f"{shown_name(job.path.name)}: {summary}, written to {job.folder}", flush=True)
    return 0


def _summary(reading: object) -> str:
    from pipeline import Reading
    from reporting.types import SentenceStatus

    assert isinstance(reading, Reading)
    sentences = [sentence for section in reading.report.sections for sentence in section.sentences]
    repaired = sum(sentence.status is SentenceStatus.REPAIRED for sentence in sentences)
    seconds = sum(reading.timings_s.values())
    return (
        f"{len(reading.findings.levels)} levels, {len(reading.findings.grades)} grades, "
        f"{len(sentences)} sentences ({repaired} repaired), {seconds:.1f} s"
    )


def _options(arguments: argparse.Namespace) -> ReadOptions:
    from pipeline import ReadOptions, load_reading, parse_anchor

    if arguments.anchor is not None and len(arguments.paths) > 1:
        raise ConfigError("--anchor: expected one path, since a point belongs to one study; read them one by one")
    if arguments.labels is not None and len(arguments.paths) > 1:
        raise ConfigError("--labels: expected one path, since labels belong to one study; read them one by one")
    if arguments.prior is not None and len(arguments.paths) > 1:
        raise ConfigError("--prior: expected one path, since a prior belongs to one patient; read them one by one")
    prior = None if arguments.prior is None else load_reading(arguments.prior)
    return ReadOptions(
        protocol=arguments.protocol,
        spacing=_parse_spacing(arguments.spacing),
        prior=prior,
        prior_name=ReadOptions.prior_name if prior is None else shown_name(arguments.prior.name),
        anchor=None if arguments.anchor is None else parse_anchor(arguments.anchor),
        override=arguments.override,
        study=arguments.study,
        labels=_labels(arguments),
        explain=arguments.explain,
        style=arguments.style,
        consistency=arguments.consistency,
        **({} if arguments.draft_seconds is None else {"draft_seconds": arguments.draft_seconds}),
    )


def _writer(arguments: argparse.Namespace) -> WriterChoice | None:
    """Return the writer that was named; None leaves it to the settings."""
    from vlm.writers import WriterChoice

    if arguments.writer is None and arguments.writer_model is not None:
        raise ConfigError("--writer-model: expected --writer beside it, since a model belongs to a preset")
    return None if arguments.writer is None else WriterChoice(arguments.writer, arguments.writer_model)


def _labels(arguments: argparse.Namespace) -> ImportedLabels | None:
    """Return the given labels in our numbers; what became of each number goes to labels.json."""
    if arguments.labels is None:
        return None
    from imaging.label_file import read_label_file
    from imaging.label_import import import_labels
    from imaging.label_table import write_label_table

    volume = read_label_file(arguments.labels)
    imported = import_labels(volume, arguments.label_convention)
    write_label_table(imported, volume, arguments.out)
    return imported


def _parse_spacing(text: str | None) -> Spacing | None:
    if text is None:
        return None
    from imaging import parse_spacing

    return parse_spacing(text)


def _spacings(file: Path | None) -> dict[str, Spacing]:
    if file is None:
        return {}
    from imaging import read_spacing_csv

    return read_spacing_csv(file)


def _spacing_of(path: Path, spacings: dict[str, Spacing]) -> Spacing | None:
    """Return the spacing of a path, listed by its path as given or by its file name."""
    return spacings.get(str(path)) or spacings.get(path.name)


def make_folder(folder: Path) -> None:
    """Make the result folder.

    Raises:
        ConfigError: If there cannot be one.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--out: expected a folder that can be written, got {str(folder)!r}") from error


def _free_name(stem: str, taken: set[str]) -> str:
    if stem not in taken:
        return stem
    number = 2
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"
