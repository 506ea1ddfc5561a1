import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import load_study
from imaging.limits import Limits
from imaging.sniff import FileKind, kind_of
from runtime.errors import ConfigError, LimitError, NotEligibleError, StudyError

GREY = (np.add.outer(np.arange(120) * 2, np.arange(100)) % 256).astype(np.uint8)


def test_the_content_decides_not_the_ending(tmp_path: Path) -> None:
    for name in ("a.dcm", "a.nii.gz", "a.jpg", "a"):
        Image.fromarray(GREY).save(tmp_path / name, "PNG")
        np.testing.assert_array_equal(load_study(tmp_path / name).series[0].volume.slice_image(0), GREY)


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.png", b"just some words\n", "text"),
        ("a.dcm", "über µ Wörter".encode(), "text"),
        ("a.nii", bytes(range(256)) * 4, "data of unknown kind"),
        ("a.png", b"GIF89a......", "a GIF picture; save the slice as PNG"),
        ("a.png", b"%PDF-1.7 ...", "a PDF document"),
        ("a.mha", b"ObjectType = Image\nNDims = 3\n", r"a MetaImage volume \(\.mha\); convert it to NIfTI"),
        ("a.zip", b"7z\xbc\xaf'\x1c....", "an archive that is not zip"),
    ],
)
def test_what_is_no_image_is_named(tmp_path: Path, name: str, content: bytes, found: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StudyError, match=rf"a\.\w+: expected a PNG, JPEG or TIFF picture, .*; found {found}"):
        load_study(tmp_path / name)


def test_missing_empty_and_large_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"none\.png: expected .* found no such file"):
        load_study(tmp_path / "none.png")
    (tmp_path / "empty.png").touch()
    with pytest.raises(StudyError, match=r"empty\.png: expected an image, found an empty file"):
        load_study(tmp_path / "empty.png")
    Image.fromarray(GREY).save(tmp_path / "a.png")
    with pytest.raises(LimitError, match="expected at most 100 bytes") as caught:
        load_study(tmp_path / "a.png", limits=Limits(file_bytes=100))
    assert caught.value.code == "limit_file_bytes"


def test_folders_and_zips_without_dicom_say_what_they_hold(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(StudyError, match="folder: expected DICOM files, found no file at all"):
        load_study(folder)
    Image.fromarray(GREY).save(folder / "a.png")
    (folder / "b.txt").write_text("words")
    (folder / "c.txt").touch()
    with pytest.raises(StudyError, match="found 1 x a PNG picture, 1 x text, 1 x an empty file"):
        load_study(folder)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "a.png", "deep/a.png")
    with pytest.raises(StudyError, match=r"a\.zip: expected DICOM files, found 1 x a PNG picture"):
        load_study(tmp_path / "a.zip")


def test_the_protocol_is_chosen_by_name_or_by_evidence(tmp_path: Path) -> None:
    for name in ("t2.png", "cervical_t2.png", "tspine_t2.png"):
        Image.fromarray(GREY).save(tmp_path / name)
    assert load_study(tmp_path / "t2.png").protocol == "lumbar"
    assert load_study(tmp_path / "cervical_t2.png").protocol == "cervical"
    study = load_study(tmp_path / "cervical_t2.png", protocol="lumbar")
    assert study.protocol == "lumbar"
    assert any("also name: cervical" in notice for notice in study.notices)
    with pytest.raises(NotEligibleError, match="thoracic"):
        load_study(tmp_path / "tspine_t2.png")
    with pytest.raises(ConfigError, match="expected one of"):
        load_study(tmp_path / "t2.png", protocol="knee")


def test_kinds_are_told_by_first_bytes() -> None:
    assert kind_of(bytes(128) + b"DICM" + bytes(20)) is FileKind.DICOM
    assert kind_of(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100") is FileKind.DICOM
    assert kind_of(b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100") is FileKind.DICOM
    assert kind_of(b"\x08\x00\x05\x00\xff\xff\xff\xff") is FileKind.UNKNOWN
    assert kind_of(b"") is FileKind.UNKNOWN
    assert kind_of("ä".encode()[:1] + b"x") is FileKind.UNKNOWN
    assert kind_of(("x" * 511 + "ä").encode()[:512]) is FileKind.TEXT


def test_importing_the_room_loads_neither_torch_nor_pydicom() -> None:
    code = (
        "import sys, imaging, imaging.types, imaging.load, imaging.eligibility;"
        "print(sorted({'torch', 'transformers', 'pydicom'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
