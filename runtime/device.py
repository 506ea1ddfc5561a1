"""Where the networks run, and with how many threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def pick_device(name: str = "auto") -> torch.device:
    """Return the torch device for a name.

    Args:
        name: ``auto`` (a GPU when there is one), ``cpu``, ``cuda``, ``cuda:1`` ...
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def use_threads(count: int | None) -> None:
    """Set the number of CPU threads of torch; None leaves its choice."""
    import torch

    if count is not None:
        torch.set_num_threads(count)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Count numbers below the normal range as 0 within the block: they make a CPU slow and training no better.

    The setting is the processor's, for the whole thread: it must not outlive the training.
    """
    import torch

    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
