"""Phantoms: made-up patients of whom everything is known, as MR series, label maps, grades and a report."""

from imaging.phantom.build import build_from_plan, build_phantom, random_phantoms
from imaging.phantom.picture import phantom_picture
from imaging.phantom.plan import SpinePlan, draw_plan
from imaging.phantom.study import write_phantom_study
from imaging.phantom.types import Phantom, PhantomSeries, TruthGrade, TruthLevel, TruthMeasurement

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
