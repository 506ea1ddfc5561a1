"""``spinescribe export``: files, exit codes, what is said."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from cli import export
from cli.main import main
from imaging.dicom.sop_classes import SEGMENTATIONS
from reporting.dicom.sr_reading import read_report
from reporting.export import formats
from reporting.export.classes import SEGClass, SRClass
from reporting.export.formats import ExportFormat
from reporting.export.package import ExportedFile, Package
from runtime.errors import StudyError
from tests.read_phantoms import ReadPhantom


def fake_of(kind: ExportFormat, package: Package) -> tuple[ExportedFile, ...]:
    """Stand in for the format of a kind."""
    if kind in formats.DICOM:
        package.require_source().require_dicom()
    return (ExportedFile(f"fakes/{kind.value}", "text/plain", b"fake"),)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {}
    for kind in ExportFormat:
        monkeypatch.setattr(sys.modules[__name__], f"fake_{kind.name}", partial(fake_of, kind), raising=False)
        homes[kind] = f"{__name__}:fake_{kind.name}"
    homes[ExportFormat.BIDS] = "reporting.bids:bids_files"
    monkeypatch.setattr(formats, "_HOMES", homes)


def test_the_words_of_the_command_are_the_formats() -> None:
    assert set(export._FORMATS) == {kind.value for kind in ExportFormat}
    assert set(export._SR_CLASSES) == {kind.value for kind in SRClass}
    assert set(export._SEG_CLASSES) == {kind.value for kind in SEGClass}


def test_text_leaves_without_the_study(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(phantoms("sacroiliac").reading, tmp_path / "reading")
    assert main(["export", str(tmp_path / "reading" / "reading.json"), "--format", "md", "html", "md"]) == 0
    names = {file.suffix for file in (tmp_path / "reading" / "export").iterdir()}
    assert names == {".md", ".html", ".json"}
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert last.endswith("2 files, DRAFT - not reviewed, not signed")


def test_bids_lies_beside_the_report(phantoms: Callable[[str], ReadPhantom], tmp_path: Path) -> None:
    made = phantoms("sacroiliac")
    words = ["export", str(made.reading / "reading.json"), "--source", str(made.study), "--out", str(tmp_path)]
    assert main([*words, "--format", "bids", "--format", "md"]) == 0
    assert (tmp_path / "bids" / "dataset_description.json").is_file()
    assert len(list(tmp_path.glob("bids/sub-*/anat/*_dseg.nii.gz"))) == 2
    assert main([*words, "--format", "bids"]) == 0  # again, over its own files


def test_the_structured_report_is_of_the_class_asked_for(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = phantoms("sacroiliac")
    words = [
        "export",
        str(made.reading / "reading.json"),
        "--source",
        str(made.study),
        "--format",
        "sr",
        "dicom-pdf",
    ]
    for sr_class, uid in (
        ("comprehensive", ComprehensiveSRStorage),
        ("comprehensive-3d", Comprehensive3DSRStorage),
    ):
        assert main([*words, "--out", str(tmp_path / sr_class), "--sr-class", sr_class]) == 0
        report = dcmread(tmp_path / sr_class / "sr" / "report.dcm")
        document = dcmread(tmp_path / sr_class / "dicom-pdf" / "report.dcm")
        assert report.SOPClassUID == uid
        assert read_report((tmp_path / sr_class / "sr" / "report.dcm").read_bytes()).documents == (
            document.SOPInstanceUID,
        )
    with pytest.raises(SystemExit, match="2"):
        main([*words, "--sr-class", "4d"])
    assert "comprehensive-3d" in capsys.readouterr().err


def test_segmentations_are_of_the_class_asked_for_and_the_report_leads_to_them(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path
) -> None:
    made = phantoms("sacroiliac")
    words = ["export", str(made.reading / "reading.json"), "--source", str(made.study), "--format", "sr", "seg"]
    uids = set()
    for seg_class, sop_class in zip(("binary", "labelmap"), SEGMENTATIONS, strict=True):
        folder = tmp_path / seg_class
        assert main([*words, "--out", str(folder), "--seg-class", seg_class]) == 0
        segmentations = {str(seg.SOPInstanceUID): seg for seg in map(dcmread, folder.glob("seg*/*.dcm"))}
        assert segmentations
        report = dcmread(folder / "sr" / "report.dcm")
        uids.add(str(report.SOPInstanceUID))
        told = {
            (str(item.ReferencedSOPInstanceUID), str(item.ReferencedSOPClassUID), item.ReferencedSegmentNumber)
            for item in _sequence_items(report)
            if "ReferencedSegmentNumber" in item
        }
        assert told
        assert {uid for uid, _, _ in told} <= set(segmentations)
        assert {name for _, name, _ in told} == {sop_class} == {str(s.SOPClassUID) for s in segmentations.values()}
        for uid, _, number in told:
            assert number in [item.SegmentNumber for item in segmentations[uid].SegmentSequence]
    assert len(uids) == 2


def _sequence_items(dataset: Dataset) -> Iterator[Dataset]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield item
                yield from _sequence_items(item)


@pytest.mark.usefixtures("fakes")
def test_all_says_what_it_left_out(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = phantoms("sacroiliac")
    words = ["export", str(made.reading / "reading.json"), "--out", str(tmp_path), "--format", "all"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "seg: left out: this format refers to the images: name the study that was read (--source)" in said
    assert not (tmp_path / "fakes" / "seg").exists()
    assert json.loads((tmp_path / "export.json").read_text(encoding="utf-8"))["left_out"].keys() == {
        "seg", "sr", "dicom-pdf", "key-images", "bids",
    }  # fmt: skip
    assert main([*words, "--source", str(made.archive)]) == 0
    assert "left out" not in capsys.readouterr().out
    assert (tmp_path / "fakes" / "seg").read_bytes() == b"fake"


@pytest.mark.usefixtures("fakes")
def test_wrong_words_end_with_what_to_do_and_nothing_written(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reading = str(phantoms("sacroiliac").reading / "reading.json")
    other = str(phantoms("lumbar").archive)
    out = ["--out", str(tmp_path / "out")]
    for words, said in (
        ([reading, *out, "--format", "md", "seg"], "--source"),
        ([reading, *out, "--format", "md", "--study", "2"], "expected --source beside it"),
        ([reading, *out, "--format", "md", "--source", other], "found another"),
        ([reading, *out, "--format", "md", "--source", str(tmp_path / "none")], "found no such file"),
        ([str(tmp_path / "none.json"), *out, "--format", "md"], "found none"),
    ):
        assert main(["export", *words]) == 2
        assert said in capsys.readouterr().err
        assert not (tmp_path / "out").exists()
    with pytest.raises(SystemExit, match="2"):
        main(["export", reading, *out, "--format", "doc"])


def test_a_reading_that_breaks_its_schema_is_refused(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = json.loads((phantoms("sacroiliac").reading / "reading.json").read_text(encoding="utf-8"))
    document["grades"][0]["grade"] = 7
    (tmp_path / "reading.json").write_text(json.dumps(document), encoding="utf-8")
    assert main(["export", str(tmp_path / "reading.json"), "--format", "md"]) == 2
    assert "breaks spinescribe.reading/1" in capsys.readouterr().err


@pytest.mark.usefixtures("fakes")
def test_a_study_of_several_is_chosen_by_number(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = phantoms("sacroiliac")
    shutil.copytree(made.study, tmp_path / "studies" / "one")
    shutil.copytree(phantoms("lumbar").study, tmp_path / "studies" / "two")
    words = ["export", str(made.reading / "reading.json"), "--out", str(tmp_path / "out"), "--format", "seg"]
    words += ["--source", str(tmp_path / "studies")]
    assert main(words) == 2
    assert "expected one study" in capsys.readouterr().err
    assert sorted(main([*words, "--study", number]) for number in ("1", "2")) == [0, 2]
    assert (tmp_path / "out" / "fakes" / "seg").is_file()


def test_a_fault_of_ours_is_told_as_one(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(formats._HOMES, ExportFormat.MARKDOWN, f"{__name__}:nothing_there")
    reading = str(phantoms("sacroiliac").reading / "reading.json")
    assert main(["export", reading, "--out", str(tmp_path), "--format", "md"]) == 1
    assert not list(tmp_path.glob("*.md"))


def test_a_study_error_of_one_format_stops_it_when_asked_for_by_name(
    phantoms: Callable[[str], ReadPhantom], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(formats._HOMES, ExportFormat.FHIR, f"{__name__}:refusing")
    reading = str(phantoms("sacroiliac").reading / "reading.json")
    assert main(["export", reading, "--out", str(tmp_path / "out"), "--format", "md", "fhir"]) == 2
    assert not (tmp_path / "out").exists()


def refusing(package: Package) -> tuple[ExportedFile, ...]:
    """Stand in for a format that cannot be made."""
    raise StudyError("cannot be made")
