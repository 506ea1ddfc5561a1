"""Hand-made plans of lumbar spines, and their truth without images."""

from dataclasses import replace
from functools import cache

from anatomy import Side
from imaging.phantom.build import phantom_of
from imaging.phantom.lumbar.discs import add_disc_tissues
from imaging.phantom.lumbar.draw import draw_plan
from imaging.phantom.lumbar.place import Spine, place_spine
from imaging.phantom.lumbar.plan import USUAL, SpinePlan
from imaging.phantom.lumbar.scene import scene_from_plan
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.lumbar.truth import measure_truth
from imaging.phantom.scene import Truth
from imaging.phantom.setup import load_setup
from imaging.phantom.tissues import Palette
from imaging.phantom.types import Phantom

LEVELS = ("T11-T12", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")


def quiet_plan(seed: int = 3) -> SpinePlan:
    """Return a straight, unworn spine: every finding of the draw taken back."""
    plan = draw_plan(load_tables(), seed=seed)
    discs = tuple(
        replace(
            disc,
            height=disc.healthy_height,
            pfirrmann="I",
            nucleus_t2=210.0,
            bulge=0.0,
            focal=0.0,
            slip=0.0,
            canal_ap=plan.sac_ap,
            foramen_width=(6.0, 6.0),
            modic=0,
            pit_above=0.0,
            pit_below=0.0,
            is_extruded=False,
            migration=0.0,
            recess=(6.0, 6.0),
            facet_size=1.0,
            facet_fluid=(False, False),
            facet_turn=(0.0, 0.0),
            lip=0.0,
            has_vacuum=False,
            has_fissure=False,
            is_rudimentary=False,
        )
        for disc in plan.discs
    )
    bodies = tuple(replace(body, collapse=0.0, haemangioma=0.0) for body in plan.bodies)
    return replace(plan, bodies=bodies, discs=discs, cobb=0.0, numbering=USUAL)


def with_disc(plan: SpinePlan, level: str, **changes: object) -> SpinePlan:
    discs = tuple(replace(disc, **changes) if disc.name == level else disc for disc in plan.discs)
    return replace(plan, discs=discs)


@cache
def quiet_phantom() -> Phantom:
    return from_plan(quiet_plan())


def from_plan(plan: SpinePlan) -> Phantom:
    setup, palette = load_setup("setup_lumbar"), Palette()
    return phantom_of(scene_from_plan(plan, setup, palette=palette), palette, setup, seed=plan.seed)


def placed(plan: SpinePlan) -> tuple[Spine, Palette]:
    spine, palette = place_spine(plan, load_tables()), Palette()
    add_disc_tissues(palette, spine)
    return spine, palette


@cache
def truth_of(plan: SpinePlan) -> Truth:
    return measure_truth(*placed(plan))


def measured(truth: Truth, name: str, level: str, side: Side | None = None) -> float:
    (value,) = [
        item.value for item in truth.measurements if (item.name, item.level, item.side) == (name, level, side)
    ]
    return value
