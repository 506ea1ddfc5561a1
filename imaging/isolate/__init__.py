"""Reading in a process of its own, so that no file can harm the one that works for others.

``load_study_isolated`` is the door. The process (``child``) gives away its rights (``sandbox``), reads, and hands
the study back as plain arrays and JSON (``handover``). See docs/decisions/0006-isolated-intake.md.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaging.isolate.parent import load_study_isolated

__all__ = ["load_study_isolated"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("imaging.isolate.parent"), name)
