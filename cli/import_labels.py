"""``spinescribe import-labels``: another tool's label map in our numbers, and a reading that rests on it."""

from __future__ import annotations

import argparse
from pathlib import Path

from anatomy import protocol_names
from cli import read

_EMPTY = {
    "spacing": None,
    "spacing_csv": None,
    "study": None,
    "prior": None,
    "override": None,
    "anchor": None,
    "explain": False,
    "style": "structured",
    "consistency": False,
}


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "import-labels",
        parents=[shared],
        help="bring a label map of another tool into our numbers, and read with it",
        description="Map the label numbers of TotalSpineSeg, SPINEPS, SPIDER, TotalSegmentator or the Spinal Cord "
        "Toolbox to ours; a DICOM SEG says itself what its segments are. Writes label_map.nii.gz (grid kept) and "
        "labels.json (what became of every number). With "
        "--image the study is read as `read --labels` does, and label_map.nii.gz lies on the image.",
    )
    parser.add_argument(
        "labels", type=Path, metavar="LABELS", help="NIfTI (.nii, .nii.gz), MetaImage (.mha) or DICOM SEG (.dcm)"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the results")
    parser.add_argument(
        "--convention",
        default="auto",
        metavar="C",
        help="auto, spider, totalspineseg, spineps, totalsegmentator, sct, or one kind of file of a tool, such as "
        "spineps:vert (docs/label-conventions.md); auto takes one only if no other fits",
    )
    parser.add_argument("--image", type=Path, metavar="PATH", help="the study that the labels lie on, to read it")
    parser.add_argument("--protocol", default="auto", choices=("auto", *protocol_names()), help="body region")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda ... (default: auto)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Import the labels; with an image, read it with them.

    Raises:
        ConfigError: If an option is wrong or there is no such convention.
        StudyError: If the labels cannot be read, or do not follow the convention.
    """
    if arguments.image is not None:
        return read.run(
            argparse.Namespace(
                **_EMPTY,
                paths=[arguments.image],
                out=arguments.out,
                protocol=arguments.protocol,
                labels=arguments.labels,
                label_convention=arguments.convention,
                device=arguments.device,
                debug=arguments.debug,
                writer=None,
                writer_model=None,
                draft_seconds=None,
            )
        )
    from imaging.label_file import read_label_file
    from imaging.label_import import Outcome, import_labels
    from imaging.label_table import write_imported

    volume = read_label_file(arguments.labels)
    imported = import_labels(volume, arguments.convention)
    read.make_folder(arguments.out)
    write_imported(imported, volume, arguments.out)
    count = {outcome: sum(row.outcome is outcome for row in imported.rows) for outcome in Outcome}
    mapped = count[Outcome.MAPPED] + count[Outcome.PARTIAL]
    print(
        f"{volume.name}: {imported.convention.name}, {mapped} labels mapped, {count[Outcome.POINT]} marks, "
        f"{count[Outcome.LEFT_OUT]} left out, {count[Outcome.UNKNOWN]} unknown, written to {arguments.out}",
        flush=True,
    )
    return 0
