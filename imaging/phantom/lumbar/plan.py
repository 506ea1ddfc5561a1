"""The plan of one lumbar spine: what the draw asks for. What the phantom then shows is measured (``truth.py``)."""

from dataclasses import dataclass

USUAL, SACRALISED, LUMBARISED = "usual", "sacralised_l5", "lumbarised_s1"
"""Numbering of the lumbosacral junction."""


@dataclass(frozen=True)
class BodyPlan:
    """Sizes of a vertebral body, mm.

    Attributes:
        name: Such as ``L4``.
        height: Mean of front and back.
        depth: AP length of the endplates.
        width: Left to right.
        wedge: Radians, positive when taller in front.
        collapse: Share of the front height lost to a fracture.
        haemangioma: Radius, mm; 0 for none.
    """

    name: str
    height: float
    depth: float
    width: float
    wedge: float
    collapse: float = 0.0
    haemangioma: float = 0.0


@dataclass(frozen=True)
class DiscPlan:
    """Sizes and wear of a disc, mm.

    Attributes:
        name: Such as ``L4-L5``.
        healthy_height: Middle height before wear.
        height: Middle height.
        wedge: Radians.
        pfirrmann: Grade that the tissue is drawn for.
        nucleus_t2: T2 of the nucleus in ms.
        bulge: Diffuse bulge.
        focal: Height of a herniation; 0 for none.
        focal_t: Its place, to the patient's right.
        slip: Forward offset of the vertebra above; negative backwards.
        canal_ap: Largest AP diameter the sac may keep here.
        foramen_width: Width of the (left, right) foramen.
        modic: Type 0 to 3.
        pit_above: Depth of a pit in the endplate above the disc.
        pit_below: Depth of a pit in the endplate below it.
        is_extruded: True when the herniation is an extrusion.
        migration: How far it reaches past the disc's level, to the head; negative to the feet.
        recess: Height of the (left, right) lateral recess.
        flavum: Thickness of the ligamentum flavum beside what the canal's narrowing asks for.
        facet_size: Facets against usual ones.
        facet_fluid: Effusion of the (left, right) facet joint.
        facet_turn: Of the (left, right) joint against the level's usual angle, radians.
        lip: How far osteophytes of both rims stand out.
        has_vacuum: True for gas in a collapsed disc.
        has_fissure: True for a bright fissure in the back of the annulus.
        is_rudimentary: True for the small disc under a sacralised L5.
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
    slip: float
    canal_ap: float
    foramen_width: tuple[float, float]
    modic: int
    pit_above: float
    pit_below: float
    is_extruded: bool = False
    migration: float = 0.0
    recess: tuple[float, float] = (6.0, 6.0)
    flavum: float = 3.0
    facet_size: float = 1.0
    facet_fluid: tuple[bool, bool] = (False, False)
    facet_turn: tuple[float, float] = (0.0, 0.0)
    lip: float = 0.0
    has_vacuum: bool = False
    has_fissure: bool = False
    is_rudimentary: bool = False


@dataclass(frozen=True)
class SpinePlan:
    """Everything that is drawn about one patient.

    Attributes:
        seed: Of the phantom.
        sex: ``F`` or ``M``.
        age_years: Whole years.
        bodies: L5 first, then upwards.
        discs: L5-S1 first, then upwards.
        sac_ap: AP diameter of the thecal sac, mm.
        sacral_slope: Radians.
        conus: End of the cord, levels below the middle of L1.
        cobb: Angle of the side curve, radians, positive when its bulge looks to the patient's right.
        apex: Index of the body at its apex (L5 = 0).
        back_fat: Subcutaneous fat of the back, mm.
        muscle_fat: Fat fraction of the back muscles.
        numbering: ``usual``, ``sacralised_l5`` or ``lumbarised_s1``.
    """

    seed: int
    sex: str
    age_years: int
    bodies: tuple[BodyPlan, ...]
    discs: tuple[DiscPlan, ...]
    sac_ap: float
    sacral_slope: float
    conus: float
    cobb: float = 0.0
    apex: float = 3.0
    back_fat: float = 20.0
    muscle_fat: float = 0.16
    numbering: str = USUAL

    def disc(self, name: str) -> DiscPlan:
        """Return a disc's plan by name."""
        return next(disc for disc in self.discs if disc.name == name)

    def body(self, name: str) -> BodyPlan:
        """Return a body's plan by name."""
        return next(body for body in self.bodies if body.name == name)
