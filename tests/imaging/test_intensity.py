import numpy as np
import pytest

from imaging import normalise_slice


def test_stretches_between_the_percentiles_by_the_formula() -> None:
    image = np.arange(101, dtype=np.float32).reshape(1, 101)
    result = normalise_slice(image)
    # Percentiles 1 and 99 of 0..100 are 1 and 99.
    np.testing.assert_allclose(result[0, [0, 1, 50, 99, 100]], [0, 0, 0.5, 1, 1], atol=1e-6)
    assert result.dtype == np.float32


def test_does_not_depend_on_scale_or_shift() -> None:
    image = np.random.default_rng(0).gamma(2.0, 50.0, (40, 30))
    np.testing.assert_allclose(normalise_slice(image), normalise_slice(3.5 * image - 70), atol=1e-6)


def test_whole_numbers_do_not_overflow() -> None:
    image = np.array([[-32768, 32767]] * 2, dtype=np.int16)
    np.testing.assert_array_equal(normalise_slice(image), [[0, 1], [0, 1]])


def test_even_slice_is_zero_and_few_bright_pixels_keep_their_contrast() -> None:
    even = np.full((50, 50), 7.0)
    assert not normalise_slice(even).any()
    even[3, 4] = 9.0
    assert normalise_slice(even)[3, 4] == 1.0
    assert normalise_slice(even).sum() == 1.0


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 3, 4)), "expected a non-empty"),
        (np.zeros((0, 4)), "expected a non-empty"),
        (np.array([[1.0, np.nan]]), "finite"),
        (np.array([[1.0, np.inf]]), "finite"),
    ],
)
def test_refuses_what_is_no_slice(image: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        normalise_slice(image)
