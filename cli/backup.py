"""``spinescribe backup``: the whole web service in one file, made while it runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli import faults


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "backup",
        parents=[shared],
        help="write a backup of the web service",
        description="Write the database and all kept files of the web service (SPINESCRIBE_HOME, "
        "SPINESCRIBE_DATABASE_URL) into a new file, while it runs. The file holds patients' images: keep it where "
        "they may be kept. The key that signs sessions is not inside. Exit code 1 if kept files are missing; the "
        "backup is written all the same.",
    )
    parser.add_argument("file", type=Path, metavar="FILE.tar", help="new file; nothing is overwritten")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the backup; return 0, or 1 if kept files are missing.

    Raises:
        ConfigError: If there is no service, or the file is there already.
    """
    from service.config import load_service_config
    from service.operations import make_backup

    made = make_backup(load_service_config(), arguments.file)
    manifest = made.manifest
    print(
        f"{made.file}: {made.bytes} bytes, {manifest.database.rows.get('studies', 0)} studies, "
        f"{len(manifest.blobs)} kept files, {manifest.database.kind} at revision {manifest.database.revision}",
        flush=True,
    )
    if not manifest.missing:
        return 0
    faults.say(f"{len(manifest.missing)} kept files are missing or damaged; `spinescribe check-store` names them")
    return 1
