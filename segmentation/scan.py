"""One pass of the network over the slices of a series, in bounded memory, and the choice of the middle slice.

Kept of every slice: the class map and the prompt tokens. Probabilities and level maps are kept of one slice only,
the one that looks most like the midline.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from imaging.types import Series, Spacing
from segmentation.instances import CANAL, SliceClasses, classify
from segmentation.types import SliceMaps

BATCH = 8
"""Slices in memory at once."""
MAX_SLICES = 32
"""A series with more slices is read at every second (third, ...) one; those between take the nearer labels."""


class SliceNetwork(Interface):
    """What turns slices into maps (``segmentation.predict.SliceSegmenter``).

    ``images`` are (N, H, W), any intensity scale; the answer lies on the pixel grid of the slices.
    """

    checksum: str

    def segment_slices(self, images: NDArray[np.float32], spacing: Spacing | None) -> SliceMaps:
        """Segment N slices."""
        ...


@dataclass(frozen=True, eq=False)
class SeriesScan:
    """The network's answer for a series.

    Attributes:
        slices: Slice indices k that were read, ascending.
        classes: For each, the class map (rows, columns).
        tokens: (N, P, D) prompt tokens of the read slices.
        middle: Slice index k that looks most like the midline.
        middle_maps: The network's output of that slice (N = 1).
        ranking: Read slices by how much they look like the midline, best first.
    """

    slices: tuple[int, ...]
    classes: tuple[NDArray[np.uint8], ...]
    tokens: NDArray[np.float32]
    middle: int
    middle_maps: SliceMaps
    ranking: tuple[int, ...]

    def classes_of(self, k: int) -> NDArray[np.uint8]:
        """Return the class map of a read slice."""
        return self.classes[self.slices.index(k)]

    def with_middle(self, k: int, maps: SliceMaps) -> "SeriesScan":
        """Return the same scan with another middle slice and the network's output for it."""
        return replace(self, middle=k, middle_maps=maps)


def all_slices(series: Series) -> tuple[int, ...]:
    """Return the slices of a series that are read: all, or evenly spread ones of a long series."""
    count = series.volume.shape[2]
    stride = -(-count // MAX_SLICES)
    return tuple(range((count - 1) % stride // 2, count, stride))


def scan_series(network: SliceNetwork, series: Series, slices: Sequence[int]) -> SeriesScan:
    """Run the network over some slices of a series.

    Args:
        network: The network.
        series: A sagittal series.
        slices: Slice indices k, ascending, at least one.
    """
    classes: list[NDArray[np.uint8]] = []
    tokens: list[NDArray[np.float32]] = []
    scores: list[float] = []
    best: tuple[float, int, SliceMaps] | None = None
    for start in range(0, len(slices), BATCH):
        batch = slices[start : start + BATCH]
        images = np.stack([series.volume.slice_image(k) for k in batch])
        maps = network.segment_slices(images, series.volume.spacing)
        for row, k in enumerate(batch):
            found = classify(maps.structures, maps.probabilities[row])
            classes.append(found.classes)
            tokens.append(maps.prompt_tokens[row])
            scores.append(_midline_score(found, k, series.volume.shape[2]))
            if best is None or scores[-1] > best[0]:
                best = (scores[-1], k, pick_slice(maps, row))
    assert best is not None
    ranking = [slices[index] for index in np.argsort(scores)[::-1]]
    return SeriesScan(
        slices=tuple(slices),
        classes=tuple(classes),
        tokens=np.stack(tokens),
        middle=best[1],
        middle_maps=best[2],
        ranking=tuple(ranking),
    )


def pick_slice(maps: SliceMaps, row: int) -> SliceMaps:
    """Return the output of one slice (N = 1), copied so that the batch can be freed."""
    return replace(
        maps,
        probabilities=maps.probabilities[row : row + 1].copy(),
        level_maps=maps.level_maps[row : row + 1].copy(),
        prompt_tokens=maps.prompt_tokens[row : row + 1].copy(),
    )


def _midline_score(found: SliceClasses, k: int, count: int) -> float:
    """Score a slice by its canal pixels, weighted towards the middle of the series.

    The canal is widest and longest at the midline; the weight (a Gaussian of a quarter of the series) only
    settles near ties, since the patient may lie off-centre.
    """
    distance = (k - (count - 1) / 2) / max(1.0, count / 4)
    return float((found.classes == CANAL).sum() * np.exp(-0.5 * distance**2))
