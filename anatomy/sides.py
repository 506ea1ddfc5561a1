"""Sides are always the patient's, never the screen's."""

from enum import StrEnum


class Side(StrEnum):
    """Side of a paired structure; an unpaired or unknown one is None."""

    LEFT = "left"
    RIGHT = "right"
