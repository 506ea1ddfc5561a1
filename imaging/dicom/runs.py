"""Regular runs of slices: the affine of a stack is exact, or the stack is split.

A missing slice or a change of distance must not move any voxel: each run of evenly spaced slices becomes a
stack of its own. Order comes from positions alone.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from imaging.dicom.slices import SliceHeader
from imaging.types import AffineMatrix

JITTER_MM = 0.1
"""Farthest that a corner of a slice may lie from where the affine of its stack puts it; own choice: a fifth of a
usual pixel, more than headers of few digits round (0.01 mm), less than a planned change of distance."""

EXACT_MM = 1e-3
"""A deviation above this is told."""

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def regular_runs(slices: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Split parallel slices at different places into evenly spaced runs.

    Args:
        slices: Of one orientation and size, in order along their normal.

    Returns:
        The runs, each in order; longest first, of equal ones the earlier. Every slice is in exactly one.
    """
    positions = np.array([item.position_lps for item in slices])
    segments = sorted(_even_segments(positions), key=lambda pair: (pair[0] - pair[1], pair[0]))
    is_free = np.ones(len(slices), dtype=bool)
    runs = []
    for first, last in segments:
        # Neighbouring segments share a slice; the longer one has it.
        taken = [index for index in range(first, last + 1) if is_free[index]]
        if len(taken) > 1:
            runs.append([slices[index] for index in taken])
            is_free[taken] = False
    runs += [[slices[int(index)]] for index in np.flatnonzero(is_free)]
    return sorted(runs, key=len, reverse=True)


def affine_of(run: list[SliceHeader]) -> AffineMatrix:
    """Return voxel (column, row, slice) -> RAS+ mm; the slice axis runs from the first slice to the last.

    Source: DICOM PS3.3 C.7.6.2.1.1, equation C.7.6.2.1-1.
    """
    first, last = run[0], run[-1]
    row_mm, col_mm = first.spacing
    if len(run) > 1:
        step = (last.position_lps - first.position_lps) / (len(run) - 1)
    else:
        step = first.normal_lps * _thickness(first)
    affine = np.eye(4)
    affine[:3, 0] = first.row_lps * col_mm
    affine[:3, 1] = first.column_lps * row_mm
    affine[:3, 2] = step
    affine[:3, 3] = first.position_lps
    affine[:3] = _LPS_TO_RAS @ affine[:3]
    return affine


def deviation_mm(run: list[SliceHeader], affine: AffineMatrix) -> float:
    """Return how far a corner of any slice lies from where the affine puts it, mm."""
    return max(
        float(np.linalg.norm(_corners_lps(item) - _predicted_lps(item, affine, k), axis=1).max())
        for k, item in enumerate(run)
    )


def are_parallel(first: SliceHeader, second: SliceHeader) -> bool:
    """Say whether two slices of one size share their orientation: their corners turn by at most ``JITTER_MM``."""
    row_mm, col_mm = first.spacing
    width, height = first.instance.columns * col_mm, first.instance.rows * row_mm
    turned = float(np.linalg.norm(first.row_lps - second.row_lps)) * width
    return turned + float(np.linalg.norm(first.column_lps - second.column_lps)) * height <= JITTER_MM


def shear_deg(affine: AffineMatrix) -> float:
    """Return the angle between the slice axis and the normal of the slices."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    cosine = abs(float(normal @ affine[:3, 2])) / float(np.linalg.norm(normal) * np.linalg.norm(affine[:3, 2]))
    return math.degrees(math.acos(min(1.0, cosine)))


def _even_segments(positions: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return (first, last) slice of each stretch of even steps; neighbours share a slice."""
    if len(positions) < 2:
        return []
    steps = np.diff(positions, axis=0)
    changes = np.linalg.norm(np.diff(steps, axis=0), axis=1) > 2 * JITTER_MM
    ends = [0, *(int(index) + 1 for index in np.flatnonzero(changes)), len(steps)]
    segments: list[tuple[int, int]] = []
    pending = [(first, last) for first, last in pairwise(ends) if last > first]
    while pending:
        first, last = pending.pop()
        off = _off_the_line(positions[first : last + 1])
        worst = int(off.argmax())
        if off[worst] <= JITTER_MM:
            segments.append((first, last))
        else:  # steps that change little by little: bend where the line is farthest off
            pending += [(first, first + worst), (first + worst, last)]
    return segments


def _off_the_line(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each position from its place on an even line from the first to the last, mm."""
    share = np.linspace(0.0, 1.0, len(positions))[:, np.newaxis]
    line = positions[0] + share * (positions[-1] - positions[0])
    return np.asarray(np.linalg.norm(positions - line, axis=1))


def _corners_lps(item: SliceHeader) -> NDArray[np.float64]:
    """Return the centres of the four corner pixels of a slice, (4, 3) LPS mm."""
    width = (item.instance.columns - 1) * item.spacing[1] * item.row_lps
    height = (item.instance.rows - 1) * item.spacing[0] * item.column_lps
    return np.array([item.position_lps + a * width + b * height for a in (0, 1) for b in (0, 1)])


def _predicted_lps(item: SliceHeader, affine: AffineMatrix, k: int) -> NDArray[np.float64]:
    """Return where the affine puts those corners, (4, 3) LPS mm."""
    i, j = item.instance.columns - 1, item.instance.rows - 1
    voxels = np.array([[a * i, b * j, k, 1] for a in (0, 1) for b in (0, 1)], dtype=np.float64)
    return np.asarray((voxels @ affine.T)[:, :3] @ _LPS_TO_RAS)


def _thickness(item: SliceHeader) -> float:
    """Return the depth of a lone slice; 1 mm when not told (it only scales an axis of length one)."""
    for name in ("slice_distance_mm", "slice_thickness_mm"):
        value = item.facts.get(name)
        if isinstance(value, float) and value > 0:
            return value
    return 1.0
