"""Label maps of several series and attention maps: written, named in reading.json, removed with the reading."""

import io
import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

import anatomy
from anatomy import load_protocol
from grading import NoGrader
from grading.types import GradeStatus
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Volume
from pipeline import Reading, ReadOptions, load_reading, reading_to_dict, write_reading
from pipeline.attention import pack_attention, render_attention
from pipeline.stages import Models, load_models
from segmentation.types import Explanation, LabelMap
from tests.pipeline.fakes import COLUMNS, ROWS, FakeDrafter, FakeGrader, FakeSegmenter, fake_reader, fake_segmented
from tests.pipeline.test_run import Loads, install

AFFINE = np.diag([-0.6, -0.6, 4.0, 1.0])


@pytest.fixture(scope="module")
def explained() -> Reading:
    *_, last = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6), explain=True))
    assert isinstance(last, Reading)
    return last


def of_two_series(reading: Reading) -> Reading:
    """The same reading as of a DICOM study with an axial series."""
    first = reading.study.series[0]
    first = replace(first, volume=replace(first.volume, affine=AFFINE))
    array = np.ones((20, 30, 3), dtype=np.float32)
    volume = Volume(array, Spacing(0.6, 0.6, 4.0), AFFINE, array.shape)
    axial = Series("S2", "axial_t2", Plane.AXIAL, Sequence.T2, volume)
    labels = np.zeros(array.shape, dtype=np.uint8)
    labels[5:8, 10:20, 1] = 202
    return replace(
        reading,
        study=replace(reading.study, source=SourceKind.DICOM, series=(first, axial)),
        segmented=replace(reading.segmented, label_maps=(*reading.segmented.label_maps, LabelMap("S2", labels))),
        explanation=None,
    )


def test_attention_is_written_only_when_asked_for_and_named_in_the_reading(
    explained: Reading, tmp_path: Path
) -> None:
    write_reading(explained, tmp_path)
    document = load_reading(tmp_path / "reading.json")
    assert document["explanation"] == {
        "series": "S1", "slice": 0, "prompts": ["disc", "L4-L5"],
        "picture": "attention.png", "maps": "attention.npz",
    }  # fmt: skip
    with np.load(tmp_path / "attention.npz") as stored:
        assert stored["maps"].shape == (2, ROWS, COLUMNS)
        assert stored["prompts"].tolist() == ["disc", "L4-L5"]
        assert (str(stored["series"]), int(stored["slice"])) == ("S1", 0)
        assert explained.explanation is not None
        np.testing.assert_allclose(stored["maps"], explained.explanation.maps, atol=1e-3)
    plain = replace(explained, explanation=None)
    assert "explanation" not in reading_to_dict(plain)
    write_reading(plain, tmp_path)  # an earlier run's pictures would pass for those of this one
    assert not list(tmp_path.glob("attention.*"))


def test_asking_for_attention_changes_nothing_else(explained: Reading) -> None:
    *_, plain = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(plain, Reading)
    assert plain.explanation is None
    with_maps, without = reading_to_dict(explained), reading_to_dict(plain)
    del with_maps["explanation"]
    assert with_maps == without


def test_the_picture_glows_where_a_map_is_high_and_is_the_same_each_time(explained: Reading) -> None:
    maps = np.zeros((2, ROWS, COLUMNS), dtype=np.float32)
    maps[1, :, : COLUMNS // 2] = 1.0
    explanation = Explanation("S1", 0, ("spinal_canal", "L4-L5"), maps)
    picture = render_attention(explanation, explained.study)
    assert picture == render_attention(explanation, explained.study)
    assert pack_attention(explanation) == pack_attention(explanation)
    pixels = np.asarray(Image.open(io.BytesIO(picture))).astype(int)
    middle = pixels[26 : 26 + 260]
    width = middle.shape[1] // 2
    grey, glow = middle[:, :width], middle[:, width : width + width // 2]
    assert (grey.max(axis=2) - grey.min(axis=2)).max() == 0
    assert (glow[..., 0] - glow[..., 2]).mean() > 100


def test_every_outlined_series_has_its_label_map_the_primary_the_plain_name(
    explained: Reading, tmp_path: Path
) -> None:
    reading = of_two_series(explained)
    files = write_reading(reading, tmp_path)
    assert {file.name for file in files} == {
        "reading.json", "report.md", "overlay.png", "label_map.nii.gz", "label_map_S2.nii.gz",
    }  # fmt: skip
    assert json.loads((tmp_path / "reading.json").read_text())["label_maps"] == [
        {"series": "S1", "file": "label_map.nii.gz"},
        {"series": "S2", "file": "label_map_S2.nii.gz"},
    ]
    stored = nib.load(tmp_path / "label_map_S2.nii.gz")
    np.testing.assert_array_equal(np.asarray(stored.dataobj), reading.segmented.label_maps[1].array)
    np.testing.assert_allclose(stored.affine, AFFINE)
    (tmp_path / "label_map_mine.nii.gz").write_bytes(b"not ours")
    write_reading(replace(explained, explanation=None), tmp_path)
    assert not (tmp_path / "label_map_S2.nii.gz").exists()
    assert (tmp_path / "label_map_mine.nii.gz").exists()


def test_regions_of_other_weights_never_reach_the_language_model() -> None:
    models = Models(FakeSegmenter(), FakeGrader(), FakeDrafter())
    *_, last = fake_reader().read(Path("scan.png"), ReadOptions())
    assert isinstance(last, Reading)
    first, *rest = last.segmented.regions
    assert models.known_regions((replace(first, network="axial-sum"), *rest)) == tuple(rest)
    assert replace(models, drafter=None).known_regions(last.segmented.regions) == ()


def test_without_a_grading_model_every_side_and_level_says_so_and_measurements_stay() -> None:
    *_, last = fake_reader().read(Path("scan.png"), ReadOptions(spacing=Spacing(0.6, 0.6)))
    assert isinstance(last, Reading)
    lumbar = load_protocol("lumbar")
    segmented = fake_segmented(last.study)
    findings = NoGrader().grade(last.study, segmented, lumbar)
    assert NoGrader().checksum is None
    assert findings.measurements == segmented.measurements
    by_rule = [grade for grade in findings.grades if grade.status is GradeStatus.GRADED]
    assert {grade.condition.value for grade in by_rule} == {"spinal_canal_stenosis"}  # the rule needs no model
    unknown = [grade for grade in findings.grades if grade.status is GradeStatus.NOT_ASSESSABLE]
    assert {grade.reason for grade in unknown} == {"no grading model for the lumbar spine is installed"}
    places = sum(2 if anatomy.CONDITIONS[condition].is_sided else 1 for condition in lumbar.conditions)
    assert len(findings.grades) == len(segmented.levels) * places
    neck = load_protocol("cervical")
    level = replace(segmented.levels[0], name="C5-C6")
    found = NoGrader().grade(last.study, replace(segmented, levels=(level,)), neck).grades
    foramen = [grade.side.value for grade in found if grade.side is not None]
    assert foramen == ["left", "right"]
    joints = load_protocol("sacroiliac")
    level = replace(level, name="SIJ")
    found = NoGrader().grade(last.study, replace(segmented, levels=(level,)), joints).grades
    assert [(grade.level, grade.side, grade.scale) for grade in found] == [
        ("SIJ", anatomy.Side.LEFT, "as_stage"),
        ("SIJ", anatomy.Side.RIGHT, "as_stage"),
    ]


def test_a_protocol_without_grading_weights_is_read_without_grades(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    install(monkeypatch, tmp_path, FakeDrafter())
    (tmp_path / "segmentation-regions").mkdir()
    neck = load_protocol("cervical")
    weights = {name: folder for name, folder in neck.weights.items() if name != "grading"}
    models = load_models(replace(neck, weights=weights), weights_root=tmp_path, device="cpu")
    assert isinstance(models.grader, NoGrader)
    assert "grading" not in models.checksums()


def test_axial_weights_are_asked_for_only_where_they_are_installed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Asked(Loads):
        names: tuple[str, str | None] = ("", None)

        def load(self, *, weights_root: Path, name: str, device: str, axial_name: str | None = None) -> object:
            Asked.names = (name, axial_name)
            return FakeSegmenter()

    install(monkeypatch, tmp_path, FakeDrafter())
    monkeypatch.setattr("segmentation.Segmenter", Asked(None))
    load_models(load_protocol("lumbar"), weights_root=tmp_path, device="cpu")
    assert Asked.names == ("segmentation", None)
    (tmp_path / "segmentation-regions").mkdir()
    load_models(load_protocol("lumbar"), weights_root=tmp_path, device="cpu")
    assert Asked.names == ("segmentation", "segmentation-regions")
    load_models(load_protocol("cervical"), weights_root=tmp_path, device="cpu")
    assert Asked.names == ("segmentation-regions", "segmentation-regions")
