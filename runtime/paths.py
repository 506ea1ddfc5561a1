"""Where the shipped configuration and weights lie: beside the packages, in a checkout and when installed."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def configs_dir() -> Path:
    """Return the folder with protocols and presets."""
    return _ROOT / "configs"


def weights_dir() -> Path:
    """Return the folder with the shipped weights, one sub-folder a model."""
    return _ROOT / "weights"
