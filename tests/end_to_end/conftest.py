"""A phantom study on disk, made once for all end-to-end tests."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def phantom_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a generated lumbar study (seed 7): DICOM, zip, truth."""
    from imaging.phantom import build_phantom, write_phantom_study

    folder = tmp_path_factory.mktemp("phantom")
    write_phantom_study(build_phantom("lumbar", seed=7), folder)
    return folder


@pytest.fixture(scope="session")
def phantom_zip(phantom_folder: Path) -> Path:
    return phantom_folder / "study.zip"
