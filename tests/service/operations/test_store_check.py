"""Every kept file is read; what nothing names is told and, when old enough, deleted."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import ConfigError
from service.config import ServiceConfig
from service.operations import check_store, prune_orphans
from service.operations.store_check import DAY_S
from service.services import Services
from tests.service.operations.conftest import add_kept_study, sqlite_first


def age(file: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(file, (moment, moment))


@sqlite_first
def test_a_whole_store(filled: Services) -> None:
    found = check_store(filled.config)
    assert (found.named, found.bad, found.orphans) == (3, {}, ())


def test_missing_and_damaged_files_are_named(filled: Services, document: dict[str, Any]) -> None:
    upload, report, _ = add_kept_study(filled, document, "other")
    filled.blobs.path(upload).unlink()
    filled.blobs.path(report).write_bytes(b"changed")
    assert check_store(filled.config).bad == {upload: "studies.upload_sha256", report: "reading_files.sha256"}


@sqlite_first
def test_old_orphans_are_deleted_and_young_ones_are_not(filled: Services) -> None:
    old, young = (filled.blobs.put(content) for content in (b"old", b"young"))
    cut_off = filled.config.blob_dir / ".incoming-0"
    cut_off.write_bytes(b"half an upload")
    for file in (filled.blobs.path(old.sha256), cut_off):
        age(file, DAY_S + 60)
    found = check_store(filled.config)
    assert {orphan.path.name for orphan in found.orphans} == {old.sha256, young.sha256, ".incoming-0"}
    assert {orphan.path.name for orphan in prune_orphans(filled.config, found)} == {old.sha256, ".incoming-0"}
    assert filled.blobs.check(young.sha256)
    assert not filled.blobs.check(old.sha256)
    assert check_store(filled.config).bad == {}


@sqlite_first
def test_an_orphan_that_is_uploaded_again_meanwhile_stays(filled: Services) -> None:
    blob = filled.blobs.put(b"again")
    age(filled.blobs.path(blob.sha256), 2 * DAY_S)
    found = check_store(filled.config)
    filled.blobs.put(b"again")
    assert prune_orphans(filled.config, found) == ()
    assert filled.blobs.check(blob.sha256)


@sqlite_first
def test_a_file_named_meanwhile_stays(filled: Services, document: dict[str, Any]) -> None:
    blob = filled.blobs.put(b"upload of late")
    found = check_store(filled.config)
    add_kept_study(filled, document, "late")
    assert prune_orphans(filled.config, found, older_than_s=0.0) == ()
    assert filled.blobs.check(blob.sha256)


def test_there_must_be_a_service(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no service"):
        check_store(ServiceConfig(home=tmp_path / "none"))
    assert not (tmp_path / "none").exists()
