"""Does a label map read like a spine? Order from head to foot, discs beside their vertebrae, nothing skipped.

All in RAS+ mm, from the centres of the labels. The thresholds are own choices: they tell a wrong numbering from
the curves, slips and tilts of real spines, and are tested on the phantom's spines and SPIDER's.
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import DISC_LEVELS, VERTEBRAE, disc_label, vertebra_label
from imaging.types import AffineMatrix

Centre = NDArray[np.float64]
"""(x, y, z) in RAS+ mm."""

_POINT_VOXELS = 27
"""A mark has at most this many voxels (3 x 3 x 3)."""
_ORDER = {
    **{vertebra_label(name): 2 * rank for rank, name in enumerate(VERTEBRAE)},
    **{disc_label(name): 2 * VERTEBRAE.index(name.split("-")[0]) + 1 for name in DISC_LEVELS},
    50: 2 * len(VERTEBRAE),
}
"""Our label -> rank from head to foot: vertebrae even, discs odd, the sacrum last."""
_NAMES = {vertebra_label(name): name for name in VERTEBRAE} | {disc_label(name): name for name in DISC_LEVELS}
_BACK_MM = 3.0
"""A lower vertebra (or disc) may lie this much above its upper neighbour before the order counts as turned round:
the arch of a vertebra at the border of the picture moves its centre."""


def centroids_ras(array: NDArray[np.integer], affine: AffineMatrix) -> dict[int, Centre]:
    """Return label -> centre of gravity in RAS+ mm.

    Args:
        array: (I, J, K) labels, 0 background.
        affine: (4, 4) voxel -> RAS+ mm.
    """
    labels = np.flatnonzero(np.bincount(array.ravel()))
    labels = labels[labels != 0]
    if len(labels) == 0:
        return {}
    at = np.nonzero(array)
    values = array[at]
    size = int(labels[-1]) + 1
    counts = np.bincount(values, minlength=size)[labels]
    means = np.stack([np.bincount(values, weights=axis, minlength=size)[labels] / counts for axis in at], axis=1)
    world = means @ affine[:3, :3].T + affine[:3, 3]
    return {int(label): centre for label, centre in zip(labels, world, strict=True)}


def spread_of_points(array: NDArray[np.integer]) -> int | None:
    """Return the most voxels that any label has when all are marks (at most 27 voxels each); None otherwise."""
    most = int(np.bincount(array.ravel())[1:].max(initial=0))
    return most if 0 < most <= _POINT_VOXELS else None


def anatomy_conflicts(centres: Mapping[int, Centre]) -> tuple[str, ...]:
    """Return what in a label map no spine has, in words; empty when it reads like one.

    Args:
        centres: Our label -> centre in RAS+ mm; labels without a place along the spine are ignored.
    """
    return (*_turned_round(centres, is_disc=False), *_turned_round(centres, is_disc=True), *_strayed(centres))


def _turned_round(centres: Mapping[int, Centre], *, is_disc: bool) -> list[str]:
    """Return neighbours of one kind of which the upper one lies below the lower one."""
    labels = sorted(
        (label for label in centres if label in _ORDER and (label > 200) == is_disc),
        key=lambda label: _ORDER[label],
    )
    return [
        f"{_name(lower)} above {_name(upper)}"
        for upper, lower in pairwise(labels)
        if centres[lower][2] > centres[upper][2] + _BACK_MM
    ]


def _strayed(centres: Mapping[int, Centre]) -> list[str]:
    """Return discs that lie nearest to a vertebra that is neither above nor below them by name."""
    vertebrae = {_ORDER[label]: centre for label, centre in centres.items() if label in _ORDER and label < 200}
    found = []
    for label, centre in centres.items():
        if label not in _ORDER or label < 200:
            continue
        own = {_ORDER[label] - 1, _ORDER[label] + 1}
        if not own <= set(vertebrae):
            continue
        nearest = min(vertebrae, key=lambda rank: abs(float(vertebrae[rank][2] - centre[2])))
        if nearest not in own:
            found.append(f"the disc {_name(label)} not between its vertebrae")
    return found


def _name(label: int) -> str:
    return _NAMES.get(label, "the sacrum")


def level_doubts(array: NDArray[np.uint8], affine: AffineMatrix) -> dict[str, str]:
    """Return disc level -> why its name is in doubt, for labels that repeat or skip.

    A label in two places, each with a fifth of it or more and a centimetre apart from head to foot, names two
    discs. A step between neighbouring names that is as long as two, or names that skip one over a single step,
    means that the count slipped.

    Args:
        array: (I, J, K) our label numbers.
        affine: (4, 4) voxel -> RAS+ mm.
    """
    centres = {label: centre for label, centre in centroids_ras(array, affine).items() if label in _ORDER}
    doubts = {_NAMES[label]: text for label, text in _repeated(array, affine) if label in _NAMES and label > 200}
    for name, text in _slipped({label: centre for label, centre in centres.items() if label > 200}):
        doubts.setdefault(name, text)
    return doubts


def _repeated(array: NDArray[np.uint8], affine: AffineMatrix) -> list[tuple[int, str]]:
    found = []
    for label, window in enumerate(ndimage.find_objects(array), start=1):
        if window is None or label not in _ORDER or label < 200:
            continue
        pieces, count = ndimage.label(array[window] == label, structure=np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())[1:] if count else np.array([])
        large = np.flatnonzero(sizes >= 0.2 * sizes.sum()) + 1
        if len(large) < 2:
            continue
        inside = np.array(ndimage.center_of_mass(np.ones(pieces.shape), pieces, large))
        heights = (inside + [part.start for part in window]) @ affine[2, :3]
        if np.ptp(heights) > _APART_MM:
            found.append((label, f"the imported labels name two discs {_name(label)}"))
    return found


_APART_MM = 10.0
"""Pieces of one disc lie within its own height of each other; 10 mm is above most discs' heights."""
_SLIP = 1.6
"""Own choice: a step this many times its neighbours' is two steps."""


def _slipped(discs: Mapping[int, Centre]) -> list[tuple[str, str]]:
    """Return levels at which names and distances along the spine disagree."""
    labels = sorted(discs, key=lambda label: _ORDER[label])
    steps = [
        ((_ORDER[lower] - _ORDER[upper]) // 2, float(np.linalg.norm(discs[lower] - discs[upper])))
        for upper, lower in pairwise(labels)
    ]
    found = []
    for index, (names, distance) in enumerate(steps):
        others = [
            step / count for other, (count, step) in enumerate(steps) if other != index and abs(other - index) <= 2
        ]
        if not others:
            continue
        usual = float(np.median(others))
        is_skipped = names == 1 and distance > _SLIP * usual
        is_jumped = names > 1 and distance < (names - 1 + 1 / _SLIP - 0.5) * usual
        if is_skipped or is_jumped:
            text = "the imported names and the distances between discs disagree here"
            found.extend([(_name(labels[index]), text), (_name(labels[index + 1]), text)])
    return found
