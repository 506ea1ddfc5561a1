"""What the likeness gate looks at: the attended tokens of one slice, and the shape of its maps."""

import numpy as np
from numpy.typing import NDArray

from anatomy import Structure
from segmentation.types import SliceMaps

Vector = NDArray[np.float64]

_LOOKED_AT = (Structure.DISC, Structure.VERTEBRA, Structure.SPINAL_CANAL, Structure.SACRUM)
_STEP = 4  # map statistics are taken on every fourth row and column


def token_vector(maps: SliceMaps) -> Vector:
    """Return the attended tokens of all prompts of the first slice in one row, (P * D,)."""
    return np.asarray(maps.prompt_tokens[0].ravel(), dtype=np.float64)


def map_statistics(maps: SliceMaps) -> Vector:
    """Return what the maps of the first slice look like, (S,): lengths are shares of the longer side.

    The sacrum tells a spine with its head below, whose discs and vertebrae look as usual: hardly any is found.
    """
    probability = maps.probabilities[0, :, ::_STEP, ::_STEP].astype(np.float64)
    planes = [probability[maps.structures.index(name.value)] for name in _LOOKED_AT if name in maps.structures]
    found = [_shape(plane) for plane in planes]
    # the others against the discs: behind or in front, above or below
    offsets = [shape[:2] - found[0][:2] for shape in found[1:]]
    return np.concatenate(
        [
            *(np.array([plane.mean(), plane.max(), (plane * (1 - plane)).mean()]) for plane in planes),
            *offsets,
            *(shape[2:] for shape in found),
            _level_statistics(maps.level_maps[0].astype(np.float64)),
        ]
    )


def _shape(plane: Vector) -> Vector:
    """Return centre x, y, spread along and across the main axis, cosine and sine of twice its angle."""
    weight = np.where(plane > 0.3, plane, 0.0)
    total = weight.sum()
    if total < 1:
        return np.zeros(6)
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]] / max(plane.shape)
    centre_x, centre_y = (weight * x).sum() / total, (weight * y).sum() / total
    xx = (weight * (x - centre_x) ** 2).sum() / total
    yy = (weight * (y - centre_y) ** 2).sum() / total
    xy = (weight * (x - centre_x) * (y - centre_y)).sum() / total
    long_way = np.hypot((xx - yy) / 2, xy)
    along, across = np.sqrt((xx + yy) / 2 + long_way), np.sqrt(max((xx + yy) / 2 - long_way, 0.0))
    turn = np.array([xx - yy, 2 * xy]) / max(2 * long_way, 1e-9)
    return np.array([centre_x, centre_y, along, across, *turn])


def _level_statistics(maps: Vector) -> Vector:
    """Return each level's peak, and the steps in y from each level's peak to the next (negative: out of order)."""
    flat = maps.reshape(len(maps), -1)
    rows = flat.argmax(axis=1) // maps.shape[2] / max(maps.shape[1:])
    return np.concatenate([flat.max(axis=1), np.diff(rows)])
