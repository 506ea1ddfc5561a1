"""From the classes of one sagittal slice to a chain of discs, and to numbered instances."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import STRUCTURES, Structure, disc_label
from segmentation.blobs import find_blobs
from segmentation.chain import DiscChain, find_chain
from segmentation.classes import CORD, DISC, SACRUM, VERTEBRA, SliceClasses, is_canal
from segmentation.frame import SliceFrame, caudal_normal
from segmentation.levels import NamedDisc
from segmentation.shapes import DiscShape
from segmentation.vertebrae import DiscPlane, label_vertebrae

_SACRUM_FRONT = 0.3
"""How far, in pitches, the sacrum may reach in front of the lowest disc's front edge (own choice)."""


def chain_discs(classes: SliceClasses, frame: SliceFrame) -> DiscChain:
    """Find the chain of discs of one slice; an empty chain when there is none."""
    discs = classes.classes == DISC
    return find_chain(
        find_blobs(discs, classes.disc_probability, frame),
        classes.disc_probability,
        classes.classes == VERTEBRA,
        is_canal(classes.classes),
        frame,
        disc_pixels=int(discs.sum()),
    )


def number_slice(
    classes: NDArray[np.uint8],
    discs: tuple[tuple[str, DiscShape], ...],
    planes: tuple[DiscPlane, ...],
    pitch: float,
    frame: SliceFrame,
    beside: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """Return the label numbers of one slice, (rows, columns).

    Args:
        classes: Class map of the slice.
        discs: (level, shape) of the discs of this slice.
        planes: Cuts between the vertebrae of this slice, cranial to caudal.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
        beside: Label numbers of the neighbouring slice nearer to the middle; None for the first.
    """
    labels = label_vertebrae(classes == VERTEBRA, planes, pitch, frame, beside)
    canal = _near_spine(is_canal(classes), planes, pitch, frame)
    labels[canal] = fixed_label(Structure.SPINAL_CANAL)
    labels[canal & (classes == CORD)] = fixed_label(Structure.SPINAL_CORD)
    labels[_below_spine(classes == SACRUM, planes, pitch, frame)] = fixed_label(Structure.SACRUM)
    for level, shape in discs:
        labels[shape.pixels[:, 1], shape.pixels[:, 0]] = disc_label(level)
    return labels


def fixed_label(structure: Structure) -> int:
    """Return the label number of a structure that has only one.

    Raises:
        ValueError: If its instances have numbers of their own.
    """
    label = STRUCTURES[structure].label
    if label is None:
        raise ValueError(f"structure: expected one with a single label number, got {structure.value!r}")
    return label


def planes_of(discs: tuple[NamedDisc, ...]) -> tuple[DiscPlane, ...]:
    """Return the named discs as cuts."""
    return tuple(DiscPlane(disc.name, disc.centre, disc.posterior, disc.axis) for disc in discs)


def _near_spine(
    canal: NDArray[np.bool_], planes: tuple[DiscPlane, ...], pitch: float, frame: SliceFrame
) -> NDArray[np.bool_]:
    """Return the canal without pieces that come nowhere within one pitch of a disc margin."""
    pieces, count = ndimage.label(canal)
    if count <= 1:
        return canal
    margins = np.array([plane.posterior for plane in planes])
    kept = np.zeros(count + 1, dtype=bool)
    for index, window in enumerate(ndimage.find_objects(pieces), start=1):
        rows, columns = np.nonzero(pieces[window] == index)
        points = frame.to_plane(np.stack([columns + window[1].start, rows + window[0].start], axis=1))
        nearest = np.linalg.norm(points[:: max(1, len(points) // 64), None] - margins[None], axis=2).min()
        kept[index] = nearest < pitch and len(rows) >= 4
    return np.asarray(kept[pieces], dtype=np.bool_)


def _below_spine(
    sacrum: NDArray[np.bool_], planes: tuple[DiscPlane, ...], pitch: float, frame: SliceFrame
) -> NDArray[np.bool_]:
    """Return the sacrum without pieces that lie mostly above the lowest named disc or in front of the spine.

    The sacrum turns to the back, so no large part of it lies in front of the lowest disc's front edge.
    """
    pieces, count = ndimage.label(sacrum)
    if count == 0:
        return sacrum
    last = planes[-1]
    front = -float(np.linalg.norm(last.posterior - last.centre)) - _SACRUM_FRONT * pitch
    kept = np.zeros(count + 1, dtype=bool)
    for index in range(1, count + 1):
        rows, columns = np.nonzero(pieces == index)
        away = frame.to_plane(np.stack([columns, rows], axis=1)) - last.centre
        is_there = (away @ caudal_normal(last.axis) > 0) & (away @ last.axis > front)
        kept[index] = len(rows) >= 4 and float(is_there.mean()) > 0.5
    return np.asarray(kept[pieces], dtype=np.bool_)
