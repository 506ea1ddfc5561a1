"""The plan of one neck: what the draw asks for, before anything is placed.

What the phantom then shows is measured on the geometry (``truth.py``), never copied from here.
"""

from dataclasses import dataclass

import numpy as np

_SLACK_MM = 1.2  # between dural tube and laminae


@dataclass(frozen=True)
class BodyPlan:
    """Sizes of a vertebral body, mm; ``wedge`` in radians."""

    name: str
    height: float
    depth: float
    width: float
    wedge: float


@dataclass(frozen=True)
class DiscPlan:
    """Sizes and wear of a disc, mm.

    Attributes:
        name: Such as ``C5-C6``.
        healthy_height: Middle height before wear.
        height: Middle height.
        wedge: Radians, positive when taller in front.
        pfirrmann: Grade that the tissue is drawn for.
        nucleus_t2: T2 of the nucleus in ms.
        bulge: By how much disc or spurs pass the back of the bodies over their whole width.
        focal: Height of a herniation; 0 for none.
        focal_t: Its place, mm to the patient's right.
        focal_spread: Half its width.
        focal_reach: How far it reaches to head and foot of the disc's edge; above 0 it is an extrusion.
        focal_shift: How far its middle lies above (positive) or below the disc's.
        osteophyte: Size of the spurs at the back of the endplates; 0 for none.
        flavum: By how much the ligamentum flavum pushes into the dural tube from behind.
        slip: Forward offset of the vertebra above; negative backward.
        uncus: How far uncovertebral spurs close the (left, right) foramen from the front.
        facet: How far the (left, right) facet closes it from behind.
        myelopathy: Length of raised signal in the cord along the canal; 0 for none.
    """

    name: str
    healthy_height: float
    height: float
    wedge: float
    pfirrmann: str
    nucleus_t2: float
    bulge: float
    focal: float
    focal_t: float
    focal_spread: float
    focal_reach: float
    focal_shift: float
    osteophyte: float
    flavum: float
    slip: float
    uncus: tuple[float, float]
    facet: tuple[float, float]
    myelopathy: float

    def midline_push(self, gap: float) -> float:
        """Return by how much everything narrows the dural tube in the midline, mm.

        Args:
            gap: Between the back of the discs and the dural tube, mm.
        """
        front = self.bulge + self.focal * lobe(self.focal_t, self.focal_spread)
        return max(front - gap, 0.0) + self.flavum + self.slip_narrowing

    @property
    def slip_narrowing(self) -> float:
        """Return by how much the slip narrows the dural tube, mm."""
        return narrowing_by_slip(self.slip)


def lobe(t: float, spread: float) -> float:
    """Return what of a herniation's height stands ``t`` mm beside its middle, a share."""
    return float(np.exp(-((t / spread) ** 4)))


def narrowing_by_slip(slip: float) -> float:
    """Return by how much a slip narrows the dural tube, mm: what the slack behind it does not take; own choice."""
    return 0.6 * max(abs(slip) - _SLACK_MM, 0.0)


@dataclass(frozen=True)
class Plaque:
    """A plaque of raised T2 signal in the cord that no stenosis explains.

    Attributes:
        body: Vertebra behind which its middle lies.
        length: Along the cord, mm.
        u: Its place, shares of the cord's half width to the patient's right.
    """

    body: str
    length: float
    u: float


@dataclass(frozen=True)
class NeckPlan:
    """Everything that is drawn about one patient.

    Attributes:
        seed: Of the phantom.
        sex: ``F`` or ``M``.
        age_years: Whole years.
        bodies: C2 first, then downwards.
        discs: C2-C3 first, then downwards.
        dural_ap: AP diameter of the dural tube at C5, mm.
        cord_scale: Size of the cord against the norm.
        root: Diameter of the exiting roots, mm.
        t1_slope: Radians.
        sway: Sideways offset of the head against T4, mm, to the patient's right.
        neck_fat: Subcutaneous fat, mm.
        tonsil: How far the cerebellar tonsils reach below the foramen magnum, mm; negative above it.
        haemangioma: Vertebra with a haemangioma, or empty.
        plaque: In the cord, or None.
    """

    seed: int
    sex: str
    age_years: int
    bodies: tuple[BodyPlan, ...]
    discs: tuple[DiscPlan, ...]
    dural_ap: float
    cord_scale: float
    root: float
    t1_slope: float
    sway: float
    neck_fat: float
    tonsil: float
    haemangioma: str = ""
    plaque: Plaque | None = None

    def disc(self, name: str) -> DiscPlan:
        """Return a disc's plan by name."""
        return next(disc for disc in self.discs if disc.name == name)
