"""Regions: the box around each level and the network's own embedding of it, for grading and report writing.

Boxes are in pixels of the original slice. Sagittal: the disc, both endplates and the canal. Axial: the whole disc,
the canal and the facet joints. Coronal: one sacroiliac joint with the marrow on both sides of it.
"""

import numpy as np
from numpy.typing import NDArray

from anatomy import Structure
from imaging.types import Series
from segmentation.frame import SliceFrame
from segmentation.types import Level, Region, SliceMaps

WIDTH_PITCHES = 2.0
"""Width of the box along the rows: the disc, some of what lies in front of it, the canal and its rear wall."""
HEIGHT_PITCHES = 1.3
"""Height of the box: the disc and both endplates with the marrow beside them."""
AXIAL_WIDTH_PITCHES = 2.0
"""Width of an axial box: the disc (1.5 pitches wide) and the foramina beside it (own choice)."""
AXIAL_DEPTH_PITCHES = (0.75, 1.25)
"""How far it reaches in front of and behind the disc centre: to the front of the disc and to the facet joints and
laminae (own choice)."""

_BACK_SHIFT = 0.15
"""The box is moved to the back by this share of the pitch: the canal matters more than what lies in front."""


def build_regions(
    levels: tuple[Level, ...],
    prompt_names: tuple[str, ...],
    prompt_tokens: NDArray[np.float32],
    pitch: float,
    frame: SliceFrame,
    shape: tuple[int, int],
    network: str = "",
) -> tuple[Region, ...]:
    """Return the region of every level of one slice.

    Args:
        levels: Named levels on the slice.
        prompt_names: Names of the P prompts.
        prompt_tokens: (P, D) attended prompt embeddings of the slice.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
        shape: (rows, columns) of the slice; boxes are clipped to it.
        network: Checksum of the weights that made the tokens.

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
            network=network,
        )
        for level in levels
    )


def axial_region(level: Level, series: Series, maps: SliceMaps, pitch_mm: float, network: str) -> Region:
    """Return the region of a level on an axial series.

    Args:
        level: On that series.
        series: Axial, with spacing.
        maps: The network's output for the level's slice (N = 1).
        pitch_mm: Usual distance of neighbouring discs.
        network: Checksum of the weights.
    """
    columns, rows, _ = series.volume.shape
    frame = SliceFrame.of(series.volume.spacing)
    x, y = level.centre_px
    half = AXIAL_WIDTH_PITCHES / 2 * pitch_mm / frame.col
    front, back = (share * pitch_mm / frame.row for share in AXIAL_DEPTH_PITCHES)
    return Region(
        level=level.name,
        series_id=series.id,
        slice_index=level.slice_index,
        box_px=clip_box((x - half, y - front, x + half, y + back), (rows, columns)),
        embedding=_embedding(level.name, maps.prompt_names, maps.prompt_tokens[0]),
        network=network,
    )


def clip_box(box: tuple[float, float, float, float], shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return a box (x0, y0, x1, y1) clipped to a slice of (rows, columns)."""
    rows, columns = shape
    return (
        float(np.clip(box[0], 0, columns - 1)),
        float(np.clip(box[1], 0, rows - 1)),
        float(np.clip(box[2], 0, columns - 1)),
        float(np.clip(box[3], 0, rows - 1)),
    )


def pick_tokens(
    wanted: tuple[str, ...], names: tuple[str, ...], tokens: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return (T, D) tokens of the wanted prompts, in order; zeros for a prompt that the weights do not have."""
    empty = np.zeros(tokens.shape[1], dtype=np.float32)
    rows = [tokens[names.index(name)] if name in names else empty for name in wanted]
    return np.stack(rows).astype(np.float32)


def _box(
    level: Level, pitch: float, frame: SliceFrame, shape: tuple[int, int]
) -> tuple[float, float, float, float]:
    x, y = level.centre_px
    half_width, half_height = WIDTH_PITCHES / 2 * pitch / frame.col, HEIGHT_PITCHES / 2 * pitch / frame.row
    x += _BACK_SHIFT * pitch / frame.col
    return clip_box((x - half_width, y - half_height, x + half_width, y + half_height), shape)


def _embedding(level: str, names: tuple[str, ...], tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    own = level if level in names else Structure.DISC.value
    order = (own, Structure.DISC.value, Structure.VERTEBRA.value, Structure.SPINAL_CANAL.value)
    return pick_tokens(order, names, tokens)
