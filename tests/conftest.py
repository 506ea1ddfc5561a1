"""Fixtures every room shares: where the real data lie, and the torchvision hook."""

from pathlib import Path

import pytest

from runtime.settings import load_settings
from runtime.torchvision_cpu import allow_torchvision_on_cpu


def pytest_configure() -> None:
    allow_torchvision_on_cpu()


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Return the folder of real data; skips, saying so, where it is not there."""
    folder = load_settings().data_dir
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real data at {folder} (SPINESCRIBE_DATA)")
    return folder
