"""``spinescribe check-store``: whether every kept file of the web service is there and whole."""

from __future__ import annotations

import argparse

from cli import faults

_SHOWN = 20


def add_parser(
    subparsers: argparse._SubParsersAction[argparse.ArgumentParser], shared: argparse.ArgumentParser
) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "check-store",
        parents=[shared],
        help="check the kept files of the web service",
        description="Read every kept file that the database names and compare it with its checksum; list files "
        "that nothing names. The service may run meanwhile. Exit code 1 if a file is missing or damaged.",
    )
    parser.add_argument(
        "--prune", action="store_true", help="delete files that nothing names and that are older than a day"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check and prune; return 0, or 1 if a file is missing or damaged.

    Raises:
        ConfigError: If there is no service.
    """
    from service.config import load_service_config
    from service.operations import check_store, prune_orphans

    config = load_service_config()
    found = check_store(config)
    orphaned = sum(orphan.bytes for orphan in found.orphans)
    print(
        f"{found.named} kept files named, {len(found.bad)} missing or damaged; {len(found.orphans)} that nothing "
        f"names ({orphaned} bytes)",
        flush=True,
    )
    for name, place in sorted(found.bad.items()):
        print(f"missing or damaged: {name} ({place})", flush=True)
    for orphan in found.orphans[:_SHOWN]:
        print(
            f"nothing names: {orphan.path.name} ({orphan.bytes} bytes, {orphan.age_s / 3600:.0f} h old)",
            flush=True,
        )
    if len(found.orphans) > _SHOWN:
        print(f"... and {len(found.orphans) - _SHOWN} more", flush=True)
    if arguments.prune:
        gone = prune_orphans(config, found)
        print(f"{len(gone)} deleted ({sum(orphan.bytes for orphan in gone)} bytes)", flush=True)
    if not found.bad:
        return 0
    faults.say("kept files are missing or damaged; restore them from a backup")
    return 1
