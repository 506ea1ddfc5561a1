"""DICOM SEG as label files: what segments are by code and by name, and what is refused."""

import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pydicom
import pytest
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from cli.main import main
from imaging.label_file import LabelVolume, read_label_file
from imaging.label_import import Outcome, import_labels
from imaging.limits import Limits, applied
from runtime.errors import LimitError, StudyError
from tests.imaging.conftest import SeriesWriter

ALGORITHM = AlgorithmIdentificationSequence(name="other", family=codes.DCM.ArtificialIntelligence, version="1")
TISSUE = codes.SCT.Tissue


def segment(number: int, label: str, kind: Any = TISSUE, *, side: Any = None, **given: Any) -> SegmentDescription:
    made = SegmentDescription(number, label, codes.SCT.AnatomicalStructure, kind, "AUTOMATIC", ALGORITHM, **given)
    if side is not None:
        item = Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = side.value, "SCT", side.meaning
        made.SegmentedPropertyTypeCodeSequence[0].SegmentedPropertyTypeModifierCodeSequence = [item]
    return made


@pytest.fixture
def sources(series_writer: SeriesWriter) -> list[Dataset]:
    """Return 5 sagittal slices of 120 rows and 100 columns."""
    empty = {
        "PatientBirthDate": "",
        "PatientSex": "",
        "AccessionNumber": "",
        "StudyID": "",
        "StudyDate": "",
        "StudyTime": "",
    }
    files = series_writer.write(np.zeros((5, 120, 100), dtype=np.uint16), **empty)
    return [pydicom.dcmread(file) for file in files]


def write_seg(
    path: Path, sources: list[Dataset], pixels: NDArray[Any], segments: list[SegmentDescription], **given: Any
) -> Segmentation:
    """Write a SEG as another tool might."""
    seg = Segmentation(
        sources, pixels, given.pop("kind", "BINARY"), segments, generate_uid(), 9, generate_uid(), 1,
        "other", "other", "1", "none", **given,
    )  # fmt: skip
    seg.save_as(path)
    return seg


def blocks(count: int) -> NDArray[np.uint8]:
    """Return (slices, rows, columns) with segment n in rows 10 n on, from head to foot, in slices 1 to 3."""
    pixels = np.zeros((5, 120, 100), dtype=np.uint8)
    for number in range(1, count + 1):
        pixels[1:4, 10 * number : 10 * number + 8, 40 : 60 + number] = number
    return pixels


def outcomes(volume: LabelVolume) -> dict[str, tuple[str, str]]:
    return {row.their_name: (row.our_name, row.note) for row in import_labels(volume).rows}


def test_segments_are_known_by_code_or_by_name(tmp_path: Path, sources: list[Dataset]) -> None:
    segments = [
        segment(1, "first", Code("T-11640", "SRT", "C4 vertebra")),
        segment(2, "vertebrae_C5"),
        segment(3, "C6", codes.SCT.Vertebra),
        segment(4, "seven", codes.SCT.Vertebra, anatomic_regions=[codes.SCT.C7Vertebra]),
        segment(5, "C7/T1 disc"),
        segment(6, "Spinal cord", codes.SCT.SpinalCord),
        segment(7, "ilium", codes.SCT.Ilium, side=codes.SCT.Right),
    ]
    write_seg(tmp_path / "a.dcm", sources, blocks(7), segments)
    volume = read_label_file(tmp_path / "a.dcm")
    assert {name: ours for name, (ours, _) in outcomes(volume).items()} == {
        "first": "vertebra C4",
        "vertebrae_C5": "vertebra C5",
        "C6": "vertebra C6",
        "seven": "vertebra C7",
        "C7/T1 disc": "disc C7-T1",
        "Spinal cord": "spinal cord",
        "ilium": "right ilium",
    }


def test_what_lies_in_a_vertebra_is_none_and_contradictions_are_left_out(
    tmp_path: Path, sources: list[Dataset]
) -> None:
    segments = [
        segment(1, "L3 vertebra"),
        segment(2, "metastasis", codes.SCT.Neoplasm, anatomic_regions=[codes.SCT.L4Vertebra]),
        segment(3, "L4 vertebra", codes.SCT.L5Vertebra),
        segment(4, "ilium", codes.SCT.Ilium),
    ]
    write_seg(tmp_path / "a.dcm", sources, blocks(4), segments)
    imported = import_labels(read_label_file(tmp_path / "a.dcm"))
    assert [row.outcome for row in imported.rows] == [Outcome.MAPPED] + [Outcome.LEFT_OUT] * 3
    assert [row.note for row in imported.rows][1:3] == [
        "neither its code nor its label is one of ours",
        "its code says vertebra L5, its label vertebra L4",
    ]
    assert (
        "Labels without a counterpart were left out: metastasis (2), L4 vertebra (3), ilium (4)."
        in imported.notices()
    )


def test_several_segments_of_one_structure_are_joined(tmp_path: Path, sources: list[Dataset]) -> None:
    segments = [segment(1, "upper", codes.SCT.Sacrum), segment(2, "lower", codes.SCT.Sacrum)]
    write_seg(tmp_path / "a.dcm", sources, blocks(2), segments)
    imported = import_labels(read_label_file(tmp_path / "a.dcm"))
    assert np.count_nonzero(imported.array == 50) == np.count_nonzero(blocks(2))


@pytest.mark.parametrize("kind", ["BINARY", "LABELMAP"])
def test_voxels_and_their_places_are_the_files(tmp_path: Path, sources: list[Dataset], kind: str) -> None:
    write_seg(tmp_path / "a.dcm", sources, blocks(3), [segment(n, f"L{n} vertebra") for n in (1, 2, 3)], kind=kind)
    volume = read_label_file(tmp_path / "a.dcm")
    stored = {round(float(item.ImagePositionPatient[0])): item for item in sources}
    assert volume.array.shape == (100, 120, 3)  # slices 0 and 4 are empty and not in the file
    for i, j, k in ((45, 12, 0), (61, 23, 1), (50, 99, 2)):
        x, y, z = (volume.affine @ [i, j, k, 1.0])[:3]
        source = stored[round(-x)]
        left, top, height = map(float, source.ImagePositionPatient)
        assert (-x, -y, z) == pytest.approx((left, top + 0.6 * i, height - 0.7 * j))
        assert volume.array[i, j, k] == blocks(3)[sources.index(source), j, i]


def test_the_numbers_of_a_named_convention_are_those_of_the_segments(
    tmp_path: Path, sources: list[Dataset]
) -> None:
    pixels = blocks(2)
    segments = [segment(1, "lower"), segment(2, "upper")]
    write_seg(tmp_path / "a.dcm", sources, np.where(pixels == 0, 0, 3 - pixels).astype(np.uint8), segments)
    volume = read_label_file(tmp_path / "a.dcm")
    with pytest.raises(StudyError, match="expected labels that have a counterpart here, found none in dicom-seg"):
        import_labels(volume)
    assert [row.our_name for row in import_labels(volume, "spider").rows] == ["vertebra L5", "vertebra L4"]


def test_a_part_of_a_grid_is_copied_and_the_command_reads_it(tmp_path: Path, sources: list[Dataset]) -> None:
    write_seg(tmp_path / "a.dcm", sources, blocks(2), [segment(1, "L4 vertebra"), segment(2, "L5 vertebra")])
    assert main(["import-labels", str(tmp_path / "a.dcm"), "--out", str(tmp_path / "out")]) == 0
    table = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert table["convention"]["name"] == "dicom-seg"
    assert [row["our_label"] for row in table["labels"]] == [2, 1]
    image = nib.load(tmp_path / "out" / "label_map.nii.gz")
    np.testing.assert_array_equal(np.unique(np.asarray(image.dataobj)), [0, 1, 2])


def test_what_is_no_whole_segmentation_is_refused(tmp_path: Path, sources: list[Dataset]) -> None:
    path = tmp_path / "a.dcm"
    write_seg(path, sources, blocks(1) / 2, [segment(1, "L4 vertebra")], kind="FRACTIONAL")
    with pytest.raises(StudyError, match="found probabilities"):
        read_label_file(path)
    both = np.stack([blocks(1) > 0, blocks(1) > 0], axis=-1).astype(np.uint8)
    write_seg(path, sources, both, [segment(1, "L4 vertebra"), segment(2, "L5 vertebra")])
    with pytest.raises(StudyError, match="whose segments do not overlap"):
        read_label_file(path)
    sources[0].save_as(path)
    with pytest.raises(StudyError, match="found another DICOM object"):
        read_label_file(path)


def test_frames_that_make_no_grid_are_refused(tmp_path: Path, sources: list[Dataset]) -> None:
    path = tmp_path / "a.dcm"
    seg = write_seg(path, sources, blocks(1), [segment(1, "L4 vertebra")])
    seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0].ImagePositionPatient = [-25.1, -80.0, 150.0]
    seg.save_as(path)
    with pytest.raises(StudyError, match="evenly spaced"):
        read_label_file(path)


def test_a_grid_that_would_not_fit_in_memory_is_refused(tmp_path: Path, sources: list[Dataset]) -> None:
    path = tmp_path / "a.dcm"
    seg = write_seg(path, sources, blocks(1), [segment(1, "L4 vertebra")])
    with applied(Limits(voxels=1000)), pytest.raises(LimitError):
        read_label_file(path)
    for number, frame in enumerate(seg.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient = [-4.0 * number**30, -80.0, 150.0]
    seg.save_as(path)
    with pytest.raises(StudyError):
        read_label_file(path)


@pytest.mark.parametrize(
    "missing",
    ["SegmentSequence", "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "PixelData", "Rows",
     "NumberOfFrames", "SegmentationType", "FrameOfReferenceUID", "DimensionIndexSequence"],
)  # fmt: skip
def test_a_file_without_what_it_needs_is_refused_in_words(
    tmp_path: Path, sources: list[Dataset], missing: str
) -> None:
    path = tmp_path / "a.dcm"
    write_seg(path, sources, blocks(1), [segment(1, "L4 vertebra")])
    dataset = pydicom.dcmread(path)
    del dataset[missing]
    dataset.save_as(path)
    with pytest.raises(StudyError, match=r"a\.dcm"):
        read_label_file(path)


def test_a_cut_file_is_refused(tmp_path: Path, sources: list[Dataset]) -> None:
    path = tmp_path / "a.dcm"
    write_seg(path, sources, blocks(1), [segment(1, "L4 vertebra")])
    content = path.read_bytes()
    for share in (0.2, 0.5, 0.9, 0.999):
        path.write_bytes(content[: int(share * len(content))])
        with pytest.raises(StudyError):
            read_label_file(path)
