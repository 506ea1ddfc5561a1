"""The backup archive: a plain tar of the database, the kept files by name, and last a manifest with its checksum.

::

    database.sqlite | database.dump     SQLite file, or what pg_dump wrote (custom format)
    blobs/<sha256>                      kept files, under the SHA-256 of their bytes
    manifest.json                       what is inside: sizes, checksums, rows, revision
    manifest.sha256                     SHA-256 of manifest.json

The manifest comes last: an archive without one was cut off. Nothing is believed before all of it was read.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from runtime.errors import SpineScribeError

SCHEMA: Literal["spinescribe.backup/1"] = "spinescribe.backup/1"
MANIFEST, MANIFEST_SUM = "manifest.json", "manifest.sha256"
BLOBS = "blobs/"
DATABASE_FILES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
_BLOB = re.compile(r"blobs/[0-9a-f]{64}")
_MAX_MANIFEST_BYTES = 256 * 2**20
_CHUNK = 2**20


class ArchiveError(SpineScribeError, ValueError):
    """The archive is damaged, incomplete, or none of ours (exit code 2)."""

    exit_code = 2


class DatabaseEntry(BaseModel):
    """The database in an archive; ``rows`` of each table, ``revision`` of its migrations."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sqlite", "postgresql"]
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    revision: str
    rows: dict[str, int]

    @property
    def file(self) -> str:
        """Return its name in the archive."""
        return DATABASE_FILES[self.kind]


class Manifest(BaseModel):
    """What an archive holds: kept files as name -> bytes; ``missing``: those lost before it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["spinescribe.backup/1"] = SCHEMA
    made_at: str
    version: str
    database: DatabaseEntry
    blobs: dict[str, int]
    missing: list[str]

    @property
    def members(self) -> dict[str, tuple[int, str]]:
        """Return the files that the archive must have besides the manifest: name -> (bytes, SHA-256)."""
        inside = {f"{BLOBS}{name}": (size, name) for name, size in self.blobs.items()}
        return {self.database.file: (self.database.bytes, self.database.sha256), **inside}


def add_file(archive: tarfile.TarFile, name: str, file: Path) -> int | None:
    """Add a file under a name, without owner and time; return its bytes, or None if it is not there any more."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:
        return None
    with stream:
        size = os.fstat(stream.fileno()).st_size
        archive.addfile(_header(name, size), stream)
    return size


def add_manifest(archive: tarfile.TarFile, manifest: Manifest) -> None:
    """Add the manifest and its checksum; nothing may follow."""
    content = manifest.model_dump_json(indent=1).encode()
    total = hashlib.sha256(content).hexdigest().encode()
    for name, data in ((MANIFEST, content), (MANIFEST_SUM, total)):
        archive.addfile(_header(name, len(data)), io.BytesIO(data))


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info


def verify_archive(file: Path) -> Manifest:
    """Read a whole archive and compare every byte with the manifest's checksums; nothing is written.

    Raises:
        ArchiveError: If anything is missing, more, or different from what the manifest says.
    """
    found: dict[str, tuple[int, str]] = {}
    kept: dict[str, bytes] = {}
    with _told(file):
        for name, size, stream in _members(file):
            if name in found or name in kept:
                raise ArchiveError(f"{file.name}: {name} is there twice; this is no archive of ours")
            if name in (MANIFEST, MANIFEST_SUM):
                kept[name] = _small(file, name, size, stream)
            else:
                found[name] = (size, _sha256(stream))
    manifest = _manifest(file, kept)
    _compare(file, manifest.members, found)
    return manifest


def _small(file: Path, name: str, size: int, stream: IO[bytes]) -> bytes:
    if size > _MAX_MANIFEST_BYTES:
        raise ArchiveError(f"{file.name}: {name} is larger than any manifest of ours ({size} bytes)")
    return stream.read()


def _manifest(file: Path, kept: dict[str, bytes]) -> Manifest:
    if set(kept) != {MANIFEST, MANIFEST_SUM}:
        raise ArchiveError(f"{file.name}: no manifest at its end: the archive was cut off, or is none of ours")
    if hashlib.sha256(kept[MANIFEST]).hexdigest().encode() != kept[MANIFEST_SUM]:
        raise ArchiveError(f"{file.name}: the manifest differs from its checksum: the archive is damaged")
    try:
        return Manifest.model_validate_json(kept[MANIFEST])
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ArchiveError(f"{file.name}: expected a manifest {SCHEMA}; {place}: {first['msg']}") from None


def _compare(file: Path, expected: dict[str, tuple[int, str]], found: dict[str, tuple[int, str]]) -> None:
    for name, (size, sha256) in expected.items():
        if name not in found:
            raise ArchiveError(
                f"{file.name}: {name} is named by the manifest and not there: the archive is damaged"
            )
        if found[name] != (size, sha256):
            raise ArchiveError(f"{file.name}: {name} differs from its checksum: the archive is damaged")
    for name in found.keys() - expected.keys():
        raise ArchiveError(f"{file.name}: {name} is in no manifest; this is no archive of ours")


def _members(file: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    """Yield (name, bytes, stream) of an archive's files, in order; only plain files under our names are let by."""
    with _told(file), tarfile.open(file, "r:") as archive:
        for info in archive:
            is_known = info.name in (MANIFEST, MANIFEST_SUM, *DATABASE_FILES.values()) or _BLOB.fullmatch(
                info.name
            )
            if not is_known or not info.isreg():
                raise ArchiveError(
                    f"{file.name}: {info.name[:80]!r} does not belong here; this is no archive of ours"
                )
            stream = archive.extractfile(info)
            assert stream is not None
            yield info.name, info.size, stream


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Say of a file that cannot be read what is wrong with it."""
    try:
        yield
    except FileNotFoundError:
        raise ArchiveError(f"{file.name}: there is no such file") from None
    except (tarfile.TarError, EOFError) as error:
        raise ArchiveError(
            f"{file.name}: the archive cannot be read ({error}): damaged, cut off, or no tar"
        ) from None


def _sha256(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def extract(file: Path, manifest: Manifest) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Yield (name, pieces) of a verified archive's database and kept files, each checked again as it is read.

    Raises:
        ArchiveError: At the end of a file that is not as the manifest says (it changed since it was verified).
    """
    expected = manifest.members
    for name, _, stream in _members(file):
        if name in expected:
            yield name, _checked(file, name, stream, expected[name][1])


def _checked(file: Path, name: str, stream: IO[bytes], sha256: str) -> Iterator[bytes]:
    digest = hashlib.sha256()
    with _told(file):
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            yield chunk
    if digest.hexdigest() != sha256:
        raise ArchiveError(f"{file.name}: {name} changed while it was read")
