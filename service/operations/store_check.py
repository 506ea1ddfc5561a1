"""Whether the kept files are all there and whole, and which of them nothing names any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.config import ServiceConfig
from service.operations.backup import open_as_it_is
from service.operations.contents import named_blobs
from service.store import BlobStore

DAY_S = 24 * 3600.0
_LEFTOVERS = ".incoming-*"
_PRUNED = ".pruned-"


@dataclass(frozen=True)
class Orphan:
    """A file that nothing names: of a deleted study, or of an upload that was cut off.

    Attributes:
        path: Where it lies.
        bytes: Its size.
        age_s: Seconds since it was written.
    """

    path: Path
    bytes: int
    age_s: float


@dataclass(frozen=True)
class StoreCheck:
    """What was found.

    Attributes:
        named: How many files the database names.
        bad: Names of those that are missing or damaged -> the column that names them.
        orphans: Files that nothing names.
    """

    named: int
    bad: dict[str, str]
    orphans: tuple[Orphan, ...]


def check_store(config: ServiceConfig) -> StoreCheck:
    """Read every kept file and compare it with its name; the service may run meanwhile.

    Raises:
        ConfigError: If there is no service.
    """
    store = BlobStore(config.blob_dir)
    orphans = tuple(_orphans(config, store))
    named = _named(config)
    bad = {name: place for name, place in named.items() if not store.check(name)}
    if bad:
        # Deleted with their study while we read: not named any more, so not missed.
        still_named = _named(config)
        bad = {name: place for name, place in bad.items() if name in still_named}
    return StoreCheck(named=len(named), bad=bad, orphans=orphans)


def prune_orphans(config: ServiceConfig, found: StoreCheck, *, older_than_s: float = DAY_S) -> tuple[Orphan, ...]:
    """Delete orphans older than a day; a younger one may belong to an upload whose study is not written yet.

    A file is first moved aside and then looked at: if it was written anew meanwhile (the same upload again), it is
    moved back.
    """
    named = _named(config)
    old = [orphan for orphan in found.orphans if orphan.age_s >= older_than_s and orphan.path.name not in named]
    return tuple(orphan for orphan in old if _remove(orphan.path, older_than_s))


def _remove(path: Path, older_than_s: float) -> bool:
    aside = path.with_name(f"{_PRUNED}{path.name}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    if time.time() - aside.stat().st_mtime < older_than_s:
        aside.rename(path)
        return False
    aside.unlink()
    return True


def _named(config: ServiceConfig) -> dict[str, str]:
    database = open_as_it_is(config)
    try:
        with database.engine.connect() as connection:
            return named_blobs(connection)
    finally:
        database.close()


def _orphans(config: ServiceConfig, store: BlobStore) -> Iterator[Orphan]:
    """Yield files that are not named: first the files are listed, then the names, so that a new one is in both."""
    files = [store.path(name) for name in store.names()]
    leftovers = [*config.blob_dir.glob(_LEFTOVERS), *config.blob_dir.glob(f"??/{_PRUNED}*")]
    named = _named(config)
    for path in (*(file for file in files if file.name not in named), *leftovers):
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield Orphan(path, status.st_size, time.time() - status.st_mtime)
