"""Sorts the slices of a series into stacks by geometry.

One series may hold several stacks: tilted blocks of an axial series, one for each disc, or two echoes at the same
places. Order comes from positions alone; instance numbers are not believed.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from imaging.dicom.slices import SliceHeader
from imaging.geometry import nearest_plane
from imaging.types import AffineMatrix

# Cosine of about 2.5 degrees: slices of one stack share their orientation to rounding.
SAME_DIRECTION = 0.999
# Slices nearer than this share of the usual distance lie at the same place; a step above GAP misses a slice. Ours.
SAME_PLACE_MM = 0.05
GAP = 1.5

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Stack:
    """Parallel slices at different places, of one size, in order along their normal.

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

    Returns:
        The stacks, largest first, then head to foot; and notices about slices that were left out.
    """
    kept, notices = _one_of_each(slices)
    kept, size_notices = _largest_size(kept)
    stacks = [_stack(list(part)) for block in _blocks(kept) for part in _contrasts(block)]
    stacks.sort(key=lambda stack: (-len(stack.slices), -float(stack.affine[2, 3])))
    return stacks, (*notices, *size_notices)


def mixes_planes(slices: Iterable[SliceHeader]) -> bool:
    """Say whether slices lie in different planes, as those of a three-plane localiser."""
    return len({nearest_plane(_affine([item]), 2)[0] for item in slices}) > 1


def _one_of_each(slices: list[SliceHeader]) -> tuple[list[SliceHeader], tuple[str, ...]]:
    unique = {(item.instance.instance_uid, item.frame): item for item in slices}
    dropped = len(slices) - len(unique)
    notices = (f"{dropped} slices that came twice were dropped.",) if dropped else ()
    return list(unique.values()), notices


def _largest_size(slices: list[SliceHeader]) -> tuple[list[SliceHeader], tuple[str, ...]]:
    def size(item: SliceHeader) -> tuple[float, ...]:
        return (item.instance.columns, item.instance.rows, round(item.spacing[0], 3), round(item.spacing[1], 3))

    usual, count = Counter(size(item) for item in slices).most_common(1)[0]
    if count == len(slices):
        return slices, ()
    notice = f"{len(slices) - count} slices of another size than the other {count} were left out."
    return [item for item in slices if size(item) == usual], (notice,)


def _blocks(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Group slices by orientation."""
    blocks: list[list[SliceHeader]] = []
    for item in slices:
        home = next((block for block in blocks if _is_parallel(block[0], item)), None)
        if home is None:
            blocks.append([item])
        else:
            home.append(item)
    return blocks


def _is_parallel(first: SliceHeader, second: SliceHeader) -> bool:
    return (
        float(first.row_lps @ second.row_lps) > SAME_DIRECTION
        and float(first.column_lps @ second.column_lps) > SAME_DIRECTION
    )


def _contrasts(block: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Split slices that share places by what tells them apart: echo time, then image type."""
    splits: tuple[Callable[[SliceHeader], Hashable], ...] = (
        lambda item: item.facts.get("echo_time_ms", 0.0),
        lambda item: item.instance.image_type,
    )
    parts = [block]
    for split in splits:
        parts = [piece for part in parts for piece in (_split(part, split) if _repeats(part) else [part])]
    return parts


def _split(part: list[SliceHeader], key: Callable[[SliceHeader], Hashable]) -> list[list[SliceHeader]]:
    ordered = sorted(part, key=lambda item: repr(key(item)))
    return [list(group) for _, group in groupby(ordered, key=lambda item: repr(key(item)))]


def _repeats(part: list[SliceHeader]) -> bool:
    places = np.sort(_places(part))
    return bool((np.diff(places) < SAME_PLACE_MM).any())


def _places(slices: list[SliceHeader]) -> NDArray[np.float64]:
    """Return the position of each slice along the normal of the first, mm."""
    normal = slices[0].normal_lps
    return np.array([float(item.position_lps @ normal) for item in slices])


def _stack(slices: list[SliceHeader]) -> Stack:
    places = _places(slices)
    order = np.argsort(places, kind="stable")
    kept = [slices[order[0]]]
    last = places[order[0]]
    for index in order[1:]:
        if places[index] - last >= SAME_PLACE_MM:
            kept.append(slices[index])
            last = places[index]
    notices = []
    if len(kept) < len(slices):
        notices.append(f"{len(slices) - len(kept)} slices at the same place as another were dropped.")
    notices.extend(_gap_notice(_places(kept)))
    return Stack(tuple(kept), _affine(kept), tuple(notices))


def _gap_notice(places: NDArray[np.float64]) -> list[str]:
    steps = np.diff(places)
    if len(steps) < 2:
        return []
    usual = float(np.median(steps))
    widest = float(steps.max())
    missing = int(np.round(steps[steps > GAP * usual] / usual - 1).sum())
    if not missing:
        return []
    return [f"About {missing} slices are missing between the others (steps of {widest:.1f} mm, not {usual:.1f})."]


def _affine(slices: list[SliceHeader]) -> AffineMatrix:
    """Return voxel (column, row, slice) -> RAS+ mm. Source: DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1."""
    first, last = slices[0], slices[-1]
    row_mm, col_mm = first.spacing
    if len(slices) > 1:
        step = (last.position_lps - first.position_lps) / (len(slices) - 1)
    else:
        step = first.normal_lps * _thickness(first)
    affine = np.eye(4)
    affine[:3, 0] = first.row_lps * col_mm
    affine[:3, 1] = first.column_lps * row_mm
    affine[:3, 2] = step
    affine[:3, 3] = first.position_lps
    affine[:3] = _LPS_TO_RAS @ affine[:3]
    return affine


def _thickness(item: SliceHeader) -> float:
    """Return the depth of a lone slice; 1 mm when not told (it only scales an axis of length one)."""
    for name in ("slice_distance_mm", "slice_thickness_mm"):
        value = item.facts.get(name)
        if isinstance(value, float) and value > 0:
            return value
    return 1.0
