"""A phantom study on disk, the same for all end-to-end tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.read_phantoms import ReadPhantom


@pytest.fixture(scope="session")
def phantom_zip(phantoms: Callable[[str], ReadPhantom]) -> Path:
    """Return a generated lumbar study as a zip of DICOM; its truth and label maps lie beside it."""
    return phantoms("lumbar").archive
