"""How results reach a node of the configuration: all files or another try."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from service.pacs.config import load_pacs_config
from service.pacs.errors import PacsError
from service.pacs.node import build_node
from service.pacs.outcome import Outcome
from service.pacs.results import Send


class Sends(Protocol):
    """A node that takes files."""

    def send(self, files: Iterable[Path]) -> Sequence[Outcome]:
        """Send files; return what became of each."""


def send_to(config: Path, name: str) -> Send:
    """Return how files are sent to a node.

    Args:
        config: The PACS configuration.
        name: The node's name in it.

    Raises:
        ConfigError: If there is no such node.
    """
    return send_all(build_node(load_pacs_config(config), name))


def send_all(node: Sends) -> Send:
    """Return what sends all files to a node, or raises so that all are sent again."""

    def send(files: Sequence[Path]) -> None:
        failed = [outcome for outcome in node.send(files) if not outcome.is_stored]
        if failed:
            reason = failed[0].reason or "no reason told"
            raise PacsError(
                f"{len(failed)} of {len(files)} files were not stored: {reason}", code="failed", again=True
            )

    return send
