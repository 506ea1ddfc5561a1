"""The search for burned-in text: written letters are found, plain slices are not, and a warning has its effect."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from imaging.dicom.deidentify import DeidentifyOptions, deidentify_path
from imaging.dicom.deidentify.burned_in import has_text, pixel_warnings
from tests.built_phantoms import built_phantom
from tests.imaging.deidentify_cases import mr_image, outputs, write_study, written


def smooth(rows: int = 256, columns: int = 256) -> NDArray[np.float32]:
    """Return a bright ellipse on dark noise."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    body = 900 * np.clip(1.2 - x**2 / 0.5 - y**2 / 0.7, 0, 1)
    noise = np.random.default_rng(0).rayleigh(12, (rows, columns))
    return np.asarray(body + noise, dtype=np.float32)


def with_text(image: NDArray[np.float32], text: str, at: tuple[int, int], size: int) -> NDArray[np.uint16]:
    """Return the image with a text drawn at (x, y) in its brightest value."""
    mask = Image.new("L", (image.shape[1], image.shape[0]))
    ImageDraw.Draw(mask).text(at, text, fill=255, font=ImageFont.load_default(size))
    strength = np.asarray(mask, dtype=np.float32) / 255
    return np.rint(image * (1 - strength) + image.max() * strength).astype(np.uint16)


@pytest.mark.parametrize("size", [11, 14, 20])
@pytest.mark.parametrize("at", [(4, 3), (100, 3), (4, 228), (110, 228)])
def test_finds_a_name_in_a_corner(size: int, at: tuple[int, int]) -> None:
    assert has_text(with_text(smooth(), "MUELLER 1953", at, size))


def test_finds_dark_text_on_a_white_page() -> None:
    page = np.full((300, 200), 4000, np.float32)
    page[40, :] = 3990
    mask = with_text(np.zeros_like(page), "x", (0, 0), 12) * 0
    black = np.asarray(Image.new("L", (200, 300)))
    drawn = Image.fromarray(black.copy())
    ImageDraw.Draw(drawn).text((8, 6), "Dear Dr Smith", fill=255, font=ImageFont.load_default(14))
    assert not has_text(page + mask)
    assert has_text(page - 15.0 * np.asarray(drawn, dtype=np.float32))


def test_plain_images_have_none() -> None:
    assert not has_text(smooth())
    assert not has_text(np.zeros((64, 64), np.uint16))


@pytest.mark.slow
def test_phantom_slices_have_none() -> None:
    phantom = built_phantom("lumbar")
    slices = [np.asarray(series.array[:, :, k].T) for series in phantom.series for k in range(0, 15, 5)]
    assert sum(has_text(image) for image in slices) <= 1


def _image(pixels: NDArray[np.uint16]) -> Dataset:
    ds = mr_image(pixels=pixels)
    written(ds)
    return ds


def test_warns_by_header_class_and_hidden_bits() -> None:
    plain = _image(np.rint(smooth()).astype(np.uint16))
    assert pixel_warnings(plain) == ()
    plain.BurnedInAnnotation = "YES"
    assert "burned into the pixels" in pixel_warnings(plain)[0]
    plain.BurnedInAnnotation = "NO"
    plain.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    assert "secondary capture" in pixel_warnings(plain)[0]
    hidden = np.rint(smooth()).astype(np.uint16)
    hidden[5, 5] |= 0x8000
    assert any("overlay may be hidden" in warning for warning in pixel_warnings(_image(hidden)))
    damaged = _image(hidden)
    damaged.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.70"
    assert any("could not be decoded" in warning for warning in pixel_warnings(damaged))


def test_a_suspect_image_is_not_called_free_of_identity(tmp_path: Path) -> None:
    suspect = mr_image(2, pixels=with_text(smooth(), "MUELLER HANS", (4, 3), 14))
    clean = mr_image(1, pixels=np.rint(smooth()).astype(np.uint16))
    folder = write_study(tmp_path / "in", [clean, suspect])
    report = deidentify_path(folder, tmp_path / "out")
    assert [ds.PatientIdentityRemoved for ds in outputs(tmp_path / "out")] == ["YES", "NO"]
    assert report.to_dict()["warnings"] == [
        {"output": "study-01/series-001/image-0002.dcm", "warnings": ["strokes like written text near the border"]}
    ]
    assert report.exit_code == 0
    strict = deidentify_path(folder, tmp_path / "strict", options=DeidentifyOptions(leave_out_suspect=True))
    assert len(outputs(tmp_path / "strict")) == 1
    assert "left out on request: strokes" in str(strict.to_dict()["not_written"][0]["reason"])
