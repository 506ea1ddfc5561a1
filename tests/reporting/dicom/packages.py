"""Packages of an export whose source is a series made for the test."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imaging import load_study
from reporting.export.package import Package, Source


def package_on(package: Package, path: Path, *, seed: int = 1) -> Package:
    """Return a package on the first series of another study, with a label map that shows every mistake of place.

    Args:
        package: Of a reading.
        path: DICOM files.
        seed: Of the labels: blocks of 8 structures at places that no flip or swap keeps.
    """
    source = Source(path, load_study(path))
    series = source.study.series[0]
    return replace(package, label_maps={series.id: scattered(series.volume.shape, seed)}, source=source)


def scattered(shape: tuple[int, int, int], seed: int) -> NDArray[np.uint8]:
    """Return (I, J, K) labels in random blocks; the first and one inner slice stay empty."""
    random = np.random.default_rng(seed)
    labels = np.zeros(shape, dtype=np.uint8)
    for label in (50, 51, 52, 53, 54, 100, 101):
        i, j, k = (int(random.integers(0, size - side)) for size, side in zip(shape, (11, 7, 1), strict=True))
        labels[i : i + 11, j : j + 7, k] = label
    labels[3:14, 5:9, shape[2] - 1] = 202
    labels[:, :, 0] = labels[:, :, 2] = 0
    return labels
