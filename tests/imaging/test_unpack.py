"""Zips of other tools: unpacked within one folder, or refused with the reason."""

import io
import stat
import zipfile
from pathlib import Path

import pytest

from imaging import unpack_zip
from imaging.limits import Limits, applied
from runtime.errors import LimitError, StudyError


def write_zip(folder: Path, *members: tuple[str, bytes]) -> Path:
    file = folder / "files.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_files_keep_their_places(tmp_path: Path, out: Path) -> None:
    found = unpack_zip(write_zip(tmp_path, ("a/reading.json", b"1"), ("b.txt", b"2")), out)
    assert found == out
    assert {file.relative_to(out).as_posix(): file.read_bytes() for file in out.rglob("*.*")} == {
        "a/reading.json": b"1", "b.txt": b"2",
    }  # fmt: skip


def test_one_folder_round_all_is_taken_off(tmp_path: Path, out: Path) -> None:
    archive = write_zip(
        tmp_path, ("masks/a.nii", b"1"), ("masks/b.nii", b"2"), ("__MACOSX/x", b"3"), (".hidden", b"4")
    )
    found = unpack_zip(archive, out)
    assert sorted(file.name for file in found.iterdir()) == ["a.nii", "b.nii"]


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil", "a/" + "x" * 300]
)
def test_a_path_that_leads_out_is_refused(name: str, tmp_path: Path, out: Path) -> None:
    with pytest.raises(StudyError) as caught:
        unpack_zip(write_zip(tmp_path, ("good.txt", b"1"), (name, b"evil")), out)
    assert caught.value.code in ("zip_path", "zip_damaged")
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) in (
        ["files.zip", "good.txt"],
        ["files.zip"],
    )


def test_links_are_passed_over(tmp_path: Path, out: Path) -> None:
    file = write_zip(tmp_path, ("a.txt", b"1"))
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert [item.name for item in unpack_zip(file, out).iterdir()] == ["a.txt"]


def test_two_files_of_one_name_are_refused(tmp_path: Path, out: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        file = write_zip(tmp_path, ("a.txt", b"1"), ("a.txt", b"2"))
    with pytest.raises(StudyError, match="found two"):
        unpack_zip(file, out)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, out: Path) -> None:
    file = write_zip(tmp_path, ("a.txt", b"0" * 2**20))
    with (
        applied(Limits(zip_ratio=10, zip_ratio_from_bytes=1000)),
        pytest.raises(LimitError, match="grows at most"),
    ):
        unpack_zip(file, out)
    with applied(Limits(study_bytes=1000)), pytest.raises(LimitError, match="at most 1000 bytes"):
        unpack_zip(file, out)
    assert list(out.iterdir()) == []


def test_folders_too_deep_are_refused(tmp_path: Path, out: Path) -> None:
    with applied(Limits(folder_depth=3)), pytest.raises(LimitError, match="folders within folders"):
        unpack_zip(write_zip(tmp_path, ("a/b/c/d/e.txt", b"1")), out)


@pytest.mark.parametrize("cut", [0, 10, 60])
def test_what_is_no_zip_or_cut_short_is_refused(cut: int, tmp_path: Path, out: Path) -> None:
    file = write_zip(tmp_path, ("a.txt", b"1" * 100))
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(StudyError, match="damaged"):
        unpack_zip(file, out)


def test_contents_that_do_not_fit_their_checksum_are_refused(tmp_path: Path, out: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.txt", b"content")
    (tmp_path / "files.zip").write_bytes(stream.getvalue().replace(b"content", b"CONTENT"))
    with pytest.raises(StudyError, match="BadZipFile"):
        unpack_zip(tmp_path / "files.zip", out)
