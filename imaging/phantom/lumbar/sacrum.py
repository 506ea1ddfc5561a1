"""The sacrum: S1 to S5 in a row, the middle of the S1 endplate at the world's origin."""

import numpy as np

from imaging.phantom.lumbar.plan import LUMBARISED, SpinePlan
from imaging.phantom.lumbar.tables import Tables
from imaging.phantom.shapes import Body, Frame

SACRUM_LABEL = 50
_WEDGE_DEG = 8.0  # of S1, taller in front; own choice


def place_sacrum(plan: SpinePlan, tables: Tables, bowl: float) -> list[Body]:
    """Return S5 to S1.

    Args:
        plan: Decides slope and numbering.
        tables: Sizes of the segments.
        bowl: Depth of the upper endplate of S1, mm.
    """
    is_lumbar = plan.numbering == LUMBARISED
    rows = tables.lumbarised_segments if is_lumbar else tables.sacrum_segments
    segments: list[Body] = []
    top, tilt = (0.0, 0.0, 0.0), plan.sacral_slope
    for name, (height, depth, width, turn, gap) in rows.items():
        first = not segments
        if not first:
            above = segments[-1]
            top = above.frame.world(0.0 if is_lumbar else -0.15 * above.depth, -above.height / 2 - gap)
            tilt += float(np.radians(turn))
        wedge = float(np.radians(3.0 if is_lumbar else _WEDGE_DEG)) if first else 0.0
        middle = tilt + wedge / 2
        x, y, z = Frame(*top, middle).world(0.0, -height / 2)
        segments.append(
            Body(
                name=name,
                label=SACRUM_LABEL,
                frame=Frame(x, y, z, middle),
                depth=depth,
                width=width,
                height=height,
                wedge=wedge,
                concavity_top=bowl if first else 0.0,
                concavity_bottom=0.0,
            )
        )
        tilt = middle + wedge / 2
    return segments[::-1]
