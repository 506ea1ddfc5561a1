"""Necks made by hand for the tests, and short ways to ask for their truth."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from anatomy import Condition, Side
from imaging.phantom import Phantom, PhantomSeries
from imaging.phantom.build import phantom_of
from imaging.phantom.cervical.draw import draw_plan
from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.plan import NeckPlan
from imaging.phantom.cervical.scene import scene_from_plan
from imaging.phantom.cervical.tables import load_tables
from imaging.phantom.scene import Truth
from imaging.phantom.setup import Setup, load_setup
from imaging.phantom.tissues import Palette

LEVELS = ("C2-C3", "C3-C4", "C4-C5", "C5-C6", "C6-C7", "C7-T1")
RULES = load_tables().rules


def quiet_plan(seed: int = 3) -> NeckPlan:
    """Return an unworn neck: every finding of the draw taken back."""
    plan = draw_plan(load_tables(), seed=seed)
    discs = tuple(
        replace(
            disc, height=disc.healthy_height, pfirrmann="I", nucleus_t2=210.0, bulge=0.0, focal=0.0,
            osteophyte=0.0, flavum=0.0, slip=0.0, uncus=(0.0, 0.0), facet=(0.0, 0.0), myelopathy=0.0,
        )
        for disc in plan.discs
    )  # fmt: skip
    return replace(plan, discs=discs, sway=0.0, dural_ap=11.4, cord_scale=1.0, root=4.0)


def with_disc(plan: NeckPlan, level: str, **changes: Any) -> NeckPlan:
    discs = tuple(replace(disc, **changes) if disc.name == level else disc for disc in plan.discs)
    return replace(plan, discs=discs)


def sick_plan() -> NeckPlan:
    """Return a neck with one kind of finding a level."""
    plan = with_disc(quiet_plan(), "C5-C6", bulge=5.6, osteophyte=2.5, flavum=1.8, myelopathy=10.0)
    plan = with_disc(plan, "C4-C5", slip=3.5, pfirrmann="IV", nucleus_t2=51.0)
    plan = with_disc(plan, "C3-C4", bulge=2.0, flavum=1.4)
    plan = with_disc(plan, "C6-C7", focal=3.6, focal_t=4.5, focal_spread=2.8, uncus=(3.0, 0.0), facet=(1.2, 0.0))
    plan = with_disc(plan, "C7-T1", uncus=(0.0, 2.4), slip=-3.0)
    healthy = plan.disc("C2-C3").healthy_height
    return with_disc(plan, "C2-C3", height=0.34 * healthy, pfirrmann="V", nucleus_t2=38.0)


@cache
def measured(plan: NeckPlan) -> tuple[Neck, Truth]:
    """Return the truth of a plan without taking images."""
    scene = scene_from_plan(plan, load_setup("setup_cervical"), palette=Palette())
    return scene.neck, scene.measure()


def small_setup() -> Setup:
    """Return the usual setup with fewer and smaller slices."""
    setup = load_setup("setup_cervical")
    series = tuple(
        replace(row, slices=5) if row.plane == "sagittal" else replace(row, rows=128, cols=128)
        for row in setup.series
    )
    return replace(setup, series=series)


@cache
def drawn_plans() -> tuple[NeckPlan, ...]:
    """Return 400 drawn patients."""
    return tuple(draw_plan(load_tables(), seed=seed) for seed in range(400))


@cache
def quiet_phantom() -> Phantom:
    return from_plan(quiet_plan())


@cache
def sick_phantom() -> Phantom:
    return from_plan(sick_plan())


def from_plan(plan: NeckPlan) -> Phantom:
    setup, palette = small_setup(), Palette()
    scene = scene_from_plan(plan, setup, palette=palette)
    return phantom_of(scene, palette, setup, seed=plan.seed)


def value(truth: Truth, name: str, level: str, side: Side | None = None) -> float:
    return next(
        item.value for item in truth.measurements if (item.name, item.level, item.side) == (name, level, side)
    )


def grade(truth: Truth, condition: Condition, level: str, side: Side | None = None, scale: str = "") -> str:
    return next(
        item.grade
        for item in truth.grades
        if (item.condition, item.level) == (condition, level)
        and (side is None or item.side is side)
        and (not scale or item.scale == scale)
    )


def to_voxel(series: PhantomSeries, point: tuple[float, float, float]) -> np.ndarray:
    return (np.linalg.inv(series.affine) @ [*point, 1.0])[:3]


def voxel(series: PhantomSeries, point: tuple[float, float, float]) -> tuple[int, int, int]:
    i, j, k = np.rint(to_voxel(series, point)).astype(int)
    return int(i), int(j), int(k)
