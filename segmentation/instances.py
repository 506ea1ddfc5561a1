"""From the network's probabilities of one slice to classes, to a chain of discs, to numbered instances."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from anatomy import STRUCTURES, Structure, disc_label
from segmentation.blobs import find_blobs
from segmentation.chain import DiscChain, find_chain
from segmentation.frame import SliceFrame
from segmentation.levels import NamedDisc
from segmentation.shapes import DiscShape
from segmentation.vertebrae import DiscPlane, label_vertebrae

THRESHOLD = 0.5
"""A pixel belongs to its most probable structure when that probability reaches this."""

_KINDS = (Structure.DISC, Structure.VERTEBRA, Structure.SPINAL_CANAL)
DISC, VERTEBRA, CANAL = 1, 2, 3
"""Values of a class map; 0 is background."""


@dataclass(frozen=True, eq=False)
class SliceClasses:
    """One slice as classes.

    Attributes:
        classes: (rows, columns) uint8: 0 background, 1 disc, 2 vertebra, 3 canal.
        disc_probability: (rows, columns) float32.
        canal_probability: (rows, columns) float32.
    """

    classes: NDArray[np.uint8]
    disc_probability: NDArray[np.float32]
    canal_probability: NDArray[np.float32]


def classify(structures: tuple[str, ...], probabilities: NDArray[np.float32]) -> SliceClasses:
    """Give each pixel its most probable structure.

    Args:
        structures: Names of the C maps (``SliceMaps.structures``).
        probabilities: (C, rows, columns), 0 to 1.
    """
    order = [structures.index(kind.value) for kind in _KINDS]
    chosen = probabilities[order]
    classes = np.where(chosen.max(axis=0) >= THRESHOLD, chosen.argmax(axis=0) + 1, 0).astype(np.uint8)
    return SliceClasses(classes=classes, disc_probability=chosen[0], canal_probability=chosen[2])


def chain_discs(classes: SliceClasses, frame: SliceFrame) -> DiscChain:
    """Find the chain of discs of one slice; an empty chain when there is none."""
    discs = classes.classes == DISC
    return find_chain(
        find_blobs(discs, classes.disc_probability, frame),
        classes.disc_probability,
        classes.classes == VERTEBRA,
        classes.classes == CANAL,
        frame,
        disc_pixels=int(discs.sum()),
    )


def number_slice(
    classes: NDArray[np.uint8],
    discs: tuple[tuple[str, DiscShape], ...],
    planes: tuple[DiscPlane, ...],
    pitch: float,
    frame: SliceFrame,
) -> NDArray[np.uint8]:
    """Return the label numbers of one slice, (rows, columns).

    Args:
        classes: Class map of the slice.
        discs: (level, shape) of the discs of this slice.
        planes: Cuts between the vertebrae of this slice, cranial to caudal.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
    """
    labels = label_vertebrae(classes == VERTEBRA, planes, pitch, frame)
    canal = STRUCTURES[Structure.SPINAL_CANAL].label
    assert canal is not None
    labels[_near_spine(classes == CANAL, planes, pitch, frame)] = canal
    for level, shape in discs:
        labels[shape.pixels[:, 1], shape.pixels[:, 0]] = disc_label(level)
    return labels


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
