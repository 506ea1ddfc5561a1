"""The plan of one pelvis: its size and the lesions of each joint, drawn from published prevalences by seed.

Disease is drawn for the patient, then for each joint (usually both), then lesion by lesion; structural lesions
depend on whether the joint shows oedema, as they do in the cohorts.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from anatomy import Side
from imaging.phantom.sacroiliac.tables import Tables


class LesionKind(StrEnum):
    """What a lesion is made of."""

    OEDEMA = "oedema"
    EROSION = "erosion"
    BACKFILL = "backfill"
    FAT = "fat"
    SCLEROSIS = "sclerosis"
    BRIDGE = "bridge"


class Bone(StrEnum):
    """Which side of the joint; a bridge crosses both."""

    SACRUM = "sacrum"
    ILIUM = "ilium"
    BOTH = "both"


@dataclass(frozen=True)
class Lesion:
    """A lesion at a joint.

    Attributes:
        kind: Tissue.
        bone: Where.
        along: Its middle along the joint, from -1 (foot end) to 1 (head end).
        through: Its middle through the joint, from -1 (back) to 1 (front).
        along_mm: Half its length along the joint.
        through_mm: Half its length through the joint.
        depth_mm: How deep it reaches into the bone.
        is_intense: Oedema as bright as fluid.
        phase: Of its ragged edge, radians.
    """

    kind: LesionKind
    bone: Bone
    along: float
    through: float
    along_mm: float
    through_mm: float
    depth_mm: float
    is_intense: bool = False
    phase: float = 0.0


@dataclass(frozen=True)
class JointPlan:
    """One joint: its side, the width of its space in mm and its lesions."""

    side: Side
    width: float
    lesions: tuple[Lesion, ...]
    has_vascular_signal: bool = False


@dataclass(frozen=True)
class PelvisPlan:
    """Everything that is drawn about one patient.

    Attributes:
        seed: Of the phantom.
        sex: ``F`` or ``M``.
        age_years: Whole years.
        scale: Size against the mean.
        tilt: Of the sacrum, radians.
        half_distance: Of the joints from the midline at the middle of S2, mm.
        slope_forward: How much more lateral a joint lies 1 mm further to the front.
        slope_up: The same 1 mm further up.
        back_fat: Subcutaneous fat, mm.
        joints: Left, right.
    """

    seed: int
    sex: str
    age_years: int
    scale: float
    tilt: float
    half_distance: float
    slope_forward: float
    slope_up: float
    back_fat: float
    joints: tuple[JointPlan, JointPlan]


def draw_plan(tables: Tables, *, seed: int) -> PelvisPlan:
    """Draw a pelvis; the same seed gives the same plan."""
    rng = np.random.default_rng((seed, 31))
    people = tables.people
    sex = "M" if rng.random() < people["men"] else "F"
    age_row = people["age_years"]
    age = int(np.clip(rng.normal(age_row["mean"], age_row["sd"]), age_row["low"], age_row["high"]))
    scale = float(people["sex_scale"][sex] * np.clip(rng.normal(1.0, people["size_sd"]), 0.92, 1.08))
    left, right = _draw_joints(tables, age, rng)
    return PelvisPlan(
        seed=seed,
        sex=sex,
        age_years=age,
        scale=scale,
        tilt=float(np.radians(_normal(tables.sacrum["tilt"], rng))),
        half_distance=scale * _normal(tables.joint["half_distance"], rng),
        slope_forward=_normal(tables.joint["slope_forward"], rng),
        slope_up=_normal(tables.joint["slope_up"], rng),
        back_fat=float(rng.uniform(14.0, 40.0) * (1.25 if sex == "F" else 0.9)),
        joints=(left, right),
    )


def _normal(row: dict[str, float], rng: np.random.Generator) -> float:
    """Draw from a normal distribution, at most two standard deviations from its mean."""
    return float(row["mean"] + row["sd"] * np.clip(rng.normal(), -2.0, 2.0))


def _draw_joints(tables: Tables, age: int, rng: np.random.Generator) -> tuple[JointPlan, JointPlan]:
    rates = tables.prevalence
    sick = rng.random() < rates["spondyloarthritis"]
    cohort = "radiographic_disease" if rng.random() < rates["radiographic"] else "non_radiographic"
    both = rng.random() < rates["both_sides"]
    first = Side.LEFT if rng.random() < 0.5 else Side.RIGHT
    joints = []
    for side in (Side.LEFT, Side.RIGHT):
        is_sick = sick and (both or side is first)
        lesions = _sick_lesions(tables, rates[cohort], rng) if is_sick else _healthy_lesions(tables, rng)
        vascular = bool(rng.random() < rates["healthy"]["vascular_signal"])
        joints.append(JointPlan(side, _joint_width(tables, age, lesions, rng), lesions, vascular))
    return joints[0], joints[1]


def _joint_width(tables: Tables, age: int, lesions: tuple[Lesion, ...], rng: np.random.Generator) -> float:
    row = tables.joint["width"]
    mean, sd = row["old"] if age >= row["old_from"] else row["young"]
    width = float(np.clip(rng.normal(mean, sd), mean - 2 * sd, mean + 2 * sd))
    bridged = sum(lesion.kind is LesionKind.BRIDGE for lesion in lesions)
    # A joint that grows together narrows first; own choice.
    return width * (0.6 if bridged else 1.0)


def _sick_lesions(tables: Tables, rates: dict[str, Any], rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Draw the lesions of a diseased joint; structural rates are (without, with) oedema."""
    lesions: list[Lesion] = []
    has_oedema = int(rng.random() < rates["oedema"])
    if has_oedema:
        row = tables.lesions["oedema"]
        lesions += [
            _lesion(LesionKind.OEDEMA, row, rng, is_intense=bool(rng.random() < row["intense"]))
            for _ in range(_count(row, rng))
        ]
    for kind in (LesionKind.SCLEROSIS, LesionKind.FAT, LesionKind.BACKFILL):
        if rng.random() < rates[kind.value][has_oedema]:
            row = tables.lesions[kind.value]
            lesions += [_lesion(kind, row, rng) for _ in range(_count(row, rng))]
    if rng.random() < rates["erosion"][has_oedema]:
        lesions += _erosions(tables, rng)
    if rng.random() < rates["ankylosis"][has_oedema]:
        lesions += _bridges(tables, rng)
    return tuple(lesions)


def _healthy_lesions(tables: Tables, rng: np.random.Generator) -> tuple[Lesion, ...]:
    """Draw what a joint without sacroiliitis may show: mechanical corner oedema, sclerosis in front, focal fat."""
    rates = tables.prevalence["healthy"]
    lesions: list[Lesion] = []
    if rng.random() < rates["corner_oedema"]:
        row = tables.lesions["corner_oedema"]
        lesions.append(_lesion(LesionKind.OEDEMA, row, rng, place=(0.9, 0.8)))
    if rng.random() < rates["degenerative_sclerosis"]:
        row = {"along": [6.0, 9.0], "through": [4.0, 6.0], "depth": [2.0, 4.0]}
        lesions.append(_lesion(LesionKind.SCLEROSIS, row, rng, place=(0.2, 0.7), bone=Bone.ILIUM))
    if rng.random() < rates["focal_fat"]:
        row = {"along": [3.0, 4.5], "through": [3.0, 4.5], "depth": [2.0, 3.0]}
        lesions.append(_lesion(LesionKind.FAT, row, rng))
    return tuple(lesions)


def _erosions(tables: Tables, rng: np.random.Generator) -> list[Lesion]:
    row = tables.lesions["erosion"]
    places = rng.permutation(np.linspace(-0.8, 0.8, 9))[: _count(row, rng)]
    lesions = []
    for place in places:
        radius = float(rng.uniform(*row["radius"]))
        lesions.append(
            Lesion(
                LesionKind.EROSION, Bone.ILIUM if rng.random() < 0.7 else Bone.SACRUM, float(place),
                float(rng.uniform(-0.7, 0.7)), radius, 1.6 * radius, radius, phase=float(rng.uniform(0, 6.28)),
            )
        )  # fmt: skip
    return lesions


def _bridges(tables: Tables, rng: np.random.Generator) -> list[Lesion]:
    row = tables.lesions["bridge"]
    if rng.random() < tables.lesions["total_ankylosis"]:
        return [Lesion(LesionKind.BRIDGE, Bone.BOTH, 0.0, 0.0, 60.0, 40.0, 4.0)]
    return [
        _lesion(LesionKind.BRIDGE, {**row, "depth": [3.0, 3.0]}, rng, bone=Bone.BOTH)
        for _ in range(_count(row, rng))
    ]


def _lesion(
    kind: LesionKind,
    row: dict[str, Any],
    rng: np.random.Generator,
    *,
    bone: Bone | None = None,
    place: tuple[float, float] | None = None,
    is_intense: bool = False,
) -> Lesion:
    drawn = Bone.ILIUM if rng.random() < 0.55 else Bone.SACRUM
    along, through = place or (float(rng.uniform(-0.8, 0.8)), float(rng.uniform(-0.7, 0.7)))
    return Lesion(
        kind=kind,
        bone=bone or drawn,
        along=along,
        through=through,
        along_mm=float(rng.uniform(*row["along"])),
        through_mm=float(rng.uniform(*row["through"])),
        depth_mm=float(rng.uniform(*row["depth"])),
        is_intense=is_intense,
        phase=float(rng.uniform(0.0, 2 * np.pi)),
    )


def _count(row: dict[str, Any], rng: np.random.Generator) -> int:
    low, high = row.get("count", [1, 1])
    return int(rng.integers(low, high + 1))
