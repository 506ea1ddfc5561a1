"""A drawn sagittal spine with known sizes, and a network that answers with the drawing: truth for the tests."""

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anatomy import DISC_LEVELS
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from segmentation.naming import shipped_tables
from segmentation.types import SliceMaps

MAP_LEVELS = ("L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")
STRUCTURES = ("disc", "vertebra", "spinal_canal")
TILTS = {"L5-S1": -35.0, "L4-L5": -14.0, "L3-L4": -2.0, "L2-L3": 5.0, "L1-L2": 8.0, "T12-L1": 9.0}


@dataclass(frozen=True)
class DrawnSpine:
    """What is drawn, in millimetres; the foot of the picture ends ``room`` pitches below the lowest disc."""

    levels: tuple[str, ...] = DISC_LEVELS[-7:]
    pitch: float = 34.0
    disc_length: float = 33.0
    disc_height: float = 9.0
    canal_width: float = 14.0
    canal_gap: float = 2.0
    row_mm: float = 0.7
    col_mm: float = 0.7
    size_mm: tuple[float, float] = (330.0, 200.0)
    room: float = 2.0
    without: tuple[str, ...] = ()
    heights: dict[str, float] = field(default_factory=dict)
    slips: dict[str, float] = field(default_factory=dict)
    map_peak: float = 0.0
    has_usual_lengths: bool = False

    @property
    def spacing(self) -> Spacing:
        return Spacing(self.row_mm, self.col_mm, 4.0)

    @property
    def spinous_offset(self) -> NDArray[np.float64]:
        """From the centre of a body to that of its spinous process."""
        return np.array([0.9 * self.disc_length + self.canal_width, 0.3 * self.pitch])

    @property
    def shape(self) -> tuple[int, int]:
        return round(self.size_mm[0] / self.row_mm), round(self.size_mm[1] / self.col_mm)

    def tilt(self, level: str) -> float:
        return TILTS.get(level, 8.0)

    def axis(self, level: str) -> NDArray[np.float64]:
        angle = np.radians(self.tilt(level))
        return np.array([np.cos(angle), np.sin(angle)])

    def normal(self, level: str) -> NDArray[np.float64]:
        axis = self.axis(level)
        return np.array([-axis[1], axis[0]])

    def centres(self) -> dict[str, NDArray[np.float64]]:
        """Disc centres in mm, the lowest disc ``room`` pitches above the foot of the picture."""
        rows, columns = self.shape
        place = np.array([0.45 * columns * self.col_mm, (rows - 1) * self.row_mm - self.room * self.pitch])
        found = {self.levels[-1]: place}
        for upper, lower in reversed(list(pairwise(self.levels))):
            way = self.normal(upper) + self.normal(lower)
            step = self.pitch * shipped_tables().step(upper, lower).step
            place = place - step * way / np.linalg.norm(way)
            found[upper] = place
        return {level: found[level] for level in self.levels}

    def length(self, level: str) -> float:
        return self.disc_length * (shipped_tables().lengths[level] if self.has_usual_lengths else 1.0)

    def posterior(self, level: str) -> NDArray[np.float64]:
        return self.centres()[level] + self.axis(level) * self.length(level) / 2

    def to_px(self, point: NDArray[np.float64]) -> tuple[float, float]:
        return float(point[0] / self.col_mm), float(point[1] / self.row_mm)

    def classes(self) -> NDArray[np.uint8]:
        """(rows, columns): 1 disc, 2 vertebra, 3 canal."""
        classes = np.zeros(self.shape, dtype=np.uint8)
        for part, value in (*self._canal(), *self._vertebrae(), *self._discs()):
            classes[part] = value
        return classes

    def maps(self) -> SliceMaps:
        return maps_of(self.classes()[None], self.level_maps()[None])

    def level_maps(self) -> NDArray[np.float32]:
        """(L, h, w) at stride 4: a bump of height ``map_peak`` at the posterior margin of each map level."""
        rows, columns = self.shape
        maps = np.zeros((len(MAP_LEVELS), rows // 4, columns // 4), dtype=np.float32)
        y, x = np.mgrid[0 : rows // 4, 0 : columns // 4] * 4.0 + 1.5
        for index, level in enumerate(MAP_LEVELS):
            if level in self.levels and self.map_peak:
                px = self.to_px(self.posterior(level))
                distance = np.hypot((x - px[0]) * self.col_mm, (y - px[1]) * self.row_mm)
                maps[index] = self.map_peak * np.exp(-0.5 * (distance / 4.0) ** 2)
        return maps

    def _discs(self) -> list[tuple[NDArray[np.bool_], int]]:
        parts = []
        for level, centre in self.centres().items():
            if level not in self.without:
                corners = self._box(level, centre, self.heights.get(level, self.disc_height) / 2)
                parts.append((self._fill(corners), 1))
        return parts

    def _box(self, level: str, centre: NDArray[np.float64], half: float) -> NDArray[np.float64]:
        axis, normal = self.axis(level) * self.length(level) / 2, self.normal(level) * half
        return np.array(
            [centre - axis - normal, centre + axis - normal, centre + axis + normal, centre - axis + normal]
        )

    def _vertebrae(self) -> list[tuple[NDArray[np.bool_], int]]:
        """Bodies between the discs, one above, one below unless that is the sacrum; a spinous process each.

        Bodies stand forward by the slips below them.
        """
        centres = self.centres()
        parts = []
        for upper, lower in pairwise(self.levels):
            top, bottom = self._edge(upper, centres[upper], 1.0), self._edge(lower, centres[lower], -1.0)
            corners = np.array([top[0], top[1], bottom[1], bottom[0]]) + self._shift(lower)
            parts.append((self._fill(corners), 2))
            behind = corners.mean(axis=0) + self.spinous_offset
            parts.append((self._disk(behind, 0.16 * self.pitch), 2))
        last = self.levels[-1]
        if last != DISC_LEVELS[-1]:
            top = self._edge(last, centres[last], 1.0)
            bottom = top + self.normal(last) * 0.75 * self.pitch
            parts.append((self._fill(np.array([top[0], top[1], bottom[1], bottom[0]])), 2))
        first = self.levels[0]
        bottom = self._edge(first, centres[first], -1.0)
        top = bottom - self.normal(first) * 0.75 * self.pitch
        parts.append((self._fill(np.array([top[0], top[1], bottom[1], bottom[0]]) + self._shift(first)), 2))
        return parts

    def _edge(self, level: str, centre: NDArray[np.float64], side: float) -> NDArray[np.float64]:
        half = self.heights.get(level, self.disc_height) / 2
        axis = self.axis(level) * self.length(level) / 2
        middle = centre + side * half * self.normal(level)
        return np.array([middle - axis, middle + axis])

    def _shift(self, lower: str) -> NDArray[np.float64]:
        """The body above disc ``lower`` and all above it stand forward by the sum of the slips from there down."""
        below = self.levels[self.levels.index(lower) :]
        shift = np.zeros(2)
        for level in below:
            shift = shift - self.slips.get(level, 0.0) * self.axis(level)
        return shift

    def _canal(self) -> list[tuple[NDArray[np.bool_], int]]:
        margins = [self.posterior(level) + self.axis(level) * self.canal_gap for level in self.levels]
        across = [self.axis(level) for level in self.levels]
        margins.insert(0, margins[0] - self.normal(self.levels[0]) * 1.2 * self.pitch)
        across.insert(0, across[0])
        margins.append(margins[-1] + self.normal(self.levels[-1]) * 0.9 * self.pitch)
        across.append(across[-1])
        parts = []
        for (upper, a), (lower, b) in pairwise(list(zip(margins, across, strict=True))):
            corners = np.array([upper, upper + a * self.canal_width, lower + b * self.canal_width, lower])
            parts.append((self._fill(corners), 3))
        return parts

    def _grid(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        rows, columns = self.shape
        return np.arange(columns)[None, :] * self.col_mm, np.arange(rows)[:, None] * self.row_mm

    def _fill(self, corners: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Pixels whose centre lies in a convex polygon."""
        x, y = self._grid()
        sides = [
            (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
            for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)
        ]
        stack = np.stack(np.broadcast_arrays(*sides))
        return np.asarray((stack >= 0).all(axis=0) | (stack <= 0).all(axis=0))

    def _disk(self, centre: NDArray[np.float64], radius: float) -> NDArray[np.bool_]:
        x, y = self._grid()
        return np.asarray(np.hypot(x - centre[0], y - centre[1]) <= radius)


def maps_of(classes: NDArray[np.uint8], level_maps: NDArray[np.float32] | None = None) -> SliceMaps:
    """Turn class maps (N, rows, columns) into a network's answer; token p of slice n is filled with p."""
    count, rows, columns = classes.shape
    names = (*STRUCTURES, *MAP_LEVELS)
    probabilities = np.stack([(classes == value) * 0.95 for value in (1, 2, 3)], axis=1).astype(np.float32)
    if level_maps is None:
        level_maps = np.zeros((count, len(MAP_LEVELS), rows // 4, columns // 4), dtype=np.float32)
    tokens = np.broadcast_to(np.arange(len(names), dtype=np.float32)[None, :, None], (count, len(names), 6))
    return SliceMaps(
        structures=STRUCTURES,
        probabilities=probabilities,
        level_names=MAP_LEVELS,
        level_maps=level_maps,
        level_stride=(4.0, 4.0),
        prompt_names=names,
        prompt_tokens=tokens.copy(),
    )


class DrawnNetwork:
    """A network whose input pictures already hold the classes (0 to 3, times 100 plus 1)."""

    checksum = "drawn"

    def __init__(self, level_maps: NDArray[np.float32] | None = None) -> None:
        self.level_maps = level_maps
        self.slices_seen = 0
        self.largest_batch = 0

    def segment_slices(
        self,
        images: NDArray[np.float32],
        spacing: Spacing | None,
        neighbours: NDArray[np.float32] | None = None,
    ) -> SliceMaps:
        self.slices_seen += len(images)
        self.largest_batch = max(self.largest_batch, len(images))
        classes = np.round((images - 1) / 100).astype(np.uint8)
        maps = maps_of(classes)
        if self.level_maps is not None and self.level_maps.shape[-2:] == maps.level_maps.shape[-2:]:
            maps = replace(maps, level_maps=np.repeat(self.level_maps[None], len(images), axis=0))
        return maps


def picture_of(classes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (rows, columns) grey values that ``DrawnNetwork`` reads back; no pixel is empty margin."""
    picture = classes.astype(np.float32) * 100 + 1
    picture[0, 0] = 0.9  # the corner differs, so that the background does not count as padding
    return picture


def study_of(image: np.ndarray) -> Study:
    array = np.ascontiguousarray(image.astype(np.float32).T[:, :, None])
    volume = Volume(array, None, None, array.shape)
    return Study("key", SourceKind.PICTURE, "lumbar", (Series("S1", None, Plane.SAGITTAL, Sequence.T2, volume),))
