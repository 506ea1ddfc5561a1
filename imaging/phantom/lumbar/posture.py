"""How the bodies of a spine lean to the side and turn: the side curve of the plan."""

import numpy as np

from imaging.phantom.lumbar.plan import SpinePlan
from imaging.phantom.lumbar.tables import Tables

_HALF_SPAN = 2.0  # levels from the apex to the most leaning bodies; own choice
_FADE = 2.5  # levels past them over which the lean goes


def body_leans(plan: SpinePlan, tables: Tables) -> list[tuple[float, float]]:
    """Return (roll, yaw) of each body in radians, L5 first.

    Below the apex the bodies lean to the side of the bulge, above it back; they turn their front to the bulge,
    most at the apex. The angle between the most leaning endplates is the plan's Cobb angle.
    """
    away = np.arange(len(plan.bodies)) - plan.apex
    inside = np.sin(np.pi * np.clip(away, -_HALF_SPAN, _HALF_SPAN) / (2 * _HALF_SPAN))
    fade = np.clip(1.0 - (np.abs(away) - _HALF_SPAN) / _FADE, 0.0, 1.0)
    shape = inside * np.where(np.abs(away) > _HALF_SPAN, fade, 1.0)
    roll = -plan.cobb * shape / np.ptp(shape)
    yaw = tables.posture["scoliosis"]["yaw"] * plan.cobb * np.exp(-((away / 2.2) ** 2))
    return [(float(a), float(b)) for a, b in zip(roll, yaw, strict=True)]
