"""What leaves the house: the report as it stands, in every format; drafts are marked.

The process that exports (``child``) loads this package too: nothing heavy is imported before it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.export.content import build_outgoing
    from service.export.leave import Exported, export_report
    from service.export.request import Format

__all__ = ["Exported", "Format", "build_outgoing", "export_report"]

_HOMES = {
    "Exported": "service.export.leave",
    "Format": "service.export.request",
    "build_outgoing": "service.export.content",
    "export_report": "service.export.leave",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
