"""Segmentation: outlines, numbered instances, named levels, measurements and regions of a study.

``Segmenter`` is the loaded object for whole studies; ``SliceSegmenter`` the network alone; ``locate_levels``
names a chain of discs; ``measure_study`` measures label maps; ``train`` trains the network. Names load when first
used, so that ``segmentation.types`` stays free of torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from segmentation.levels import locate_levels
    from segmentation.measure import measure_study
    from segmentation.predict import SliceSegmenter
    from segmentation.study import Segmenter
    from segmentation.training import train

__all__ = ["Segmenter", "SliceSegmenter", "locate_levels", "measure_study", "train"]

_HOMES = {
    "Segmenter": "segmentation.study",
    "SliceSegmenter": "segmentation.predict",
    "locate_levels": "segmentation.levels",
    "measure_study": "segmentation.measure",
    "train": "segmentation.training",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'segmentation' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
