"""Sample studies: generated (phantom, seed 7), one for each protocol, made the first time they are asked for.

They hold no patient. They lie in ``home/samples``, so each is made once.
"""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path

from anatomy import protocol_names
from service.config import ServiceConfig

_SEED = 7
_LOCKS = {name: threading.Lock() for name in protocol_names()}


def sample_study(config: ServiceConfig, protocol: str) -> Path:
    """Return the zip of a sample study; making it takes some seconds, those who ask meanwhile wait.

    Args:
        config: Settings of the service.
        protocol: Name of an installed protocol.
    """
    file = config.home / "samples" / f"{protocol}.zip"
    with _LOCKS[protocol]:
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".making-", dir=file.parent) as folder:
                os.replace(build_sample(protocol, Path(folder)), file)
    return file


def build_sample(protocol: str, folder: Path) -> Path:
    """Write a phantom study into a folder and return its zip."""
    from imaging.phantom import build_phantom, write_phantom_study

    write_phantom_study(build_phantom(protocol, seed=_SEED), folder)
    return folder / "study.zip"
