"""Segmentations of a test: their class, opened, read back; orientations of the source that are worth a test."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom import Dataset
from scipy.spatial.transform import Rotation

from imaging.dicom.segmentation import read_onto
from reporting.export.classes import Classes, SEGClass
from reporting.export.package import Package
from tests.imaging.conftest import SAGITTAL

TURNED = tuple(
    float(x)
    for x in Rotation.from_euler("xyz", (7, -4, 11), degrees=True).apply([SAGITTAL[:3], SAGITTAL[3:]]).ravel()
)
ORIENTATIONS = {
    "plain": SAGITTAL,
    "oblique": TURNED,
    "columns back to front": (0.0, -1.0, 0.0, 0.0, 0.0, -1.0),
    "rows foot to head": (0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
    "rows and columns swapped": (0.0, 0.0, -1.0, 0.0, 1.0, 0.0),
    "swapped and both flipped": (0.0, 0.0, 1.0, 0.0, -1.0, 0.0),
}  # fmt: skip


def as_class(package: Package, kind: SEGClass) -> Package:
    """Return a package whose segmentations are of a class."""
    return replace(package, classes=Classes(seg=kind))


def opened(content: bytes) -> Dataset:
    return pydicom.dcmread(BytesIO(content))


def check_it_comes_back(path: Path, package: Package, series_id: str) -> None:
    """Read a SEG onto its series."""
    assert package.source is not None
    with path.open("rb") as stream:
        placed = read_onto(stream, path.name, package.source.series(series_id))
    assert placed.is_same_grid
    np.testing.assert_array_equal(placed.array, package.label_maps[series_id])
