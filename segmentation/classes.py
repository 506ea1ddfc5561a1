"""From the network's probabilities of one slice to classes: one structure a pixel.

Maps are found by name (``SliceMaps.structures``), never by place: weights may know fewer structures, and one that
they do not know is simply never seen. The canal's map includes the cord, so the cord is laid over it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anatomy import Protocol, Structure

THRESHOLD = 0.5
"""A pixel belongs to its most probable structure when that probability reaches this."""

DISC, VERTEBRA, CANAL, SACRUM, CORD, ILIUM, JOINT_SPACE = 1, 2, 3, 4, 5, 6, 7
"""Values of a class map; 0 is background."""

CLASS_OF: dict[Structure, int] = {
    Structure.DISC: DISC,
    Structure.VERTEBRA: VERTEBRA,
    Structure.SPINAL_CANAL: CANAL,
    Structure.SACRUM: SACRUM,
    Structure.SPINAL_CORD: CORD,
    Structure.ILIUM: ILIUM,
    Structure.JOINT_SPACE: JOINT_SPACE,
}
"""What the network can be asked for, and its class."""

_UNSIDED = {
    Structure.ILIUM_LEFT: Structure.ILIUM,
    Structure.ILIUM_RIGHT: Structure.ILIUM,
    Structure.JOINT_SPACE_LEFT: Structure.JOINT_SPACE,
    Structure.JOINT_SPACE_RIGHT: Structure.JOINT_SPACE,
}


@dataclass(frozen=True, eq=False)
class SliceClasses:
    """One slice as classes.

    Attributes:
        classes: (rows, columns) uint8, values as above.
        disc_probability: (rows, columns) float32; zeros where the weights know no disc.
        canal_probability: (rows, columns) float32; zeros where the weights know no canal.
    """

    classes: NDArray[np.uint8]
    disc_probability: NDArray[np.float32]
    canal_probability: NDArray[np.float32]


def kinds_of(protocol: Protocol) -> frozenset[Structure]:
    """Return what a protocol outlines, as the network sees it: sided structures without their side."""
    return frozenset(_UNSIDED.get(structure, structure) for structure in protocol.structures)


def classify(
    structures: tuple[str, ...], probabilities: NDArray[np.float32], kinds: Iterable[Structure] = tuple(CLASS_OF)
) -> SliceClasses:
    """Give each pixel its most probable structure.

    Args:
        structures: Names of the C maps (``SliceMaps.structures``).
        probabilities: (C, rows, columns), 0 to 1.
        kinds: What is wanted; see ``class_map``.
    """
    return SliceClasses(
        classes=class_map(structures, probabilities, kinds),
        disc_probability=_map_of(Structure.DISC, structures, probabilities),
        canal_probability=_map_of(Structure.SPINAL_CANAL, structures, probabilities),
    )


def class_map(
    structures: tuple[str, ...], probabilities: NDArray[np.float32], kinds: Iterable[Structure] = tuple(CLASS_OF)
) -> NDArray[np.uint8]:
    """Return the class of every pixel, (rows, columns).

    All maps compete, wanted or not: what is most probably an ilium is no vertebra, even where no ilium is asked
    for. Pixels of structures that are not wanted become background.

    Args:
        structures: Names of the C maps.
        probabilities: (C, rows, columns), 0 to 1.
        kinds: Structures that are wanted.
    """
    rivals = [kind for kind in CLASS_OF if kind.value in structures and kind is not Structure.SPINAL_CORD]
    numbers = np.array([CLASS_OF[kind] for kind in rivals], dtype=np.uint8)
    chosen = probabilities[[structures.index(kind.value) for kind in rivals]]
    highest = chosen.max(axis=0)
    classes = np.where(highest >= THRESHOLD, numbers[chosen.argmax(axis=0)], 0).astype(np.uint8)
    if Structure.SPINAL_CORD.value in structures:
        cord = _map_of(Structure.SPINAL_CORD, structures, probabilities)
        is_free = np.isin(classes, (0, CANAL))
        classes[(cord >= THRESHOLD) & (is_free | (cord > highest))] = CORD
    return _only(classes, frozenset(kinds))


def is_canal(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the canal with the cord in it."""
    return np.isin(classes, (CANAL, CORD))


def _only(classes: NDArray[np.uint8], kinds: frozenset[Structure]) -> NDArray[np.uint8]:
    """Return the classes without those not wanted; a cord that is not wanted is canal again."""
    kept = np.zeros(max(CLASS_OF.values()) + 1, dtype=np.uint8)
    for kind, value in CLASS_OF.items():
        kept[value] = value if kind in kinds else 0
    if Structure.SPINAL_CORD not in kinds:
        kept[CORD] = kept[CANAL]
    return np.asarray(kept[classes])


def _map_of(
    kind: Structure, structures: tuple[str, ...], probabilities: NDArray[np.float32]
) -> NDArray[np.float32]:
    if kind.value not in structures:
        return np.zeros(probabilities.shape[1:], dtype=np.float32)
    return np.asarray(probabilities[structures.index(kind.value)], dtype=np.float32)
