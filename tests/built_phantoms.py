"""Phantoms that several tests look at, built once: kept in the process, and in a folder all processes share."""

import fcntl
import os
import pickle
from functools import cache
from pathlib import Path

from imaging.phantom import Phantom

SEED = 7
SHARED = "SPINESCRIBE_TEST_SHARED"
"""Variable with the folder that the processes of one run share; ``tests/conftest.py`` makes it."""


@cache
def built_phantom(protocol: str, seed: int = SEED, setup: str | None = None) -> Phantom:
    """Return a phantom that nobody may change: its arrays are read-only.

    Args:
        protocol: ``lumbar``, ``cervical`` or ``sacroiliac``.
        seed: As of ``build_phantom``; the usual one is shared by most tests.
        setup: Name of a setup; None takes the protocol's usual one.
    """
    from imaging.phantom.build import build_phantom

    file = Path(os.environ[SHARED]) / f"{setup or protocol}-{seed}.pickle"
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.is_file():
            file.write_bytes(pickle.dumps(build_phantom(protocol, seed=seed, setup=setup), protocol=5))
    phantom: Phantom = pickle.loads(file.read_bytes())
    for series in phantom.series:
        series.array.setflags(write=False)
        series.label_array.setflags(write=False)
    return phantom
