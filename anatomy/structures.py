"""Structures that are segmented, the phrases that ask for them and their label numbers (``codes.csv``)."""

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from anatomy.sides import Side


class Structure(StrEnum):
    """One kind of structure; instances are told apart by level."""

    DISC = "disc"
    VERTEBRA = "vertebra"
    SPINAL_CANAL = "spinal_canal"
    SACRUM = "sacrum"
    ILIUM_LEFT = "ilium_left"
    ILIUM_RIGHT = "ilium_right"
    JOINT_SPACE_LEFT = "joint_space_left"
    JOINT_SPACE_RIGHT = "joint_space_right"
    SPINAL_CORD = "spinal_cord"
    ILIUM = "ilium"
    """Of either side, as the segmentation network sees it; geometry tells the side."""
    JOINT_SPACE = "joint_space"
    """Of either sacroiliac joint, as the segmentation network sees it."""


@dataclass(frozen=True)
class StructureInfo:
    """What is fixed about a structure.

    Attributes:
        structure: Which.
        phrase: Words that prompt the segmentation network, such as ``spinal canal``.
        label: Number in a label map; None where instances have numbers of their own: vertebra and disc by level,
            ilium and joint space by side.
    """

    structure: Structure
    phrase: str
    label: int | None


STRUCTURES: dict[Structure, StructureInfo] = {
    info.structure: info
    for info in (
        StructureInfo(Structure.DISC, "intervertebral disc", None),
        StructureInfo(Structure.VERTEBRA, "vertebra", None),
        StructureInfo(Structure.SPINAL_CANAL, "spinal canal", 100),
        StructureInfo(Structure.SACRUM, "sacrum", 50),
        StructureInfo(Structure.ILIUM_LEFT, "left ilium", 51),
        StructureInfo(Structure.ILIUM_RIGHT, "right ilium", 52),
        StructureInfo(Structure.JOINT_SPACE_LEFT, "left sacroiliac joint space", 53),
        StructureInfo(Structure.JOINT_SPACE_RIGHT, "right sacroiliac joint space", 54),
        StructureInfo(Structure.SPINAL_CORD, "spinal cord", 101),
        StructureInfo(Structure.ILIUM, "ilium", None),
        StructureInfo(Structure.JOINT_SPACE, "sacroiliac joint space", None),
    )
}


@dataclass(frozen=True)
class LabelCode:
    """One row of ``codes.csv``; an empty code means that no source at hand confirmed one.

    Attributes:
        label: Number in a label map.
        name: Our name.
        snomed_ct: SNOMED CT code; of both sides where there are two, as the side is coded apart.
        snomed_meaning: What the source calls the code.
        source: Where the codes are written.
    """

    label: int
    name: str
    snomed_ct: str
    snomed_meaning: str
    source: str

    @property
    def side(self) -> Side | None:
        """Return the patient's side that the name tells; None for what has none."""
        return next((side for side in Side if self.name.startswith(f"{side.value} ")), None)


@cache
def label_codes() -> dict[int, LabelCode]:
    """Return all label numbers with their names and confirmed codes."""
    with (Path(__file__).parent / "codes.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            LabelCode(
                label=int(row["label"]),
                name=row["name"],
                snomed_ct=row["snomed_ct"],
                snomed_meaning=row["snomed_meaning"],
                source=row["source"],
            )
            for row in csv.DictReader(stream)
        ]
    return {row.label: row for row in rows}
