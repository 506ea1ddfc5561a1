"""The posterior elements of a vertebra as numbers: where pedicles, laminae and facets stand in its own frame.

Sizes are own choice, to look like a lumbar MRI, except that a facet stands behind the disc's edge by the drawn
width of the foramen.
"""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.shapes import Body, Disc

_UNSEEN_FACET_MM = 7.0  # behind the body, for the top vertebra, which has no disc above it


@dataclass(frozen=True)
class Arch:
    """Where the posterior elements of a vertebra lie in its own frame, mm.

    Attributes:
        height: Of the body.
        pedicle_t: Distance of the pedicles from the midline.
        wall_p: The back of the body.
        lamina_p: The front of the laminae at the midline.
        facet_p: Front of the (left, right) superior articular process.
        below_p: Front of the superior articular process of the vertebra below, (left, right).
        spinous: Length of the spinous process.
        spinous_half: Half its height at its root.
        droop: How steeply it falls.
    """

    height: float
    pedicle_t: float
    wall_p: float
    lamina_p: float
    facet_p: tuple[float, float]
    below_p: tuple[float, float]
    spinous: float
    spinous_half: float
    droop: float


def build_arch(
    body: Body,
    *,
    above: Disc | None,
    below: Disc | None,
    pedicle_t: float,
    pedicle_above_t: float,
    sac_ap: float,
    widths: dict[str, tuple[float, float]],
) -> Arch:
    """Return the posterior elements of a vertebra, or the facets of S1.

    Args:
        body: Its body.
        above: The disc above it; None for the top one.
        below: The disc below it; None for S1.
        pedicle_t: Distance of the pedicles from the midline, mm.
        pedicle_above_t: The same of the vertebra above, under whose pedicles the foramen above is measured.
        sac_ap: AP diameter of the thecal sac, mm.
        widths: Level -> drawn width of the (left, right) foramen, mm.
    """
    is_thoracic = body.name.startswith("T")
    far = (-body.depth / 2 - _UNSEEN_FACET_MM,) * 2
    return Arch(
        height=body.height,
        pedicle_t=pedicle_t,
        wall_p=-body.depth / 2 + body.hollow,
        lamina_p=-body.depth / 2 - sac_ap - 3.2,
        facet_p=far if above is None else _facets(body, above, pedicle_above_t, widths[above.name]),
        below_p=far if below is None else _facets(body, below, pedicle_t, widths[below.name]),
        spinous=24.0 if is_thoracic else 20.0 if body.name == "L5" else 29.0,
        spinous_half=4.2 if is_thoracic or body.name == "L5" else 6.2,
        droop=0.75 if is_thoracic else 0.32,
    )


def foramen_t(pedicle_t: float) -> float:
    """Return how far from the midline a foramen is measured, mm."""
    return pedicle_t - 1.0


def _facets(body: Body, disc: Disc, pedicle_t: float, widths: tuple[float, float]) -> tuple[float, float]:
    """Return p, in a body's frame, of the front of the facets beside a disc, (left, right)."""
    fronts = []
    for width, sign in zip(widths, (-1.0, 1.0), strict=True):
        margin = disc.margin(sign * foramen_t(pedicle_t))
        x, y, z = disc.frame.world(margin - width, 0.0)
        p, _, _ = body.frame.local(np.array([x]), np.array([y]), np.array([z]))
        fronts.append(float(p[0]))
    return fronts[0], fronts[1]
