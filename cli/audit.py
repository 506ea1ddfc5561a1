"""``spinescribe audit``: look at the audit log of the web service, verify its chain, write it out.

``export`` writes lines as they are (``jsonl``), as audit messages of DICOM for an ATNA repository (``atna-xml``),
or as FHIR R4 AuditEvents (``fhir``). It reads the database itself: who can run it has all of the log anyway.

``verify`` prints the head of the chain and the number of lines. Keep them elsewhere (paper, another
machine's log): ``--expect-head`` then tells whether lines were cut off since. Exit code 2: the log is broken.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from runtime.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from service.audit import AuditFilter
    from service.store import Database
    from service.store.tables import AuditEntry

_PAGE = 1000
_BROKEN = 2
_FORMATS = ("jsonl", "atna-xml", "fhir")


def add_parser(subparsers: Any, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = subparsers.add_parser("audit", help="verify, list or export the audit log of the web service")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", parents=[shared], help="walk the chain of hashes")
    verify.add_argument("--expect-head", metavar="HASH", help="a head that was kept: it must be in the log")
    verify.add_argument("--json", action="store_true", help="print the outcome as JSON")
    verify.set_defaults(run=_verify)
    listing = actions.add_parser("list", parents=[shared], help="print lines, the last first")
    listing.add_argument("--limit", type=int, default=50, help="at most so many lines (default 50)")
    export = actions.add_parser("export", parents=[shared], help="write all lines, the first first")
    export.add_argument("--format", choices=_FORMATS, default=_FORMATS[0], help="how (default jsonl)")
    export.add_argument("--out", type=Path, metavar="FILE", help="file to write; printed without it")
    for action, run in ((listing, _list), (export, _export)):
        action.add_argument("--subject", default="", help="such as study:0f3a")
        action.add_argument("--actor", default="", help="name of a user")
        action.add_argument("--action", default="", help="such as report.sign, or report for all of it")
        action.add_argument("--since", type=_moment, help="date or time, such as 2026-11-22 (UTC)")
        action.set_defaults(run=run)


def _verify(arguments: argparse.Namespace) -> int:
    from service.audit import verify_log

    database = _open()
    with database.read() as session:
        found = verify_log(session, expected_head=arguments.expect_head)
    if arguments.json:
        print(json.dumps(found.to_dict()))
    else:
        print(f"{'intact' if found.is_intact else 'BROKEN'}: {found.message}")
        print(f"lines {found.count}\nhead {found.head}")
    return 0 if found.is_intact else _BROKEN


def _list(arguments: argparse.Namespace) -> int:
    from service.audit import list_entries

    with _open().read() as session:
        entries, total = list_entries(session, _filter(arguments), limit=max(arguments.limit, 0))
        for entry in entries:
            at = entry.at.strftime("%Y-%m-%d %H:%M:%S")
            print(f"{entry.seq}\t{at}\t{entry.actor}\t{entry.action}\t{entry.subject}")
    print(f"{len(entries)} of {total} lines", file=sys.stderr)
    return 0


def _export(arguments: argparse.Namespace) -> int:
    from service.audit.query import line_of

    with _open().read() as session:
        lines = [line_of(entry) for entry in _oldest_first(session, _filter(arguments))]
    told = _told(lines, arguments.format)
    if arguments.out is None:
        for line in told:
            print(line)
    else:
        _write(told, arguments.out)
        print(f"{len(lines)} lines of the log written", file=sys.stderr)
    return 0


def _told(lines: Sequence[dict[str, Any]], form: str) -> Iterator[str]:
    """Yield the lines of a file in one of the formats."""
    if form == "atna-xml":
        from service.audit.atna import atna_lines

        return atna_lines(lines)
    if form == "fhir":
        from service.audit.fhir import fhir_lines

        return fhir_lines(lines)
    return (json.dumps(line, sort_keys=True, ensure_ascii=False) for line in lines)


def _write(lines: Iterable[str], out: Path) -> None:
    """Write a file whole or not at all, readable by its owner alone."""
    if not out.parent.is_dir():
        raise ConfigError("--out: the folder of the file does not exist")
    with NamedTemporaryFile("w", encoding="utf-8", dir=out.parent, prefix=".audit-", delete=False) as file:
        temporary = Path(file.name)
        try:
            file.writelines(f"{line}\n" for line in lines)
        except BaseException:
            temporary.unlink()
            raise
    os.replace(temporary, out)


def _oldest_first(session: Any, wanted: AuditFilter) -> Sequence[AuditEntry]:
    from service.audit import list_entries

    _, total = list_entries(session, wanted, limit=1)
    lines: list[AuditEntry] = []
    for offset in range(0, total, _PAGE):
        lines += list_entries(session, wanted, limit=_PAGE, offset=offset)[0]
    return lines[::-1]


def _filter(arguments: argparse.Namespace) -> AuditFilter:
    from service.audit import AuditFilter

    return AuditFilter(arguments.subject, arguments.actor, arguments.action, arguments.since)


def _open() -> Database:
    """Open the database of the settings as it is: looking at a log changes nothing, not even the tables."""
    from service.config import load_service_config
    from service.store import Database

    config = load_service_config()
    if config.is_sqlite and not config.database_url and not (config.home / "spinescribe.sqlite").is_file():
        raise ConfigError(f"no database in {config.home}: set SPINESCRIBE_HOME or SPINESCRIBE_DATABASE_URL")
    return Database(config.sqlalchemy_url)


def _moment(text: str) -> datetime:
    """Read a date or a time; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a date such as 2026-11-22, got {text!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found
