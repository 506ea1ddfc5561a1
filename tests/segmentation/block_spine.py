"""A spine of blocks with corners known by hand: four-sided bodies and discs, a canal strip, arches at the sides.

Built from the sacrum upwards in the sagittal plane (y to the front, z to the head, mm). Each disc and body has a
height in front and at the back, each body may stand forward by a slip along the endplate below, and every endplate
may rise to the patient's right. Nothing here is measured: the truth follows from the numbers put in.
"""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anatomy import disc_label, load_protocol, vertebra_label
from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from segmentation.measure import measure_study
from segmentation.types import LabelMap, Level, Measurement

BODIES = ("L5", "L4", "L3", "L2", "L1", "T12")
DISCS = ("L5-S1", "L4-L5", "L3-L4", "L2-L3", "L1-L2", "T12-L1")
Point = NDArray[np.float64]


@dataclass(frozen=True)
class BlockSpine:
    """What is drawn; mm and degrees."""

    depth: float = 34.0
    disc: tuple[float, float] = (9.0, 9.0)
    body: tuple[float, float] = (27.0, 27.0)
    discs: dict[str, tuple[float, float]] = field(default_factory=dict)
    bodies: dict[str, tuple[float, float]] = field(default_factory=dict)
    slips: dict[str, float] = field(default_factory=dict)
    rises: dict[str, float] = field(default_factory=dict)
    canal: float = 14.0
    canal_at: dict[str, float] = field(default_factory=dict)
    cord: float = 0.0
    gap: float = 1.0
    foramen: tuple[float, float] = (7.0, 18.0)
    foramina: dict[str, tuple[float, float]] = field(default_factory=dict)
    turn: float = 0.0
    scale: float = 1.0
    pixel: tuple[float, float] = (0.7, 0.7)
    slices: int = 1
    slice_mm: float = 4.0
    without: tuple[int, ...] = ()
    shift: tuple[float, float] = (0.0, 0.0)
    size_mm: tuple[float, float] = (280.0, 190.0)

    def edges(self) -> dict[str, tuple[Point, Point]]:
        """(front, back) corners of every endplate, such as ``L5 lower``; S1 has an upper one only."""
        tilt = np.radians(self.turn)
        axis = np.array([np.cos(tilt), -np.sin(tilt)])  # to the front
        # Turned about the spine's middle.
        base = np.array([0.0, 95.0]) - 95.0 * np.array([np.sin(tilt), np.cos(tilt)])
        front = axis * self.depth / 2
        found = {"S1 upper": (base + front, base - front)}
        edge = found["S1 upper"]
        for disc, name in zip(DISCS, BODIES, strict=True):
            lower = self._raised(edge, self.discs.get(disc, self.disc))
            slip = self.slips.get(disc, 0.0) * _unit(edge[0] - edge[1])
            lower = (lower[0] + slip, lower[1] + slip)
            upper = self._raised(lower, self.bodies.get(name, self.body))
            found[f"{name} lower"], found[f"{name} upper"] = lower, upper
            edge = upper
        return found

    def _raised(self, edge: tuple[Point, Point], heights: tuple[float, float]) -> tuple[Point, Point]:
        along = _unit(edge[0] - edge[1])
        up = np.array([-along[1], along[0]])
        return edge[0] + heights[0] * up, edge[1] + heights[1] * up

    def angle(self, edge: str) -> float:
        """Direction of an endplate: positive when the front is higher, degrees."""
        front, back = self.edges()[edge]
        return float(np.degrees(np.arctan2(front[1] - back[1], front[0] - back[0])))

    @property
    def middle(self) -> float:
        """Slice coordinate of the midline."""
        return (self.slices - 1) / 2

    def to_px(self, point: Point) -> tuple[float, float]:
        """(x, y) pixel of a plane point (y, z)."""
        height, width = self.size_mm
        x = (0.45 * width - self.scale * point[0] + self.shift[0]) / self.pixel[1]
        y = (height - 55.0 - self.scale * point[1] + self.shift[1]) / self.pixel[0]
        return float(x), float(y)

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel to RAS: columns to the back, rows to the feet, slices to the right; the midline at x = 0."""
        height, width = self.size_mm
        affine = np.zeros((4, 4))
        affine[1, 0], affine[2, 1], affine[0, 2], affine[3, 3] = -self.pixel[1], -self.pixel[0], self.slice_mm, 1.0
        affine[:3, 3] = (-self.middle * self.slice_mm, 0.45 * width + self.shift[0], height - 55.0 + self.shift[1])
        return affine

    def labels(self) -> NDArray[np.uint8]:
        """(I, J, K) label numbers."""
        return self._painted.copy()

    @cached_property
    def _painted(self) -> NDArray[np.uint8]:
        slices = [self._slice((k - self.middle) * self.slice_mm) for k in range(self.slices)]
        labels = np.stack([item.T for item in slices], axis=2)
        labels[np.isin(labels, self.without)] = 0
        return np.ascontiguousarray(labels)

    def _slice(self, x: float) -> NDArray[np.uint8]:
        rows, columns = (round(size / pixel) for size, pixel in zip(self.size_mm, self.pixel, strict=True))
        labels = np.zeros((rows, columns), dtype=np.uint8)
        away = abs(x) / self.scale
        edges = self._edges_at(x / self.scale)
        if away < 8.0:
            self._draw_canal(labels, edges)
        elif away < 16.0:
            self._draw_arches(labels, edges, "right" if x > 0 else "left")
        if away < 20.0:
            for disc, name in zip(DISCS, BODIES, strict=True):
                below = edges[f"{disc.split('-')[1]} upper"]
                self._fill(labels, [*below, *edges[f"{name} lower"][::-1]], disc_label(disc))
            for name in BODIES:
                corners = [*edges[f"{name} lower"], *edges[f"{name} upper"][::-1]]
                self._fill(labels, corners, vertebra_label(name))
            top = edges["S1 upper"]
            self._fill(labels, [*top, *self._raised(top, (-30.0, -30.0))[::-1]], 50)
        return labels

    def _edges_at(self, x: float) -> dict[str, tuple[Point, Point]]:
        found = {}
        for name, (front, back) in self.edges().items():
            rise = np.array([0.0, x * np.tan(np.radians(self.rises.get(name, 0.0)))])
            found[name] = front + rise, back + rise
        return found

    def _draw_canal(self, labels: NDArray[np.uint8], edges: dict[str, tuple[Point, Point]]) -> None:
        order = ["S1 upper", *(f"{name} {end}" for name in BODIES for end in ("lower", "upper"))]
        lines = [(edges[name][1], _unit(edges[name][1] - edges[name][0])) for name in order]
        below = self._raised(edges["S1 upper"], (-30.0, -30.0))
        lines.insert(0, (below[1], lines[0][1]))
        for width, label in ((self.canal, 100), (self.cord, 101)):
            if width == 0:
                continue
            start = self.gap + (self.canal - width) / 2
            for number, ((a, one), (b, two)) in enumerate(pairwise(lines)):
                disc = DISCS[number // 2] if number % 2 and number // 2 < len(DISCS) else None
                here = self.canal_at.get(disc or "", width) if label == 100 else width
                corners = [a + start * one, a + (start + here) * one, b + (start + here) * two, b + start * two]
                self._fill(labels, corners, label)

    def _draw_arches(self, labels: NDArray[np.uint8], edges: dict[str, tuple[Point, Point]], side: str) -> None:
        """A pedicle behind the upper part of each body, then a pillar; the foramen is what they leave open."""
        floor = None
        for disc, name in zip(DISCS, BODIES, strict=True):
            width, height = self.foramina.get(f"{disc} {side}", self.foramen)
            lower, upper = edges[f"{name} lower"], edges[f"{name} upper"]
            back = _unit(lower[1] - lower[0])
            up = np.array([back[1], -back[0]])
            below = edges[f"{disc.split('-')[1]} upper"][1]
            middle = (below + lower[1]) / 2
            under = 50 if disc == "L5-S1" else vertebra_label(disc.split("-")[1])
            foot = below - 25 * up if floor is None else floor
            top = middle - height / 2 * up
            self._fill(labels, [top, foot, foot + 22 * back, top + 22 * back], under)
            pillar = [middle + width * back - 12 * up, middle + width * back + 12 * up]
            self._fill(labels, [*pillar, pillar[1] + 9 * back, pillar[0] + 9 * back], under)
            floor = middle + height / 2 * up
        self._fill(labels, [floor, upper[1], upper[1] + 22 * back, floor + 22 * back], vertebra_label(BODIES[-1]))

    def _fill(self, labels: NDArray[np.uint8], corners: list[Point], label: int) -> None:
        px = np.array([self.to_px(corner) for corner in corners])
        x0, y0 = np.maximum(np.floor(px.min(axis=0)).astype(int), 0)
        x1, y1 = np.maximum(np.ceil(px.max(axis=0)).astype(int) + 1, 0)
        part = labels[y0:y1, x0:x1]
        y, x = np.mgrid[y0 : y0 + part.shape[0], x0 : x0 + part.shape[1]]
        sides = np.stack(
            [
                (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])
                for a, b in zip(px, np.roll(px, -1, axis=0), strict=True)
            ]
        )
        part[(sides >= 0).all(axis=0) | (sides <= 0).all(axis=0)] = label

    def levels(self, names: tuple[str, ...] = DISCS) -> tuple[Level, ...]:
        """Levels cranial to caudal on the middle slice."""
        edges, found = self.edges(), []
        for disc, name in reversed(list(zip(DISCS, BODIES, strict=True))):
            if disc not in names:
                continue
            lower, upper = edges[f"{disc.split('-')[1]} upper"], edges[f"{name} lower"]
            centre, margin = sum((*lower, *upper)) / 4, (lower[1] + upper[1]) / 2
            found.append(
                Level(
                    name=disc,
                    series_id="S1",
                    slice_index=round(self.middle),
                    centre_px=self.to_px(centre),
                    posterior_px=self.to_px(margin),
                    centre_ras_mm=None,
                    angle_deg=0.0,
                    length_px=self.depth / self.pixel[1],
                    confidence=1.0,
                )
            )
        return tuple(found)

    def study(
        self, *, has_spacing: bool = True, has_positions: bool = True, image: NDArray[np.float32] | None = None
    ) -> Study:
        labels = self.labels()
        spacing = Spacing(self.pixel[0], self.pixel[1], self.slice_mm if self.slices > 1 else None)
        array = labels.astype(np.float32) if image is None else image
        volume = Volume(
            array, spacing if has_spacing else None, self.affine if has_positions else None, labels.shape
        )
        series = Series("S1", "sagittal_t2", Plane.SAGITTAL, Sequence.T2, volume)
        return Study("key", SourceKind.NIFTI, "lumbar", (series,))


def _unit(vector: Point) -> Point:
    unit: Point = vector / np.linalg.norm(vector)
    return unit


Table = dict[tuple[str, str | None, str | None], Measurement]


def measured(
    spine: BlockSpine, *, protocol: str = "lumbar", names: tuple[str, ...] = DISCS, **options: bool
) -> Table:
    """Return (name, place, side) -> measurement."""
    study = spine.study(**options)  # type: ignore[arg-type]
    found = measure_study(study, [LabelMap("S1", spine.labels())], spine.levels(names), load_protocol(protocol))
    return as_table(found)


def as_table(found: tuple[Measurement, ...]) -> Table:
    return {(item.name, item.level, item.side.value if item.side else None): item for item in found}


def value(table: Table, name: str, place: str | None = None, side: str | None = None) -> float:
    item = table[name, place, side]
    assert item.value is not None, (name, place, side, item.reason)
    return item.value
