"""Archives that are damaged, cut off or not ours: each is refused with its reason before anything is touched."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.config import ServiceConfig
from service.operations import make_backup, restore_backup
from service.operations.archive import MANIFEST, MANIFEST_SUM, ArchiveError, verify_archive
from service.services import Services
from tests.service.operations.conftest import add_kept_study

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture(scope="module")
def whole(document: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("whole")
    services = Services.open(ServiceConfig(home=folder / "home"))
    add_kept_study(services, document, "rad")
    content = make_backup(services.config, folder / "backup.tar").file.read_bytes()
    services.database.close()
    return content


@pytest.fixture
def archive(whole: bytes, tmp_path: Path) -> Path:
    file = tmp_path / "backup.tar"
    file.write_bytes(whole)
    return file


def members_of(file: Path) -> Members:
    with tarfile.open(file) as archive:
        return [(info, archive.extractfile(info).read()) for info in archive]  # type: ignore[union-attr]


def write(file: Path, members: Members) -> None:
    with tarfile.open(file, "w") as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))


def member(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(data), kind
    if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info.linkname, info.size = "/etc/passwd", 0
    return info, data


def refused(file: Path, words: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match=words) as caught:
        restore_backup(file, ServiceConfig(home=tmp_path / "second"))
    assert caught.value.exit_code == 2
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "second").exists()


def test_a_whole_archive_is_verified(archive: Path) -> None:
    manifest = verify_archive(archive)
    assert manifest.database.kind == "sqlite"
    assert manifest.database.rows["studies"] == 1
    assert len(manifest.blobs) == 3


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_an_archive_that_was_cut_off(archive: Path, tmp_path: Path, share: float) -> None:
    content = archive.read_bytes().rstrip(b"\0")
    archive.write_bytes(content[: int(len(content) * share) // 512 * 512])
    refused(archive, "cut off|cannot be read", tmp_path)


def test_a_bit_flipped_anywhere_is_noticed(archive: Path) -> None:
    content = archive.read_bytes()
    end = content.rstrip(b"\0")
    with tarfile.open(archive) as opened:
        places = [info.offset_data + info.size // 2 for info in opened if info.size]
    for place in [*places, 3, len(end) - 1]:
        archive.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(ArchiveError):
            verify_archive(archive)


@pytest.mark.parametrize(
    "stranger",
    [
        member("../../etc/cron.d/job"),
        member("/etc/passwd"),
        member("blobs/../database.sqlite"),
        member("blobs/" + "A" * 64),
        member("blobs/" + "0" * 64, kind=tarfile.SYMTYPE),
        member("blobs/" + "0" * 64, kind=tarfile.LNKTYPE),
        member("database.sqlite", kind=tarfile.FIFOTYPE),
        member("notes.txt"),
    ],
    ids=lambda entry: f"{entry[0].name[:24]}-{entry[0].type.decode()}",
)
def test_nothing_but_our_files_is_let_by(archive: Path, tmp_path: Path, stranger: Any) -> None:
    write(archive, [stranger, *members_of(archive)])
    refused(archive, "does not belong here", tmp_path)


def test_a_file_more_or_less_or_twice(archive: Path, tmp_path: Path) -> None:
    whole = members_of(archive)
    write(archive, [member("blobs/" + "0" * 64), *whole])
    refused(archive, "is in no manifest", tmp_path)
    write(archive, [entry for entry in whole if not entry[0].name.startswith("blobs/")])
    refused(archive, "named by the manifest and not there", tmp_path)
    write(archive, [whole[0], *whole])
    refused(archive, "there twice", tmp_path)


def test_a_changed_manifest(archive: Path, tmp_path: Path) -> None:
    changed = [
        (info, data.replace(b'"made_at"', b'"mode_at"') if info.name == MANIFEST else data)
        for info, data in members_of(archive)
    ]
    write(archive, changed)
    refused(archive, "manifest differs from its checksum", tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda manifest: {"database": {**manifest["database"], "revision": "9999"}}, "does not know.*newer"),
        (lambda manifest: {"format": "spinescribe.backup/2"}, "expected a manifest spinescribe.backup/1"),
        (lambda manifest: {"extra": 1}, "expected a manifest"),
    ],
)
def test_an_archive_of_another_release(
    archive: Path, tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], words: str
) -> None:
    manifest = verify_archive(archive).model_dump()
    whole = [entry for entry in members_of(archive) if not entry[0].name.startswith("manifest")]
    other = json.dumps({**manifest, **change(manifest)}).encode()
    total = hashlib.sha256(other).hexdigest().encode()
    write(archive, [*whole, member(MANIFEST, other), member(MANIFEST_SUM, total)])
    refused(archive, words, tmp_path)


def test_a_file_that_is_no_archive(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    refused(file, "no such file", tmp_path)
    for content in (b"", b"PK\x03\x04" + b"\0" * 2000, b"x" * 5000):
        file.write_bytes(content)
        refused(file, "cannot be read|no manifest", tmp_path)
