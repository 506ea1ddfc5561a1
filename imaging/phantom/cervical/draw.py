"""Draw the plan of a neck from the tables, by seed.

Liabilities follow a Gaussian copula, as in the lumbar phantom: a worn patient has several worn levels, and a worn
level several findings, while each finding is drawn at its table's rate. Bound to others are: narrowing (only
discs of Pfirrmann III and IV; V is collapsed anyway), bulging (always where a canal is drawn narrow) and raised
signal of the cord (only where the cord is pressed).
"""

from dataclasses import dataclass, replace

import numpy as np

from imaging.phantom.cervical.arch import FORAMEN_MM
from imaging.phantom.cervical.plan import BodyPlan, DiscPlan, NeckPlan, Plaque, lobe, narrowing_by_slip
from imaging.phantom.cervical.tables import PrevalenceRow, Tables
from imaging.phantom.draw import PFIRRMANN, Liability, clipped, nucleus_t2

# Share of the healthy height that is gone, by grade (low, high): own choice inside the words of the grades.
_LOSS = {"I": (0.0, 0.0), "II": (0.0, 0.05), "III": (0.0, 0.15), "IV": (0.1, 0.35), "V": (0.64, 0.70)}
# AP diameter that a moderate and a severe stenosis leave, mm, inside the limits of the rule by 0.2 mm and more.
_CANAL_MM = ((6.1, 7.4), (4.2, 5.6))
_OPEN_MM = 8.1  # what a canal without drawn stenosis keeps at least
_PARACENTRAL_MM = 4.5  # where a herniation goes that an open canal has no room for in the midline; own choice
_NEAR_MM = 1.9  # where it goes in a narrow canal: still beside the midline; own choice
_LEAST_CANAL_MM = 3.0  # what a herniation leaves of a narrow canal beside the midline; own choice
_LEAST_FOCAL_MM = 2.3  # a herniation of less is none
_LOWER_THORACIC = "T1-T2"


@dataclass(frozen=True)
class _Patient:
    """What the levels of one patient share: scale of sizes, liability, canal and cord in mm at each level."""

    scale: float
    liability: float
    ap: dict[str, float]
    cord: dict[str, float]
    root: float


def draw_plan(tables: Tables, *, seed: int) -> NeckPlan:
    """Draw a neck.

    Args:
        tables: Norms and prevalences.
        seed: The same seed gives the same plan.
    """
    rng = np.random.default_rng((seed, 11))
    people, canal = tables.people, tables.canal
    sex = "F" if rng.random() < 0.5 else "M"
    low, high = people["age_years"]
    age = int(rng.integers(low, high + 1))
    scale = float(people["sex_scale"][sex] * np.clip(rng.normal(1.0, people["size_sd"]), 0.93, 1.07))
    # Liability of the patient: half of it is age, so that old spines are the worn ones on average.
    age_score = ((age - low) / (high - low) - 0.5) * np.sqrt(12.0)
    dural_ap = _within(canal["dural_ap"], rng)
    cord_scale = float(np.clip(rng.normal(1.0, canal["cord_sd"]), 0.9, 1.1))
    # A narrow canal goes with a cord that fits: the tube keeps 2 mm around it; own choice.
    cord_scale = min(cord_scale, (dural_ap - 2.0) / float(tables.by_level("cord_ap")[2]))
    names = list(tables.discs)
    patient = _Patient(
        scale=scale,
        liability=float(np.sqrt(0.5) * age_score + np.sqrt(0.5) * rng.normal()),
        ap=dict(zip(names, dural_ap * tables.by_level("ap_share"), strict=True)),
        cord=dict(zip(names, cord_scale * tables.by_level("cord_ap"), strict=True)),
        root=float(rng.uniform(3.4, 4.4)),
    )
    bodies = tuple(_draw_body(tables, name, scale, rng) for name in tables.vertebrae)
    lordosis = float(np.radians(_within(tables.curvature["lordosis"], rng)))
    wedges = _disc_wedges(tables, bodies, lordosis, rng)
    return NeckPlan(
        seed=seed,
        sex=sex,
        age_years=age,
        bodies=bodies,
        discs=tuple(_draw_disc(tables, name, patient, wedges[name], rng) for name in names),
        dural_ap=dural_ap,
        cord_scale=cord_scale,
        root=patient.root,
        t1_slope=_t1_slope(tables, lordosis, rng),
        sway=float(rng.uniform(-1.0, 1.0) * tables.curvature["sway"]),
        neck_fat=float(rng.uniform(4.0, 12.0)),
        tonsil=float(rng.uniform(-4.0, 1.5)),
        haemangioma=_haemangioma(tables, seed),
        plaque=_plaque(tables, seed),
    )


def _haemangioma(tables: Tables, seed: int) -> str:
    rng = np.random.default_rng((seed, 12))
    body = str(rng.choice(["C3", "C4", "C5", "C6", "C7", "T1", "T2", "T3"]))
    return body if rng.random() < tables.distractors["haemangioma"] else ""


def _plaque(tables: Tables, seed: int) -> Plaque | None:
    rng = np.random.default_rng((seed, 13))
    body, length, u = (
        str(rng.choice(["C2", "C3", "C4", "C5", "C6"])),
        rng.uniform(7.0, 16.0),
        rng.uniform(-0.5, 0.5),
    )
    return Plaque(body, float(length), float(u)) if rng.random() < tables.distractors["plaque"] else None


def _within(row: dict[str, float], rng: np.random.Generator) -> float:
    return float(np.clip(rng.normal(row["mean"], row["sd"]), row["low"], row["high"]))


def _draw_body(tables: Tables, name: str, scale: float, rng: np.random.Generator) -> BodyPlan:
    row = tables.vertebrae[name]
    return BodyPlan(
        name=name,
        height=scale * row.height + clipped(rng, tables.height_sd),
        depth=scale * row.depth + clipped(rng, tables.depth_sd),
        width=scale * row.width + clipped(rng, tables.depth_sd),
        wedge=float(np.radians(row.wedge + clipped(rng, 0.6))),
    )


def _t1_slope(tables: Tables, lordosis: float, rng: np.random.Generator) -> float:
    row = tables.curvature["t1_slope"]
    slope = np.degrees(lordosis) * row["share"] + rng.normal(row["mean"], row["sd"])
    return float(np.radians(np.clip(slope, row["low"], row["high"])))


def _disc_wedges(
    tables: Tables, bodies: tuple[BodyPlan, ...], lordosis: float, rng: np.random.Generator
) -> dict[str, float]:
    """Share the drawn lordosis among the discs C2-C3 to C6-C7, radians; what the bodies take is given back."""
    names = list(tables.discs)
    moving = names[: names.index("C7-T1")]
    bent = lordosis - sum(body.wedge for body in bodies if body.name in ("C3", "C4", "C5", "C6", "C7"))
    uneven = rng.normal(0.0, np.radians(1.2), len(moving))
    parts = bent / len(moving) + uneven - uneven.mean()
    wedges = {name: float(np.radians(0.5)) for name in names}
    wedges["C7-T1"] = float(np.radians(2.5))
    return wedges | {name: float(part) for name, part in zip(moving, parts, strict=True)}


def _draw_disc(tables: Tables, name: str, patient: _Patient, wedge: float, rng: np.random.Generator) -> DiscPlan:
    rates = tables.prevalence.get(name, tables.prevalence[_LOWER_THORACIC])
    liability = Liability(tables.copula, patient.liability, rng)
    grade = PFIRRMANN[liability.step(rates.pfirrmann)]
    row = tables.discs[name]
    healthy = patient.scale * row.height + clipped(rng, row.sd)
    healthy = max(healthy, 1.1 * (row.lower or 3.5))  # an unworn disc is never narrowed
    height = healthy * (1.0 - float(rng.uniform(*_LOSS[grade])))
    if grade in ("III", "IV") and liability.happens(rates.narrowing, rates.n):
        height = min(height, healthy * float(rng.uniform(0.48, 0.62)))
    slip = _slip(tables, rng) if liability.happens(rates.slip, rates.n) else 0.0
    open_ap = patient.ap[name] - narrowing_by_slip(slip)
    bulge, focal, flavum = _draw_canal(tables, open_ap, rates, liability, rng)
    spurs = liability.happens(rates.osteophyte, rates.n)
    left, right = (_draw_foramen(patient.root, rates, liability, rng) for _ in range(2))
    disc = DiscPlan(
        name=name,
        healthy_height=healthy,
        height=height,
        wedge=wedge * min(1.0, 0.35 + 0.65 * height / healthy),
        pfirrmann=grade,
        nucleus_t2=nucleus_t2(grade, rng),
        bulge=bulge,
        focal=focal.height,
        focal_t=focal.t,
        focal_spread=focal.spread,
        focal_reach=focal.reach,
        focal_shift=focal.shift,
        osteophyte=float(rng.uniform(1.0, 2.5)) if spurs and bulge > 1.0 else 0.0,
        flavum=flavum,
        slip=slip,
        uncus=(left[0], right[0]),
        facet=(left[1], right[1]),
        myelopathy=0.0,
    )
    canal = patient.ap[name] - disc.midline_push(tables.canal["anterior_gap"])
    is_pressed = canal - 0.5 < 0.82 * patient.cord[name]
    has_signal = is_pressed and rng.random() < tables.myelopathy_share
    return replace(disc, myelopathy=float(rng.uniform(5.0, 14.0))) if has_signal else disc


def _draw_foramen(
    root: float, rates: PrevalenceRow, liability: Liability, rng: np.random.Generator
) -> tuple[float, float]:
    """Return how far uncus and facet close one foramen so that it keeps the drawn share of its root's width."""
    step = liability.step(rates.foramen)
    if step == 0:
        return float(rng.uniform(0.0, 0.5)), 0.0
    low, high = ((0.6, 0.92), (0.15, 0.44))[step - 1]
    close = FORAMEN_MM - root * float(rng.uniform(low, high))
    share = float(rng.uniform(0.5, 0.9))  # the uncovertebral joint takes the larger part; own choice
    return close * share, close * (1.0 - share)


@dataclass(frozen=True)
class _Focal:
    """A herniation: height, place, half width, reach past the disc's edge, shift of its middle; mm."""

    height: float = 0.0
    t: float = 0.0
    spread: float = 3.0
    reach: float = 0.0
    shift: float = 0.0


def _draw_canal(
    tables: Tables,
    open_ap: float,
    rates: PrevalenceRow,
    liability: Liability,
    rng: np.random.Generator,
) -> tuple[float, _Focal, float]:
    """Return bulge, herniation and flavum that leave the drawn AP diameter in the midline of an open canal."""
    gap = tables.canal["anterior_gap"]
    step = liability.step(rates.canal)
    bulges = liability.happens(rates.bulging, rates.n)
    focal = _draw_focal(rng) if liability.happens(rates.herniation, rates.n) else _Focal()
    if step == 0:
        room = max(open_ap - _OPEN_MM, 0.0)
        bulge = float(rng.uniform(1.2, 3.0)) if bulges else float(rng.uniform(0.0, 0.5))
        bulge = min(bulge, gap + room)
        if focal.height and max(bulge + focal.height * lobe(focal.t, focal.spread) - gap, 0.0) > room:
            focal = replace(focal, t=float(rng.choice([-1.0, 1.0]) * _PARACENTRAL_MM))
        return bulge, focal, 0.0
    left = float(rng.uniform(*_CANAL_MM[step - 1]))
    push = open_ap - left
    from_behind = float(np.clip(rng.uniform(0.1, 0.45) * push, 0.0, 3.2))
    from_front = push - from_behind
    if focal.height:
        focal = _fit_focal(focal, from_front, left)
        from_front = max(from_front - focal.height * lobe(focal.t, focal.spread), 0.0)
    return gap + from_front, focal, from_behind


def _fit_focal(focal: _Focal, from_front: float, left: float) -> _Focal:
    """Let a herniation take its part of a stenosis, and leave a cord beside the midline where it stands there."""
    beside = 1.0 - lobe(focal.t, focal.spread)
    if focal.height * beside > left - _LEAST_CANAL_MM:
        focal = replace(focal, t=float(np.sign(focal.t)) * _NEAR_MM)
    share = lobe(focal.t, focal.spread)
    return replace(focal, height=min(focal.height, max(from_front / max(share, 0.1), _LEAST_FOCAL_MM)))


def _draw_focal(rng: np.random.Generator) -> _Focal:
    """Draw a herniation: central, left or right in equal shares, one in three an extrusion; own choice."""
    is_extruded = rng.random() < 0.33
    return _Focal(
        height=float(rng.uniform(2.4, 4.2)),
        t=float(rng.choice([-1.0, 0.0, 1.0]) * rng.uniform(3.0, 5.5)),
        spread=float(rng.uniform(2.4, 3.4)),
        reach=float(rng.uniform(2.0, 4.0)) if is_extruded else 0.0,
        shift=float(rng.uniform(-3.0, 2.0)) if is_extruded else 0.0,
    )


def _slip(tables: Tables, rng: np.random.Generator) -> float:
    """Draw a slip in mm: 2 to 3 in four of five (16.4 against 3.4 % of patients; Suzuki), else up to 5."""
    size = rng.uniform(2.4, 3.0) if rng.random() < 0.83 else rng.uniform(3.0, 5.0)
    return float(size if rng.random() < tables.forward_slip_share else -size)
