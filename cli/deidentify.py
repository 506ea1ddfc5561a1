"""``spinescribe deidentify``: copies of a study without identity, and a report of what was done."""

from __future__ import annotations

import argparse
import traceback
from pathlib import Path

from cli import faults
from runtime.errors import ConfigError, SpineScribeError


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "deidentify",
        parents=[shared],
        help="write copies of DICOM images without identity",
        description="Write de-identified copies of the DICOM images of a file, folder or zip (DICOM PS3.15 Basic "
        "Profile, cleaned descriptors, moved dates) and a report of what was done. Pixels are not changed: the "
        "search for burned-in text warns and never clears. Exit code 2 if a file was bad, 1 if our own check "
        "stopped one; the others are written all the same.",
    )
    parser.add_argument("path", type=Path, metavar="PATH")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="new or empty folder")
    parser.add_argument(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help="secret of at least 16 bytes; the same one gives the same UIDs, pseudonyms and date shifts (default: "
        "a fresh one, forgotten)",
    )
    parser.add_argument(
        "--drop-characteristics", action="store_true", help="also remove age, sex, size, weight and the like"
    )
    parser.add_argument(
        "--leave-out-suspect", action="store_true", help="do not write images that may show burned-in text"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """De-identify; return 0, or 2 if a file was bad, or 1 if our check stopped one.

    Raises:
        ConfigError: If an option is wrong.
        StudyError: If nothing could be written.
        NotEligibleError: If there is no image.
    """
    # pydicom is loaded only by the commands that read DICOM.
    from imaging.dicom.deidentify import DeidentifyOptions, deidentify_path

    options = DeidentifyOptions(
        secret=_secret(arguments.secret_file),
        keep_characteristics=not arguments.drop_characteristics,
        leave_out_suspect=arguments.leave_out_suspect,
    )
    try:
        report = deidentify_path(arguments.path, arguments.out, options=options)
    except SpineScribeError:
        raise
    except Exception as error:
        # The message of an unexpected error may quote the header: only its kind and place are told.
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        raise SpineScribeError(f"an unexpected error of ours ({type(error).__name__} at {where})") from None
    for outcome in report.written:
        if outcome.warnings:
            faults.say(f"warning: {outcome.output}: {'; '.join(outcome.warnings)}")
    for outcome in report.bad:
        faults.say(f"input file number {outcome.index} was not written: {outcome.reason}")
    left_out = len(report.outcomes) - len(report.written) - len(report.bad)
    print(
        f"{len(report.written)} images of {report.studies} studies written to {arguments.out}, {left_out} files "
        f"left out by rule, {len(report.bad)} bad; see deidentification.md",
        flush=True,
    )
    return report.exit_code


def _secret(file: Path | None) -> bytes | None:
    if file is None:
        return None
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"--secret-file: expected a file that can be read ({error.strerror})") from error
