"""Rules from a measured geometry to a truth grade; each returns the grade and the rule's version.

Thresholds live in ``configs/phantom/<protocol>.yaml`` with their sources.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.phantom.lumbar.shape import Herniation
from imaging.phantom.lumbar.tables import DiscRow, Tables
from imaging.phantom.shapes import Disc, outline_excess
from imaging.phantom.tissues import Palette, spin_echo

Graded = tuple[str, str]
"""Grade and rule version."""

Rules = dict[str, Any]


def grade_canal(ap_mm: float, rules: Rules) -> Graded:
    """Grade canal stenosis by the mid-sagittal AP diameter.

    Source: Verbiest's limits as given in CLINICAL.md: above 12, 10 to 12, below 10 mm.
    """
    rule = rules["canal_ap"]
    if ap_mm > rule["moderate_at_most"]:
        return "normal_mild", rule["version"]
    return ("severe" if ap_mm < rule["severe_below"] else "moderate"), rule["version"]


def grade_foramen(width_mm: float, height_mm: float, rules: Rules) -> Graded:
    """Grade a foramen by the worse of its width and height.

    Source: SpineBase working limits, CLINICAL.md 1.1.
    """
    rule = rules["foramen"]
    steps = [
        sum(value < limit for limit in limits)
        for value, limits in ((width_mm, rule["width"]), (height_mm, rule["height"]))
    ]
    return ("normal_mild", "moderate", "severe")[max(steps)], rule["version"]


def grade_recess(height_mm: float, rules: Rules) -> Graded:
    """Grade a lateral recess by its height.

    Source: limits in use, Steurer, BMC Musculoskelet Disord 2011;12:175; RSNA's own criterion is unpublished.
    """
    rule = rules["recess"]
    if height_mm > rule["moderate_at_most"]:
        return "normal_mild", rule["version"]
    return ("severe" if height_mm < rule["severe_below"] else "moderate"), rule["version"]


def bartynski_step(height_mm: float, rules: Rules) -> int:
    """Return 0 to 3: recess open, narrowed, its root flattened, obliterated.

    Source: Bartynski's words as paraphrased in CLINICAL.md section 2; the limits are the phantom's own.
    """
    return sum(bool(height_mm < limit) for limit in rules["bartynski"]["limits"])


def lee_step(contacts: tuple[bool, bool, bool, bool], root_share: float, rules: Rules) -> int:
    """Return Lee's foraminal step 0 to 3 from where the root (front, back, above, below) touches what is no fat.

    Source: Lee, AJR 2010, as paraphrased in CLINICAL.md section 2.
    """
    if root_share < rules["lee"]["collapsed_share"]:
        return 3
    if all(contacts):
        return 2
    front, back, above, below = contacts
    return int((front and back) or (above and below))


def is_extrusion(herniation: Herniation, rules: Rules) -> bool:
    """Tell an extrusion from a protrusion by its shape in the sagittal plane.

    Source: lumbar disc nomenclature 2.0 (wider than its base, or past the level of the disc); the margins are own.
    """
    rule = rules["extrusion"]
    past = max(herniation.above, herniation.below) > rule["past_level_mm"]
    return bool(past or herniation.widest > herniation.base + rule["wider_mm"])


def meyerding_step(share: float, rules: Rules) -> int:
    """Return Meyerding's step 1 to 4 of a forward slip, a share of the endplate below."""
    return 1 + sum(bool(share > quarter) for quarter in rules["meyerding"]["quarters"][:-1])


def grade_pfirrmann(nucleus_t2_ms: float, height_loss: float, rules: Rules) -> Graded:
    """Grade degeneration by the nucleus' T2 and, for V, the collapse.

    Source: T2 by grade, ESR poster (CLINICAL.md 1.2); collapse, modified Pfirrmann step 8.
    """
    rule = rules["pfirrmann"]
    means = np.array(rule["nucleus_t2_ms"], dtype=float)
    borders = np.sqrt(means[:-1] * means[1:])
    step = int((nucleus_t2_ms < borders).sum())
    if step == len(means) - 1 and height_loss > rule["collapsed_loss"]:
        step += 1
    return ("I", "II", "III", "IV", "V")[step], rule["version"]


def grade_narrowing(height_mm: float, height_loss: float, row: DiscRow, rules: Rules) -> Graded:
    """Tell a narrowed disc by the level's reference range, or by its own loss where no range is published.

    Source: J Orthop Surg Res 2018;13:34 (CLINICAL.md 1.1).
    """
    rule = rules["narrowing"]
    narrowed = height_loss >= rule["loss_without_range"] if row.lower is None else height_mm < row.lower
    return _presence(narrowed), rule["version"]


def grade_listhesis(offset_mm: float, rules: Rules) -> Graded:
    """Tell a slip by its size, forwards or backwards."""
    rule = rules["listhesis"]
    return _presence(abs(offset_mm) >= rule["present_from"]), rule["version"]


def grade_endplate(pit_mm: float, rules: Rules) -> Graded:
    """Tell an endplate change by the depth of its pit."""
    rule = rules["endplate"]
    return _presence(pit_mm >= rule["depth_from"]), rule["version"]


def grade_modic(kind: int, disc: Disc, tables: Tables, palette: Palette) -> Graded:
    """Tell the Modic type by the T1- and T2-weighted signal of the changed marrow against the rest.

    Source: Modic types as paraphrased in CLINICAL.md section 2.
    """
    rule = tables.rules["modic"]
    version = str(rule["version"])
    if kind == 0:
        return "0", version
    changed, marrow = palette.tissue(f"modic_{kind}"), palette.tissue(f"marrow_{disc.name.split('-')[0]}")
    t1 = spin_echo(changed, **rule["t1"]) / spin_echo(marrow, **rule["t1"])
    t2 = spin_echo(changed, **rule["t2"]) / spin_echo(marrow, **rule["t2"])
    if t1 < 1 and t2 > 1:
        return "1", version
    return ("2" if t1 > 1 else "3"), version


@dataclass(frozen=True)
class OutlineGrades:
    """What the outline of a disc says."""

    bulging: Graded
    herniation: Graded


def grade_outline(disc: Disc, rules: Rules) -> OutlineGrades:
    """Tell bulge and herniation by how much of the circumference passes the outline.

    Source: lumbar disc nomenclature 2.0: a bulge takes more than a quarter of it, a herniation less.
    """
    rule = rules["outline"]
    angle = np.radians(np.arange(0.0, 360.0, 0.5))
    p, t = _on_outline(disc, angle)
    arc = np.hypot(np.gradient(p), np.gradient(t))
    extent = disc.extension(p, t)
    share = arc[extent > rule["passes_mm"]].sum() / arc.sum()
    # What stands out against the even part of the outline is focal.
    background = np.minimum(disc.bulges.diffuse, extent)
    focal = extent - background >= rule["focal_mm"]
    is_focal = bool(focal.any()) and arc[focal].sum() / arc.sum() < rule["bulge_share"]
    return OutlineGrades(
        bulging=(_presence(bool(share > rule["bulge_share"])), rule["version"]),
        herniation=(_presence(is_focal), rule["version"]),
    )


def _on_outline(disc: Disc, angle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (p, t) of the outline in some directions from the disc's centre."""
    p, t = np.cos(angle), np.sin(angle)
    excess = outline_excess(p, t, half_depth=disc.depth / 2, half_width=disc.width / 2, hollow=0.0)
    radius = 1.0 - excess
    return p * radius, t * radius


def _presence(is_there: bool) -> str:
    return "present" if is_there else "absent"
