"""Kept files: by content, whole or absent, and only by a SHA-256."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import SpineScribeError
from service.store import BlobStore


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def test_equal_files_are_kept_once(store: BlobStore, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"spine")
    first, second = store.put(b"spine"), store.put_file(file)
    assert first == second
    assert first.sha256 == hashlib.sha256(b"spine").hexdigest()
    assert first.bytes == 5
    assert list(store.names()) == [first.sha256]
    assert store.read(first.sha256) == b"spine"


def test_a_file_that_is_kept_again_is_not_written_again_but_young(store: BlobStore) -> None:
    kept = store.path(store.put(b"spine").sha256)
    os.utime(kept, (0, 0))
    before = kept.stat()
    store.put(b"spine")
    assert kept.stat().st_ino == before.st_ino
    assert kept.stat().st_mtime > before.st_mtime


def test_a_file_cut_short_is_written_again(store: BlobStore) -> None:
    blob = store.put(b"spine")
    store.path(blob.sha256).write_bytes(b"spi")
    store.put(b"spine")
    assert store.check(blob.sha256)


def test_a_file_whose_source_fails_is_not_kept(store: BlobStore, tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise OSError("line lost")

    with pytest.raises(OSError, match="line lost"):
        store.put_chunks(chunks())
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "/etc/passwd", "0" * 64 + "\n"])
def test_no_other_name_leads_to_a_file(store: BlobStore, name: str) -> None:
    with pytest.raises(SpineScribeError, match="SHA-256"):
        store.path(name)


def test_a_changed_file_is_noticed(store: BlobStore) -> None:
    blob = store.put(b"spine")
    assert store.check(blob.sha256)
    store.path(blob.sha256).write_bytes(b"spin3")
    assert not store.check(blob.sha256)
    assert not store.check("0" * 64)


def test_a_missing_file_is_named_in_the_error(store: BlobStore) -> None:
    with pytest.raises(SpineScribeError, match="000000000000 is missing"):
        store.read("0" * 64)
