"""Names the plane of slices from their direction, oblique ones too.

Sagittal slices are told by how far they turn from the midline. The others tilt about the left-right axis, and
which way they tilt tells what they are: slices along the sacrum (coronal-oblique, for the sacroiliac joints)
lean back at the bottom, so their normal looks to the front and down; slices across it (axial-oblique of the
joints, axial slices parallel to L5-S1) have a normal that looks up and to the front. So a slice 50 degrees from
either plane still has one name.

The angle used for this is the *pitch* of the normal n = (x right, y front, z up), taken so that it does not look
back: atan2(z, y) in degrees. 0 is coronal, +90 and -90 are axial, about -30 to -60 is along the sacrum, +30 to +60
across it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.types import AffineMatrix, Plane

MAX_TILT_DEG = 45.0
"""Slices turned further than this from the sagittal plane are not sagittal. Own choice: half-way."""

MAX_SIDE_DEG = 25.0
"""Past it the normal looks so far to one side that its pitch says little: then only the nearest plane counts, and
slices further than ``MAX_TILT_DEG`` from all three have no plane. Own choice."""

CORONAL_PITCH_DEG = (-65.0, 30.0)
"""Pitch of the normal of coronal slices; beyond it slices are axial.

The sacral slope of the endplate of S1 is 41 +- 8 degrees in healthy adults (Vialle et al., J Bone Joint Surg Am
2005;87:260), and a coronal-oblique series is laid along it, up to about 60 degrees; axial slices parallel to L5-S1
reach 45 degrees. The borders are ours, between the two."""

UNSURE_DEG = 10.0
HALFWAY_DEG = 5.0
"""So near a border, or to the middle between coronal and axial, a word of the description decides. Own choice."""


@dataclass(frozen=True)
class PlaneFinding:
    """What plane slices lie in.

    Attributes:
        plane: Or ``unknown``.
        tilt_deg: Angle between the slices and that plane (the nearest one when unknown).
        reason: One short sentence.
    """

    plane: Plane
    tilt_deg: float
    reason: str


def slice_normal(affine: AffineMatrix, slice_axis: int) -> NDArray[np.float64]:
    """Return the unit normal (RAS+) of the slices, across the two axes that lie in them.

    Args:
        affine: (4, 4) voxel -> RAS+ mm.
        slice_axis: Voxel axis that runs from slice to slice.
    """
    first, second = (affine[:3, axis] for axis in range(3) if axis != slice_axis)
    normal = np.cross(first, second)
    return np.asarray(normal / np.linalg.norm(normal))


def tilt_from(normal_ras: NDArray[np.float64], plane: Plane) -> float:
    """Return the angle in degrees, 0 to 90, between slices of a unit normal (RAS+) and a plane other than
    unknown."""
    axis = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}[plane]
    return math.degrees(math.acos(min(1.0, abs(float(normal_ras[axis])))))


def find_plane(normal_ras: NDArray[np.float64], *, named: tuple[str, ...] = ()) -> PlaneFinding:
    """Name the plane of slices.

    Args:
        normal_ras: (3,) unit normal, RAS+; its sign does not matter.
        named: Planes that the description names (``imaging.words.plane_words``). One name decides within
            ``UNSURE_DEG`` of a border and ``HALFWAY_DEG`` of the middle; elsewhere the direction does, and a
            differing name is told.
    """
    choices = _choices(normal_ras)
    plane = choices[0]
    words = Plane(named[0]) if len(named) == 1 else None
    tilts = {item: tilt_from(normal_ras, item) for item in (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)}
    if words is not None and words in choices[1:]:
        reason = f"between two planes, named {words.value} by the description"
        return PlaneFinding(
            words, tilts[words], f"plane {words.value}: {reason}, tilted by {tilts[words]:.0f} degrees"
        )
    if plane is Plane.UNKNOWN:
        nearest = min(tilts, key=lambda item: tilts[item])
        reason = f"plane unknown: the slices are {tilts[nearest]:.0f} degrees from the {nearest.value} plane"
        return PlaneFinding(plane, tilts[nearest], reason)
    reason = f"plane {plane.value}: from the image orientation, tilted by {tilts[plane]:.0f} degrees"
    if words is not None and words is not plane:
        reason += f"; the description says {words.value}, the orientation was followed"
    return PlaneFinding(plane, tilts[plane], reason)


def _choices(normal_ras: NDArray[np.float64]) -> tuple[Plane, ...]:
    """Return the plane by direction, then those that a word may choose instead."""
    turn = tilt_from(normal_ras, Plane.SAGITTAL)
    by_pitch = _by_pitch(normal_ras)
    if turn <= MAX_TILT_DEG:
        return (Plane.SAGITTAL, *(by_pitch if turn > MAX_TILT_DEG - UNSURE_DEG else ()))
    others = (Plane.SAGITTAL,) if turn < MAX_TILT_DEG + UNSURE_DEG else ()
    if 90.0 - turn <= MAX_SIDE_DEG:
        return (*by_pitch, *others)
    nearest = min((Plane.CORONAL, Plane.AXIAL), key=lambda item: tilt_from(normal_ras, item))
    if tilt_from(normal_ras, nearest) <= MAX_TILT_DEG:
        return (nearest, *others)
    return (Plane.UNKNOWN, nearest, *others)


def _by_pitch(normal_ras: NDArray[np.float64]) -> tuple[Plane, ...]:
    front, up = float(normal_ras[1]), float(normal_ras[2])
    pitch = math.degrees(math.atan2(up, front) if front >= 0 else math.atan2(-up, -front))
    low, high = CORONAL_PITCH_DEG
    plane, other = Plane.AXIAL, Plane.CORONAL
    if low <= pitch <= high:
        plane, other = other, plane
    is_halfway = abs(abs(pitch) - 45.0) <= HALFWAY_DEG
    is_unsure = is_halfway or min(abs(pitch - low), abs(pitch - high)) <= UNSURE_DEG
    return (plane, other) if is_unsure else (plane,)
