"""The chain: which disc candidates form the spine of this slice, cranial to caudal.

A best path over the candidates (dynamic programming): a candidate counts by its probability and size and by the
canal behind it, a step by the vertebra it crosses; irregular steps and steps along a disc instead of across it
cost. So false discs in front of or behind the spine fall out. Lengths are relative to the usual disc length of
the slice: in the lumbar spine discs lie 1.0 to 1.2 lengths apart.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from segmentation.blobs import usual_length
from segmentation.frame import Points, SliceFrame
from segmentation.shapes import DiscShape, build_shape

PITCH_PER_LENGTH = 1.08
"""Usual distance of neighbouring disc centres over the disc length (median of 30 SPIDER SPACE patients)."""
_STEP_LIMITS = (0.35, 3.4)
"""Steps shorter or longer than this, in usual pitches, are not one chain: up to two discs may be missing."""
_STEP_FREE = (0.62, 1.45)
"""Steps within these limits cost nothing."""


@dataclass(frozen=True)
class DiscChain:
    """The discs of one slice in order.

    Attributes:
        discs: Cranial to caudal.
        steps: Distances of neighbouring centres, plane units; one fewer than discs.
        vertebra_shares: Share of vertebra pixels on the middle of each step, 0 to 1.
        pitch: Usual distance of neighbouring discs, plane units; 0 for an empty chain.
        canal_share: Share of discs with the canal close behind them.
        canal_along: Share of the way along the posterior disc margins with the canal close behind it.
        disc_share: Share of all disc pixels of the slice that belong to the chain.
    """

    discs: tuple[DiscShape, ...]
    steps: tuple[float, ...]
    vertebra_shares: tuple[float, ...]
    pitch: float
    canal_share: float
    canal_along: float
    disc_share: float


def find_chain(
    blobs: tuple[DiscShape, ...],
    probability: NDArray[np.float32],
    vertebra: NDArray[np.bool_],
    canal: NDArray[np.bool_],
    frame: SliceFrame,
    *,
    disc_pixels: int,
) -> DiscChain:
    """Pick the best chain among disc candidates.

    Args:
        blobs: Candidates of one slice.
        probability: Disc probability, (rows, columns).
        vertebra: Vertebra pixels, same shape.
        canal: Canal pixels, same shape.
        frame: The slice's plane.
        disc_pixels: Number of disc pixels of the slice, candidates or not.
    """
    if not blobs:
        return DiscChain((), (), (), 0.0, 0.0, 0.0, 0.0)
    pitch = PITCH_PER_LENGTH * usual_length(blobs)
    order = sorted(range(len(blobs)), key=lambda index: blobs[index].centre[1])
    shapes = [blobs[index] for index in order]
    path = _best_path(shapes, pitch, vertebra, canal, frame)
    discs = _with_axes([shapes[index] for index in path], probability, frame)
    steps = tuple(float(np.linalg.norm(lower.centre - upper.centre)) for upper, lower in pairwise(discs))
    return DiscChain(
        discs=tuple(discs),
        steps=steps,
        vertebra_shares=tuple(
            vertebra_share(upper.centre, lower.centre, vertebra, frame) for upper, lower in pairwise(discs)
        ),
        pitch=_usual_pitch(steps, pitch),
        canal_share=float(np.mean([is_at_canal(disc, canal, frame) for disc in discs])),
        canal_along=_canal_along(discs, pitch, canal, frame),
        disc_share=sum(disc.area for disc in discs) / max(1, disc_pixels),
    )


def vertebra_share(upper: Points, lower: Points, vertebra: NDArray[np.bool_], frame: SliceFrame) -> float:
    """Return the share of vertebra pixels on the middle (0.3 to 0.7) of the line between two plane points.

    Points outside the image count as no vertebra.
    """
    shares = np.linspace(0.3, 0.7, 9)[:, None]
    return float(np.mean(_sample(vertebra, upper + shares * (lower - upper), frame)))


def is_at_canal(disc: DiscShape, canal: NDArray[np.bool_], frame: SliceFrame) -> bool:
    """Return True when the canal is met within half a disc length behind the disc's posterior end."""
    reach = np.linspace(-0.1, 0.5, 13)[:, None] * disc.length
    return bool(_sample(canal, disc.posterior + reach * disc.axis, frame).any())


def _canal_along(discs: list[DiscShape], pitch: float, canal: NDArray[np.bool_], frame: SliceFrame) -> float:
    """Return the share of places along the posterior margins with the canal within 0.6 pitch behind."""
    reach = np.linspace(0.0, 0.6, 10)[:, None] * pitch
    hits = [
        _sample(canal, (1 - share) * upper.posterior + share * lower.posterior + reach * upper.axis, frame).any()
        for upper, lower in pairwise(discs)
        for share in np.linspace(0.0, 1.0, 6)
    ]
    return float(np.mean(hits)) if hits else 0.0


def _best_path(
    shapes: list[DiscShape],
    pitch: float,
    vertebra: NDArray[np.bool_],
    canal: NDArray[np.bool_],
    frame: SliceFrame,
) -> list[int]:
    usual_area = float(np.median(sorted((shape.area for shape in shapes), reverse=True)[:5]))
    own = [
        shape.probability * min(1.0, shape.area / usual_area) + 0.3 * is_at_canal(shape, canal, frame)
        for shape in shapes
    ]
    best = list(own)
    came_from = [-1] * len(shapes)
    for lower in range(len(shapes)):
        for upper in range(lower):
            step = _step_score(shapes[upper], shapes[lower], pitch, vertebra, frame)
            if step is not None and best[upper] + step + own[lower] > best[lower]:
                best[lower] = best[upper] + step + own[lower]
                came_from[lower] = upper
    path = [int(np.argmax(best))]
    while came_from[path[0]] >= 0:
        path.insert(0, came_from[path[0]])
    return path


def _step_score(
    upper: DiscShape, lower: DiscShape, pitch: float, vertebra: NDArray[np.bool_], frame: SliceFrame
) -> float | None:
    """Return the score of going from one candidate to the next, None when it cannot be a step of a spine."""
    offset = lower.centre - upper.centre
    distance = float(np.linalg.norm(offset))
    pitches = distance / pitch
    if not _STEP_LIMITS[0] <= pitches <= _STEP_LIMITS[1] or offset[1] <= 0.2 * distance:
        return None
    irregular = max(0.0, np.log(_STEP_FREE[0] / pitches), np.log(pitches / _STEP_FREE[1]))
    bend = sum(1.0 - float(offset @ shape.normal) / distance for shape in (upper, lower) if not shape.is_round)
    share = vertebra_share(upper.centre, lower.centre, vertebra, frame)
    return float(0.5 * share - 1.2 * irregular - 0.7 * bend)


def _with_axes(discs: list[DiscShape], probability: NDArray[np.float32], frame: SliceFrame) -> list[DiscShape]:
    """Give round blobs (cut by the border, say) the axis across the chain."""
    if len(discs) < 2:
        return discs
    centres = np.array([disc.centre for disc in discs])
    tangents = np.gradient(centres, axis=0)
    fixed = []
    for disc, tangent in zip(discs, tangents, strict=True):
        if disc.is_round:
            axis = np.array([tangent[1], -tangent[0]]) / np.linalg.norm(tangent)
            disc = build_shape(disc.pixels, probability, frame, axis=axis)
        fixed.append(disc)
    return fixed


def _usual_pitch(steps: tuple[float, ...], guess: float) -> float:
    """Return the usual step, a step over missing discs counted as several.

    From four discs on the median step is a single one; with fewer the shortest is, unless it is far below what the
    disc length suggests.
    """
    if not steps:
        return guess
    single = float(np.median(steps)) if len(steps) > 2 else max(min(steps), 0.6 * guess)
    return float(np.median([step / max(1, round(step / single)) for step in steps]))


def _sample(mask: NDArray[np.bool_], points: Points, frame: SliceFrame) -> NDArray[np.bool_]:
    """Return the mask at plane points, False outside the image."""
    rows, columns = mask.shape
    x, y = np.round(frame.to_px(points)).astype(int).T
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    values = np.zeros(len(x), dtype=bool)
    values[inside] = mask[y[inside], x[inside]]
    return values
