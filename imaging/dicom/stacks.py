"""Sorts the slices of a series into stacks by geometry.

One series may hold several stacks: tilted blocks of an axial series, one for each disc; two echoes or several
times at the same places; stations of a whole spine; runs that a missing slice separates. None is dropped: each
becomes a stack whose affine is exact. Order comes from positions; instance numbers are believed only where
nothing else tells two slices at one place apart.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.dicom.runs import EXACT_MM, affine_of, are_parallel, deviation_mm, regular_runs, shear_deg
from imaging.dicom.slices import SliceHeader
from imaging.planes import find_plane, slice_normal
from imaging.types import AffineMatrix

SAME_PLACE_MM = 0.05
"""Slices nearer than this along their normal lie at the same place; own choice: a tenth of the thinnest slice."""

SAME_ORIGIN_MM = 0.5
"""First pixels nearer than this within the plane start at the same point; own choice: about one pixel."""

MOST_BLOCKS = 200
"""Orientations and sizes within one series; own choice: one for each disc of a spine is 24. More are no stack."""

SHEAR_TOLD_DEG = 0.5
"""From this angle between slice axis and normal a stack is said to be sheared; own choice."""


@dataclass(frozen=True)
class Stack:
    """Parallel, evenly spaced slices of one size, in order along their normal.

    Attributes:
        slices: In order.
        affine: (4, 4) voxel (column, row, slice) -> RAS+ mm; the slice axis runs from the first to the last.
        notices: What the reader should know.
    """

    slices: tuple[SliceHeader, ...]
    affine: AffineMatrix
    notices: tuple[str, ...] = ()


def build_stacks(slices: list[SliceHeader]) -> tuple[list[Stack], tuple[str, ...]]:
    """Sort the slices of one series.

    Args:
        slices: Without doubles (``imaging.dicom.doubles``).

    Returns:
        The stacks, largest first, then head to foot; and notices on how the series was split.
    """
    groups = _sizes(sorted(slices, key=_canonical))
    blocks = [block for group in groups for block in _orientations(group)]
    if len(blocks) > MOST_BLOCKS:
        return [], (f"holds more than {MOST_BLOCKS} orientations or sizes and was left out.",)
    notices = [] if len(groups) == 1 else [_size_notice(groups)]
    stacks: list[Stack] = []
    for block in blocks:
        parts, part_notices = _parts(block)
        notices += part_notices
        for part in parts:
            runs = regular_runs(_sorted_by_place(part))
            notices += _run_notice(runs)
            stacks += [_stack(run) for run in runs]
    stacks.sort(key=lambda stack: (-len(stack.slices), -round(float(stack.affine[2, 3]), 3)))
    return stacks, tuple(dict.fromkeys(notices))


def mixes_planes(slices: Iterable[SliceHeader]) -> bool:
    """Say whether slices lie in different planes, as those of a three-plane localiser."""
    one_of_each = {(*item.row_lps.round(3), *item.column_lps.round(3)): item for item in slices}
    return len({find_plane(slice_normal(affine_of([item]), 2)).plane for item in one_of_each.values()}) > 1


def _canonical(item: SliceHeader) -> tuple[tuple[float, ...], tuple[float, ...], str, int]:
    """Order slices whatever the order of their files."""
    return tuple(float(x) for x in item.position_lps), item.rank, item.instance.instance_uid, item.frame


def _sizes(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices by matrix and pixel spacing, largest group first."""
    groups: dict[tuple[float, ...], list[SliceHeader]] = {}
    for item in slices:
        size = (item.instance.columns, item.instance.rows, round(item.spacing[0], 4), round(item.spacing[1], 4))
        groups.setdefault(size, []).append(item)
    return sorted(groups.values(), key=len, reverse=True)


def _size_notice(groups: list[list[SliceHeader]]) -> str:
    counts = ", ".join(str(len(group)) for group in groups)
    return f"holds images of several sizes ({counts} slices), kept as series of their own."


def _orientations(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices of one size by orientation."""
    blocks: list[list[SliceHeader]] = []
    for item in slices:
        home = next((block for block in blocks if are_parallel(block[0], item)), None)
        if home is not None:
            home.append(item)
        elif len(blocks) <= MOST_BLOCKS:
            blocks.append([item])
    return blocks


def _parts(block: list[SliceHeader]) -> tuple[list[list[SliceHeader]], list[str]]:
    """Split parallel slices until no two of a part share a place."""
    if _most_at_one_place(block) == 1:
        return [block], []
    parts, used = [block], []
    names = ["position within the plane", *(name for name, _ in block[0].marks)]
    for name in names:
        pieces = [piece for part in parts for piece in _split(part, name)]
        if len(pieces) > len(parts):
            used.append(name)
        parts = pieces
    notices = [f"slices at the same places were told apart by {' and '.join(used)}."] if used else []
    dealt = [piece for part in parts for piece in _deal(part)]
    if len(dealt) > len(parts):
        notices.append(
            "slices at the same places that only their instance number tells apart were kept as series of their "
            "own."
        )
    return dealt, notices


def _split(part: list[SliceHeader], name: str) -> list[list[SliceHeader]]:
    """Split a part by one mark, if that is what tells slices at the same places apart; else return it whole."""
    most = _most_at_one_place(part)
    if most == 1:
        return [part]
    marks = _origins(part, most) if name == "position within the plane" else [_mark(item, name) for item in part]
    # More values than slices at one place: the mark counts something else, such as slices or packages.
    if not 1 < len(set(marks)) <= most:
        return [part]
    groups: dict[Hashable, list[SliceHeader]] = {}
    for mark, item in sorted(zip(marks, part, strict=True), key=lambda pair: repr(pair[0])):
        groups.setdefault(mark, []).append(item)
    pieces = list(groups.values())
    return pieces if sum(_repeats(piece) for piece in pieces) < _repeats(part) else [part]


def _mark(item: SliceHeader, name: str) -> Hashable:
    return dict(item.marks).get(name)


def _origins(part: list[SliceHeader], most: int) -> list[Hashable]:
    """Return for each slice which starting point within the plane it has; stations of a spine differ in it.

    Past ``most`` points, as in a sheared stack, nothing is told apart by them and all slices get the same.
    """
    axes = np.array([part[0].row_lps, part[0].column_lps])
    found: list[NDArray[np.float64]] = []
    marks: list[Hashable] = []
    for item in part:
        origin = axes @ item.position_lps
        near = (n for n, other in enumerate(found) if np.abs(origin - other).max() < SAME_ORIGIN_MM)
        index = next(near, len(found))
        if index == len(found):
            found.append(origin)
        if len(found) > most:
            return [0] * len(part)
        marks.append(index)
    return marks


def _deal(part: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Deal out slices that share places: the first of each place, the second of each place, and so on."""
    hands: list[list[SliceHeader]] = []
    for place in _by_place(part):
        for turn, item in enumerate(sorted(place, key=lambda item: (item.rank, *_canonical(item)[2:]))):
            if turn == len(hands):
                hands.append([])
            hands[turn].append(item)
    return hands


def _by_place(part: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices that lie at the same place along their normal: two places are never nearer than that."""
    places: list[list[SliceHeader]] = []
    last = -np.inf
    for place, item in zip(np.sort(_places(part)), _sorted_by_place(part), strict=True):
        if place - last >= SAME_PLACE_MM:
            places.append([])
        last = place
        places[-1].append(item)
    return places


def _most_at_one_place(part: list[SliceHeader]) -> int:
    return max(len(place) for place in _by_place(part))


def _repeats(part: list[SliceHeader]) -> int:
    return len(part) - len(_by_place(part))


def _places(slices: list[SliceHeader]) -> NDArray[np.float64]:
    """Return the position of each slice along the normal of the first, mm."""
    normal = slices[0].normal_lps
    return np.array([float(item.position_lps @ normal) for item in slices])


def _sorted_by_place(slices: list[SliceHeader]) -> list[SliceHeader]:
    return [slices[int(index)] for index in np.argsort(_places(slices), kind="stable")]


def _run_notice(runs: list[list[SliceHeader]]) -> list[str]:
    if len(runs) == 1:
        return []
    counts = Counter(len(run) for run in runs)
    told = ", ".join(f"{many} x {length}" if many > 1 else str(length) for length, many in counts.items())
    return [
        "slices are missing or unevenly spaced; the evenly spaced runs were kept as series of their own "
        f"({told} slices)."
    ]


def _stack(run: list[SliceHeader]) -> Stack:
    affine = affine_of(run)
    notices = []
    deviation = deviation_mm(run, affine)
    if deviation > EXACT_MM:
        notices.append(f"slice positions are uneven; a voxel lies up to {deviation:.3f} mm off its place.")
    shear = shear_deg(affine)
    if shear > SHEAR_TOLD_DEG:
        notices.append(f"the slices are sheared by {shear:.1f} degrees; they were kept as they lie.")
    return Stack(tuple(run), affine, tuple(notices))
