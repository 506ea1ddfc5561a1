"""Regions: the box around each level and the network's own embedding of it, for grading and report writing."""

import numpy as np
from numpy.typing import NDArray

from anatomy import Structure
from segmentation.frame import SliceFrame
from segmentation.types import Level, Region

WIDTH_PITCHES = 2.0
"""Width of the box along the rows: the disc, some of what lies in front of it, the canal and its rear wall."""
HEIGHT_PITCHES = 1.3
"""Height of the box: the disc and both endplates with the marrow beside them."""

_BACK_SHIFT = 0.15
"""The box is moved to the back by this share of the pitch: the canal matters more than what lies in front."""


def build_regions(
    levels: tuple[Level, ...],
    prompt_names: tuple[str, ...],
    prompt_tokens: NDArray[np.float32],
    pitch: float,
    frame: SliceFrame,
    shape: tuple[int, int],
) -> tuple[Region, ...]:
    """Return the region of every level of one slice.

    Args:
        levels: Named levels on the slice.
        prompt_names: Names of the P prompts.
        prompt_tokens: (P, D) attended prompt embeddings of the slice.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
        shape: (rows, columns) of the slice; boxes are clipped to it.

    Returns:
        One region a level; its embedding stacks the level's own token (the disc's where the level has no prompt)
        with those of disc, vertebra and canal: (4, D).
    """
    return tuple(
        Region(
            level=level.name,
            series_id=level.series_id,
            slice_index=level.slice_index,
            box_px=_box(level, pitch, frame, shape),
            embedding=_embedding(level.name, prompt_names, prompt_tokens),
        )
        for level in levels
    )


def _box(
    level: Level, pitch: float, frame: SliceFrame, shape: tuple[int, int]
) -> tuple[float, float, float, float]:
    rows, columns = shape
    x, y = level.centre_px
    half_width, half_height = WIDTH_PITCHES / 2 * pitch / frame.col, HEIGHT_PITCHES / 2 * pitch / frame.row
    x += _BACK_SHIFT * pitch / frame.col
    return (
        float(np.clip(x - half_width, 0, columns - 1)),
        float(np.clip(y - half_height, 0, rows - 1)),
        float(np.clip(x + half_width, 0, columns - 1)),
        float(np.clip(y + half_height, 0, rows - 1)),
    )


def _embedding(level: str, names: tuple[str, ...], tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    own = level if level in names else Structure.DISC.value
    order = (own, Structure.DISC.value, Structure.VERTEBRA.value, Structure.SPINAL_CANAL.value)
    return np.asarray(tokens[[names.index(name) for name in order]], dtype=np.float32)
