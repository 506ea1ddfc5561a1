"""Where the sacroiliac joints lie: a plane fitted to each joint's outline, and a frame along it on every slice.

The outline of a thin, curved joint is patchy (the joint space is 2 mm wide, fuses, or is not seen), but the
bones on both sides of it are large. So a joint is the set of places midway between sacrum and ilium, or outlined
as joint space, of all series; a plane is fitted to them that forgives outliers. No torch.

Frame of a joint, in mm: ``across`` from sacrum to ilium, ``along`` from its foot to its head, both in the slice,
and ``through`` from slice to slice towards the patient's front. Left and right are mirror images of each other
in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import STRUCTURES, Side, Structure
from imaging.types import AffineMatrix
from segmentation.types import LabelArray

Vector = NDArray[np.float64]
"""A direction or a place in RAS+ mm, (3,)."""
Outline = tuple[LabelArray, AffineMatrix]
"""Label numbers (I, J, K) and their affine, voxel -> RAS+ mm."""

SIDES = (Side.LEFT, Side.RIGHT)
_SACRUM = STRUCTURES[Structure.SACRUM].label
_ILIUM = {
    Side.LEFT: STRUCTURES[Structure.ILIUM_LEFT].label,
    Side.RIGHT: STRUCTURES[Structure.ILIUM_RIGHT].label,
}
_SPACE = {
    Side.LEFT: STRUCTURES[Structure.JOINT_SPACE_LEFT].label,
    Side.RIGHT: STRUCTURES[Structure.JOINT_SPACE_RIGHT].label,
}
# All own choice, set on drawn pelves.
_GAP_MM = 10.0  # bones further apart do not face each other across a joint
_STRIDE = 2  # every second pixel is enough for a plane
_OUTLIER_MM = 6.0  # a joint waves about 3 mm about its plane
_ROUNDS = 12
_LEAST_POINTS = 60
_ENDS = (4.0, 96.0)  # percentiles of the places along the joint that count as its ends

BAND_MM = 10.0
"""Half the width of a joint's band: oedema that reaches further than 1 cm from the joint is deep (SPARCC).
Source: CLINICAL.md section 2."""


@dataclass(frozen=True, eq=False)
class JointFrame:
    """The frame of one joint.

    Attributes:
        side: Patient's side.
        origin: Its middle, RAS+ mm.
        across: Unit vector in the slice, from sacrum to ilium.
        along: Unit vector in the slice, from foot to head.
        through: Way from a slice to one that lies 1 mm further to the front, along the joint: the joint runs
            outwards there, so it is longer than 1.
        normal: Unit vector at right angles to the slices, towards the front.
        length_mm: Between the joint's ends.
    """

    side: Side
    origin: Vector
    across: Vector
    along: Vector
    through: Vector
    normal: Vector
    length_mm: float

    def depth_mm(self, place: Vector) -> float:
        """Return how far in front of the joint's middle a place lies, mm."""
        return float((place - self.origin) @ self.normal)


def locate_joints(outlines: Iterable[Outline], affine: AffineMatrix) -> dict[Side, JointFrame]:
    """Fit the joints to the outlines of all series at hand.

    Args:
        outlines: Of coronal series in one world frame.
        affine: Of the series whose slices the frames are laid on.

    Returns:
        Side -> frame; a side without enough of both bones facing each other is left out.
    """
    axes = slice_axes(affine)
    points: dict[Side, list[NDArray[np.float64]]] = {side: [] for side in SIDES}
    for labels, own in outlines:
        for side in SIDES:
            points[side].append(_facing(labels, own, side))
    found = {}
    for side in SIDES:
        places = np.concatenate([np.zeros((0, 3)), *points[side]])
        frame = _fit(places, side, axes)
        if frame is not None:
            found[side] = frame
    return found


def frame_band(
    frame: JointFrame,
    affine: AffineMatrix,
    shape: tuple[int, ...],
    slices: NDArray[np.intp],
    *,
    half_mm: float = BAND_MM,
) -> NDArray[np.bool_]:
    """Return the band on both sides of a joint, between its ends, on some slices.

    Args:
        frame: Of the joint.
        affine: Of the series, voxel -> RAS+ mm.
        shape: Of the series, (I, J, ...).
        slices: (K',) slice indices k.
        half_mm: Half the band's width.

    Returns:
        (I, J, K') bool.
    """
    i, j, k = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), slices, indexing="ij")
    away = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3] - frame.origin
    away = away - (away @ frame.normal)[..., None] * frame.through
    inside: NDArray[np.bool_] = (np.abs(away @ frame.across) <= half_mm) & (
        np.abs(away @ frame.along) <= frame.length_mm / 2
    )
    return inside


def slice_axes(affine: AffineMatrix) -> tuple[Vector, Vector, Vector]:
    """Return unit vectors of coronal slices: to the patient's right, up along the slice, and to the front."""
    unit = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    row_like = int(np.argmax(np.abs(unit[0, :2])))
    right, up = unit[:, row_like], unit[:, 1 - row_like]
    front = unit[:, 2]
    return right * np.sign(right[0]), up * np.sign(up[2]), front * np.sign(front[1])


def _facing(labels: LabelArray, affine: AffineMatrix, side: Side) -> NDArray[np.float64]:
    """Return RAS+ mm (N, 3) of what lies midway between sacrum and ilium, or is outlined as joint space."""
    coarse = labels[::_STRIDE, ::_STRIDE]
    mm = np.linalg.norm(affine[:3, :2], axis=0) * _STRIDE
    found = [np.zeros((0, 3))]
    for k in range(coarse.shape[2]):
        flat = coarse[:, :, k]
        sacrum, ilium = flat == _SACRUM, flat == _ILIUM[side]
        here = flat == _SPACE[side]
        if sacrum.any() and ilium.any():
            near, far = (ndimage.distance_transform_edt(~mask, sampling=mm) for mask in (sacrum, ilium))
            here |= (np.abs(near - far) <= mm.max()) & (near + far <= _GAP_MM)
        pixels = np.argwhere(here) * _STRIDE
        found.append(np.column_stack([pixels, np.full(len(pixels), k)]).astype(np.float64))
    voxels = np.concatenate(found)
    places: NDArray[np.float64] = voxels @ affine[:3, :3].T + affine[:3, 3]
    return places


def _fit(places: NDArray[np.float64], side: Side, axes: tuple[Vector, Vector, Vector]) -> JointFrame | None:
    """Fit ``outwards = a + b up + c front`` by iteratively reweighted least squares (Tukey's biweight)."""
    if len(places) < _LEAST_POINTS:
        return None
    right, up, front = axes
    outwards = right if side is Side.RIGHT else -right
    out, high, deep = places @ outwards, places @ up, places @ front
    design = np.column_stack([np.ones(len(out)), high, deep])
    residual = out - np.median(out)
    scale = 3 * _OUTLIER_MM
    for _ in range(_ROUNDS):
        weights = np.clip(1 - (residual / scale) ** 2, 0, None)
        if (weights > 0).sum() < _LEAST_POINTS:
            return None
        fitted = np.linalg.lstsq(design * weights[:, None], out * weights, rcond=None)[0]
        residual, scale = out - design @ fitted, max(0.8 * scale, _OUTLIER_MM)
    kept = np.abs(residual) <= _OUTLIER_MM
    if kept.sum() < _LEAST_POINTS:
        return None
    foot, head = np.percentile(high[kept], _ENDS)
    middle_high, middle_deep = (foot + head) / 2, float(np.mean(deep[kept]))
    middle_out = fitted @ [1.0, middle_high, middle_deep]
    stretch = float(np.hypot(1.0, fitted[1]))
    return JointFrame(
        side=side,
        origin=outwards * middle_out + up * middle_high + front * middle_deep,
        across=(outwards - fitted[1] * up) / stretch,
        along=(up + fitted[1] * outwards) / stretch,
        through=front + fitted[2] * outwards,
        normal=front,
        length_mm=float((head - foot) * stretch),
    )
