"""The check of the written bytes finds what cleaning forgets."""

import json
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from imaging.dicom.deidentify import DeidentifyOptions, IdentityLeftError, deidentify_path
from imaging.dicom.deidentify.check import check_bytes, identity_of
from imaging.dicom.deidentify.clean import Cleaner
from imaging.dicom.deidentify.keys import Keys
from imaging.dicom.deidentify.types import Log
from tests.imaging.deidentify_cases import (
    BIRTH,
    CANARY_UID,
    all_bytes,
    mr_image,
    outputs,
    write_study,
)

SECRET = b"0123456789abcdef-secret"


def run(folder: Path, out: Path, **options: object) -> list[Dataset]:
    deidentify_path(folder, out, options=DeidentifyOptions(secret=SECRET, **options))  # type: ignore[arg-type]
    return outputs(out)


def cleaner() -> Cleaner:
    return Cleaner(Keys(SECRET), Keys(SECRET).subject("p"), True, Log())


class TestCheck:
    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("SeriesDescription", "t2 canaryson"), ("ImageComments", "CANARY-4711"), ("StudyDate", ""),
            ("ProtocolName", f"on {BIRTH}"), ("FrameOfReferenceUID", f"{CANARY_UID}.1.9"),
        ],
    )  # fmt: skip
    def test_finds_what_cleaning_forgot(self, keyword: str, value: str) -> None:
        original = mr_image()
        identity = identity_of(original)
        cleaned = cleaner().clean(original)
        content = written_plain(cleaned)
        check_bytes(content, identity)
        setattr(cleaned, keyword, value)
        if value:
            with pytest.raises(IdentityLeftError, match=r"tag \(.{9}\): an? .* is left after cleaning"):
                check_bytes(written_plain(cleaned), identity)

    def test_finds_identity_between_the_pixels(self) -> None:
        original = mr_image()
        cleaned = cleaner().clean(original)
        cleaned.PixelData = cleaned.PixelData[:-20] + b"xxxxx Canaryson xxxx"
        with pytest.raises(IdentityLeftError, match="left in the bytes outside any text element"):
            check_bytes(written_plain(cleaned), identity_of(original))

    def test_finds_private_elements_graphics_and_a_preamble(self) -> None:
        cleaned = cleaner().clean(mr_image())
        identity = identity_of(mr_image())
        with pytest.raises(IdentityLeftError, match="preamble"):
            check_bytes(b"x" * 128 + written_plain(cleaned)[128:], identity)
        cleaned.add_new(0x60000010, "US", 5)
        with pytest.raises(IdentityLeftError, match="curve or overlay"):
            check_bytes(written_plain(cleaned), identity)
        del cleaned[0x60000010]
        cleaned.add_new(0x00110010, "LO", "X")
        with pytest.raises(IdentityLeftError, match="private"):
            check_bytes(written_plain(cleaned), identity)

    def test_stops_the_file_and_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("imaging.dicom.deidentify.clean.controlled_words", lambda text: text)
        folder = write_study(tmp_path / "in", [mr_image()])
        with pytest.raises(IdentityLeftError, match="no file was written"):
            run(folder, tmp_path / "out")
        assert not list((tmp_path / "out").rglob("*.dcm"))
        content = json.loads((tmp_path / "out/deidentification.json").read_text(encoding="utf-8"))
        assert content["files"]["bad"] == 1
        assert b"canary" not in all_bytes(tmp_path / "out")


def written_plain(ds: Dataset) -> bytes:
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    stream = pydicom.filebase.DicomBytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return bytes(stream.getvalue())
