"""Phantoms: made-up patients of whom everything is known, as MR series, label maps, grades and a report.

A body region (``lumbar/``, ``cervical/``, ``sacroiliac/``) draws a patient from published norms and prevalences
and places it as a ``Scene``. The rest is the same for all: it is painted on the grid of each series (``canvas``),
taken as MR images as a ``Setup`` says (``scan/``), measured, graded and written (``study``).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from imaging.phantom.types import Phantom, PhantomSeries, TruthGrade, TruthLevel, TruthMeasurement

if TYPE_CHECKING:
    from imaging.phantom.build import build_phantom, random_phantoms
    from imaging.phantom.picture import phantom_picture
    from imaging.phantom.study import write_phantom_study

__all__ = [
    "Phantom",
    "PhantomSeries",
    "TruthGrade",
    "TruthLevel",
    "TruthMeasurement",
    "build_phantom",
    "phantom_picture",
    "random_phantoms",
    "write_phantom_study",
]

_HOMES = {
    "build_phantom": "imaging.phantom.build",
    "phantom_picture": "imaging.phantom.picture",
    "random_phantoms": "imaging.phantom.build",
    "write_phantom_study": "imaging.phantom.study",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
