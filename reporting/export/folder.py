"""An export on disk: all files or none, and nothing overwritten but what an earlier export wrote.

``export.json`` beside the files tells what is ours: a file that it does not name, or that was changed since, is
never written over.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from reporting.export.content import Outgoing
from reporting.export.formats import Export
from reporting.export.index import INDEX, SCHEMA, checksum, index_file
from reporting.export.package import ExportedFile
from runtime.errors import ConfigError

_MAX_INDEX_BYTES = 2**20


def write_export(outgoing: Outgoing, export: Export, folder: Path) -> tuple[Path, ...]:
    """Write an export into a folder, which is made if need be.

    Returns:
        The files, in the order of the export, ``export.json`` last.

    Raises:
        ConfigError: If the folder cannot be written, holds the export of another study, or a file in the way is
            not ours; then nothing is written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        known = _known_files(folder, outgoing)
        for file in export.files:
            _refuse_foreign(folder, file, known)
        sums = {name: told for name, told in known.items() if (folder / name).is_file()}
        sums |= {file.name: checksum(file.content) for file in export.files}
        files = (*export.files, index_file(outgoing, sums, export.left_out))
        _move_in(files, folder)
    except OSError as error:
        raise ConfigError(
            f"--out: expected a folder that can be written, got {str(folder)!r} ({error.strerror})"
        ) from error
    return tuple(folder / file.name for file in files)


def _move_in(files: tuple[ExportedFile, ...], folder: Path) -> None:
    """Write all files beside their places, then move them in: the index last."""
    with tempfile.TemporaryDirectory(prefix=".spinescribe-", dir=folder) as temporary:
        for file in files:
            fresh = Path(temporary, file.name)
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(file.content)
            (folder / file.name).parent.mkdir(parents=True, exist_ok=True)
        for file in files:
            os.replace(Path(temporary, file.name), folder / file.name)


def _known_files(folder: Path, outgoing: Outgoing) -> Mapping[str, str]:
    """Return name -> SHA-256 of what earlier exports wrote here.

    Raises:
        ConfigError: If it was an export of another study, or export.json is not ours.
    """
    index = folder / INDEX
    if not os.path.lexists(index):
        return {}
    content = _read_index(index)
    if content is None:
        raise ConfigError(f"--out: {INDEX} there is not ours; choose another folder")
    if content["study_key"] != outgoing.study_key:
        raise ConfigError("--out: the folder holds the export of another study; choose another folder")
    return dict(content["files"])


def _read_index(index: Path) -> dict[str, Any] | None:
    """Return the content of an index of ours; None for anything else."""
    try:
        if index.stat().st_size > _MAX_INDEX_BYTES:
            return None
        content = json.loads(index.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA or "study_key" not in content:
        return None
    files = content.get("files")
    if not isinstance(files, dict) or not all(isinstance(told, str) for told in files.values()):
        return None
    return content


def _refuse_foreign(folder: Path, file: ExportedFile, known: Mapping[str, str]) -> None:
    """Refuse to write over a file that no export of ours left as it is.

    Raises:
        ConfigError: If such a file is in the way.
    """
    name = PurePosixPath(file.name)
    assert not name.is_absolute(), "names of an export lie below its folder"
    assert ".." not in name.parts, "names of an export stay in its folder"
    place = folder / name
    if not os.path.lexists(place):
        return
    found = checksum(place.read_bytes()) if place.is_file() and not place.is_symlink() else None
    if found is None or found not in (known.get(file.name), checksum(file.content)):
        raise ConfigError(
            f"--out: {file.name} is there already and is not as an export left it; move it away or choose another "
            "folder"
        )
