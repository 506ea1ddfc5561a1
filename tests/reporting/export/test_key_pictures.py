"""Key pictures: which slices, where the boxes lie, what is written."""

from dataclasses import replace

import numpy as np
import pytest

from grading.types import Evidence, Grade
from reporting.export.content import mark_of
from reporting.export.key_pictures import FEWEST, MOST, KeyPicture, key_pictures, not_pictured
from reporting.export.package import Package
from reporting.statements import severity_weight
from reporting.types import ReportState
from reporting.verifier import positive_grades
from tests.reporting.export.packages import PROTOCOLS, Phantoms, package_of, signed, without_source

BOX_COLOUR = (255, 60, 200)


def _box_colours(picture: KeyPicture) -> np.ndarray:
    return np.all(picture.pixels == BOX_COLOUR, axis=2)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_to_six_slices_the_gravest_first(phantoms: Phantoms, protocol: str) -> None:
    package = package_of(phantoms, protocol)
    pictures = key_pictures(package)
    assert FEWEST <= len(pictures) <= MOST
    assert len({(item.series_id, item.slice_index) for item in pictures}) == len(pictures)
    positive = positive_grades(package.outgoing.findings)
    gravest = [max(map(severity_weight, item.grades)) for item in pictures if item.is_positive]
    assert gravest == sorted(gravest, reverse=True)
    if positive:
        assert max(map(severity_weight, positive)) == gravest[0]
        shown = sum(len(item.grades) for item in pictures if item.is_positive)
        assert not_pictured(package.outgoing, pictures) == len(positive) - shown
    else:
        assert not any(item.is_positive for item in pictures)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_box_lies_where_the_reading_says(phantoms: Phantoms, protocol: str) -> None:
    package = package_of(phantoms, protocol)
    assert package.source is not None
    rows = {row["id"]: row["evidence"] for row in package.document["grades"]}
    for picture in key_pictures(package):
        columns, _, _ = package.source.series(picture.series_id).volume.shape
        scale = picture.pixels.shape[1] / columns
        drawn = _box_colours(picture)
        for grade, box in zip(picture.grades, picture.boxes_px, strict=True):
            told = rows[grade.id]
            assert (told["series"], told["slice"]) == (picture.series_id, picture.slice_index)
            assert box == pytest.approx([(value + 0.5) * scale for value in told["box_px"]], abs=1)
            x0, y0, x1, y1 = (round(value) for value in box)
            assert drawn[y0 + 1, x0:x1].mean() > 0.8
            assert drawn[y0:y1, x0 + 1].mean() > 0.8


def test_a_point_at_the_middle_of_a_box_is_the_same_tissue(phantoms: Phantoms) -> None:
    """The picture is the slice itself: its greys follow those of the volume at the box."""
    package = package_of(phantoms, "lumbar")
    assert package.source is not None
    picture = next(item for item in key_pictures(package) if item.series_id == "S2")
    image = package.source.series("S2").volume.slice_image(picture.slice_index)
    scale = picture.pixels.shape[1] / image.shape[1]
    rows, columns = np.arange(8, image.shape[0] - 8, 8), np.arange(8, image.shape[1] // 3, 8)
    seen = picture.pixels[np.ix_(((rows + 0.5) * scale).astype(int), ((columns + 0.5) * scale).astype(int))]
    assert np.corrcoef(seen[..., 0].ravel(), image[np.ix_(rows, columns)].ravel())[0, 1] > 0.95


def test_the_side_of_a_sagittal_slice_is_the_patients(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "lumbar")
    told = [
        (picture.where, {grade.side.value for grade in picture.grades if grade.side is not None})
        for picture in key_pictures(package)
        if picture.where.startswith("Sagittal T1")
    ]
    assert told
    for where, sides in told:
        assert all(f"mm {side} of the middle" in where for side in sides)


def test_directions_scale_and_words(phantoms: Phantoms) -> None:
    pictures = key_pictures(package_of(phantoms, "lumbar"))
    axial = next(item for item in pictures if item.where.startswith("Axial"))
    sagittal = next(item for item in pictures if item.where.startswith("Sagittal"))
    assert axial.orientation == ("L", "P")
    assert sagittal.orientation == ("P", "F")
    assert axial.pixel_mm is not None
    assert 0.1 < axial.pixel_mm < 0.5
    assert any("subarticular stenosis" in line for line in axial.lines)
    assert axial.alt.startswith("Axial T2 (S3), slice ")


def test_the_band_is_red_for_a_draft_only(phantoms: Phantoms) -> None:
    def red(package: Package) -> int:
        picture = key_pictures(package)[0]
        band = picture.pixels[picture.pixels.shape[1] :]
        return int(np.all(band == (255, 110, 110), axis=2).sum())

    package = package_of(phantoms, "sacroiliac")
    assert red(package) > 100
    assert red(signed(package)) == 0


def test_the_mark_is_whole_under_a_narrow_slice(phantoms: Phantoms) -> None:
    """A narrow picture holds the same red letters as a wide one, in more rows."""
    package = package_of(phantoms, "sacroiliac")
    assert package.source is not None
    findings = package.outgoing.findings
    evidence = Evidence("S2", 7, (5.0, 5.0, 50.0, 50.0))
    grades = tuple(replace(grade, evidence=evidence) for grade in findings.grades)
    outgoing = replace(
        package.outgoing, mark=mark_of(ReportState.AMENDED), findings=replace(findings, grades=grades)
    )
    wide = replace(package, outgoing=outgoing)
    study = package.source.study
    cut = tuple(replace(item, volume=replace(item.volume, array=item.volume.array[:120])) for item in study.series)
    narrow = replace(wide, source=replace(package.source, study=replace(study, series=cut)))
    (whole,), (found,) = key_pictures(wide), key_pictures(narrow)
    assert found.pixels.shape[1] < whole.pixels.shape[1] / 2
    assert found.pixels.shape[0] > whole.pixels.shape[0]
    red, seen = (int(np.all(item.pixels == (255, 110, 110), axis=2).sum()) for item in (whole, found))
    assert seen == pytest.approx(red, rel=0.05)


def test_the_same_report_gives_the_same_pictures(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    assert [item.png for item in key_pictures(package)] == [item.png for item in key_pictures(package)]


def test_a_study_without_finding_shows_what_was_graded(phantoms: Phantoms) -> None:
    pictures = key_pictures(package_of(phantoms, "sacroiliac"))
    assert not any(item.is_positive for item in pictures)
    assert "left sacroiliitis: normal" in pictures[0].lines[0]


def test_a_box_beyond_the_slice_is_cut_and_none_is_drawn_without_a_source(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")

    def moved(grade: Grade) -> Grade:
        assert grade.evidence is not None
        return replace(grade, evidence=Evidence(grade.evidence.series_id, 7, (-50.0, -50.0, 9999.0, 9999.0)))

    findings = replace(package.outgoing.findings, grades=tuple(map(moved, package.outgoing.findings.grades)))
    wide = replace(package, outgoing=replace(package.outgoing, findings=findings))
    for picture in key_pictures(wide):
        width = picture.pixels.shape[1]
        assert all(box[0] == box[1] == 0 and box[2] <= width - 1 for box in picture.boxes_px)
    assert key_pictures(without_source(package)) == ()


@pytest.mark.parametrize(("protocol", "orientation"), [("lumbar", ("P", "F")), ("sacroiliac", None)])
def test_without_geometry_nothing_is_guessed(
    phantoms: Phantoms, protocol: str, orientation: tuple[str, str] | None
) -> None:
    """A picture has no header: discs tell front and back, the sacroiliac joints do not."""
    package = package_of(phantoms, protocol)
    assert package.source is not None
    study = package.source.study
    bare = tuple(replace(item, volume=replace(item.volume, affine=None, spacing=None)) for item in study.series)
    source = replace(package.source, study=replace(study, series=bare))
    pictures = [item for item in key_pictures(replace(package, source=source)) if item.series_id == "S2"]
    assert pictures
    for picture in pictures:
        assert picture.orientation == orientation
        assert picture.pixel_mm is None
        assert "middle" not in picture.where
