"""Truth that is neither a grade nor a length: numbering, shape of herniations, and what may distract a reader."""

from typing import Any

from imaging.phantom.lumbar.place import Spine
from imaging.phantom.lumbar.plan import LUMBARISED, SACRALISED, USUAL
from imaging.phantom.lumbar.rules import is_extrusion
from imaging.phantom.lumbar.shape import Herniation
from imaging.phantom.types import TruthMeasurement

_LUMBAR_TYPE = {USUAL: 5, SACRALISED: 4, LUMBARISED: 6}
_CENTRAL_MM = 3.0
_FORAMINAL_INWARD_MM = 3.0
_FRACTURED_BELOW = 0.8  # front over back: Genant's mild step begins at a loss of a fifth


def describe(
    spine: Spine, herniations: dict[str, Herniation], measurements: list[TruthMeasurement]
) -> dict[str, Any]:
    """Return what ``truth.json`` holds under ``details``, in plain words and numbers.

    Args:
        spine: The placed spine.
        herniations: Level -> its measured herniation.
        measurements: All that was measured.
    """
    plan = spine.plan
    ratio = {item.level: item.value for item in measurements if item.name == "vertebral_height_ratio"}
    discs = [disc for disc in reversed(plan.discs) if disc.name in {item.level for item in measurements}]
    return {
        "numbering": {
            "junction": plan.numbering,
            "is_transitional": plan.numbering != USUAL,
            "lumbar_type_vertebrae": _LUMBAR_TYPE[plan.numbering],
            "level_names": "anatomical: below a sacralised L5 lies L5-S1, below a lumbarised S1 lies S1-S2",
        },
        "herniations": [_herniation(spine, level, found) for level, found in herniations.items()],
        "fractures": [
            {"vertebra": name, "height_ratio": round(value, 3)}
            for name, value in ratio.items()
            if plan.body(name).collapse and value < _FRACTURED_BELOW
        ],
        "haemangiomas": [
            {"vertebra": body.name, "diameter_mm": round(2 * body.haemangioma, 1)}
            for body in plan.bodies
            if body.haemangioma
        ],
        "facet_effusions": [
            {"level": disc.name, "side": side}
            for disc in discs
            for side, joint in zip(("left", "right"), spine.joints[disc.name], strict=True)
            if joint.has_fluid
        ],
        "vacuum": [disc.name for disc in discs if disc.has_vacuum],
        "annular_fissures": [disc.name for disc in discs if disc.has_fissure],
        "osteophytes": [disc.name for disc in discs if disc.lip >= 2.0],
    }


def _herniation(spine: Spine, level: str, found: Herniation) -> dict[str, Any]:
    disc = spine.disc(level)
    t = disc.bulges.focal_t
    foramen = spine.joints[level][0].w - _FORAMINAL_INWARD_MM
    place = "central" if abs(t) < _CENTRAL_MM else "foraminal" if abs(t) > foramen else "paracentral"
    extruded = is_extrusion(found, spine.tables.rules)
    limit = spine.tables.rules["extrusion"]["past_level_mm"]
    past = max(found.above, found.below)
    return {
        "level": level,
        "kind": "extrusion" if extruded else "protrusion",
        "rule": spine.tables.rules["extrusion"]["version"],
        "place": place,
        "side": None if place == "central" else "left" if t < 0 else "right",
        "depth_mm": round(found.depth, 1),
        "migration": None if past <= limit else ("cranial" if found.above > found.below else "caudal"),
        "migration_mm": round(past, 1) if past > limit else 0.0,
    }
