"""Measure a placed neck on fine planes painted by the same shapes as the image; what was drawn is not looked at.

Planes along the canal have their rows on the curve's normal; planes along a disc lie in the disc's frame.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.cervical.arch import FORAMEN_T_MM
from imaging.phantom.cervical.canal import CANAL_LABEL, CORD_LABEL
from imaging.phantom.cervical.paint import paint_neck
from imaging.phantom.cervical.place import Neck
from imaging.phantom.cervical.shapes import NeckDisc
from imaging.phantom.grid import Grid
from imaging.phantom.tissues import Palette

FINE_MM = 0.1
_ALONG_MM = 0.25
_LEAST_SPACE_MM = 2.0  # a collapsed disc counts as this high when a herniation is compared with it; own choice
_TOP_VERTEBRA = 24  # labels 1 to 24 are vertebrae (anatomy/codes.csv)

Labels = NDArray[np.uint8]
Axis = tuple[tuple[float, float, float], float, int]
"""Unit direction, step in mm and number of samples."""


@dataclass(frozen=True)
class Canal:
    """A stretch of the canal along one line, mm: least AP diameters of tube and cord, least space between."""

    tube_ap: float
    cord_ap: float
    space: float


@dataclass(frozen=True)
class Stretch:
    """A stretch of the canal.

    Attributes:
        lines: Left of, in, and right of the midline.
        signal: Mid-sagittal area of cord with raised T2 signal, mm2.
    """

    lines: tuple[Canal, Canal, Canal]
    signal: float


@dataclass(frozen=True)
class Outline:
    """What of a disc passes the line between the back edges of its bodies.

    Attributes:
        floor: By how much it passes over the table's share of the width, mm.
        focal: What stands out of that most, mm.
        focal_share: Share of the width that stands out by the rule's limit.
        focal_t: Where it stands out most, mm to the patient's right.
        height_ratio: Height of what stands out over the height of the disc.
    """

    floor: float
    focal: float
    focal_share: float
    focal_t: float
    height_ratio: float


class Ruler:
    """Measures one neck."""

    def __init__(self, neck: Neck, palette: Palette) -> None:
        self._neck = neck
        self._palette = palette

    def stretch(self, sample: int, half_length: float) -> Stretch:
        """Measure the canal over a stretch to both sides of a sample."""
        labels, tissue = self._canal_stack(sample, half_length)
        is_cord = labels == CORD_LABEL
        tube, cord = (mask.sum(axis=0) * FINE_MM for mask in (is_cord | (labels == CANAL_LABEL), is_cord))
        left, middle, right = (
            Canal(float(tube[:, k].min()), float(cord[:, k].min()), float((tube - cord)[:, k].min()))
            for k in range(3)
        )
        raised = is_cord[:, :, 1] & (tissue[:, :, 1] == self._palette.number("cord_oedema"))
        return Stretch((left, middle, right), float(raised.sum() * FINE_MM * _ALONG_MM))

    def areas(self, disc: NeckDisc) -> tuple[float, float]:
        """Return the area of dural tube and cord across the canal at a disc, mm2."""
        curve = self._neck.curve
        sample = self._neck.obstacle(disc.name).sample
        origin = curve.world(sample, -14.0, -15.0)
        forward = (0.0, float(curve.normal_y[sample]), float(curve.normal_z[sample]))
        labels = self._plane(origin, ((1.0, 0.0, 0.0), 0.2, 151), (forward, 0.2, 141))[0]
        cord = float((labels == CORD_LABEL).sum() * 0.04)
        return float((labels == CANAL_LABEL).sum() * 0.04) + cord, cord

    def disc_height(self, disc: NeckDisc) -> float:
        """Return the mean height of the middle third, mid-sagittal, mm."""
        forward, up = _axes(disc.frame.tilt)
        third, reach = disc.depth / 3, disc.height / 2 + 4.0
        origin = disc.frame.world(-third / 2, -reach)
        labels = self._plane(
            origin, (forward, 0.2, int(third / 0.2) + 1), (up, FINE_MM, int(2 * reach / FINE_MM))
        )[0]
        return float((labels == disc.label).sum(axis=1).mean() * FINE_MM)

    def listhesis(self, disc: NeckDisc) -> float:
        """Return the slip between the posterior corners along the endplate below, mm; positive forward."""
        above, below = self._neck.around(disc)
        upper, lower = above.corner(upper=False), below.corner(upper=True)
        forward, _ = _axes(below.frame.tilt - below.wedge / 2)
        return (upper[0] - lower[0]) * forward[1] + (upper[1] - lower[1]) * forward[2]

    def foramen(self, disc: NeckDisc, sign: float) -> float:
        """Return the least width between uncinate process or disc and facet, mm; ``sign`` -1 left, 1 right."""
        _, below = self._neck.around(disc)
        forward, up = _axes(below.frame.tilt)
        backward = (0.0, -forward[1], -forward[2])
        origin = below.frame.world(below.back + 2.0, below.height / 2 + 0.6, sign * FORAMEN_T_MM)
        labels = self._plane(origin, (backward, FINE_MM, 160), (up, 0.25, 9))[0]
        return min(_free_run(labels[:, row]) for row in range(labels.shape[1])) * FINE_MM

    def outline(self, disc: NeckDisc, rule: dict[str, float]) -> Outline:
        """Measure what of a disc passes the bodies' back, in the plane across the disc and along it."""
        half = rule["half_width"]
        count = int(2 * half / 0.25) + 1
        forward, up = _axes(disc.frame.tilt)
        line = disc.back
        origin = disc.frame.world(line - 9.0, 0.0, -half)
        labels = self._plane(origin, ((1.0, 0.0, 0.0), 0.25, count), (forward, FINE_MM, 90))[0]
        passes = (labels == disc.label).sum(axis=1) * FINE_MM
        floor = float(np.quantile(passes, 1.0 - rule["bulge_share"]))
        stands_out = passes - floor
        peak = int(np.argmax(_smoothed(stands_out)))
        return Outline(
            floor=floor,
            focal=float(stands_out.max()),
            focal_share=float((stands_out >= rule["focal"]).mean()),
            focal_t=-half + 0.25 * peak,
            height_ratio=self._height_ratio(disc, -half + 0.25 * peak, line - max(floor + 1.0, 1.0), up),
        )

    def _height_ratio(self, disc: NeckDisc, t: float, p: float, up: tuple[float, float, float]) -> float:
        origin = disc.frame.world(p, -15.0, t)
        column = self._plane(origin, ((1.0, 0.0, 0.0), 0.2, 1), (up, FINE_MM, 301))[0][0]
        return float((column == disc.label).sum() * FINE_MM / max(disc.height, _LEAST_SPACE_MM))

    def _canal_stack(self, sample: int, half_length: float) -> tuple[Labels, Labels]:
        """Paint three planes along the canal, the rule's distance apart (steps across the canal, along it, 3)."""
        curve = self._neck.curve
        forward = (0.0, float(curve.normal_y[sample]), float(curve.normal_z[sample]))
        up = (0.0, -forward[2], forward[1])
        beside = float(self._neck.tables.rules["kang"]["beside"])
        x, y, z = curve.world(sample, -12.0, -beside)
        origin = (x, y - half_length * up[1], z - half_length * up[2])
        count = int(2 * half_length / _ALONG_MM) + 1
        return self._stack(origin, (forward, FINE_MM, 241), (up, _ALONG_MM, count), slices=(3, beside))

    def _plane(self, origin: tuple[float, float, float], along: Axis, across: Axis) -> tuple[Labels, Labels]:
        """Paint a fine plane and return its labels and tissues (steps along, steps across)."""
        labels, tissue = self._stack(origin, along, across, slices=(1, 1.0))
        return labels[:, :, 0], tissue[:, :, 0]

    def _stack(
        self, origin: tuple[float, float, float], along: Axis, across: Axis, *, slices: tuple[int, float]
    ) -> tuple[Labels, Labels]:
        """Paint some planes a distance apart, towards the right for planes that face the front and upwards."""
        affine = np.eye(4)
        first, second = np.array(along[0]), np.array(across[0])
        affine[:3, 0], affine[:3, 1] = first * along[1], second * across[1]
        affine[:3, 2], affine[:3, 3] = np.cross(first, second) * slices[1], origin
        canvas = Canvas(Grid(affine, (along[2], across[2], slices[0])))
        paint_neck(canvas, self._neck, self._palette, with_soft=False)
        return canvas.label, canvas.tissue


def _smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth a profile over about 2 mm, so that the middle of a plateau is its peak."""
    width = np.exp(-0.5 * (np.arange(-8, 9) / 4.0) ** 2)
    return np.asarray(np.convolve(values, width / width.sum(), mode="same"))


def _axes(tilt: float) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Return the forward and upward unit vectors of a frame with a tilt."""
    cos, sin = float(np.cos(tilt)), float(np.sin(tilt))
    return (0.0, cos, -sin), (0.0, sin, cos)


def _free_run(line: Labels) -> int:
    """Return the number of free samples between disc or bone in front and bone behind."""
    taken = (line > 0) & ((line <= _TOP_VERTEBRA) | (line > 200))
    start = int(np.argmin(taken))
    behind = taken[start:]
    return int(np.argmax(behind)) if behind.any() else len(behind)
