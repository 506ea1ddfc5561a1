"""Phantoms: made-up patients of whom everything is known, as MR series, label maps, grades and a report.

A seed draws a plan from published norms and prevalences (``plan``), which is stacked into shapes in the world
(``place``), painted on the grid of each series (``paint``), taken as images by the spin-echo equation (``signal``)
and measured (``truth``). A further body region brings its tables, plan and painters; grid, canvas, tissues, signal
and the writers stay.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from imaging.phantom.types import Phantom, PhantomSeries, TruthGrade, TruthLevel, TruthMeasurement

if TYPE_CHECKING:
    from imaging.phantom.build import build_from_plan, build_phantom, random_phantoms
    from imaging.phantom.picture import phantom_picture
    from imaging.phantom.plan import SpinePlan, draw_plan
    from imaging.phantom.study import write_phantom_study

__all__ = [
    "Phantom",
    "PhantomSeries",
    "SpinePlan",
    "TruthGrade",
    "TruthLevel",
    "TruthMeasurement",
    "build_from_plan",
    "build_phantom",
    "draw_plan",
    "phantom_picture",
    "random_phantoms",
    "write_phantom_study",
]

_HOMES = {
    "SpinePlan": "imaging.phantom.plan",
    "build_from_plan": "imaging.phantom.build",
    "build_phantom": "imaging.phantom.build",
    "draw_plan": "imaging.phantom.plan",
    "phantom_picture": "imaging.phantom.picture",
    "random_phantoms": "imaging.phantom.build",
    "write_phantom_study": "imaging.phantom.study",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
