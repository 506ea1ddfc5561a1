"""Names from imported labels for outlines of our own: marks at discs, or vertebrae without discs.

One level is confirmed by the labels, as a person would with an anchor; the others are compared with ours, and a
level that the labels name otherwise is doubted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import DISC_LEVELS, VERTEBRAE, Protocol, disc_label, vertebra_label
from imaging.label_grid import PlacedLabels
from imaging.label_import import ImportedLabels
from imaging.types import Plane, Series, Study
from runtime.errors import StudyError
from segmentation.choose import primary_first
from segmentation.frame import SliceFrame
from segmentation.measure.labels import CANAL, CORD
from segmentation.notices import ANCHORED
from segmentation.types import LabelArray, Level, SegmentedStudy

if TYPE_CHECKING:
    from segmentation.study import Segmenter

DOUBTED = 0.5
"""Confidence of an imported name in doubt; own choice: as likely wrong as right, for want of a measured figure."""
COUNTED = "the imported numbers may count vertebrae from the top of the picture"
_NEAR = 0.5
"""An imported place this near to a level of ours, in pitches, means that level (as ``transfer`` settles)."""
_BODY_PIXELS = 20
"""Fewest pixels of a vertebra on a slice that place its body; own choice."""


def segment_named(
    segmenter: Segmenter,
    study: Study,
    protocol: Protocol,
    imported: ImportedLabels,
    home: Series,
    placed: PlacedLabels,
    *,
    is_forced: bool,
) -> SegmentedStudy:
    """Let our network outline, with one level confirmed by the labels and the others compared.

    Args:
        segmenter: Ours.
        study: As for ``segment_imported``.
        protocol: As for ``segment_imported``.
        imported: Labels in our numbers; marks, or vertebrae without discs.
        home: The sagittal series that ``placed`` lies on.
        placed: The labels there.
        is_forced: As for ``Segmenter.segment_study``.

    Raises:
        StudyError: If no level of the protocol can be named.
        NotEligibleError: As for ``Segmenter.segment_study``.
        ConfigError: If the place of the confirmed level lies on no disc of ours.
    """
    primary = primary_first(study, protocol, Plane.SAGITTAL)[0]
    points = imported.points_ras or _between_vertebrae(home, placed.array)
    places = _places(primary, points, protocol)
    if not places:
        raise StudyError(
            "labels: expected discs, marks at discs or neighbouring vertebrae of the "
            f"{protocol.name} protocol ({protocol.named_levels[0]} to {protocol.named_levels[-1]}), found none; "
            "a reading cannot rest on them"
        )
    middle = min(places, key=lambda name: abs(list(places).index(name) - (len(places) - 1) / 2))
    segmented = segmenter.segment_study(study, protocol, anchor=(middle, places[middle]), is_forced=is_forced)
    doubts = _disagreements(segmented.levels, places, primary)
    if imported.is_doubtful:
        doubts = {**{level.name: COUNTED for level in segmented.levels}, **doubts}
    what = "discs were only marked" if imported.points_ras else "no disc was outlined"
    return replace(
        _doubted(segmented, doubts),
        notices=(
            *imported.notices(),
            f"Levels are named by the imported labels at {middle}; outlines are our own, as {what}.",
            *(notice for notice in segmented.notices if notice != ANCHORED),
        ),
    )


def _places(
    primary: Series, points: dict[int, tuple[float, float, float]], protocol: Protocol
) -> dict[str, tuple[float, float]]:
    """Return level -> (x, y) in pixels of the primary series, cranial to caudal, of levels that can be named."""
    affine = primary.volume.affine
    if affine is None:
        raise StudyError(
            f"series {primary.id}: expected an image with a place in the world to lay labels on, found a picture"
        )
    to_voxel = np.linalg.inv(affine)
    size = np.array(primary.volume.shape[:2])
    places = {}
    for name in protocol.named_levels:
        if name in DISC_LEVELS and disc_label(name) in points:
            at = (to_voxel @ np.array([*points[disc_label(name)], 1.0]))[:2]
            if ((at >= 0) & (at < size)).all():
                places[name] = (float(at[0]), float(at[1]))
    return places


def _between_vertebrae(home: Series, array: LabelArray) -> dict[int, tuple[float, float, float]]:
    """Return disc label -> the point half-way between the bodies beside it, RAS mm.

    On the middle slice the canal parts the body from the arch, so the largest piece of a vertebra is its body.
    """
    affine = home.volume.affine
    assert affine is not None
    k = middle_slice(array)
    labels = array[:, :, k]
    bodies = {name: _body(labels, vertebra_label(name)) for name in VERTEBRAE}
    points = {}
    for level in DISC_LEVELS:
        upper, _, lower = level.partition("-")
        first, second = bodies[upper], bodies.get(lower)
        if first is not None and second is not None:
            x, y, z, _ = affine @ np.array([*((first + second) / 2), k, 1.0])
            points[disc_label(level)] = (float(x), float(y), float(z))
    return points


def _body(labels: NDArray[np.uint8], label: int) -> NDArray[np.float64] | None:
    """Return the centre (i, j) of the largest piece of a vertebra; None with too few pixels."""
    pieces, count = ndimage.label(labels == label)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    if sizes.max() < _BODY_PIXELS:
        return None
    centre: NDArray[np.float64] = np.argwhere(pieces == 1 + int(sizes.argmax())).mean(axis=0)
    return centre


def _disagreements(
    levels: tuple[Level, ...], places: dict[str, tuple[float, float]], primary: Series
) -> dict[str, str]:
    """Return level -> doubt, where a level of ours lies at an imported place of another name."""
    frame = SliceFrame.of(primary.volume.spacing)
    pitch = pitch_of(levels, frame)
    doubts = {}
    for name, place in places.items():
        at = frame.to_plane(place)
        away = [
            min(float(np.linalg.norm(frame.to_plane(end) - at)) for end in (level.centre_px, level.posterior_px))
            for level in levels
        ]
        nearest = levels[int(np.argmin(away))]
        if min(away) <= _NEAR * pitch and nearest.name != name:
            doubts[nearest.name] = f"the imported labels name this disc {name}"
    return doubts


def _doubted(segmented: SegmentedStudy, doubts: dict[str, str]) -> SegmentedStudy:
    """Return a study with some levels in doubt, on every series."""

    def told(levels: tuple[Level, ...]) -> tuple[Level, ...]:
        return tuple(
            replace(level, confidence=min(level.confidence, DOUBTED), doubt=level.doubt or doubts[level.name])
            if level.name in doubts
            else level
            for level in levels
        )

    return replace(
        segmented,
        levels=told(segmented.levels),
        series_levels={key: told(levels) for key, levels in segmented.series_levels.items()},
    )


def middle_slice(labels: LabelArray) -> int:
    """Return the slice that looks most like the midline: most canal (else bone and disc), near the middle.

    The weight is that of ``scan``: a Gaussian of a quarter of the series, which only settles near ties.
    """
    canal = (labels == CANAL) | (labels == CORD)
    seen = (canal if canal.any() else labels > 0).sum(axis=(0, 1)).astype(float)
    count = labels.shape[2]
    distance = (np.arange(count) - (count - 1) / 2) / max(1.0, count / 4)
    return int(np.argmax(seen * np.exp(-0.5 * distance**2)))


def pitch_of(levels: tuple[Level, ...], frame: SliceFrame) -> float:
    """Return the median distance of neighbouring levels, plane units; a disc's length for a single level."""
    centres = frame.to_plane([level.centre_px for level in levels])
    if len(centres) < 2:
        return float(levels[0].length_px * frame.col) if levels else 0.0
    return float(np.median(np.linalg.norm(np.diff(centres, axis=0), axis=1)))
