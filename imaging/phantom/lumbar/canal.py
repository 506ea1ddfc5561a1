"""The spinal canal as a curve, with the sizes of sac, cord and bony canal along it.

Canal coordinates of a point: the index of the sample of the curve that is nearest in the side view (0.5 mm apart,
the sacrum first), d, the distance from the curve in that view, positive to the front, and t, to the right.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from imaging.phantom.curve import STEP_MM, Samples, SideCurve


@dataclass(frozen=True)
class CanalCurve(SideCurve):
    """The middle of the thecal sac, sacrum first, and what surrounds it.

    Attributes:
        node: Position among the nodes of the curve (0 = first), for tables by level.
        sac_half_ap: Half the AP diameter of the sac, mm; 0 below its end.
        sac_half_width: Half its width, mm.
        bony_half_width: Half the distance between the pedicles, mm.
        back_gap: From the sac to the laminae, mm.
    """

    node: Samples
    sac_half_ap: Samples
    sac_half_width: Samples
    bony_half_width: Samples
    back_gap: Samples


def build_curve(
    nodes: NDArray[np.float64], *, sac_ap: float, sac_width: Samples, bony_width: Samples, sac_end: float
) -> CanalCurve:
    """Build the curve through its nodes.

    Args:
        nodes: (N, 3) x, y, z of the middle of the sac, RAS+ mm, from the sacrum upwards.
        sac_ap: AP diameter of the sac, mm.
        sac_width: Width of the sac at each node, mm.
        bony_width: Distance between the pedicles at each node, mm.
        sac_end: Node position at which the sac ends; it tapers over the node above.
    """
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(nodes, axis=0), axis=1))])
    spline = CubicSpline(length, nodes)
    along = np.arange(0.0, length[-1], STEP_MM)
    position, tangent = spline(along), spline(along, 1)
    tangent = tangent[:, 1:] / np.hypot(*tangent[:, 1:].T)[:, None]
    node = np.interp(along, length, np.arange(len(nodes)))
    taper = np.sqrt(np.clip((node - sac_end) / 2.5, 0.0, 1.0))
    # Odd nodes lie at discs, even ones at bodies: behind a disc the laminae leave room for a fat pad.
    pad = np.abs(node - np.round(node / 2) * 2)
    return CanalCurve(
        x=position[:, 0],
        y=position[:, 1],
        z=position[:, 2],
        normal_y=tangent[:, 1],
        normal_z=-tangent[:, 0],
        node=node,
        sac_half_ap=0.5 * sac_ap * taper,
        sac_half_width=0.5 * np.interp(node, np.arange(len(nodes)), sac_width) * taper,
        bony_half_width=0.5 * np.interp(node, np.arange(len(nodes)), bony_width),
        back_gap=1.0 + 2.6 * np.clip(pad, 0.0, 1.0),
        tree=cKDTree(position[:, 1:]),
    )
