"""One interface to a node, whatever it speaks: echo, find, fetch and send, tried again where that may help."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from service.pacs.arrivals import Arrivals
from service.pacs.config import DimseConfig, NodeConfig, OwnConfig, PacsConfig
from service.pacs.errors import PacsError
from service.pacs.outcome import Fetched, Outcome, Transfer
from service.pacs.query import Found, Query, check_uid, checked
from service.pacs.retry import with_retries

Result = TypeVar("Result")


class Link(Protocol):
    """What a way of speaking must supply: one try each, PacsError when it fails."""

    def echo(self) -> None:
        """Ask whether the node is there."""

    def find(self, query: Query) -> Found:
        """Return what fits a query."""

    def fetch(self, arrivals: Arrivals) -> Transfer:
        """Put the instances of a study into its folder."""

    def send(self, files: Sequence[Path]) -> list[Outcome]:
        """Send files; an outcome for each, unless there is no connection at all."""


class Node:
    """A node of the configuration.

    Args:
        link: How it is spoken with.
        config: Its settings.
    """

    def __init__(self, link: Link, config: NodeConfig) -> None:
        self._link = link
        self._config = config

    def echo(self) -> None:
        """Ask whether the node is there and knows us.

        Raises:
            PacsError: If not, and why.
        """
        self._again(self._link.echo)

    def find(self, query: Query) -> Found:
        """Return the studies, or the series of a study, that fit a query.

        Raises:
            PacsError: If the query is wrong, or the node does not answer it.
        """
        asked = checked(query)
        return self._again(lambda: self._link.find(asked))

    def fetch(self, study_instance_uid: str, folder: Path) -> Fetched:
        """Put a study into a folder, one file an instance, each whole or not at all.

        What is there already stays; a study that did not arrive whole can be fetched again into the same folder.

        Args:
            study_instance_uid: The study.
            folder: Made when missing; best empty, or of this study.

        Returns:
            What arrived; ``reason`` tells why the study is not whole.

        Raises:
            PacsError: If nothing arrived, and why.
            StudyError: If the folder cannot be used.
        """
        check_uid(study_instance_uid)
        expected = self._expected(study_instance_uid)
        run = _Fetch(self._link, Arrivals(folder, study_instance_uid), expected)
        try:
            self._again(run.attempt)
        except PacsError as error:
            if not run.arrivals.counts().instances:
                raise
            return run.result(str(error))
        return run.result(None)

    def send(self, files: Iterable[Path]) -> tuple[Outcome, ...]:
        """Send DICOM files.

        Files that the node did not take for a reason that may pass are sent again; those it took are not.

        Returns:
            An outcome for each file, in the order given.

        Raises:
            PacsError: If there was no connection at all, so that nothing was sent.
        """
        wanted = list(dict.fromkeys(files))
        outcomes: dict[Path, Outcome] = {}

        def attempt() -> None:
            pending = [file for file in wanted if file not in outcomes or outcomes[file].again]
            outcomes.update((outcome.file, outcome) for outcome in self._link.send(pending))
            if any(outcome.again for outcome in outcomes.values()):
                raise PacsError("some files were not taken", code="incomplete", again=True)

        try:
            if wanted:
                self._again(attempt)
        except PacsError:
            if not outcomes:
                raise
        return tuple(outcomes[file] for file in wanted)

    def _expected(self, study_instance_uid: str) -> int | None:
        """Return how many instances the node says a study has; None when it does not say."""
        rows = self.find(Query(study_instance_uid=study_instance_uid)).rows
        if not rows:
            raise PacsError("the node has no study of this UID", code="not_found")
        return rows[0].instances

    def _again(self, action: Callable[[], Result]) -> Result:
        return with_retries(action, attempts=self._config.attempts, backoff_s=self._config.backoff_s)


class _Fetch:
    """The attempts at fetching one study."""

    def __init__(self, link: Link, arrivals: Arrivals, expected: int | None) -> None:
        self.arrivals = arrivals
        self._link = link
        self._expected = expected

    def attempt(self) -> None:
        """Fetch once.

        Raises:
            PacsError: If less came than the node has.
        """
        try:
            transfer = self._link.fetch(self.arrivals)
        except PacsError:
            self._check_disk()
            raise
        self._check_disk()
        if transfer.announced is not None:
            self._expected = max(self._expected or 0, transfer.announced)
        came = self.arrivals.counts().instances
        if transfer.failed:
            raise PacsError(f"the node could not send {transfer.failed} instances", code="incomplete", again=True)
        if came < (self._expected or 1):
            raise PacsError(f"{came} of {self._expected or 1} instances came", code="incomplete", again=True)

    def _check_disk(self) -> None:
        """Raise what failed on our side: the node can only say that it was refused."""
        if self.arrivals.failure:
            raise PacsError(self.arrivals.failure, code="failed")

    def result(self, reason: str | None) -> Fetched:
        """Return what became of it."""
        counts = self.arrivals.counts()
        return Fetched(self._expected, counts.instances, counts.new, counts.known, counts.differing, reason)


def build_node(config: PacsConfig, name: str) -> Node:
    """Return a node by its name.

    Raises:
        ConfigError: If there is none of that name, or its secret or certificates cannot be read.
    """
    chosen = config.node(name)
    return Node(_link(chosen, config.own), chosen)


def _link(config: NodeConfig, own: OwnConfig) -> Link:
    if isinstance(config, DimseConfig):
        from service.pacs.dimse import DimseLink

        return DimseLink(config, own)
    from service.pacs.dicomweb import DicomwebLink

    return DicomwebLink(config)
