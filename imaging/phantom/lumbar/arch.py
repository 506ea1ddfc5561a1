"""The posterior elements of a vertebra as numbers: where pedicles, laminae and processes stand in its own frame.

Sizes are own choice, to look like a lumbar MRI. The facets are in ``facets.py``.
"""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.lumbar.facets import Joint
from imaging.phantom.lumbar.plan import SACRALISED, SpinePlan
from imaging.phantom.shapes import Body, Disc

Ends = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Both ends of a tube, (p, q, t) in mm."""


@dataclass(frozen=True)
class Arch:
    """Where the posterior elements of a vertebra lie in its own frame, mm.

    Attributes:
        height: Of the body, at the back.
        pedicle_t: Distance of the pedicles from the midline.
        wall_p: The back of the body.
        back_p: The back of the pedicles.
        lamina_p: The front of the laminae at the midline.
        bridges: The (left, right) pars, from the pedicle to the inferior process.
        spinous: Length of the spinous process.
        spinous_half: Half its height at its root.
        droop: How steeply it falls.
        transverse: Length of the transverse processes past the pedicles.
        transverse_half: Half their height.
    """

    height: float
    pedicle_t: float
    wall_p: float
    back_p: float
    lamina_p: float
    bridges: tuple[Ends, Ends]
    spinous: float
    spinous_half: float
    droop: float
    transverse: float
    transverse_half: float


def build_arch(body: Body, *, below: Disc, joints: tuple[Joint, Joint], pedicle_t: float, plan: SpinePlan) -> Arch:
    """Return the posterior elements of a vertebra.

    Args:
        body: Its body.
        below: The disc below it.
        joints: The (left, right) joint below it, which its inferior processes form.
        pedicle_t: Distance of the pedicles from the midline, mm.
        plan: Sac and numbering.
    """
    is_thoracic = body.name.startswith("T")
    is_sacral = body.name == "L5" and plan.numbering == SACRALISED
    back_p = -body.depth / 2 - 12.0
    bridges = [_bridge(body, below, joint, pedicle_t) for joint in joints]
    return Arch(
        height=body.height + float(np.tan(-body.wedge / 2)) * body.depth,
        pedicle_t=pedicle_t,
        wall_p=-body.depth / 2 + body.hollow,
        back_p=back_p,
        lamina_p=-body.depth / 2 - plan.sac_ap - 3.2,
        bridges=(bridges[0], bridges[1]),
        spinous=24.0 if is_thoracic else 18.0 if body.name == "L5" else 29.0,
        spinous_half=4.2 if is_thoracic or body.name == "L5" else 7.0,
        droop=0.75 if is_thoracic else 0.28,
        transverse=30.0 if is_sacral else 14.0 if is_thoracic else 27.0 if body.name == "L3" else 22.0,
        transverse_half=10.0 if is_sacral else 4.2,
    )


def _bridge(body: Body, below: Disc, joint: Joint, pedicle_t: float) -> Ends:
    """Return the pars of one side: from the back of the pedicle to the top of the inferior process."""
    start = (-body.depth / 2 - 10.5, 0.10 * body.height, joint.sign * (pedicle_t + 0.5))
    p, w = joint.back
    x, y, z = below.frame.world(p, joint.half_disc + 6.0, joint.sign * w)
    end_p, end_q, end_t = body.frame.local(np.array([x]), np.array([y]), np.array([z]))
    return start, (float(end_p[0]), float(end_q[0]), float(end_t[0]))
