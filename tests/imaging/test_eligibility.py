from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from imaging import check_eligibility, load_study
from imaging.eligibility import structure_score
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume

RANDOM = np.random.default_rng(0)
SMOOTH = gaussian_filter(RANDOM.normal(size=(200, 180)), 15).astype(np.float32)


def study(
    *images: NDArray[np.float32],
    plane: Plane = Plane.SAGITTAL,
    role: str | None = "sagittal_t2",
    spacing: Spacing | None = None,
) -> Study:
    array = np.stack([image.T for image in images], axis=2).astype(np.float32)
    columns, rows, slices = array.shape
    volume = Volume(array, spacing, None, (columns, rows, slices))
    series = Series("S1", role, plane, Sequence.T2, volume)
    return Study("0" * 16, SourceKind.PICTURE, "lumbar", (series,))


def refusal(item: Study) -> str | None:
    outcome = check_eligibility(item)
    assert outcome.is_eligible == (outcome.code is None)
    assert outcome.is_eligible or len(outcome.reasons) == 1
    return outcome.code


def test_a_smooth_picture_passes_without_remark() -> None:
    assert check_eligibility(study(SMOOTH)).reasons == ()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((200, 200)),
        np.full((200, 200), 255.0),
        np.where(np.arange(40000).reshape(200, 200) == 7, 255.0, 0.0),
        np.tile([0.0, 1, 2, 3], (200, 50)),
    ],
    ids=["black", "white", "one pixel", "label mask"],
)
def test_images_without_content_are_blank(image: NDArray[np.float32]) -> None:
    assert refusal(study(image)) == "blank_image"


@pytest.mark.parametrize("size", [96, 256, 512])
@pytest.mark.parametrize("kind", ["uniform", "normal", "rayleigh"])
def test_noise_is_refused(size: int, kind: str) -> None:
    image = getattr(RANDOM, kind)(size=(size, size)).astype(np.float32)
    assert refusal(study(image * 100)) == "noise_image"
    assert abs(structure_score(image)) < 0.05


def test_lightly_blurred_noise_is_refused() -> None:
    assert refusal(study(gaussian_filter(RANDOM.normal(size=(256, 256)), 1.0))) == "noise_image"


def test_the_score_is_the_correlation_at_the_lag() -> None:
    image = gaussian_filter(RANDOM.normal(size=(128, 128)), 4.0).astype(np.float32)
    # A Gaussian of sigma s makes the autocorrelation exp(-d^2 / 4 s^2): 0.94 at 2 pixels, less sampling error.
    assert structure_score(image) == pytest.approx(np.exp(-4 / 64), abs=0.03)


def test_a_volume_is_judged_by_its_middle_and_one_good_slice_is_enough() -> None:
    black = np.zeros_like(SMOOTH)
    assert refusal(study(black, black, SMOOTH, black, black)) is None
    assert refusal(study(SMOOTH, *[black] * 10)) == "blank_image"


def test_small_and_coarse_images_are_refused() -> None:
    assert refusal(study(SMOOTH[:95])) == "too_small"
    assert refusal(study(SMOOTH[:96])) is None
    assert refusal(study(SMOOTH, spacing=Spacing(2.1, 1.0))) == "too_coarse"
    assert refusal(study(SMOOTH, spacing=Spacing(2.0, 2.0))) is None


def test_lumbar_needs_a_sagittal_series_with_a_role() -> None:
    outcome = check_eligibility(study(SMOOTH, plane=Plane.AXIAL, role="axial_t2"))
    assert outcome.code == "no_sagittal_series"
    assert "the series found are: axial t2" in outcome.reasons[0]
    assert refusal(study(SMOOTH, role=None)) == "no_sagittal_series"


def test_t1_alone_is_eligible_with_a_remark() -> None:
    outcome = check_eligibility(study(SMOOTH, role="sagittal_t1"))
    assert outcome.is_eligible
    assert outcome.reasons == ("No sagittal T2 series: what needs it is not assessable.",)


def test_one_bad_series_of_two_is_only_remarked() -> None:
    good, bad = study(SMOOTH), study(np.zeros_like(SMOOTH), role="sagittal_t1")
    both = replace(good, series=(good.series[0], replace(bad.series[0], id="S2")))
    outcome = check_eligibility(both)
    assert outcome.is_eligible
    assert outcome.reasons[0].startswith("Series S2 shows no anatomy")


@pytest.mark.parametrize(
    ("folder", "count"), [("sudirman/planes", 198), ("spider/midsagittal", 360), ("spider/space/images", 320)]
)
def test_no_real_slice_is_refused(data_dir: Path, folder: str, count: int) -> None:
    files = sorted((data_dir / folder).glob("*.png"))
    assert len(files) == count
    # Every eighth slice keeps the suite fast.
    refused = [file.name for file in files[::8] if not check_eligibility(load_study(file)).is_eligible]
    assert refused == []
