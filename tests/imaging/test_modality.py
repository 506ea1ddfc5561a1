"""What is no MR, or no measured MR, is refused by name; headers may hold anything."""

import pytest
from pydicom.config import disable_value_validation
from pydicom.dataset import FileDataset

from imaging import load_study
from imaging.modality import check_modality
from runtime.errors import NotEligibleError, StudyError

T2 = {"EchoTime": 100.0, "RepetitionTime": 3000.0}


@pytest.mark.parametrize(
    ("code", "sop_class", "words"),
    [
        ("CT", "1.2.840.10008.5.1.4.1.1.2", r"found modality CT \(computed tomography\)"),
        ("DX", "1.2.840.10008.5.1.4.1.1.1.1", r"found modality DX \(digital radiography\)"),
        ("US", "1.2.840.10008.5.1.4.1.1.6.1", r"found modality US \(ultrasound\)"),
        ("PT", "1.2.840.10008.5.1.4.1.1.128", r"found modality PT \(positron"),
        ("OT", "1.2.840.10008.5.1.4.1.1.7", r"found modality OT \(a screenshot"),
        ("ZZ", "1.2.840.10008.5.1.4.1.1.7", "found modality ZZ; only MR"),
        ("", "1.2.840.10008.5.1.4.1.1.7", "found modality none; only MR"),
        ("DOE^JANE", "1.2.840.10008.5.1.4.1.1.7", "found modality an unknown code; only MR"),
    ],
)
def test_other_modalities(series_writer, smooth_volume, code: str, sop_class: str, words: str) -> None:  # type: ignore[no-untyped-def]
    def other(dataset: FileDataset, _: int) -> None:
        with disable_value_validation():  # DOE^JANE is no code: pydicom would warn
            dataset.Modality = code
        dataset.SOPClassUID = sop_class

    series_writer.write(smooth_volume, change=other)
    with pytest.raises(NotEligibleError, match=words) as caught:
        load_study(series_writer.folder)
    assert caught.value.code == "wrong_modality"
    assert "DOE" not in str(caught.value)


def test_screenshots_of_mr(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    def capture(dataset: FileDataset, _: int) -> None:
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
        del dataset.ImagePositionPatient

    series_writer.write(smooth_volume, change=capture, **T2)
    with pytest.raises(NotEligibleError, match="found 5 screenshots of one; give the original") as caught:
        load_study(series_writer.folder)
    assert caught.value.code == "secondary_capture"


def test_maps_and_projections_alone(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    series_writer.write(smooth_volume, ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"], **T2)
    series_writer.write(smooth_volume, number=2, ImageType=["DERIVED", "SECONDARY", "MIP"], **T2)
    with pytest.raises(NotEligibleError, match="as they were measured, found none") as caught:
        load_study(series_writer.folder)
    assert caught.value.code == "no_usable_series"
    assert "5 x computed map" in str(caught.value)


def test_images_whose_headers_lack_their_place_are_bad_input(series_writer, smooth_volume) -> None:  # type: ignore[no-untyped-def]
    def placeless(dataset: FileDataset, _: int) -> None:
        del dataset.ImagePositionPatient

    series_writer.write(smooth_volume, change=placeless, **T2)
    with pytest.raises(StudyError, match=r"found none\. Left out: 5 x MR image without position") as caught:
        load_study(series_writer.folder)
    assert not isinstance(caught.value, NotEligibleError)


def test_mr_among_others_passes_and_no_image_is_bad_input() -> None:
    check_modality({"MR": 3, "CT": 5}, "study")
    with pytest.raises(StudyError, match="study: expected MR images, found DICOM objects without any image"):
        check_modality({}, "study")
