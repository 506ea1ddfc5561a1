"""Records of named discs in the plane of one slice."""

from dataclasses import dataclass

from segmentation.frame import Points
from segmentation.shapes import DiscShape


@dataclass(frozen=True, eq=False)
class NamedDisc:
    """A named level in the plane of one slice.

    Attributes:
        name: Such as ``L4-L5``.
        shape: The disc; None when no outline shows it.
        centre: Disc centre, plane.
        posterior: Posterior disc margin at the canal, plane.
        axis: Unit vector along the disc, front to back, plane.
        length: Along the axis, plane units.
        confidence: Probability of the name.
        doubt: Why the name is doubtful, or None.
    """

    name: str
    shape: DiscShape | None
    centre: Points
    posterior: Points
    axis: Points
    length: float
    confidence: float
    doubt: str | None


@dataclass(frozen=True, eq=False)
class NamedChain:
    """All named levels of one slice.

    Attributes:
        discs: Cranial to caudal.
        pitch: Usual distance of neighbouring discs, plane units.
        left_out: Number of discs outside the levels that can be named.
        is_anchored: True when a person named one.
    """

    discs: tuple[NamedDisc, ...]
    pitch: float
    left_out: int
    is_anchored: bool
