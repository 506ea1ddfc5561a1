"""What is measured on axial slices: areas of the dural sac and of the cord at a level.

The place of a level is where the middle of the canal passes the plane of its disc; the two axial slices around it
are weighed by nearness. A slice that cuts the canal at a slant shows too large an area: it is turned into the area
across the canal by the cosine of the slant, and on the lumbar spine from there into the plane of the disc, in
which it is usually measured.
Source: area in the plane of the disc, Schonstrom and others (general knowledge); across the cord, as
sct_process_segmentation does (angle correction).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.frame import Points
from segmentation.measure.found import Found, missing
from segmentation.measure.labels import CANAL, CORD
from segmentation.measure.spine import SagittalSpine
from segmentation.measure.stack import Stack

NO_AXIAL = "no axial series is outlined"
NO_POSITIONS = "the slices have no positions"
NOT_COVERED = "no axial slice crosses the spine at this level"
NO_SAC = "the canal is not outlined on the axial slices of this level"
_STEEP_DEG = 60.0
"""A slice turned further than this from the plane across the canal shows no area of it; own choice."""
_BEYOND_SLICES = 0.6
"""A level this far past the last slice still counts as crossed by it."""


@dataclass(frozen=True, eq=False)
class LevelPlane:
    """A level in the world, RAS+ mm: where the canal passes the plane of the disc.

    Attributes:
        point: Middle of the canal.
        along: Unit vector along the canal.
        normal: Unit normal of the disc's plane.
    """

    point: Points
    along: Points
    normal: Points


def level_plane(spine: SagittalSpine, level: str) -> LevelPlane | None:
    """Return where a level lies; None without positions, disc or canal."""
    k = spine.middle(level).nearest
    stretch, disc = spine.stretch(level, k), spine.disc(level, k)
    if stretch is None or stretch.reason is not None or disc is None or spine.stack.affine is None:
        return None
    index = len(stretch.ends) // 2
    middle = stretch.origin[index] + stretch.ends[index].mean() * stretch.across
    down = np.array([-stretch.across[1], stretch.across[0]])
    share = float((disc.centre - middle) @ disc.normal) / float(down @ disc.normal)
    at = middle + share * down
    points = spine.stack.world(np.array([at, at + down, at + disc.axis]), k)
    assert points is not None
    affine = spine.stack.affine
    middle_place = spine.middle(level).place
    point = points[0] + (middle_place - k) * affine[:3, 2]
    across = affine[:3, 2] / np.linalg.norm(affine[:3, 2])
    normal = np.cross(points[2] - points[0], across)
    return LevelPlane(point, _unit(points[1] - points[0]), _unit(normal))


def measure_area(axial: Stack | None, plane: LevelPlane | None, *, of_cord: bool, in_disc_plane: bool) -> Found:
    """Return the area of the dural sac, or of the cord, at a level, mm2.

    Args:
        axial: An axial series with its label map, or None.
        plane: Where the level lies.
        of_cord: The cord instead of the canal with the cord in it.
        in_disc_plane: Turn the area into the plane of the disc; else it is that across the canal.
    """
    if axial is None:
        return missing(NO_AXIAL)
    if axial.affine is None or plane is None:
        return missing(NO_POSITIONS if axial.affine is None else NO_SAC)
    normal = _unit(axial.affine[:3, 2])
    slant = abs(float(normal @ plane.along))
    if slant < np.cos(np.radians(_STEEP_DEG)):
        return missing(NOT_COVERED)
    voxel = np.linalg.inv(axial.affine) @ np.array([*plane.point, 1.0])
    place = float(voxel[2])
    if not -_BEYOND_SLICES <= place <= axial.slices - 1 + _BEYOND_SLICES:
        return missing(NOT_COVERED)
    labels = (CORD,) if of_cord else (CANAL, CORD)
    areas = []
    for k, weight in _around(place, axial.slices):
        area = _area(axial.mask(k, *labels), voxel[:2] + (k - place) * _drift(axial, plane), axial)
        if area > 0:
            areas.append((k, weight, area))
    if not areas:
        return missing(NO_SAC)
    total = sum(weight for _, weight, _ in areas)
    value = slant * sum(weight * area for _, weight, area in areas) / total
    if in_disc_plane:
        value /= max(abs(float(plane.normal @ plane.along)), np.cos(np.radians(_STEEP_DEG)))
    nearest = max(areas, key=lambda item: item[1])[0]
    return Found(value, slice_index=nearest)


def _drift(axial: Stack, plane: LevelPlane) -> NDArray[np.float64]:
    """Return by how many pixels (x, y) the canal moves from one axial slice to the next."""
    assert axial.affine is not None
    step = np.linalg.inv(axial.affine[:3, :3]) @ plane.along
    return np.asarray(step[:2] / step[2], dtype=np.float64)


def _around(place: float, slices: int) -> tuple[tuple[int, float], ...]:
    low = int(np.clip(np.floor(place), 0, slices - 1))
    high = min(low + 1, slices - 1)
    share = float(np.clip(place - low, 0.0, 1.0))
    return (
        ((low, 1.0 - share), (high, share)) if high > low and 0.0 < share < 1.0 else ((round(low + share), 1.0),)
    )


def _area(mask: NDArray[np.float32], near: NDArray[np.float64], axial: Stack) -> float:
    """Return mm2 of the piece of a mask that lies nearest to a pixel; 0 when there is none within 15 mm."""
    pieces, count = ndimage.label(mask > 0)
    if count == 0:
        return 0.0
    rows, columns = np.nonzero(pieces)
    away = np.hypot((columns - near[0]) * axial.frame.col, (rows - near[1]) * axial.frame.row)
    nearest = int(np.argmin(away))
    if away[nearest] > 15.0:
        return 0.0
    return float((pieces == pieces[rows[nearest], columns[nearest]]).sum() * axial.frame.pixel_area)


def _unit(vector: Points) -> Points:
    unit: Points = vector / np.linalg.norm(vector)
    return unit
