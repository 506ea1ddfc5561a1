"""Where a hub model lies: a folder, the weights folder, the hub's cache; fetched only where its id was named.

Whatever the way, it ends in a folder on disk: loading reads from there alone, and its checksum goes into the
provenance.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import ConfigError, WeightsError

_logger = logging.getLogger(__name__)
_FILES = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt")
"""What is fetched of a repository and counted in the checksum: no pickled weights, no code."""


def find_model(
    model: str,
    *,
    home: Path,
    weights_root: Path,
    name: str,
    named: str | None = None,
    marker: str = "config.json",
) -> Path:
    """Return the folder of a model.

    Args:
        model: The preset's hub id or folder.
        home: Folder that a relative folder starts from.
        weights_root: Folder of all weights; a sub-folder ``name`` in it is taken before the hub's cache.
        name: Name of the preset.
        named: Hub id or folder that the user named; only such a hub id is fetched.
        marker: File that tells a model folder.

    Raises:
        ConfigError: If the model is nowhere on this machine, or the named one cannot be had.
    """
    if named is not None:
        folder = Path(named) if Path(named).is_dir() else _fetch(named, name)
        if not (folder / marker).is_file():
            raise ConfigError(f"writer {name}: expected {marker} in {folder.name!r}, found none")
        return folder
    for folder in (home / model, weights_root / name):
        if (folder / marker).is_file():
            return folder
    cached = _cached(model)
    if cached is None or not (cached / marker).is_file():
        raise ConfigError(
            f"writer {name}: its model {model!r} is not on this machine. Read its licence, fetch it with "
            f"`hf download {model}`, or put its folder at {weights_root / name}; docs/writers.md has the commands"
        )
    return cached


@dataclass(frozen=True)
class FolderSum:
    """What a folder holds: checksum over its files, and the number of parameters of its safetensors files."""

    checksum: str
    parameters: int


def read_folder(folder: Path) -> FolderSum:
    """Return checksum and size of a model folder.

    Raises:
        WeightsError: If it holds no safetensors file.
    """
    files = sorted({file for pattern in _FILES for file in folder.glob(pattern)})
    weights = [file for file in files if file.suffix == ".safetensors"]
    if not weights:
        raise WeightsError(f"model folder {folder.name!r}: expected *.safetensors, found none")
    digests = {file.name: _sha256(file) for file in files}
    whole = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    return FolderSum(whole, sum(_parameters(file) for file in weights))


def combine(*checksums: str) -> str:
    """Return one checksum for several parts; one alone stays as it is."""
    return checksums[0] if len(checksums) == 1 else hashlib.sha256("+".join(checksums).encode()).hexdigest()


def _parameters(file: Path) -> int:
    from safetensors import safe_open

    total = 0
    with safe_open(file, framework="numpy") as tensors:
        for key in tensors.keys():  # noqa: SIM118 (not a mapping)
            size = 1
            for side in tensors.get_slice(key).get_shape():
                size *= side
            total += size
    return total


def _cached(model: str) -> Path | None:
    """Return the newest snapshot of a hub id in the hub's cache, without asking the hub."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(model, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None


def _fetch(model: str, name: str) -> Path:
    """Return the snapshot of a hub id that the user named, fetched where it is not in the cache."""
    from huggingface_hub import snapshot_download

    _logger.info("writer %s: fetching %s", name, model)
    try:
        return Path(snapshot_download(model, allow_patterns=list(_FILES)))
    except (OSError, ValueError, RuntimeError) as error:  # the hub's errors have no other common base
        reason = str(error).strip().splitlines()
        raise ConfigError(
            f"writer {name}: model {model!r} is no folder, and as a hub id it cannot be had "
            f"({type(error).__name__}: {reason[0] if reason else 'no reason given'})"
        ) from error


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
