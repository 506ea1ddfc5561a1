"""One pass of the network over the slices of a series, in bounded memory, and the choice of the middle slice.

Kept of every slice: the class map and the prompt tokens. Probabilities and level maps are kept of one slice only,
the one that looks most like the midline.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from anatomy import Structure
from imaging.types import Series, Spacing
from segmentation.classes import CLASS_OF, class_map, is_canal
from segmentation.types import SliceMaps

BATCH = 8
"""Most slices in memory at once."""
BATCH_PIXELS = BATCH * 512 * 512
"""Most pixels of them: of larger slices fewer are taken at once."""
MAX_SLICES = 32
"""A series with more slices is read at every second (third, ...) one; those between take the nearer labels."""


class SliceNetwork(Interface):
    """What turns slices into maps (``segmentation.predict.SliceSegmenter``).

    ``images`` are (N, H, W), any intensity scale; the answer lies on the pixel grid of the slices. ``neighbours``
    are (N, 2, H, W), the slice before and the slice after each, or None for slices that stand alone.
    """

    checksum: str

    def segment_slices(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> SliceMaps:
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


def all_slices(series: Series, most: int = MAX_SLICES) -> tuple[int, ...]:
    """Return the slices of a series that are read: all, or evenly spread ones of more than ``most``."""
    count = series.volume.shape[2]
    stride = -(-count // most)
    return tuple(range((count - 1) % stride // 2, count, stride))


def segment_some(network: SliceNetwork, series: Series, slices: Sequence[int]) -> SliceMaps:
    """Return the network's output for a few slices of a series, each with its neighbours."""
    volume = series.volume
    images = np.stack([volume.slice_image(k) for k in slices])
    if volume.shape[2] == 1:
        return network.segment_slices(images, volume.spacing)
    return network.segment_slices(images, volume.spacing, neighbours=neighbours_of(series, slices))


def neighbours_of(series: Series, slices: Sequence[int]) -> NDArray[np.float32]:
    """Return (N, 2, rows, columns): the slice before and the one after; an end repeats the slice itself."""
    last = series.volume.shape[2] - 1
    beside = [(max(0, k - 1), min(last, k + 1)) for k in slices]
    return np.stack([np.stack([series.volume.slice_image(k) for k in pair]) for pair in beside])


def look_through(network: SliceNetwork, series: Series, slices: Sequence[int]) -> Iterator[tuple[int, SliceMaps]]:
    """Yield (k, the network's output, N = 1) slice by slice; no more than one batch is in memory.

    The output is a view into its batch: who keeps it longer than one step takes ``pick_slice`` of it.
    """
    columns, rows, _ = series.volume.shape
    batch = max(1, min(BATCH, BATCH_PIXELS // (rows * columns)))
    for start in range(0, len(slices), batch):
        some = slices[start : start + batch]
        maps = segment_some(network, series, some)
        for row, k in enumerate(some):
            yield k, _row(maps, row)
        del maps


def scan_series(
    network: SliceNetwork,
    series: Series,
    slices: Sequence[int],
    kinds: Iterable[Structure] = tuple(CLASS_OF),
) -> SeriesScan:
    """Run the network over some slices of a series.

    Args:
        network: The network.
        series: A sagittal series.
        slices: Slice indices k, ascending, at least one.
        kinds: Structures that are wanted (``classes.kinds_of``).
    """
    wanted = tuple(kinds)
    classes: list[NDArray[np.uint8]] = []
    tokens: list[NDArray[np.float32]] = []
    scores: list[float] = []
    best: tuple[float, int, SliceMaps] | None = None
    for k, maps in look_through(network, series, slices):
        found = class_map(maps.structures, maps.probabilities[0], wanted)
        classes.append(found)
        tokens.append(maps.prompt_tokens[0].copy())
        scores.append(_midline_score(found, k, series.volume.shape[2]))
        if best is None or scores[-1] > best[0]:
            best = (scores[-1], k, pick_slice(maps, 0))
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
    one = _row(maps, row)
    return replace(
        one,
        probabilities=one.probabilities.copy(),
        level_maps=one.level_maps.copy(),
        prompt_tokens=one.prompt_tokens.copy(),
    )


def _row(maps: SliceMaps, row: int) -> SliceMaps:
    return replace(
        maps,
        probabilities=maps.probabilities[row : row + 1],
        level_maps=maps.level_maps[row : row + 1],
        prompt_tokens=maps.prompt_tokens[row : row + 1],
    )


def _midline_score(classes: NDArray[np.uint8], k: int, count: int) -> float:
    """Score a slice by its canal pixels, weighted towards the middle of the series.

    The canal is widest and longest at the midline; the weight (a Gaussian of a quarter of the series) only
    settles near ties, since the patient may lie off-centre.
    """
    distance = (k - (count - 1) / 2) / max(1.0, count / 4)
    return float(is_canal(classes).sum() * np.exp(-0.5 * distance**2))
