"""Regions and phrases in one space: an open_clip ``CustomTextCLIP`` beside the segmentation network.

``RegionText`` is the loaded model; ``cut_regions`` makes what it sees; ``statements`` lists all that can be said;
``train`` trains it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segmentation.clip.crops import cut_regions
    from segmentation.clip.predict import RegionText
    from segmentation.clip.statements import statements
    from segmentation.training.contrastive import train

__all__ = ["RegionText", "cut_regions", "statements", "train"]

_HOMES = {
    "RegionText": "segmentation.clip.predict",
    "cut_regions": "segmentation.clip.crops",
    "statements": "segmentation.clip.statements",
    "train": "segmentation.training.contrastive",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
