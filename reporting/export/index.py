"""export.json: what an export holds, each file by its checksum, and what was left out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from reporting.export.content import Outgoing
from reporting.export.package import ExportedFile

INDEX = "export.json"
SCHEMA = "spinescribe.export/1"


def index_file(outgoing: Outgoing, files: Mapping[str, str], left_out: Mapping[str, str]) -> ExportedFile:
    """Return the index of an export.

    Args:
        outgoing: The report that left.
        files: Name -> SHA-256.
        left_out: Format -> why it could not be made.
    """
    content = {
        "schema": SCHEMA,
        "study_key": outgoing.study_key,
        "status": outgoing.status.value,
        "version": outgoing.version,
        "mark": outgoing.mark,
        "files": dict(sorted(files.items())),
        "left_out": dict(left_out),
    }
    return ExportedFile(INDEX, "application/json", (json.dumps(content, indent=2) + "\n").encode())


def checksum(content: bytes) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(content).hexdigest()
