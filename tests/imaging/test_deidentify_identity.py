"""No planted secret comes out: of de-identification, of reading, or of the logs of either."""

import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cli import faults
from cli.main import main
from imaging import load_study
from imaging.dicom.deidentify import DeidentifyOptions, deidentify_path
from imaging.dicom.deidentify.check import check_bytes, identity_of
from imaging.dicom.deidentify.clean import Cleaner
from imaging.dicom.deidentify.instances import cleaned_file
from imaging.dicom.deidentify.keys import Keys
from imaging.dicom.deidentify.profile import policy
from imaging.dicom.deidentify.types import IdentityLeftError, Log
from tests.imaging.deidentify_cases import (
    BIRTH,
    CANARY,
    CANARY_UID,
    all_bytes,
    every_tag,
    mr_image,
    outputs,
    planted,
    write_study,
    written,
)

# What makes the file an image that can be read; all other elements are planted.
STRUCTURE = frozenset({
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality",
    "ImageType", "PatientID", "PatientSex", "PatientAge", "SpecificCharacterSet", "PhotometricInterpretation",
    "PixelData",
    "ScanningSequence", "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "BurnedInAnnotation",
    "FloatPixelData", "DoubleFloatPixelData", "NumberOfFrames", "PixelDataProviderURL",
})  # fmt: skip
DESCRIPTIONS = {
    "SeriesDescription": "T2 SAG TSE CANARY", "StudyDescription": "CANARY MRI Lumbar Spine",
    "ProtocolName": "CANARY", "BodyPartExamined": "LSPINE",
}  # fmt: skip


def full_of_canaries(number: int, pixels: np.ndarray | None = None) -> Dataset:
    """Return an MR image with a canary in every tag of the dictionary whose kind holds text, UIDs or bytes."""
    ds = mr_image(number, pixels=pixels)
    left_alone = {*STRUCTURE, *DESCRIPTIONS, *policy().bulk}  # pixels and their tables are not text
    for tag in every_tag():
        element = planted(tag)
        if element is not None and element.keyword not in left_alone:
            ds.add(element)
    for keyword, text in DESCRIPTIONS.items():
        setattr(ds, keyword, text)
    block = ds.private_block(0x0029, "CANARY CSA", create=True)
    block.add_new(0x10, "OB", b"CANARY")
    block.add_new(0x11, "LO", CANARY)
    ds.add_new(0x60000022, "LO", CANARY)
    ds.add_new(0x50001001, "LO", CANARY)
    return ds


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of sagittal slices with a canary in every text, in the file names and in the folder's."""
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 60, (3, 256, 192)).astype(np.uint16)
    with pydicom.config.disable_value_validation(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = [full_of_canaries(number + 1, noise[number]) for number in range(3)]
        return write_study(tmp_path_factory.mktemp("in") / "CANARY^HANS", images)


def assert_silent(text: str) -> None:
    lower = text.lower()
    for secret in ("canary", CANARY_UID, BIRTH):
        assert secret not in lower, text[max(0, lower.index(secret) - 200) : lower.index(secret) + 40]


class TestCanaries:
    def test_deidentify(self, study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        code = main(["deidentify", str(study), "--out", str(tmp_path / "out"), "--debug"])
        streams = capfd.readouterr()
        assert code == 0, streams.err
        assert len(outputs(tmp_path / "out")) == 3
        assert_silent(streams.out + streams.err)
        content = all_bytes(tmp_path / "out")
        for secret in (b"canary", CANARY_UID.encode(), BIRTH.encode()):
            assert secret not in content
        kept = outputs(tmp_path / "out")[0]
        assert kept.SeriesDescription == "t2 sag tse"
        assert kept.Manufacturer == ""

    def test_load_study(
        self, study: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
    ) -> None:
        faults.configure_logging(debug=True)
        with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            loaded = load_study(study)
        streams = capfd.readouterr()
        assert loaded.series
        assert_silent(caplog.text + streams.out + streams.err + " ".join(str(item.message) for item in heard))
        assert_silent(json.dumps(loaded.to_dict()))

    @pytest.mark.weights
    def test_read(self, study: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        """The gate refuses noise, or reads it; either way nothing identifying is told or written."""
        file = sorted(study.iterdir())[0]
        code = main(["read", str(file), "--out", str(tmp_path / "read"), "--debug"])
        streams = capfd.readouterr()
        assert code in (0, 3), streams.err
        told = (streams.out + streams.err).replace(str(tmp_path), "").replace(file.name, "")
        assert_silent(told)
        for name, content in (
            (item.name, item.read_bytes()) for item in (tmp_path / "read").rglob("*") if item.is_file()
        ):
            assert_silent(name)
            assert_silent(content.decode("latin-1").replace(file.name, ""))


# Kinds and tags that a random data set draws from: known, unknown, private and misused ones.
TAGS = st.one_of(
    st.sampled_from(sorted(every_tag())),
    st.integers(0x00080000, 0x7FDFFFFF),
    st.sampled_from(
        [0x00100010, 0x00081030, 0x0008103E, 0x00180010, 0x00181030, 0x00204000, 0x00104000, 0x00400275]
    ),
)
KINDS = st.sampled_from(
    ["AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UN", "UT", "UR", "OB", "DS", "IS", "UI", "AS"]
)
STRUCTURAL_TAGS = frozenset(
    pydicom.datadict.tag_for_keyword(name) for name in (*STRUCTURE, "Rows", "Columns")
) | set(range(0x00280000, 0x00290000))
TEXTS = st.sampled_from(["CANARY", "canary^Hans", "Sag CANARY T2", "CANARY\\MR", "x CANARY"])


@st.composite
def elements(draw: st.DrawFn, depth: int = 0) -> DataElement | None:
    tag = draw(TAGS)
    if tag in STRUCTURAL_TAGS or tag & 0xFFFF == 0:
        return None
    if depth < 3 and draw(st.integers(0, 4)) == 0:
        items = draw(st.lists(st.lists(elements(depth + 1), max_size=3), max_size=2))
        return DataElement(tag, "SQ", Sequence([_dataset(item) for item in items]))
    kind, text = draw(KINDS), draw(TEXTS)
    if kind == "UN" and _holds_numbers(tag):
        return None  # pydicom cannot write them, or the check stops the file: a test of its own
    if kind in ("DS", "IS", "AS", "UN", "OB"):
        # Raw bytes that are no value of their kind, as a careless writer leaves them.
        return pydicom.dataelem.RawDataElement(  # type: ignore[return-value]
            pydicom.tag.Tag(tag), kind, 12, b"CANARY 4711 ", 0, False, True
        )
    return DataElement(tag, kind, text)


def _holds_numbers(tag: int) -> bool:
    """Say whether the dictionary gives a tag binary numbers."""
    known = pydicom.datadict.dictionary_has_tag(tag) or pydicom.datadict.repeater_has_tag(tag)
    kinds = set(pydicom.datadict.dictionary_VR(tag).split(" or ")) if known else set()
    return bool(kinds & {"FL", "FD", "SL", "SS", "SV", "UL", "US", "UV", "AT"})


def _dataset(drawn: list[DataElement | None]) -> Dataset:
    ds = Dataset()
    for element in drawn:
        if element is not None:
            ds[element.tag] = element
    return ds


@pytest.mark.filterwarnings("ignore:Invalid value")
class TestProperty:
    @given(st.lists(elements(), min_size=1, max_size=12))
    @settings(max_examples=80, suppress_health_check=list(HealthCheck))
    def test_no_random_data_set_keeps_a_canary(self, drawn: list[DataElement | None]) -> None:
        keys = Keys(b"0123456789abcdef")
        with pydicom.config.disable_value_validation(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = mr_image()
            for element in drawn:
                if element is not None:
                    ds[element.tag] = element
            source = pydicom.dcmread(io.BytesIO(written(ds)))
            cleaner = Cleaner(keys, keys.subject("p"), True, Log())
            content, _ = cleaned_file(source, cleaner, lambda _: ())
            check_bytes(content, identity_of(source))
        assert b"canary" not in content.lower()
        assert CANARY_UID.encode() not in content
        again = pydicom.dcmread(io.BytesIO(content))
        assert np.array_equal(again.pixel_array, mr_image_pixels())


def test_words_hidden_in_binary_numbers_stop_the_file() -> None:
    keys = Keys(b"0123456789abcdef")
    ds = mr_image()
    # Length to End (retired, UL): three numbers whose bytes spell the patient's name.
    hidden = pydicom.dataelem.RawDataElement(
        pydicom.tag.Tag(0x00080001), "UN", 12, b"CANARY 4711 ", 0, False, True
    )
    ds[hidden.tag] = hidden  # type: ignore[assignment]
    source = pydicom.dcmread(io.BytesIO(written(ds)))
    with pytest.raises(IdentityLeftError, match="left in the bytes outside any text element"):
        cleaned_file(source, Cleaner(keys, keys.subject("p"), True, Log()), lambda _: ())


def mr_image_pixels() -> np.ndarray:
    return np.arange(40 * 50, dtype=np.uint16).reshape(40, 50)


def test_errors_never_quote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A fault of ours whose message quotes the header is told by its kind and place only."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError("CANARY")

    monkeypatch.setattr("imaging.dicom.deidentify.run._places", broken)
    folder = write_study(tmp_path / "in", [mr_image()])
    code = main(["deidentify", str(folder), "--out", str(tmp_path / "out"), "--debug"])
    assert code == 1
    told = capfd.readouterr().err
    assert "ZeroDivisionError at test_deidentify_identity.py" in told
    assert_silent(told)
    assert_silent(all_bytes(tmp_path / "out").decode("latin-1"))


def test_secret_file(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "in", [mr_image()])
    (tmp_path / "secret").write_text("a secret of the test\n", encoding="utf-8")
    code = main(
        ["deidentify", str(folder), "--out", str(tmp_path / "a"), "--secret-file", str(tmp_path / "secret")]
    )
    assert code == 0
    deidentify_path(folder, tmp_path / "b", options=DeidentifyOptions(secret=b"a secret of the test"))
    assert outputs(tmp_path / "a")[0].SOPInstanceUID == outputs(tmp_path / "b")[0].SOPInstanceUID
    missing = ["deidentify", str(folder), "--out", str(tmp_path / "c"), "--secret-file", str(tmp_path / "none")]
    assert main(missing) == 2
    assert not (tmp_path / "c").exists()
