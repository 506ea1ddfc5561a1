"""Draw the plan of a lumbar spine from published norms and prevalences, by seed.

Liabilities follow a Gaussian copula: a worn patient has several worn levels, and a worn level several findings,
while each finding is drawn at its published rate. Two are bound to others: narrowing is drawn only for discs of
Pfirrmann III and IV (V is collapsed anyway), and a slip or a herniation narrows canal and foramina beyond what was
drawn for these. Posture, shape of a herniation and distractors are drawn in ``draw_more.py``.
"""

import numpy as np

from imaging.phantom.draw import PFIRRMANN, Liability, clipped, nucleus_t2
from imaging.phantom.lumbar.draw_more import add_fracture, add_haemangioma, add_posture, add_transition, wear_more
from imaging.phantom.lumbar.plan import BodyPlan, DiscPlan, SpinePlan
from imaging.phantom.lumbar.tables import DiscRow, Tables

# Share of the healthy height that is gone, by grade (low, high). Grade V is collapsed: above the 60 % of the
# modified Pfirrmann scale's last step; grade IV normal to moderately low; own choice inside these words.
_LOSS = {"I": (0.0, 0.0), "II": (0.0, 0.05), "III": (0.0, 0.15), "IV": (0.1, 0.4), "V": (0.66, 0.75)}


def draw_plan(tables: Tables, *, seed: int) -> SpinePlan:
    """Draw a spine.

    Args:
        tables: Norms and prevalences.
        seed: The same seed gives the same plan.
    """
    rng = np.random.default_rng((seed, 1))
    people = tables.people
    sex = "F" if rng.random() < 0.5 else "M"
    low, high = people["age_years"]
    age = int(rng.integers(low, high + 1))
    scale = float(people["sex_scale"][sex] * np.clip(rng.normal(1.0, people["size_sd"]), 0.92, 1.08))
    sac_ap = _draw_sac(tables, age, rng)
    # Liability of the patient: half of it is age, so that old spines are the worn ones on average.
    age_score = ((age - low) / (high - low) - 0.5) * np.sqrt(12.0)
    patient = float(np.sqrt(0.5) * age_score + np.sqrt(0.5) * rng.normal())
    rise = people["disc_rise"]
    grown = 1.0 + rise[sex] * (age - rise["middle"]) / rise["years"]
    bodies = tuple(_draw_body(tables, name, scale, rng) for name in reversed(tables.vertebrae))
    more = np.random.default_rng((seed, 6))
    discs = []
    for name in reversed(tables.discs):
        liability = Liability(tables.copula, patient, rng)
        disc = _draw_disc(tables, name, scale * grown, sac_ap, liability, rng)
        discs.append(wear_more(disc, tables, age=age, liability=liability, rng=more))
    slope = tables.sacrum["slope"]
    conus = tables.canal["conus"]
    plan = SpinePlan(
        seed=seed,
        sex=sex,
        age_years=age,
        bodies=bodies,
        discs=tuple(discs),
        sac_ap=sac_ap,
        sacral_slope=float(np.radians(rng.normal(slope["mean"], slope["sd"]))),
        conus=float(np.clip(rng.normal(conus["mean"], conus["sd"]), -1.0, 1.2)),
    )
    for step in (add_posture, add_fracture, add_haemangioma, add_transition):
        plan = step(plan, tables, more)
    return plan


def _draw_sac(tables: Tables, age: int, rng: np.random.Generator) -> float:
    """Draw the AP diameter of the sac, which falls a little with age."""
    sac = tables.canal["sac_ap"]
    young = tables.canal["area_in_70s"]["L3-L4"] ** 0.25
    aged = 1.0 + (young - 1.0) * (age - 50.0) / 50.0
    return float(np.clip(rng.normal(sac["mean"], sac["sd"]) * aged, sac["low"], sac["high"]))


def _draw_body(tables: Tables, name: str, scale: float, rng: np.random.Generator) -> BodyPlan:
    row = tables.vertebrae[name]
    return BodyPlan(
        name=name,
        height=scale * row.height + clipped(rng, tables.height_sd),
        depth=scale * row.depth + clipped(rng, tables.depth_sd),
        width=scale * row.width + clipped(rng, tables.depth_sd),
        wedge=float(np.radians(row.wedge + clipped(rng, 0.8))),
    )


def _draw_disc(
    tables: Tables, name: str, scale: float, sac_ap: float, liability: Liability, rng: np.random.Generator
) -> DiscPlan:
    row = tables.discs[name]
    rates = tables.prevalence.get(name, tables.prevalence["T11-T12"])
    grade = PFIRRMANN[liability.step(rates.pfirrmann)]
    healthy = _healthy_height(row, scale, rng)
    height = healthy * (1.0 - float(rng.uniform(*_LOSS[grade])))
    if grade in ("III", "IV") and liability.happens(rates.narrowing, rates.n):
        height = min(height, healthy * float(rng.uniform(0.5, 0.62)))
    bulges = liability.happens(rates.bulging, rates.n)
    herniates = liability.happens(rates.herniation, rates.n)
    slips = liability.happens(rates.slip, rates.n)
    return DiscPlan(
        name=name,
        healthy_height=healthy,
        height=height,
        wedge=float(np.radians(row.wedge)) * height / healthy,
        pfirrmann=grade,
        nucleus_t2=nucleus_t2(grade, rng),
        bulge=float(rng.uniform(1.8, 3.4)) if bulges else float(rng.uniform(0.0, 0.4)),
        focal=float(rng.uniform(3.5, 6.0)) if herniates else 0.0,
        focal_t=float(rng.choice([-1.0, 0.0, 1.0]) * rng.uniform(4.0, 7.0)) if herniates else 0.0,
        slip=float(rng.uniform(*tables.morphology["forward_mm"])) if slips else 0.0,
        canal_ap=_canal_target(tables, name, sac_ap, liability, rng),
        foramen_width=(
            _foramen_target(tables, name, liability, rng),
            _foramen_target(tables, name, liability, rng),
        ),
        modic=_modic(rates.modic, liability, rng),
        pit_above=float(rng.uniform(1.6, 3.2)) if liability.happens(rates.upper_endplate, rates.n) else 0.0,
        pit_below=float(rng.uniform(1.6, 3.2)) if liability.happens(rates.lower_endplate, rates.n) else 0.0,
    )


def _healthy_height(row: DiscRow, scale: float, rng: np.random.Generator) -> float:
    """Draw a height inside the published range, so that an unworn disc is never narrowed."""
    height = scale * row.height + clipped(rng, row.sd)
    if row.lower is None or row.upper is None:
        return height
    return float(np.clip(height, row.lower * 1.12, row.upper))


def _canal_target(
    tables: Tables, name: str, sac_ap: float, liability: Liability, rng: np.random.Generator
) -> float:
    """Draw the AP diameter the sac may keep, from the RSNA classes; levels without counts stay open."""
    counts = tables.rsna_canal.get(name)
    step = 0 if counts is None else liability.step(counts)
    return float((sac_ap, rng.uniform(10.4, 11.6), rng.uniform(6.0, 9.5))[step])


def _foramen_target(tables: Tables, name: str, liability: Liability, rng: np.random.Generator) -> float:
    """Draw a foramen's width, from the RSNA classes; the published normal is 6 to 8 mm (PMC6362883)."""
    counts = tables.rsna_foramen.get(name)
    step = 0 if counts is None else liability.step(counts)
    return float((rng.uniform(5.5, 7.5), rng.uniform(2.2, 2.8), rng.uniform(0.9, 1.7))[step])


def _modic(counts: list[int], liability: Liability, rng: np.random.Generator) -> int:
    """Draw a Modic type: whether there is one by liability, which one by its count."""
    changed = sum(counts[1:])
    if changed == 0 or not liability.happens(changed, sum(counts)):
        return 0
    return int(rng.choice([1, 2, 3], p=np.array(counts[1:]) / changed))
