"""Measures of image quality against their definitions, on images whose answer is known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from imaging.artefacts import measure_quality, structure_score
from imaging.coverage import content_size

RANDOM = np.random.default_rng(0)


def test_structure_is_the_correlation_at_the_lag() -> None:
    image = gaussian_filter(RANDOM.normal(size=(128, 128)), 4.0).astype(np.float32)
    # A Gaussian of sigma s makes the autocorrelation exp(-d^2 / 4 s^2): 0.94 at 2 pixels, less sampling error.
    assert structure_score(image) == pytest.approx(np.exp(-4 / 64), abs=0.03)


def test_white_noise_has_no_structure_no_sparsity_and_its_own_deviation() -> None:
    quality = measure_quality(RANDOM.normal(100, 5, (256, 256)))
    assert abs(quality.structure) < 0.05
    assert abs(quality.sparsity) < 0.3
    # the grey range is from the 1st to the 99th percentile: 2 x 2.326 standard deviations
    assert quality.noise == pytest.approx(1 / (2 * 2.326), rel=0.1)


def test_noise_is_measured_beside_edges() -> None:
    y, x = np.mgrid[:256, :256]
    blocks = 100.0 * ((y // 32 + x // 32) % 2)
    noisy = blocks + RANDOM.normal(0, 4, blocks.shape)
    low, high = np.percentile(noisy, (1, 99))
    assert measure_quality(noisy).noise == pytest.approx(4 / (high - low), rel=0.1)


def test_a_few_edges_on_even_ground_are_sparse() -> None:
    y, x = np.mgrid[:256, :256]
    assert measure_quality(200.0 * (np.hypot(y - 128, x - 128) < 60)).sparsity > 10


def test_sharpness_falls_with_blur() -> None:
    y, x = np.mgrid[:256, :256]
    square = 200.0 * ((abs(y - 128) < 60) & (abs(x - 128) < 60))
    values = [measure_quality(gaussian_filter(square, sigma)).sharpness for sigma in (0.5, 2, 5, 10)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[-1]


@pytest.mark.parametrize("axis", [0, 1])
def test_ghosting_grows_with_the_copy_along_either_axis(axis: int) -> None:
    image = gaussian_filter(RANDOM.normal(size=(256, 256)), 1.5)
    values = [
        measure_quality(image + strength * np.roll(image, 64, axis=axis)).ghosting
        for strength in (0.0, 0.2, 0.4, 0.8)
    ]
    assert values == sorted(values)
    assert values[-1] > 4 * values[0]


def test_saturation_is_the_share_at_the_top() -> None:
    image = np.minimum(np.arange(10000.0).reshape(100, 100), 7500)
    assert measure_quality(image).saturation == pytest.approx(0.25, abs=1e-3)
    assert measure_quality(np.zeros((100, 100))).saturation == 0


def test_a_void_is_weighed_by_its_rim() -> None:
    y, x = np.mgrid[:256, :256]
    radius = np.hypot(y - 128, x - 128)
    body = np.where(radius < 120, 100.0, 0.0)
    body[(y < 60) & (radius < 120)] = 200.0  # fat, as bright as what piles up
    plain = np.where(radius < 20, 0.0, body)
    half = np.where((radius >= 20) & (radius < 30) & (x > 128), 200.0, plain)
    full = np.where((radius >= 20) & (radius < 30), 200.0, plain)
    found = [measure_quality(image).void for image in (body, plain, half, full)]
    assert found[0] == found[1] == 0
    assert 0 < found[2] < found[3] <= np.pi * 20**2 / 256**2 * 1.1
    assert found[2] == pytest.approx(found[3] / 2, rel=0.15)


def test_a_flat_image_is_said_to_be_flat() -> None:
    quality = measure_quality(np.full((64, 64), 7.0))
    assert quality.is_flat
    assert quality.grey_levels == 1
    assert quality.sharpness == quality.sparsity == quality.ghosting == quality.void == 0


def test_measures_do_not_hang_on_scale_and_offset() -> None:
    image = gaussian_filter(RANDOM.normal(size=(200, 150)), 1.0)
    first, second = measure_quality(image), measure_quality(image * 37 + 1000)
    for name in ("structure", "sparsity", "sharpness", "noise", "ghosting"):
        assert getattr(first, name) == pytest.approx(getattr(second, name), rel=2e-2, abs=1e-3), name


def test_content_is_the_box_inside_the_margin() -> None:
    image = np.zeros((100, 80), dtype=np.float32)
    image[20:70, 10:75] = 100
    assert content_size(image) == (50, 65)
    assert content_size(np.zeros((10, 10), dtype=np.float32)) == (0, 0)
