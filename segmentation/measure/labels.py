"""Label numbers that measurements look for."""

from anatomy import STRUCTURES, VERTEBRAE, Side, Structure, disc_label, vertebra_label


def _fixed(structure: Structure) -> int:
    label = STRUCTURES[structure].label
    assert label is not None
    return label


CANAL = _fixed(Structure.SPINAL_CANAL)
CORD = _fixed(Structure.SPINAL_CORD)
SACRUM = _fixed(Structure.SACRUM)
ILIUM = {side: 51 + number for number, side in enumerate((Side.LEFT, Side.RIGHT))}
JOINT = {side: 53 + number for number, side in enumerate((Side.LEFT, Side.RIGHT))}
BONES = (*range(1, len(VERTEBRAE) + 1), SACRUM)
"""Vertebrae and the sacrum."""

FIRST_SACRAL = "S1"


def body_label(name: str) -> int:
    """Return the label of a vertebra, or the sacrum's for ``S1``."""
    return SACRUM if name == FIRST_SACRAL else vertebra_label(name)


def beside(level: str) -> tuple[str, str]:
    """Return the vertebra above and below a disc level; below L5-S1 it is ``S1``."""
    upper, lower = level.split("-")
    return upper, lower


__all__ = [
    "BONES", "CANAL", "CORD", "FIRST_SACRAL", "ILIUM", "JOINT", "SACRUM", "beside", "body_label", "disc_label",
]  # fmt: skip
