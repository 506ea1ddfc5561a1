"""What an export starts from: the report, the label maps on their series, the study that was read."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import load_study
from imaging.types import Spacing
from reporting.export.formats import ExportFormat, export_files
from reporting.export.package import load_package, open_source, place_label_maps
from runtime.errors import StudyError
from tests.read_phantoms import ReadPhantom

PROTOCOLS = ("lumbar", "cervical", "sacroiliac")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_reading_and_its_study_come_together(phantoms: Callable[[str], ReadPhantom], protocol: str) -> None:
    made = phantoms(protocol)
    package = load_package(made.reading / "reading.json", made.archive)
    assert package.source is not None
    assert package.outgoing.findings.protocol == protocol
    assert package.outgoing.mark is not None
    assert [grade.id for grade in package.outgoing.findings.grades] == [
        row["id"] for row in package.document["grades"]
    ]
    assert package.label_maps
    for series_id, labels in package.label_maps.items():
        series = package.source.series(series_id)
        assert labels.shape == series.volume.shape
        assert len(package.source.slices(series_id)) == labels.shape[2]
        assert set(np.unique(labels)) != {0}


def test_the_folder_and_the_zip_are_one_study(phantoms: Callable[[str], ReadPhantom]) -> None:
    made = phantoms("lumbar")
    folder, archive = (load_package(made.reading / "reading.json", path) for path in (made.study, made.archive))
    assert folder.source is not None
    assert archive.source is not None
    assert set(folder.source.instances) == set(archive.source.instances)


def test_another_study_is_refused(phantoms: Callable[[str], ReadPhantom]) -> None:
    with pytest.raises(StudyError, match="expected the study that reading"):
        load_package(phantoms("lumbar").reading / "reading.json", phantoms("cervical").archive)


def test_without_a_study_the_text_leaves_and_dicom_says_what_it_needs(
    phantoms: Callable[[str], ReadPhantom],
) -> None:
    package = load_package(phantoms("lumbar").reading / "reading.json")
    markdown, page = export_files(package, [ExportFormat.MARKDOWN, ExportFormat.HTML])
    assert markdown.name == f"{package.stem}.md"
    assert b"DRAFT" in markdown.content
    assert b"DRAFT" in page.content
    with pytest.raises(StudyError, match="--source"):
        package.require_source()


def test_reading_json_is_left_as_it_is(phantoms: Callable[[str], ReadPhantom], tmp_path: Path) -> None:
    file = phantoms("lumbar").reading / "reading.json"
    package = load_package(file)
    assert package.document == json.loads(file.read_text(encoding="utf-8"))


def test_a_picture_gets_the_spacing_it_was_read_with(tmp_path: Path) -> None:
    picture = tmp_path / "slice.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (96, 64), np.uint8)).save(picture)
    told = load_study(picture, protocol="lumbar", spacing=Spacing(row_mm=0.7, col_mm=0.6)).to_dict()
    (series,) = open_source(picture, {"study": told}).study.series
    assert series.volume.spacing == Spacing(row_mm=0.7, col_mm=0.6)
    with pytest.raises(StudyError, match="expected a DICOM study, found picture"):
        open_source(picture, {"study": told}).require_dicom()


def test_a_label_map_that_is_not_kept_is_told(phantoms: Callable[[str], ReadPhantom]) -> None:
    package = load_package(phantoms("sacroiliac").reading / "reading.json", phantoms("sacroiliac").archive)
    with pytest.raises(StudyError, match="expected the label map that reading"):
        place_label_maps({}, package.document, package.require_source())
