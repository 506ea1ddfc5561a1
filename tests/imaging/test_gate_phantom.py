"""The gate on whole DICOM studies: a phantom that passes, and the same phantom spoilt in one way at a time."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.dataset import FileDataset
from scipy.ndimage import gaussian_filter

from imaging import check_eligibility, load_study
from imaging.types import Eligibility
from tests.built_phantoms import built_phantom

Pixels = NDArray[np.float64]
Change = Callable[[FileDataset], None]

SLICES = 7
"""Middle slices kept of each series: as few as pass without a warning, to save time."""


@pytest.fixture(scope="module")
def phantom_dicom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the DICOM files of the two sagittal series of a lumbar phantom."""
    from imaging.phantom import write_phantom_study

    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_study(built_phantom("lumbar"), folder / "all")
    kept = folder / "sagittal"
    kept.mkdir()
    for role in ("sagittal_t1", "sagittal_t2"):
        files = sorted((folder / "all" / "dicom" / role).glob("*.dcm"))
        first = (len(files) - SLICES) // 2
        for file in files[first : first + SLICES]:
            shutil.copy(file, kept / f"{role}_{file.name}")
    return kept


@pytest.fixture
def judge(phantom_dicom: Path, tmp_path: Path) -> Callable[..., Eligibility]:
    """Return what changes each file of a copy, and judges the study."""

    def change_and_judge(change: Change, *, keep: Callable[[FileDataset], bool] | None = None) -> Eligibility:
        folder = tmp_path / f"study{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        for file in sorted(phantom_dicom.iterdir()):
            dataset = pydicom.dcmread(file)
            if keep is None or keep(dataset):
                change(dataset)
                dataset.save_as(folder / file.name)
        return check_eligibility(load_study(folder))

    return change_and_judge


def pixels(change: Callable[[Pixels], Pixels]) -> Change:
    """Return a change of the pixel values, kept within the range of the phantom."""

    def apply(dataset: FileDataset) -> None:
        values = dataset.pixel_array.astype(float)
        changed = np.clip(np.round(change(values)), 0, 2**dataset.BitsStored - 1)
        dataset.PixelData = changed.astype("<u2").tobytes()

    return apply


def header(**elements: object) -> Change:
    def apply(dataset: FileDataset) -> None:
        for keyword, value in elements.items():
            setattr(dataset, keyword, value)

    return apply


def rows_of(dataset: FileDataset, first: int, count: int) -> None:
    """Cut a band of rows out; the position moves with it."""
    values = dataset.pixel_array[first : first + count]
    down = np.array(dataset.ImageOrientationPatient[3:], dtype=float)
    place = np.array(dataset.ImagePositionPatient, dtype=float) + first * float(dataset.PixelSpacing[0]) * down
    dataset.Rows, dataset.ImagePositionPatient = count, [float(value) for value in place]
    dataset.PixelData = np.ascontiguousarray(values).tobytes()


def noise(strength: float) -> Change:
    rng = np.random.default_rng(0)
    return pixels(lambda image: image + rng.normal(0, strength * np.percentile(image, 99), image.shape))


def with_metal(image: Pixels) -> Pixels:
    rows, columns = image.shape
    y, x = np.mgrid[:rows, :columns]
    distance, radius = np.hypot(y - rows / 2, x - 0.6 * columns), 0.09 * rows
    rim = (distance >= radius) & (distance < 1.3 * radius) & (np.abs(y - rows / 2) < 0.7 * radius)
    return np.where(rim, image.max(), np.where(distance < radius, 0, image))


def test_the_phantom_passes_without_remark(judge: Callable[..., Eligibility]) -> None:
    outcome = judge(lambda _: None)
    assert outcome.is_eligible
    assert [item.code for item in outcome.warnings] == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (header(ContrastBolusAgent="gadobutrol"), "contrast_enhanced_only"),
        (header(PixelSpacing=[2.4, 2.4]), "too_coarse"),
        (header(PixelSpacing=[0.2, 0.2]), "coverage_too_small"),
        (lambda dataset: rows_of(dataset, 150, 80), "too_small"),
        (lambda dataset: rows_of(dataset, 100, 110), "coverage_too_small"),
        (pixels(np.zeros_like), "blank_image"),
        (noise(0.35), "severe_noise"),
        (noise(3.0), "noise_image"),
        (pixels(lambda image: image + 0.6 * np.roll(image, image.shape[0] // 3, axis=0)), "severe_ghosting"),
        (pixels(lambda image: gaussian_filter(image, 14)), "blurred_image"),
        (pixels(lambda image: np.minimum(image, np.quantile(image, 0.6))), "saturated_image"),
        (pixels(with_metal), "metal_artefact"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_spoilt_phantom_is_refused_by_name(judge: Callable[..., Eligibility], change: Change, code: str) -> None:
    outcome = judge(change)
    assert not outcome.is_eligible
    assert code in [item.code for item in outcome.refusals]
    assert all(reason.endswith(".") and len(reason) < 300 for reason in outcome.reasons)
    assert outcome.can_be_overridden == (code != "blank_image")


def test_one_series_after_contrast_is_a_warning(judge: Callable[..., Eligibility]) -> None:
    def agent_in_t1(dataset: FileDataset) -> None:
        if float(dataset.EchoTime) < 30:
            dataset.ContrastBolusAgent = "gadobutrol"

    outcome = judge(agent_in_t1)
    assert outcome.is_eligible
    assert [item.code for item in outcome.warnings] == ["after_contrast"]


def test_one_spoilt_series_is_left_out_with_a_warning(judge: Callable[..., Eligibility]) -> None:
    spoil = noise(3.0)

    def spoil_t1(dataset: FileDataset) -> None:
        if float(dataset.EchoTime) < 30:
            spoil(dataset)

    outcome = judge(spoil_t1)
    assert outcome.is_eligible
    assert len(outcome.unusable_series) == 1
    assert [item.code for item in outcome.warnings] == ["noise_image"]


def test_a_few_slices_of_a_series_are_a_warning(judge: Callable[..., Eligibility]) -> None:
    outcome = judge(lambda _: None, keep=lambda dataset: int(dataset.InstanceNumber) % 20 > 7)
    assert outcome.is_eligible
    assert {item.code for item in outcome.warnings} == {"too_few_slices"}
