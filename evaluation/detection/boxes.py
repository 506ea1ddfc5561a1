"""Boxes of one image and one label, true and found."""

from dataclasses import dataclass

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels."""


@dataclass(frozen=True)
class ImageBoxes:
    """One image.

    Attributes:
        patient: Whose.
        truth: Boxes that are there.
        found: Boxes that were found.
        scores: Of the found ones.
    """

    patient: int | str
    truth: tuple[Box, ...]
    found: tuple[Box, ...]
    scores: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.found) != len(self.scores):
            raise ValueError(f"boxes: expected a score each, got {len(self.found)} and {len(self.scores)}")
