"""Width of the sacroiliac joint space on coronal-oblique slices.

Joint by joint, row by row, the run of joint space between sacrum and ilium has a width and a middle along the row.
The surface through these middles gives how much the joint leans away from the row's normal, within the slice and
from slice to slice; width times the cosine of that lean is the width along the joint's normal. The mean over the
joint is reported. Rows where the space is gone (ankylosis) do not count; how much of the joint they are is told by
the conditions, not here.
Source: joint space width as mean distance of the two bone surfaces, own choice; CLINICAL.md gives no norm.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from anatomy import Side
from segmentation.measure.found import Found, missing
from segmentation.measure.labels import JOINT
from segmentation.measure.stack import Stack

NO_JOINT = "no sacroiliac joint space is outlined on this side"
NO_SPACING = "pixel spacing unknown"
_ROWS_NEEDED = 12
"""Fewest rows with joint space, over all slices; own choice."""


def measure_joints(stack: Stack) -> Iterator[tuple[str, Side, Found]]:
    """Yield the width of both joints, mm."""
    for side in (Side.LEFT, Side.RIGHT):
        yield "joint_space_width", side, _width(stack, side)


def _width(stack: Stack, side: Side) -> Found:
    if stack.spacing is None:
        return missing(NO_SPACING)
    mask = stack.labels == JOINT[side]
    count = mask.sum(axis=0).astype(np.float64)  # (J, K)
    rows, slices = np.nonzero(count)
    if len(rows) < _ROWS_NEEDED:
        return missing(NO_JOINT)
    columns = np.arange(mask.shape[0])[:, None, None]
    centre = ((mask * columns).sum(axis=0) / np.maximum(count, 1))[rows, slices]
    width = count[rows, slices] * stack.frame.col
    cosine = _cosine(centre * stack.frame.col, rows, slices, stack)
    best = int(np.bincount(slices).argmax())
    return Found(float((width * cosine).mean()), slice_index=best)


def _cosine(
    centre: NDArray[np.float64], rows: NDArray[np.intp], slices: NDArray[np.intp], stack: Stack
) -> NDArray[np.float64]:
    """Return the cosine of the angle between the rows and the joint's normal at each point of its middle."""
    y = rows * stack.frame.row
    depth = stack.spacing.slice_mm if stack.spacing else None
    z = slices * (depth or 0.0)
    down, through = np.zeros(len(y)), np.zeros(len(y))
    for index in range(len(y)):
        near = (np.abs(y - y[index]) <= 6.0) & (np.abs(slices - slices[index]) <= 1)
        terms = np.stack([np.ones(near.sum()), y[near] - y[index], z[near] - z[index]], axis=1)
        _, down[index], through[index] = np.linalg.lstsq(terms, centre[near], rcond=None)[0]
    return np.asarray(1.0 / np.sqrt(1.0 + down**2 + through**2), dtype=np.float64)
