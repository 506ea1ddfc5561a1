"""Key images as Secondary Capture: valid, the picture in their pixels, the slice they were made of named."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from imaging.types import SourceKind
from reporting.dicom.key_images import key_image_files
from reporting.export.key_pictures import key_pictures
from reporting.export.package import Package
from runtime.errors import StudyError
from tests.reporting.dicom.validators import dciodvfy
from tests.reporting.export.packages import PROTOCOLS, Phantoms, package_of, signed, without_source


def _read(package: Package) -> list[Any]:
    return [pydicom.dcmread(io.BytesIO(file.content)) for file in key_image_files(package)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_they_are_valid_and_name_their_slice(phantoms: Phantoms, protocol: str, tmp_path: Path) -> None:
    package = package_of(phantoms, protocol)
    assert package.source is not None
    files, pictures = key_image_files(package), key_pictures(package)
    assert [file.name for file in files] == [f"key-images/{n}.dcm" for n in range(1, len(pictures) + 1)]
    for file, picture in zip(files, pictures, strict=True):
        path = tmp_path / Path(file.name).name
        path.write_bytes(file.content)
        made = pydicom.dcmread(path)
        origin = package.source.slices(picture.series_id)[picture.slice_index]
        (item,) = made.SourceImageSequence
        assert item.ReferencedSOPInstanceUID == origin.SOPInstanceUID
        assert item.ReferencedSOPClassUID == origin.SOPClassUID
        assert "ReferencedFrameNumber" not in item
        assert (made.StudyInstanceUID, made.PatientID) == (origin.StudyInstanceUID, origin.PatientID)
        assert list(made.PatientOrientation) == list(picture.orientation or ())
        assert float(made.PixelSpacing[0]) == pytest.approx(picture.pixel_mm, rel=1e-6)
        assert dciodvfy(path) == []


def test_they_are_one_series_of_their_own(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "lumbar")
    made = _read(package)
    assert package.source is not None
    series = {item.SeriesInstanceUID for item in made}
    assert len(series) == 1
    assert not series & {item.SeriesInstanceUID for item in package.source.instances.values()}
    assert len({item.SOPInstanceUID for item in made}) == len(made)
    assert [item.InstanceNumber for item in made] == list(range(1, len(made) + 1))
    assert [item.SOPInstanceUID for item in _read(package)] == [item.SOPInstanceUID for item in made]


def test_the_pixels_are_the_picture_with_its_findings_below(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    for made, picture in zip(_read(package), key_pictures(package), strict=True):
        pixels = made.pixel_array
        height = picture.pixels.shape[0]
        assert np.array_equal(pixels[:height], picture.pixels)
        assert pixels[height:].max() > 100
        assert (made.PhotometricInterpretation, made.SamplesPerPixel) == ("RGB", 3)
        assert (made.BurnedInAnnotation, made.RecognizableVisualFeatures) == ("YES", "NO")


def test_a_draft_says_so_in_words_too(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    made = _read(package)[0]
    assert "AI DRAFT" in made.SeriesDescription
    assert made.ImageComments.startswith(f"AI {package.outgoing.mark}. Coronal STIR")
    assert "drawn by SpineScribe" in made.DerivationDescription
    done = _read(signed(package))[0]
    assert "DRAFT" not in f"{done.SeriesDescription}{done.ImageComments}"


def test_what_nobody_told_is_not_said(phantoms: Phantoms) -> None:
    """A slice of the neck may show the lower face; the source's own word is taken where there is one."""
    package = package_of(phantoms, "cervical")
    assert package.source is not None
    assert all("RecognizableVisualFeatures" not in made for made in _read(package))
    source = replace(package.source)
    told = {uid: Dataset(item) for uid, item in package.source.instances.items()}
    for item in told.values():
        item.RecognizableVisualFeatures = "YES"
    source.__dict__["instances"] = told
    assert {made.RecognizableVisualFeatures for made in _read(replace(package, source=source))} == {"YES"}


def test_a_frame_of_a_multi_frame_instance_is_named(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    assert package.source is not None
    study = package.source.study
    series = tuple(replace(item, frame_numbers=tuple(range(1, item.volume.shape[2] + 1))) for item in study.series)
    source = replace(package.source, study=replace(study, series=series))
    for made, picture in zip(_read(replace(package, source=source)), key_pictures(package), strict=True):
        assert made.SourceImageSequence[0].ReferencedFrameNumber == picture.slice_index + 1


def test_a_picture_and_no_study_are_refused(phantoms: Phantoms) -> None:
    package = package_of(phantoms, "sacroiliac")
    with pytest.raises(StudyError, match="--source"):
        key_image_files(without_source(package))
    assert package.source is not None
    picture = replace(package.source, study=replace(package.source.study, source=SourceKind.PICTURE))
    with pytest.raises(StudyError, match="expected a DICOM study, found picture"):
        key_image_files(replace(package, source=picture))
