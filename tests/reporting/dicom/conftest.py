"""A reading to export, and series that tests write for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from reporting.export.package import Package, load_package
from tests.imaging.conftest import SeriesWriter
from tests.read_phantoms import ReadPhantom

Phantoms = Callable[[str], ReadPhantom]


@pytest.fixture
def lumbar(phantoms: Phantoms) -> Package:
    return load_package(phantoms("lumbar").reading / "reading.json")


@pytest.fixture
def series_writer(tmp_path: Path) -> SeriesWriter:
    folder = tmp_path / "study"
    folder.mkdir()
    return SeriesWriter(folder, pydicom.uid.generate_uid())


@pytest.fixture
def volume() -> NDArray[np.uint16]:
    """Return (slices, rows, columns)."""
    return np.random.default_rng(2).integers(0, 900, (5, 120, 100), dtype=np.uint16)
