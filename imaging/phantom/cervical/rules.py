"""Rules from a measured geometry to a truth grade; each returns the grade and the rule's version.

Thresholds live in ``configs/phantom/cervical.yaml`` with their sources.
"""

from typing import Any

import numpy as np

from imaging.phantom.cervical.tables import DiscRow

Graded = tuple[str, str]
"""Grade and rule version."""

Rules = dict[str, Any]

_PFIRRMANN = ("I", "II", "III", "IV", "V")


def grade_canal(ap_mm: float, rules: Rules) -> Graded:
    """Grade canal stenosis by the AP diameter of the dural tube.

    Source: Kato, Eur Spine J 2012;21:1499: 9.5 +/- 1.8 mm at C5-C6; limits at one and two deviations below.
    """
    rule = rules["canal_ap"]
    if ap_mm < rule["severe_below"]:
        return "severe", rule["version"]
    return ("moderate" if ap_mm < rule["moderate_below"] else "normal_mild"), rule["version"]


def grade_kang(space_share: float, cord_ratio: float, has_signal: bool, rules: Rules) -> Graded:
    """Grade cord compression on the Kang scale.

    Args:
        space_share: Subarachnoid space left, as a share of that of the neighbouring mid-bodies.
        cord_ratio: AP diameter of the cord over that of its neighbours.
        has_signal: Whether its T2 signal is raised there.
        rules: With the limits.

    Source: Kang et al., AJR 2011, as paraphrased in CLINICAL.md section 2; what counts as deformed is own choice.
    """
    rule = rules["kang"]
    if cord_ratio < rule["cord_ratio"]:
        return ("3" if has_signal else "2"), rule["version"]
    return ("1" if space_share < rule["space_share"] else "0"), rule["version"]


def grade_compression(kang: Graded) -> Graded:
    """Tell cord compression: a deformed cord, Kang 2 or 3."""
    return presence(kang[0] in ("2", "3")), kang[1]


def grade_foramen(width_mm: float, root_mm: float, rules: Rules) -> Graded:
    """Grade a foramen by its least width against the width of its root.

    Source: Kim et al., Korean J Radiol 2015;16:1294: none above the root's width, severe at half of it or less.
    """
    rule = rules["foramen"]
    share = width_mm / root_mm
    if share > rule["moderate_share"]:
        return "normal_mild", rule["version"]
    return ("moderate" if share > rule["severe_share"] else "severe"), rule["version"]


def grade_pfirrmann(nucleus_t2_ms: float, height_loss: float, rules: Rules) -> Graded:
    """Grade degeneration by the nucleus' T2 and, for V, the collapse; as in the lumbar phantom.

    Source: T2 by grade, ESR poster (CLINICAL.md 1.2); collapse, modified Pfirrmann step 8.
    """
    rule = rules["pfirrmann"]
    means = np.array(rule["nucleus_t2_ms"], dtype=float)
    step = int((nucleus_t2_ms < np.sqrt(means[:-1] * means[1:])).sum())
    if step == len(means) - 1 and height_loss > rule["collapsed_loss"]:
        step += 1
    return _PFIRRMANN[step], rule["version"]


def grade_narrowing(height_mm: float, height_loss: float, row: DiscRow, rules: Rules) -> Graded:
    """Tell a narrowed disc by the level's lower limit, or by its own loss where none is published."""
    rule = rules["narrowing"]
    narrowed = height_loss >= rule["loss_without_limit"] if row.lower is None else height_mm < row.lower
    return presence(narrowed), rule["version"]


def grade_listhesis(offset_mm: float, rules: Rules) -> Graded:
    """Tell a slip by its size, forwards or backwards.

    Source: more than 2 mm (Suzuki, kinetic MRI of 468 patients).
    """
    rule = rules["listhesis"]
    return presence(abs(offset_mm) > rule["present_above"]), rule["version"]


def grade_bulge(floor_mm: float, rules: Rules) -> Graded:
    """Tell a bulge by what the disc passes the bodies' back over most of its width."""
    rule = rules["outline"]
    return presence(floor_mm >= rule["passes"]), rule["version"]


def grade_herniation(focal_mm: float, focal_share: float, rules: Rules) -> Graded:
    """Tell a herniation by what stands out of the even part, over less than half of the width."""
    rule = rules["outline"]
    return presence(focal_mm >= rule["focal"] and focal_share < rule["focal_share"]), rule["version"]


def presence(is_there: bool) -> str:
    """Return ``present`` or ``absent``."""
    return "present" if is_there else "absent"
