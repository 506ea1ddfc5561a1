"""Weights on disk: one folder a model, pinned by checksum.

``weights/<name>/`` holds ``model.safetensors`` (and further files of the model), ``config.json`` (what builds
the network and its preprocessing constants), ``README.md`` (the model card) and ``checksums.json``
(file name -> SHA-256). Nothing is downloaded.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import WeightsError

CHECKSUMS = "checksums.json"


@dataclass(frozen=True)
class WeightsFolder:
    """A verified model folder.

    Attributes:
        name: Folder name, such as ``segmentation``.
        path: The folder.
        config: Content of ``config.json``.
        checksum: SHA-256 over all recorded checksums; goes into the provenance.
    """

    name: str
    path: Path
    config: dict[str, Any]
    checksum: str


def open_weights(name: str, root: Path) -> WeightsFolder:
    """Verify a model folder against its checksums and read its configuration.

    Args:
        name: Folder name under ``root``.
        root: Folder of all weights (``Settings.weights_dir``).

    Raises:
        WeightsError: If the folder or a file is missing, or a file differs from its checksum.
    """
    folder = root / name
    listing = folder / CHECKSUMS
    if not listing.is_file():
        raise WeightsError(
            f"weights {name!r}: expected {listing}, found nothing; restore the folder from the repository "
            f"or train it with `spinescribe train {name}`"
        )
    expected: dict[str, str] = json.loads(listing.read_text(encoding="utf-8"))
    for file_name, digest in expected.items():
        file = folder / file_name
        if not file.is_file():
            raise WeightsError(f"weights {name!r}: {file_name} is missing from {folder}")
        found = _sha256(file)
        if found != digest:
            raise WeightsError(
                f"weights {name!r}: {file_name} has SHA-256 {found[:12]}..., expected {digest[:12]}...; "
                "restore it from the repository"
            )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    whole = hashlib.sha256(json.dumps(expected, sort_keys=True).encode()).hexdigest()
    return WeightsFolder(name=name, path=folder, config=config, checksum=whole)


def seal_weights(folder: Path) -> None:
    """Write ``checksums.json`` for every file of a model folder but itself and the model card."""
    names = sorted(
        str(file.relative_to(folder))
        for file in folder.rglob("*")
        if file.is_file() and file.name not in {CHECKSUMS, "README.md"}
    )
    digests = {name: _sha256(folder / name) for name in names}
    (folder / CHECKSUMS).write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
