"""Typed progress that the pipeline yields; the command line, the web page and tests draw it as they like."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """One step of a run.

    Attributes:
        stage: Room of the pipeline, such as ``imaging`` or ``segmentation``.
        fraction: Share of the whole run that is done, 0 to 1.
        message: One short sentence for a person; holds no patient identity.
    """

    stage: str
    fraction: float
    message: str

    def __post_init__(self) -> None:
        if not 0.0 <= self.fraction <= 1.0:
            raise ValueError(f"fraction: expected 0 to 1, got {self.fraction!r}")
