"""``spinescribe restore``: the web service as a backup holds it."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from cli import faults


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "restore",
        parents=[shared],
        help="restore a backup of the web service",
        description="Bring the web service back as a file of `spinescribe backup` holds it. Stop the application "
        "and its workers first. All of the file is checked before anything is touched; the tables are brought "
        "up to date and the audit log is verified. Everyone signs in again.",
    )
    parser.add_argument("file", type=Path, metavar="FILE.tar")
    parser.add_argument(
        "--into", type=Path, metavar="HOME", help="folder to restore into (default: SPINESCRIBE_HOME)"
    )
    parser.add_argument(
        "--replace",
        action="store_true",
        help="also where something is already: an SQLite database is kept beside under another name, tables of "
        "PostgreSQL are dropped once the restored ones have been checked",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Restore; return 0, or 1 if the backup itself lacked kept files.

    Raises:
        ArchiveError: If the file is damaged or none of ours.
        ConfigError: If there is something already, or it is in use.
    """
    from service.config import load_service_config
    from service.operations import restore_backup

    config = load_service_config()
    if arguments.into is not None:
        config = dataclasses.replace(config, home=arguments.into)
    restored = restore_backup(arguments.file, config, replace=arguments.replace)
    manifest = restored.manifest
    print(
        f"{config.home}: {manifest.database.rows.get('studies', 0)} studies and {len(manifest.blobs)} kept files "
        f"as of {manifest.made_at}; {restored.audit_lines} lines of the audit log verified",
        flush=True,
    )
    if not manifest.missing:
        return 0
    faults.say(f"{len(manifest.missing)} kept files were missing when the backup was made")
    return 1
