"""Numbered instances through a whole series: names go from the middle slice outwards, disc to nearest disc.

Slices of a series share one pixel frame, and the spine moves little from one slice to the next; the place of each
disc is carried along and updated, so that a curved spine is followed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from segmentation.blobs import find_blobs
from segmentation.classes import DISC
from segmentation.frame import SliceFrame
from segmentation.instances import number_slice
from segmentation.scan import SeriesScan
from segmentation.shapes import DiscShape, build_shape
from segmentation.types import LabelArray
from segmentation.vertebrae import DiscPlane

_NEAR = 0.5
"""A disc of the next slice lies within this many pitches of its place in the last one."""
_FOLLOW = 0.6
"""Share of the new place when the carried one is updated."""


def spread_labels(
    scan: SeriesScan,
    planes: tuple[DiscPlane, ...],
    pitch: float,
    frame: SliceFrame,
    shape: tuple[int, int, int],
) -> LabelArray:
    """Number all read slices of a series.

    Args:
        scan: The network's answer.
        planes: Named discs of the middle slice, cranial to caudal.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slices' plane.
        shape: (columns, rows, slices) of the series.

    Returns:
        (columns, rows, slices) label numbers; a slice that was not read takes the labels of the nearest read one.
    """
    numbered: dict[int, NDArray[np.uint8]] = {}
    start = scan.slices.index(scan.middle)
    for way in (scan.slices[start:], scan.slices[start::-1]):
        numbered |= _spread_one_way(way, scan, planes, pitch, frame)
    labels = np.zeros(shape, dtype=np.uint8)
    for k in scan.slices:
        labels[:, :, k] = numbered[k].T
    fill_unread(labels, scan.slices)
    return labels


def fill_unread(labels: LabelArray, read: Sequence[int]) -> None:
    """Give every slice that was not read the labels of the nearest read one, in place."""
    known = np.array(read)
    for k in sorted(set(range(labels.shape[2])) - set(read)):
        labels[:, :, k] = labels[:, :, int(known[np.argmin(np.abs(known - k))])]


def _spread_one_way(
    way: Iterable[int],
    scan: SeriesScan,
    planes: tuple[DiscPlane, ...],
    pitch: float,
    frame: SliceFrame,
) -> dict[int, NDArray[np.uint8]]:
    numbered: dict[int, NDArray[np.uint8]] = {}
    carried, beside = planes, None
    for k in way:
        classes = scan.classes_of(k)
        discs = _match(classes, carried, pitch, frame)
        carried = tuple(_updated(plane, discs.get(plane.level)) for plane in carried)
        beside = number_slice(classes, tuple(discs.items()), carried, pitch, frame, beside)
        numbered[k] = beside
    return numbered


def _match(
    classes: NDArray[np.uint8], planes: tuple[DiscPlane, ...], pitch: float, frame: SliceFrame
) -> dict[str, DiscShape]:
    """Return level -> disc of a slice; pieces that lie nearest to the same level are one disc."""
    mask = classes == DISC
    flat = mask.astype(np.float32)
    centres = np.array([plane.centre for plane in planes])
    pieces: dict[str, list[NDArray[np.intp]]] = {}
    for blob in find_blobs(mask, flat, frame):
        distances = np.linalg.norm(centres - blob.centre, axis=1)
        nearest = int(np.argmin(distances))
        if distances[nearest] <= _NEAR * pitch:
            pieces.setdefault(planes[nearest].level, []).append(blob.pixels)
    return {level: build_shape(np.concatenate(parts), flat, frame) for level, parts in pieces.items()}


def _updated(plane: DiscPlane, disc: DiscShape | None) -> DiscPlane:
    if disc is None or disc.is_round:
        return plane
    axis = (1 - _FOLLOW) * plane.axis + _FOLLOW * disc.axis
    return replace(
        plane,
        centre=(1 - _FOLLOW) * plane.centre + _FOLLOW * disc.centre,
        posterior=(1 - _FOLLOW) * plane.posterior + _FOLLOW * disc.posterior,
        axis=axis / np.linalg.norm(axis),
    )
