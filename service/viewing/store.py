"""What is kept of a reading for its viewer, read piece by piece: a slice is sought in its file, not all of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from service.errors import NotFoundError
from service.store.blobs import BlobStore
from service.store.tables import ReadingFile, StoredReading
from service.viewing.pack import MANIFEST, labels_file, values_file
from service.viewing.saliency import SALIENCY, saliency_file

_BYTES = 2  # of a stored number
_INTERNAL = ("viewer-", "viewer.", "saliency-", "saliency.")


@dataclass(frozen=True)
class Piece:
    """A slice as it travels.

    Attributes:
        content: Its bytes.
        etag: Changes with the content.
    """

    content: bytes
    etag: str


@dataclass(frozen=True)
class HeatPicture:
    """The heat map of a finding.

    Attributes:
        file: PNG with alpha, in the frame of the slice.
        series_id: Series it lies on.
        slice_index: Slice k.
    """

    file: ReadingFile
    series_id: str
    slice_index: int


class ViewerStore:
    """The viewer's files of one reading.

    Args:
        blobs: Kept files.
        reading: With its files loaded.
    """

    def __init__(self, blobs: BlobStore, reading: StoredReading) -> None:
        self._blobs = blobs
        self._files = {item.name: item for item in reading.files}

    def downloads(self) -> list[ReadingFile]:
        """Return the files for people, sorted by name: what only the viewer reads is left out."""
        return [item for name, item in sorted(self._files.items()) if not name.startswith(_INTERNAL)]

    def download(self, name: str) -> tuple[ReadingFile, Path]:
        """Return a file for people and where it lies.

        Raises:
            NotFoundError: If the reading has no such file.
        """
        found = next((item for item in self.downloads() if item.name == name), None)
        if found is None:
            raise NotFoundError("the reading has no such file")
        return found, self._blobs.path(found.sha256)

    def manifest(self) -> dict[str, Any]:
        """Return what the viewer needs to know, with the heat maps that there are.

        Raises:
            NotFoundError: If the reading was made without the viewer's files.
        """
        maps = self._heat_index()["maps"]
        return {**_load_json(self._path(MANIFEST)), "saliency": maps}

    def version(self) -> str:
        """Return what changes with the manifest."""
        names = [self._files[name].sha256 for name in (MANIFEST, SALIENCY) if name in self._files]
        return "-".join(name[:32] for name in names)

    def slice_values(self, series_id: str, k: int) -> Piece:
        """Return slice k of a series, int16.

        Raises:
            NotFoundError: If there is no such series or slice.
        """
        return self._piece(values_file(series_id), self._layout(series_id), k)

    def slice_labels(self, series_id: str, k: int) -> Piece:
        """Return slice k of the label map of a series, uint16.

        Raises:
            NotFoundError: If there is no such series or slice, or nothing was outlined on it.
        """
        layout = self._layout(series_id)
        if not layout["has_labels"]:
            raise NotFoundError(f"nothing was outlined on series {series_id}")
        return self._piece(labels_file(series_id), layout, k)

    def heat(self, finding_id: str) -> HeatPicture:
        """Return the heat map of a finding.

        Raises:
            NotFoundError: If it has none, with the reason.
        """
        index = self._heat_index()
        place, file = index["maps"].get(finding_id), self._files.get(saliency_file(finding_id))
        if place is None or file is None:
            reason = index["reasons"].get(finding_id, "not computed: heat maps are made of positive grades only")
            raise NotFoundError(reason, code="no_saliency")
        return HeatPicture(file, place["series"], place["slice"])

    def path(self, file: ReadingFile) -> Path:
        """Return where a file lies."""
        return self._blobs.path(file.sha256)

    def _piece(self, name: str, layout: Mapping[str, Any], k: int) -> Piece:
        if not 0 <= k < layout["slices"]:
            raise NotFoundError(f"slice: expected 0 to {layout['slices'] - 1}")
        size = layout["rows"] * layout["columns"] * _BYTES
        with self._path(name).open("rb") as stream:
            stream.seek(k * size)
            content = stream.read(size)
        return Piece(content, f"{self._files[name].sha256[:32]}-{k}")

    def _layout(self, series_id: str) -> Mapping[str, Any]:
        for row in _load_json(self._path(MANIFEST))["series"]:
            if row["id"] == series_id:
                layout: Mapping[str, Any] = row
                return layout
        raise NotFoundError("the reading has no such series")

    def _path(self, name: str) -> Path:
        if name not in self._files:
            raise NotFoundError("this reading was made without pictures for the viewer; read the study again")
        return self._blobs.path(self._files[name].sha256)

    def _heat_index(self) -> Mapping[str, Any]:
        if SALIENCY not in self._files:
            return {"maps": {}, "reasons": {}}
        return _load_json(self._path(SALIENCY))


@lru_cache(maxsize=64)
def _load_json(path: Path) -> Mapping[str, Any]:
    """Return a kept file's content; its name is its content's, so that what was read once stays true."""
    content: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
