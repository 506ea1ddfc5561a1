"""Which vertebra a vertebra pixel belongs to, given the named discs of the slice.

Bodies lie in front of the canal between the planes of neighbouring discs. Posterior elements hang lower than
their body: a separate piece goes to the body whose height it reaches when lifted by ``_DROP`` of a pitch;
pixels joined to a body spread from it through the mask, nearest body first. Away from the middle slice a separate
piece takes the number of what it goes on from. Nothing below L5-S1 is a vertebra here: that is the sacrum.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed

from anatomy import DISC_LEVELS, vertebra_label
from segmentation.frame import Points, SliceFrame, caudal_normal

_DROP = 0.35
"""How far the centre of a separate posterior element lies below the centre of its body, in pitches: 0.32 +/- 0.27
over 91 pieces of the SPIDER instance masks; with it 98.8 % of vertebra pixels of 16 slices get their number."""

_OVERLAP = 0.25
"""Share of a separate piece that must lie over vertebra of the slice beside to take its number (own choice)."""

_REACH = (1.6, 2.2)
"""Vertebra lies within this many pitches in front of and behind the posterior disc margins (bodies are about one
pitch deep, spinous processes of the 91 pieces reach 2.3 pitches behind the centre of their body)."""


@dataclass(frozen=True, eq=False)
class DiscPlane:
    """A named disc as a cut through the spine.

    Attributes:
        level: Disc level.
        centre: Plane point.
        posterior: Plane point.
        axis: Unit vector front to back.
    """

    level: str
    centre: Points
    posterior: Points
    axis: Points


def label_vertebrae(
    vertebra: NDArray[np.bool_],
    planes: tuple[DiscPlane, ...],
    pitch: float,
    frame: SliceFrame,
    beside: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Number the vertebra pixels of a slice.

    Args:
        vertebra: Vertebra pixels, (rows, columns).
        planes: Named discs of the slice, cranial to caudal, at least one.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
        beside: (rows, columns) label numbers of the neighbouring slice nearer to the middle; None for the first.

    Returns:
        (rows, columns) label numbers of vertebrae, 0 elsewhere.
    """
    rows, columns = np.nonzero(vertebra)
    labels = np.zeros(vertebra.shape, dtype=np.uint8)
    if len(rows) == 0:
        return labels
    points = frame.to_plane(np.stack([columns, rows], axis=1))
    planes = complete_planes(planes, pitch)
    is_body = _in_front(points, planes, pitch)
    numbers = np.array(_slots(planes), dtype=np.uint8)
    slots = _slot_of(points, planes)
    seeds = np.zeros(vertebra.shape, dtype=np.int32)
    seeds[rows[is_body], columns[is_body]] = slots[is_body] + 1
    spread = watershed(np.zeros(vertebra.shape), markers=seeds, mask=vertebra)  # type: ignore[no-untyped-call]
    if beside is not None:
        _follow_beside(spread, vertebra, beside, numbers)
    _number_separate(spread, vertebra, planes, pitch, frame)
    labels[vertebra] = np.concatenate([[0], numbers])[spread[vertebra]]
    return labels


def complete_planes(planes: tuple[DiscPlane, ...], pitch: float) -> tuple[DiscPlane, ...]:
    """Add planes where a disc was not found: in the gaps, two above and, if it is a lumbar level, two below."""
    inner: list[DiscPlane] = []
    for upper, lower in pairwise(planes):
        inner.append(upper)
        first, second = DISC_LEVELS.index(upper.level), DISC_LEVELS.index(lower.level)
        inner += [_between(upper, lower, k, second - first) for k in range(1, second - first)]
    inner.append(planes[-1])
    top, bottom = DISC_LEVELS.index(planes[0].level), DISC_LEVELS.index(planes[-1].level)
    above = [_shifted(planes[0], -step, pitch) for step in (2, 1) if top - step >= 0]
    below = [_shifted(planes[-1], step, pitch) for step in (1, 2) if bottom + step < len(DISC_LEVELS)]
    return (*above, *inner, *below)


def _between(upper: DiscPlane, lower: DiscPlane, step: int, steps: int) -> DiscPlane:
    share = step / steps
    axis = (1 - share) * upper.axis + share * lower.axis
    return DiscPlane(
        level=DISC_LEVELS[DISC_LEVELS.index(upper.level) + step],
        centre=(1 - share) * upper.centre + share * lower.centre,
        posterior=(1 - share) * upper.posterior + share * lower.posterior,
        axis=axis / np.linalg.norm(axis),
    )


def _shifted(plane: DiscPlane, steps: int, pitch: float) -> DiscPlane:
    move = steps * pitch * caudal_normal(plane.axis)
    return DiscPlane(
        level=DISC_LEVELS[DISC_LEVELS.index(plane.level) + steps],
        centre=plane.centre + move,
        posterior=plane.posterior + move,
        axis=plane.axis,
    )


def _slots(planes: tuple[DiscPlane, ...]) -> list[int]:
    """Return the label of each slot: above the first plane, between the planes, below the last (0: sacrum)."""
    uppers = [vertebra_label(plane.level.split("-")[0]) for plane in planes]
    last = planes[-1].level
    below = 0 if last == DISC_LEVELS[-1] else vertebra_label(last.split("-")[1])
    return [*uppers, below]


def _slot_of(points: Points, planes: tuple[DiscPlane, ...]) -> NDArray[np.intp]:
    """Return for each point how many discs lie above it."""
    count = np.zeros(len(points), dtype=np.intp)
    for plane in planes:
        count += (points - plane.centre) @ caudal_normal(plane.axis) > 0
    return count


def _in_front(points: Points, planes: tuple[DiscPlane, ...], pitch: float) -> NDArray[np.bool_]:
    """Return which points lie where bodies are: in front of the line through the posterior disc margins."""
    behind = _behind_margins(points, planes) / pitch
    return np.asarray((behind <= 0.06) & (behind >= -_REACH[0]))


def _behind_margins(points: Points, planes: tuple[DiscPlane, ...]) -> NDArray[np.float64]:
    """Return how far points lie behind the line through the posterior disc margins, plane units."""
    margins = np.array([plane.posterior for plane in planes])
    edge = np.interp(points[:, 1], margins[:, 1], margins[:, 0]) if _rises(margins) else margins[:, 0].mean()
    return np.asarray(points[:, 0] - edge, dtype=np.float64)


def _rises(margins: Points) -> bool:
    return len(margins) > 1 and bool(np.all(np.diff(margins[:, 1]) > 0))


def _follow_beside(
    spread: NDArray[np.int32],
    vertebra: NDArray[np.bool_],
    beside: NDArray[np.uint8],
    numbers: NDArray[np.uint8],
) -> None:
    """Give pieces that no body reaches the slot of what they go on from in the slice beside, in place.

    A transverse process far to the side lies at the height of its pedicle, not below it as a spinous process does.
    """
    pieces, _ = ndimage.label(vertebra & (spread == 0))
    slot_of = {int(number): slot for slot, number in enumerate(numbers) if number}
    for index, window in enumerate(ndimage.find_objects(pieces), start=1):
        piece = pieces[window] == index
        votes = np.bincount(beside[window][piece], minlength=1)
        known = {number: int(votes[number]) for number in slot_of if number < len(votes)}
        if sum(known.values()) >= _OVERLAP * piece.sum():
            spread[window][piece] = slot_of[max(known, key=lambda number: known[number])] + 1


def _number_separate(
    spread: NDArray[np.int32],
    vertebra: NDArray[np.bool_],
    planes: tuple[DiscPlane, ...],
    pitch: float,
    frame: SliceFrame,
) -> None:
    """Give every piece that no body reaches to a slot, in place; pieces far from the spine get none."""
    pieces, count = ndimage.label(vertebra & (spread == 0))
    if count == 0:
        return
    for index, (row, column) in enumerate(
        ndimage.center_of_mass(pieces > 0, pieces, range(1, count + 1)), start=1
    ):
        centre = frame.to_plane((column, row))
        if -_REACH[0] <= float(_behind_margins(centre[None], planes)[0]) / pitch <= _REACH[1]:
            slot = _nearest_slot(centre - np.array([0.0, _DROP * pitch]), planes)
            spread[pieces == index] = slot + 1


def _nearest_slot(point: Points, planes: tuple[DiscPlane, ...]) -> int:
    """Return the slot by the height at which the point stands against the posterior disc margins."""
    margins = np.array([plane.posterior[1] for plane in planes])
    return int((margins < point[1]).sum())
