"""Drawings that are no spine: textures, and the rough look of other parts of the body, from simple shapes.

Each takes the grid of rows ``y`` and columns ``x`` (rows, columns) and a random generator, and returns grey values
of any range. The shapes and their ranges are ours; nothing is measured on them but what the gate makes of them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Grey = NDArray[np.float32]


def _stripes(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    angle, period = rng.uniform(0, np.pi), rng.uniform(12, 80)
    return np.asarray(np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period), dtype=np.float32)


def _rings(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    radius = np.hypot(y - rng.uniform(0.2, 0.8) * y.max(), x - rng.uniform(0.2, 0.8) * x.max())
    return np.asarray(np.sin(radius * 2 * np.pi / rng.uniform(15, 90)), dtype=np.float32)


def _checkers(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    height, width = rng.uniform(15, 70, 2)
    return np.asarray((y // height + x // width) % 2, dtype=np.float32)


def _ladder(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """Blocks in a column beside a bright band: as near to a spine as a drawing of rectangles comes."""
    period, half = rng.uniform(35, 75), rng.uniform(0.06, 0.14) * x.max()
    middle = rng.uniform(0.3, 0.7) * x.max() + rng.uniform(-20, 20) * np.sin(y / y.max() * np.pi)
    column = (np.abs(x - middle) < half) * (0.4 + 0.5 * (y % period > rng.uniform(0.1, 0.4) * period))
    band = 0.9 * (np.abs(x - middle - 1.6 * half) < 0.3 * half) * (rng.random() < 0.5)
    return np.asarray(column + band + rng.normal(0, 0.03, y.shape), dtype=np.float32)


def _cloud(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """Noise whose power falls as 1 / f**a."""
    frequency = np.hypot(np.fft.fftfreq(y.shape[0])[:, None], np.fft.fftfreq(y.shape[1])[None])
    frequency[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=y.shape)) / frequency ** rng.uniform(0.7, 2)
    return np.asarray(np.real(np.fft.ifft2(spectrum)), dtype=np.float32)


def _blurred_noise(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    return np.asarray(ndimage.gaussian_filter(rng.normal(size=y.shape), rng.uniform(1, 20)), dtype=np.float32)


def _blobs(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    image = np.zeros(y.shape, dtype=np.float32)
    for _ in range(rng.integers(3, 25)):
        centre, size = rng.random(2) * y.shape, rng.uniform(8, 80, 2)
        inside = ((y - centre[0]) / size[0]) ** 2 + ((x - centre[1]) / size[1]) ** 2 < 1
        image[inside] = rng.random()
    return image


def _brain(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """A bright ring around folded grey, with two ventricles."""
    image = np.zeros(y.shape, dtype=np.float32)
    middle, half = np.array(y.shape) * rng.uniform(0.45, 0.55, 2), np.array(y.shape) * rng.uniform(0.3, 0.42, 2)
    skull, fluid = rng.uniform(0.6, 1.0), rng.uniform(0.0, 1.0)
    folds = ndimage.gaussian_filter(rng.normal(size=y.shape), rng.uniform(3, 7))
    image[_ellipse(y, x, middle, half * 1.12)] = skull
    image[_ellipse(y, x, middle, half * 1.05)] = 0.05
    image = np.where(_ellipse(y, x, middle, half), 0.5 + 0.15 * np.sign(folds), image)
    for side in (-1, 1):
        place = middle + np.array([-0.1 * half[0], side * rng.uniform(0.08, 0.2) * half[1]])
        image[_ellipse(y, x, place, half * (rng.uniform(0.2, 0.4), rng.uniform(0.05, 0.12)))] = fluid
    return _scanned(image, rng)


def _knee(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """Two long bones with a joint between them, a knee cap in front and muscle behind."""
    rows, columns = y.shape
    gap, middle = rng.uniform(0.45, 0.55) * rows, rng.uniform(0.42, 0.58) * columns
    bone, fat, shaft = rng.uniform(0.4, 0.9), rng.uniform(0.5, 1.0), rng.uniform(0.09, 0.13) * columns
    limb = np.abs(x - middle) < rng.uniform(0.33, 0.45) * columns
    image = np.where(limb, rng.uniform(0.15, 0.35), 0.02).astype(np.float32)
    image[limb & (np.abs(x - middle) > 0.3 * columns)] = fat
    for way in (-1, 1):
        end = (gap + way * rng.uniform(0.10, 0.13) * rows, middle)
        image[(way * (y - gap) > 0.1 * rows) & (np.abs(x - middle) < shaft)] = bone
        image[_ellipse(y, x, end, (0.1 * rows, rng.uniform(0.16, 0.22) * columns))] = bone
    image[_ellipse(y, x, (gap - 0.08 * rows, middle - 0.28 * columns), (0.07 * rows, 0.03 * columns))] = bone
    return _scanned(image, rng)


def _pelvis(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """A broad body with two round femoral heads, a bladder and bowel."""
    middle = np.array(y.shape) / 2
    image = np.where(_ellipse(y, x, middle, middle * 0.92), rng.uniform(0.6, 1.0), 0.02).astype(np.float32)
    image[_ellipse(y, x, middle, middle * 0.8)] = rng.uniform(0.2, 0.4)
    for side in (-1, 1):
        place = middle + middle * (rng.uniform(0.1, 0.3), side * rng.uniform(0.42, 0.52))
        image[_ellipse(y, x, place, np.full(2, rng.uniform(0.13, 0.18) * middle[1]))] = rng.uniform(0.5, 0.9)
    image[_ellipse(y, x, middle * (1.25, 1.0), middle * rng.uniform(0.15, 0.25, 2))] = rng.random()
    for _ in range(12):
        place = middle * (1 + rng.uniform(-0.45, 0.25, 2))
        image[_ellipse(y, x, place, middle * rng.uniform(0.04, 0.12, 2))] = rng.random()
    return _scanned(image, rng)


def _mr_noise(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """The magnitude of complex noise, as a receiver without a patient gives, sometimes interpolated."""
    noise = rng.normal(size=(2, *y.shape))
    smooth = ndimage.gaussian_filter(noise, (0, *[rng.uniform(0, 2)] * 2))
    return np.asarray(np.hypot(*smooth), dtype=np.float32)


def _beads(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    """Round beads on a bent string: a chain, but of nothing."""
    rows, columns = y.shape
    image = np.full(y.shape, rng.uniform(0, 0.4), dtype=np.float32)
    period, radius = rng.uniform(30, 70), rng.uniform(0.3, 0.48)
    start, bend = rng.uniform(0.3, 0.7) * columns, rng.uniform(-60, 60)
    for place in np.arange(rng.uniform(0, period), rows, period):
        centre = (place, start + bend * np.sin(np.pi * place / rows))
        image[_ellipse(y, x, centre, (radius * period, rng.uniform(0.4, 0.9) * period))] = rng.uniform(0.5, 1)
    return _scanned(image, rng)


def _ellipse(y: Grey, x: Grey, middle: object, half: object) -> NDArray[np.bool_]:
    (row, column), (height, width) = np.asarray(middle, dtype=float), np.asarray(half, dtype=float)
    return np.asarray(((y - row) / height) ** 2 + ((x - column) / width) ** 2 < 1)


def _scanned(image: Grey, rng: np.random.Generator) -> Grey:
    """Blur a little, shade as a surface coil does, and add Rician noise."""
    soft = ndimage.gaussian_filter(image, rng.uniform(0.5, 1.5))
    shade = 1 - rng.uniform(0, 0.6) * np.linspace(1, 0, image.shape[1])[None]
    noise = rng.normal(0, rng.uniform(0.01, 0.05), (2, *image.shape))
    return np.asarray(np.hypot(soft * shade + noise[0], noise[1]), dtype=np.float32)


def _writing(y: Grey, x: Grey, rng: np.random.Generator) -> Grey:
    picture = Image.new("L", (y.shape[1], y.shape[0]), 255)
    draw, size = ImageDraw.Draw(picture), float(rng.uniform(12, 40))
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz      "))
    for top in np.arange(10, y.shape[0], 1.4 * size):
        draw.text((10, top), "".join(rng.choice(letters, 80)), fill=0, font_size=size)
    grey = np.asarray(picture, dtype=np.float32)
    return 255 - grey if rng.random() < 0.5 else grey


TEXTURES: dict[str, Callable[[Grey, Grey, np.random.Generator], Grey]] = {
    "stripes": _stripes,
    "rings": _rings,
    "checkers": _checkers,
    "ladder": _ladder,
    "cloud": _cloud,
    "blurred_noise": _blurred_noise,
    "blobs": _blobs,
    "writing": _writing,
    "brain": _brain,
    "knee": _knee,
    "pelvis": _pelvis,
    "mr_noise": _mr_noise,
    "beads": _beads,
}
"""Name -> drawing on the grid of rows ``y`` and columns ``x``."""
