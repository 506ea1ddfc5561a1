"""Draw what no grading table counts: posture, numbering, facets, recesses, shape of herniations, distractors."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from imaging.phantom.lumbar.plan import LUMBARISED, SACRALISED, USUAL, BodyPlan, DiscPlan, SpinePlan
from imaging.phantom.lumbar.tables import Tables

_PAIR = (0, 1)  # left, right
_MOST_BEND = 1.4  # of a disc's usual wedge; own choice


class Wear(Protocol):
    """Correlated draws of one level (``imaging.phantom.draw.Liability``)."""

    @property
    def wear(self) -> float:
        """Return the level's wear, 0 to 1."""

    def quantile(self) -> float:
        """Return a number from 0 to 1, high means worn."""

    def step(self, counts: list[int]) -> int:
        """Return a step of an ordered scale with these counts, best step first."""


def wear_more(disc: DiscPlan, tables: Tables, *, age: int, liability: Wear, rng: np.random.Generator) -> DiscPlan:
    """Add facets, recesses, osteophytes and the shape of a herniation to a drawn disc."""
    facets, wear = tables.facets, liability.wear
    left, right = (_recess(disc.name, tables, liability, rng) for _ in _PAIR)
    fluid = [bool(disc.pfirrmann in ("III", "IV", "V") and rng.random() < facets["fluid"]) for _ in _PAIR]
    turns = np.radians(facets["angle_sd"]) * np.clip(rng.standard_normal(2), -2.0, 2.0)
    flavum = tables.canal["flavum"]
    thick = flavum["at_25"] + (flavum["at_75"] - flavum["at_25"]) * (age - 25) / 50 + flavum["sd"] * rng.normal()
    worn = disc.pfirrmann in ("IV", "V")
    lip = float(rng.uniform(1.5, 4.5)) if worn else float(rng.uniform(0.0, 1.5)) * float(wear > 0.6)
    shaped = _herniation(disc, tables, rng)
    slip = shaped.slip
    if slip and rng.random() < tables.morphology["retro_share"].get(disc.name, 0.5):
        slip = -float(rng.uniform(*tables.morphology["backward_mm"]))
    return replace(
        shaped,
        slip=slip,
        recess=(left, right),
        flavum=float(np.clip(thick, 2.0, 5.0)),
        facet_size=1.0 + facets["hypertrophy"] * max(wear - 0.4, 0.0) / 0.6,
        facet_fluid=(fluid[0], fluid[1]),
        facet_turn=(float(turns[0]), float(turns[1])),
        lip=lip,
        has_vacuum=bool(disc.pfirrmann == "V" and rng.random() < tables.morphology["vacuum"]),
        has_fissure=bool(disc.pfirrmann in ("III", "IV") and rng.random() < tables.morphology["fissure"]),
    )


def _recess(name: str, tables: Tables, liability: Wear, rng: np.random.Generator) -> float:
    """Draw the height of a lateral recess from the RSNA classes; levels without counts stay open."""
    ranges, counts = tables.facets["recess"], tables.rsna_subarticular.get(name)
    step = 0 if counts is None else liability.step(counts)
    if step:
        return float(rng.uniform(*ranges["moderate" if step == 1 else "severe"]))
    is_mild = counts is not None and rng.random() < ranges["mild_rate"]
    return float(rng.uniform(*ranges["mild" if is_mild else "open"]))


def _herniation(disc: DiscPlan, tables: Tables, rng: np.random.Generator) -> DiscPlan:
    """Give a herniation its place and shape; the numbers are drawn whether there is one or not."""
    rows = tables.morphology
    place = int(rng.choice(3, p=rows["place"]))
    side = float(rng.choice([-1.0, 1.0]))
    at = (0.0, side * float(rng.uniform(4.0, 7.0)), side * float(rng.uniform(14.0, 16.0)))[place]
    extrudes = bool(rng.random() < rows["extrusion"]) and place < 2
    way = -1.0 if rng.random() < rows["downward"] else 1.0
    migration = way * float(rng.uniform(*rows["migration_mm"]))
    if not disc.focal:
        return disc
    return replace(disc, focal_t=at, is_extruded=extrudes, migration=migration if extrudes else 0.0)


def add_posture(plan: SpinePlan, tables: Tables, rng: np.random.Generator) -> SpinePlan:
    """Draw lordosis, side curve, and the fat of back and muscles."""
    lean, curve = tables.posture["lean_back"], tables.posture["scoliosis"]
    more_deg = float(np.clip(rng.normal(0.0, lean["sd"]), -lean["limit"], lean["limit"]))
    lordosis = plan.sacral_slope + float(np.radians(lean["mean"] + more_deg))
    is_curved, amount = rng.random() < curve["rate"], rng.random()
    low, high = curve["cobb"]
    cobb_deg = low + (high - low) * amount**1.5 if is_curved else curve["usual"] * amount
    side = -1.0 if rng.random() < curve["left_share"] else 1.0
    apex = float(rng.uniform(2.6, 3.6))
    fat = tables.people["muscle_fat"]
    mean, sd = fat["old"] if plan.age_years > fat["border_years"] else fat["young"]
    return replace(
        plan,
        discs=_bent(plan, lordosis, float(lean["least_back"])),
        cobb=side * float(np.radians(cobb_deg)),
        apex=apex,
        back_fat=float(rng.uniform(*tables.people["back_fat"][plan.sex])),
        muscle_fat=float(np.clip(rng.normal(mean, sd), 0.03, 0.6)),
    )


def _bent(plan: SpinePlan, lordosis: float, least_back: float) -> tuple[DiscPlan, ...]:
    """Return the discs with wedges that make a lordosis in radians, as far as their heights allow."""
    lumbar = [disc for disc in plan.discs if disc.name.startswith("L")]
    usual = np.array([disc.wedge for disc in lumbar])
    depths = np.array([plan.body(disc.name.split("-")[0]).depth for disc in lumbar])
    rims = np.maximum([disc.height - 2.0 * np.clip(0.16 * disc.height - 0.3, 0.0, 1.6) for disc in lumbar], 1.0)
    most = 2.0 * np.arctan(np.maximum(rims * (1.0 - least_back), 0.2) / depths)
    most = np.minimum(most, _MOST_BEND * usual)
    asked = lordosis - sum(body.wedge for body in plan.bodies if body.name.startswith("L"))
    wedges = np.minimum(usual, most)
    for _ in range(6):  # what a flat disc cannot give the others take
        free = wedges < most
        if free.any():
            lacking = asked - wedges.sum()
            wedges = np.minimum(wedges + free * usual * lacking / max(float((usual * free).sum()), 1e-3), most)
    found = {disc.name: float(max(wedge, 0.0)) for disc, wedge in zip(lumbar, wedges, strict=True)}
    return tuple(replace(disc, wedge=found.get(disc.name, disc.wedge)) for disc in plan.discs)


def add_fracture(plan: SpinePlan, tables: Tables, rng: np.random.Generator) -> SpinePlan:
    """Draw a wedge fracture in some of the old."""
    rows = tables.fracture
    chance, name = rng.random(), str(rng.choice(rows["levels"]))
    loss = float(rng.uniform(*rows["loss"]))
    if plan.age_years < rows["from_years"] or chance >= rows["rate"][plan.sex]:
        return plan
    return with_body(plan, replace(plan.body(name), collapse=loss))


def add_haemangioma(plan: SpinePlan, tables: Tables, rng: np.random.Generator) -> SpinePlan:
    """Draw a vertebral haemangioma in some."""
    rows = tables.haemangioma
    chance, name = rng.random(), str(rng.choice(["T11", "T12", "L1", "L2", "L3", "L4", "L5"]))
    radius = float(rng.uniform(*rows["radius"]))
    return with_body(plan, replace(plan.body(name), haemangioma=radius)) if chance < rows["rate"] else plan


def with_body(plan: SpinePlan, body: BodyPlan) -> SpinePlan:
    """Return a plan with one body changed."""
    bodies = tuple(body if item.name == body.name else item for item in plan.bodies)
    return replace(plan, bodies=bodies)


def add_transition(plan: SpinePlan, tables: Tables, rng: np.random.Generator) -> SpinePlan:
    """Draw the numbering of the lumbosacral junction."""
    chance, rows = rng.random(), tables.transitional
    if chance < rows["sacralised_l5"]:
        return sacralise(plan, tables)
    is_lumbarised = chance < rows["sacralised_l5"] + rows["lumbarised_s1"]
    return replace(plan, numbering=LUMBARISED if is_lumbarised else USUAL)


def sacralise(plan: SpinePlan, tables: Tables) -> SpinePlan:
    """Return a plan whose L5 belongs half to the sacrum: a small disc that does not wear."""
    height = float(tables.transitional["rudimentary"]["height"])
    discs = tuple(
        DiscPlan(
            name=disc.name,
            healthy_height=height,
            height=height,
            wedge=0.4 * disc.wedge,
            pfirrmann="II",
            nucleus_t2=129.0,
            bulge=0.0,
            focal=0.0,
            focal_t=0.0,
            slip=0.0,
            canal_ap=plan.sac_ap,
            foramen_width=(6.0, 6.0),
            modic=0,
            pit_above=0.0,
            pit_below=0.0,
            is_rudimentary=True,
        )
        if disc.name == "L5-S1"
        else disc
        for disc in plan.discs
    )
    return replace(plan, discs=discs, numbering=SACRALISED)
