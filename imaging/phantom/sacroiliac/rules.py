"""Rules from what was counted at a joint to scores and grades: SPARCC, ASAS and the four stages.

Thresholds live in ``configs/phantom/sacroiliac.yaml`` with their sources.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import Side

Rules = dict[str, Any]

QUADRANTS = ("upper_ilium", "lower_ilium", "lower_sacrum", "upper_sacrum")


@dataclass(frozen=True)
class JointFacts:
    """What was counted at one joint; K slices.

    Attributes:
        side: Patient's side.
        quadrant_mm2: (K, 4) oedema in each of ``QUADRANTS``.
        is_intense: (K,) oedema as bright as fluid is there.
        deep_mm: (K,) how far oedema reaches from the joint.
        lesions_per_slice: (K,) connected parts of oedema.
        is_joint_slice: (K,) the slice crosses the cartilaginous joint.
        oedema_mm3: Volume of oedema.
        erosions: Number.
        sclerosis_mm: How far sclerosis reaches from the joint.
        sclerosis_mm2: Largest area on a slice.
        fat_mm2: Fat metaplasia, likewise.
        backfill_mm2: Backfill, likewise.
        bridged_share: Of the cartilaginous joint.
        width_mm: Mean width of the joint space that is not bridged.
    """

    side: Side
    quadrant_mm2: NDArray[np.float64]
    is_intense: NDArray[np.bool_]
    deep_mm: NDArray[np.float64]
    lesions_per_slice: NDArray[np.int64]
    is_joint_slice: NDArray[np.bool_]
    oedema_mm3: float
    erosions: int
    sclerosis_mm: float
    sclerosis_mm2: float
    fat_mm2: float
    backfill_mm2: float
    bridged_share: float
    width_mm: float


def sparcc_scores(facts: tuple[JointFacts, ...], rules: Rules) -> tuple[int, list[dict[str, Any]]]:
    """Return the SPARCC inflammation score (0 to 72) and its table, a row for each slice and joint.

    The six consecutive slices are those of the cartilaginous joint with the highest score, the first of equals.
    Source: CLINICAL.md section 2.
    """
    rule = rules["sparcc"]
    scores = np.array([_slice_scores(fact, rule).sum(axis=1) for fact in facts])
    eligible = np.flatnonzero(np.any([fact.is_joint_slice for fact in facts], axis=0))
    count = min(int(rule["slices"]), len(eligible))
    if count == 0:
        return 0, []
    starts = eligible[: len(eligible) - count + 1]
    first = int(max(starts, key=lambda start: (int(scores[:, start : start + count].sum()), -start)))
    rows = []
    for fact in facts:
        table = _slice_scores(fact, rule)
        for k in range(first, first + count):
            names = (*QUADRANTS, "intense", "deep")
            rows.append({"slice": k, "side": fact.side.value, **dict(zip(names, map(int, table[k]), strict=True))})
    return int(scores[:, first : first + count].sum()), rows


def _slice_scores(fact: JointFacts, rule: dict[str, Any]) -> NDArray[np.int64]:
    """Return (K, 6): four quadrants, intense, deep; 0 or 1."""
    quadrants = fact.quadrant_mm2 >= rule["quadrant_area_mm2"]
    any_oedema = quadrants.any(axis=1)
    intense = fact.is_intense & any_oedema
    deep = (fact.deep_mm >= rule["deep_mm"]) & any_oedema
    return np.column_stack([quadrants, intense, deep]).astype(np.int64)


def is_asas_positive(fact: JointFacts, rules: Rules) -> bool:
    """Tell a positive joint: oedema of one quadrant on two consecutive slices, or two lesions on one slice.

    Source: ASAS as paraphrased in CLINICAL.md section 2.
    """
    there = fact.quadrant_mm2 >= rules["sparcc"]["quadrant_area_mm2"]
    consecutive = bool((there[1:] & there[:-1]).any())
    several = bool(((fact.lesions_per_slice >= 2) & there.any(axis=1)).any())
    return consecutive or several


def stage_of(fact: JointFacts, rules: Rules) -> str:
    """Return the stage of a joint: normal, early (oedema), moderate (structural damage) or advanced (ankylosis).

    Ours, built on the four stages of system 5 in SYSTEMS.md.
    """
    rule = rules["stage"]
    if fact.bridged_share >= rule["bridged_share"] or fact.width_mm < rule["width_mm"]:
        return "advanced"
    structural = (
        fact.erosions >= rule["erosions"]
        or (fact.sclerosis_mm >= rule["sclerosis_mm"] and fact.sclerosis_mm2 >= rule["area_mm2"])
        or fact.fat_mm2 >= rule["area_mm2"]
        or fact.backfill_mm2 >= rule["area_mm2"] / 2
    )
    if structural:
        return "moderate"
    return "early" if is_asas_positive(fact, rules) else "normal"
