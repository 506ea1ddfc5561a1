"""An export on disk and as a zip: all or none, ours alone is replaced, what was left out is said."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reporting.export import formats
from reporting.export.archive import write_zip
from reporting.export.folder import write_export
from reporting.export.formats import Export, ExportFormat, export_all
from reporting.export.index import INDEX
from reporting.export.package import ExportedFile, Package, load_package
from runtime.errors import ConfigError, StudyError
from tests.read_phantoms import ReadPhantom


def fake_files(package: Package) -> tuple[ExportedFile, ...]:
    """Stand in for a format: two files, one in a folder."""
    return (ExportedFile("seg/S1.dcm", "application/dicom", b"one"), ExportedFile("a.txt", "text/plain", b"two"))


def fake_of(kind: ExportFormat, package: Package) -> tuple[ExportedFile, ...]:
    """Stand in for the format of a kind."""
    return (ExportedFile(f"fake.{kind.value}", "text/plain", b"fake"),)


def no_files(package: Package) -> tuple[ExportedFile, ...]:
    """Stand in for a format that cannot be made."""
    raise StudyError("no series has a label map")


@pytest.fixture
def package(phantoms: Callable[[str], ReadPhantom]) -> Package:
    return load_package(phantoms("sacroiliac").reading / "reading.json")


def test_files_and_their_index_are_written(package: Package, tmp_path: Path) -> None:
    paths = write_export(package.outgoing, Export(fake_files(package), {"sr": "no"}), tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == ["seg/S1.dcm", "a.txt", INDEX]
    index = json.loads(paths[-1].read_text(encoding="utf-8"))
    assert index["left_out"] == {"sr": "no"}
    assert index["mark"].startswith("DRAFT")
    assert set(index["files"]) == {"seg/S1.dcm", "a.txt"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"seg", "a.txt", INDEX}


def test_an_export_replaces_an_earlier_one_and_keeps_its_other_files(package: Package, tmp_path: Path) -> None:
    write_export(package.outgoing, Export(fake_files(package)), tmp_path)
    changed = ExportedFile("a.txt", "text/plain", b"newer")
    write_export(package.outgoing, Export((changed,)), tmp_path)
    assert (tmp_path / "a.txt").read_bytes() == b"newer"
    assert set(json.loads((tmp_path / INDEX).read_text(encoding="utf-8"))["files"]) == {"seg/S1.dcm", "a.txt"}


@pytest.mark.parametrize("after_export", [True, False])
def test_what_a_person_wrote_is_never_replaced(package: Package, tmp_path: Path, after_export: bool) -> None:
    if after_export:
        write_export(package.outgoing, Export(fake_files(package)), tmp_path)
    (tmp_path / "a.txt").write_text("mine", encoding="utf-8")
    other = ExportedFile("b.txt", "text/plain", b"b")
    with pytest.raises(ConfigError, match=r"a\.txt is there already"):
        write_export(package.outgoing, Export((other, *fake_files(package))), tmp_path)
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "mine"
    assert not (tmp_path / "b.txt").exists()
    assert not list(tmp_path.glob(".spinescribe-*"))


def test_a_link_in_the_way_is_not_followed(package: Package, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_bytes(b"two")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").symlink_to(elsewhere)
    with pytest.raises(ConfigError, match="is there already"):
        write_export(package.outgoing, Export(fake_files(package)), tmp_path / "out")
    assert elsewhere.read_bytes() == b"two"


def test_studies_are_not_mixed_in_one_folder(package: Package, tmp_path: Path) -> None:
    write_export(package.outgoing, Export(fake_files(package)), tmp_path)
    with pytest.raises(ConfigError, match="another study"):
        write_export(replace(package.outgoing, study_key="0123"), Export(fake_files(package)), tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "x"}', '{"schema": "spinescribe.export/1"}'])
def test_an_index_that_is_not_ours_stops_the_export(package: Package, tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX).write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match="is not ours"):
        write_export(package.outgoing, Export(fake_files(package)), tmp_path)
    assert (tmp_path / INDEX).read_text(encoding="utf-8") == content


def test_a_file_in_the_place_of_a_folder_stops_the_export(package: Package, tmp_path: Path) -> None:
    (tmp_path / "seg").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="--out"):
        write_export(package.outgoing, Export(fake_files(package)), tmp_path)
    assert not (tmp_path / "a.txt").exists()


def test_all_says_what_was_left_out(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {}
    for kind in ExportFormat:
        monkeypatch.setattr(sys.modules[__name__], f"fake_{kind.name}", partial(fake_of, kind), raising=False)
        homes[kind] = f"{__name__}:fake_{kind.name}"
    homes[ExportFormat.FHIR] = f"{__name__}:no_files"
    monkeypatch.setattr(formats, "_HOMES", homes)
    export = export_all(package)
    assert [file.name for file in export.files] == ["fake.md", "fake.html", "fake.csv", "fake.pdf", "fake.docx"]
    assert export.left_out["fhir"] == "no series has a label map"
    assert set(export.left_out) == {"seg", "sr", "dicom-pdf", "key-images", "bids", "fhir"}
    assert "--source" in export.left_out["seg"]


def test_the_zip_is_one_folder_and_always_the_same(package: Package) -> None:
    first, second = io.BytesIO(), io.BytesIO()
    for stream in (first, second):
        write_zip(package, Export(fake_files(package), {"sr": "no"}), stream)
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert set(archive.namelist()) == {f"{package.stem}/{name}" for name in (INDEX, "seg/S1.dcm", "a.txt")}
        assert json.loads(archive.read(f"{package.stem}/{INDEX}"))["left_out"] == {"sr": "no"}
