"""What a slice shows, told from its content: plane, whether it lies upright, weighting. Numpy and scipy only.

For pictures and bare NIfTI files, which have no header to say so.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from imaging.content.classify import ContentClassifier, ContentFinding, Position, open_classifier
    from imaging.content.decide import decide_by_content

__all__ = ["ContentClassifier", "ContentFinding", "Position", "decide_by_content", "open_classifier"]

_HOMES = {
    "ContentClassifier": "imaging.content.classify",
    "ContentFinding": "imaging.content.classify",
    "Position": "imaging.content.classify",
    "decide_by_content": "imaging.content.decide",
    "open_classifier": "imaging.content.classify",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
