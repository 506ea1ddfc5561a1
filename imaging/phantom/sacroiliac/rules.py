"""Rules from what was counted at a joint to scores and grades: SPARCC, ASAS and the four stages.

Thresholds live in ``configs/phantom/sacroiliac.yaml`` with their sources.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from anatomy.sacroiliac import SPARCC_ITEMS, STRUCTURAL, sparcc_window
from anatomy.sacroiliac import is_asas_positive as is_positive

Rules = dict[str, Any]


@dataclass(frozen=True)
class JointFacts:
    """What was counted at one joint; K slices.

    Attributes:
        side: Patient's side.
        quadrant_mm2: (K, 4) oedema in each of ``anatomy.sacroiliac.QUADRANTS``.
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
        structural_mm2: (K, 5) area of each of ``anatomy.sacroiliac.STRUCTURAL`` on a slice, bone across the joint
            for ankylosis.
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
    structural_mm2: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, len(STRUCTURAL))))


def sparcc_scores(facts: tuple[JointFacts, ...], rules: Rules) -> tuple[int, list[dict[str, Any]]]:
    """Return the SPARCC inflammation score (0 to 72) and its table, a row for each slice and joint.

    The six consecutive slices are those of the cartilaginous joint with the highest score, the first of equals.
    Source: CLINICAL.md section 2.
    """
    rule = rules["sparcc"]
    tables = [slice_scores(fact, rule) for fact in facts]
    points = np.sum([table.sum(axis=1) for table in tables], axis=0)
    eligible = np.flatnonzero(np.any([fact.is_joint_slice for fact in facts], axis=0))
    window = sparcc_window(points.tolist(), eligible.tolist(), slices=int(rule["slices"]))
    rows = [
        {"slice": k, "side": fact.side.value, **dict(zip(SPARCC_ITEMS, map(int, table[k]), strict=True))}
        for fact, table in zip(facts, tables, strict=True)
        for k in range(window.first, window.first + window.count)
    ]
    return window.score, rows


def slice_scores(fact: JointFacts, rule: dict[str, Any]) -> NDArray[np.int64]:
    """Return (K, 6): ``SPARCC_ITEMS`` of every slice, 0 or 1."""
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
    return is_positive(there.tolist(), (fact.lesions_per_slice >= 2).tolist())


def stage_of(fact: JointFacts, rules: Rules) -> str:
    """Return the stage of a joint: normal, early (oedema), moderate (structural damage) or advanced (ankylosis).

    Ours, built on the four stages of system 5 in SYSTEMS.md.
    """
    damage = structural_lesions(fact, rules)
    if damage["ankylosis"]:
        return "advanced"
    if any(damage.values()):
        return "moderate"
    return "early" if is_asas_positive(fact, rules) else "normal"


def structural_lesions(fact: JointFacts, rules: Rules) -> dict[str, bool]:
    """Return which of ``STRUCTURAL`` a joint shows, each by its threshold."""
    rule = rules["stage"]
    return {
        "erosion": bool(fact.erosions >= rule["erosions"]),
        "sclerosis": bool(fact.sclerosis_mm >= rule["sclerosis_mm"] and fact.sclerosis_mm2 >= rule["area_mm2"]),
        "fat": bool(fact.fat_mm2 >= rule["area_mm2"]),
        "backfill": bool(fact.backfill_mm2 >= rule["area_mm2"] / 2),
        "ankylosis": bool(fact.bridged_share >= rule["bridged_share"] or fact.width_mm < rule["width_mm"]),
    }
