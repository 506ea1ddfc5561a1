"""``spinescribe pacs``: ask the hospital's archives, fetch a study, send results.

``find`` prints identity, because who asks needs it to know the patient; ``--no-identity`` leaves it out. Exit code
2: the node cannot be reached or refuses, or not all was fetched or sent; what is missing can be asked for again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.pacs_listen import add_listen
from runtime.errors import StudyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.pacs.node import Node
    from service.pacs.query import Row

    Actions = argparse._SubParsersAction[argparse.ArgumentParser]

_INCOMPLETE = 2
_STUDY = ("study_instance_uid", "date", "modalities", "description", "series", "instances")
_SERIES = ("series_instance_uid", "series_number", "modalities", "description", "instances")
_IDENTITY = ("patient_name", "patient_id", "birth_date", "sex", "accession_number")
_NAMELESS = ("description",)


def add_parser(subparsers: Actions, shared: argparse.ArgumentParser) -> None:
    """Add the command."""
    parser = subparsers.add_parser("pacs", help="find, fetch and send studies by DICOM (DIMSE or DICOMweb)")
    actions = parser.add_subparsers(title="actions", required=True, metavar="ACTION")
    for add in _ACTIONS:
        add(actions, shared)


def _add(actions: Actions, shared: argparse.ArgumentParser, name: str, told: str) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, parents=[shared], help=told)
    parser.add_argument(
        "--config", required=True, type=Path, metavar="FILE", help="nodes; see configs/pacs.example.yaml"
    )
    parser.add_argument("--node", required=True, metavar="NAME", help="name of a node in it")
    return parser


def _add_echo(actions: Actions, shared: argparse.ArgumentParser) -> None:
    parser = _add(actions, shared, "echo", "ask a node whether it is there and knows us")
    parser.set_defaults(run=_echo)


def _add_find(actions: Actions, shared: argparse.ArgumentParser) -> None:
    parser = _add(actions, shared, "find", "list studies of a node, or the series of one")
    parser.add_argument("--level", default="study", choices=("study", "series"), help="series needs --study")
    parser.add_argument("--study", default="", metavar="UID", help="Study Instance UID")
    parser.add_argument("--date", default="", help="YYYYMMDD, or a range such as 20260101-20260131 or 20260101-")
    parser.add_argument("--modality", default="", help="such as MR")
    parser.add_argument("--patient-id", default="", metavar="ID", help="as the node knows it")
    parser.add_argument("--accession", default="", metavar="NUMBER", help="number of the order")
    parser.add_argument("--limit", type=int, default=200, help="at most so many lines (default 200)")
    parser.add_argument("--no-identity", action="store_true", help="print nothing that names the patient")
    parser.set_defaults(run=_find)


def _add_fetch(actions: Actions, shared: argparse.ArgumentParser) -> None:
    parser = _add(actions, shared, "fetch", "put a study of a node into a folder")
    parser.add_argument("study", metavar="UID", help="Study Instance UID")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the instances")
    parser.set_defaults(run=_fetch)


def _add_send(actions: Actions, shared: argparse.ArgumentParser) -> None:
    parser = _add(actions, shared, "send", "send DICOM files to a node")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="files, or folders of files")
    parser.set_defaults(run=_send)


_ACTIONS: tuple[Callable[[Actions, argparse.ArgumentParser], None], ...] = (
    _add_echo, _add_find, _add_fetch, _add_send, add_listen,
)  # fmt: skip


def _node(arguments: argparse.Namespace) -> Node:
    from service.pacs.config import load_pacs_config
    from service.pacs.node import build_node

    return build_node(load_pacs_config(arguments.config), arguments.node)


def _echo(arguments: argparse.Namespace) -> int:
    _node(arguments).echo()
    print(f"{arguments.node}: there")
    return 0


def _find(arguments: argparse.Namespace) -> int:
    from service.pacs.query import Level, Query

    query = Query(
        level=Level(arguments.level),
        study_instance_uid=arguments.study,
        date=arguments.date,
        modality=arguments.modality,
        patient_id=arguments.patient_id,
        accession_number=arguments.accession,
        limit=arguments.limit,
    )
    found = _node(arguments).find(query)
    columns: tuple[str, ...] = _SERIES if query.level is Level.SERIES else (*_STUDY, *_IDENTITY)
    if arguments.no_identity:
        columns = tuple(column for column in columns if column not in (*_IDENTITY, *_NAMELESS))
    print("\t".join(columns))
    for row in found.rows:
        print("\t".join(_cell(row, column) for column in columns))
    more = "; there are more, ask more narrowly or raise --limit" if found.is_cut else ""
    print(f"{len(found.rows)} found{more}", file=sys.stderr)
    return 0


def _cell(row: Row, column: str) -> str:
    """Return a value on one line; a dash is what the node did not tell."""
    value = getattr(row, column)
    text = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
    return "".join(letter if letter.isprintable() else " " for letter in text) or "-"


def _fetch(arguments: argparse.Namespace) -> int:
    fetched = _node(arguments).fetch(arguments.study, arguments.out)
    expected = "the node does not tell how many" if fetched.expected is None else f"of {fetched.expected}"
    print(f"{fetched.instances} instances ({expected}), {fetched.new} new, in {arguments.out}")
    if fetched.differing:
        print(
            f"spinescribe: {fetched.differing} came with other bytes than the file that was there; kept as it was",
            file=sys.stderr,
        )
    if not fetched.is_whole:
        print(f"spinescribe: not the whole study: {fetched.reason}; fetch it again", file=sys.stderr)
    return 0 if fetched.is_whole else _INCOMPLETE


def _send(arguments: argparse.Namespace) -> int:
    files = _files(arguments.paths)
    outcomes = _node(arguments).send(files)
    for outcome in outcomes:
        if not outcome.is_stored:
            print(f"spinescribe: {outcome.file.name}: not sent: {outcome.reason}", file=sys.stderr)
    sent = sum(outcome.is_stored for outcome in outcomes)
    print(f"{sent} of {len(outcomes)} files sent")
    return 0 if sent == len(outcomes) else _INCOMPLETE


def _files(paths: list[Path]) -> list[Path]:
    """Return the files given and those of the folders given, hidden ones left out.

    Raises:
        StudyError: If there is no file.
    """
    files: list[Path] = []
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        files += [file for file in inside if not path.is_dir() or (file.is_file() and file.name[0] != ".")]
    if not files:
        raise StudyError("nothing to send: no file in the folders given")
    return files
