"""A sagittal stack with its named levels: what can be asked of one slice of it, each piece found once.

Levels are known on one slice; on others they are looked for at the same place, as slices share one pixel frame.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from anatomy import disc_label
from segmentation.frame import Points, SliceFrame
from segmentation.measure.bodies import Body, measure_body
from segmentation.measure.canal import Stretch, cross_canal, inside_canal
from segmentation.measure.discs import disc_shape, measure_heights
from segmentation.measure.endplates import Endplate, find_endplate
from segmentation.measure.labels import CANAL, CORD, FIRST_SACRAL, beside, body_label
from segmentation.measure.midline import Middle, Midline
from segmentation.measure.slip import SlipMeasure, measure_slip
from segmentation.measure.stack import Stack
from segmentation.profiles import runs_along
from segmentation.shapes import DiscShape
from segmentation.types import Level

_BODY_STRETCH_MM = 2.0
"""Stretch of canal measured behind the middle of a body."""
_BODY_STRETCH_PITCHES = 0.06
"""The same without pixel spacing."""
_BEYOND_DISC = 0.03
"""The canal is crossed this many pitches past the disc's rear end, above and below; own choice."""

_PEDICLE = (0.10, 0.30)
"""Bone this far behind the line between the disc margins is pedicle, in pitches; own choice."""


@dataclass(frozen=True)
class Place:
    """A stretch of the canal that a level or a body stands at: a plane point before it and its height."""

    point: Points
    height: float


class SagittalSpine:
    """Pieces of a sagittal stack.

    Args:
        stack: The series.
        levels: Named levels on it, cranial to caudal.
    """

    def __init__(self, stack: Stack, levels: tuple[Level, ...]) -> None:
        self.stack = stack
        self.levels = levels
        self.names = tuple(level.name for level in levels)
        self.margins = {
            level.name: stack.from_source_px(level.posterior_px, level.slice_index) for level in levels
        }
        self._centres = {level.name: stack.from_source_px(level.centre_px, level.slice_index) for level in levels}
        known = int(np.median([level.slice_index for level in levels])) if levels else 0
        self.midline = Midline(stack, known)
        self._discs: dict[tuple[str, int], DiscShape | None] = {}
        self._endplates: dict[tuple[str, float, int], Endplate | None] = {}
        self._slips: dict[tuple[str, int], SlipMeasure | None] = {}
        self._pedicles: dict[tuple[str, int], float] = {}
        self._bodies: dict[tuple[str, int], Body | None] = {}
        self._stretches: dict[tuple[str, int], Stretch | None] = {}

    @property
    def frame(self) -> SliceFrame:
        """Return the plane of the slices."""
        return self.stack.frame

    @cached_property
    def pitch(self) -> float:
        """Return the median distance of neighbouring levels, plane units; a disc's length for a single level."""
        points = np.array(list(self._centres.values()))
        steps = [
            np.linalg.norm(points[index + 1] - points[index])
            for index, (upper, lower) in enumerate(zip(self.names, self.names[1:], strict=False))
            if upper.split("-")[1] == lower.split("-")[0]
        ]
        if steps:
            return float(np.median(steps))
        return float(self.levels[0].length_px * self.frame.pixel_side) if self.levels else 0.0

    def middle(self, level: str) -> Middle:
        """Return the middle of the spine at a level."""
        return self.midline.at_point(self.margins[level], self.stack)

    def body_middle(self, vertebra: str) -> Middle | None:
        """Return the middle of the spine at a vertebral body; None when no level beside it is named."""
        ends = [self.margins[name] for name in self.levels_of(vertebra) if name in self.margins]
        return self.midline.at_point(np.mean(ends, axis=0), self.stack) if ends else None

    def levels_of(self, vertebra: str) -> tuple[str, ...]:
        """Return the named levels above and below a vertebra."""
        return tuple(name for name in self.names if vertebra in beside(name))

    @cached_property
    def bodies_in_view(self) -> tuple[str, ...]:
        """Return the vertebrae whose both discs are named, cranial to caudal."""
        found = []
        for upper, lower in zip(self.names, self.names[1:], strict=False):
            if beside(upper)[1] == beside(lower)[0]:
                found.append(beside(upper)[1])
        return tuple(found)

    def disc(self, level: str, k: int) -> DiscShape | None:
        """Return the disc of a level on a slice; None when it is not outlined there."""
        if (level, k) not in self._discs:
            shape = disc_shape(self.stack.slice_labels(k), disc_label(level), self.frame)
            self._discs[level, k] = shape
        return self._discs[level, k]

    def endplate(self, level: str, side: float, k: int) -> Endplate | None:
        """Return the endplate above (side -1) or below (+1) a disc on a slice."""
        if (level, side, k) not in self._endplates:
            disc = self.disc(level, k)
            found = None
            if disc is not None and not disc.is_round:
                bone = self.bone(beside(level)[0 if side < 0 else 1], k)
                found = find_endplate(bone, disc, side, self.pitch, self.frame)
            self._endplates[level, side, k] = found
        return self._endplates[level, side, k]

    def body(self, vertebra: str, k: int) -> Body | None:
        """Return a vertebral body on a slice; None when an endplate or a wall is not outlined."""
        if (vertebra, k) not in self._bodies:
            above, below = self._discs_of(vertebra)
            upper = None if above is None else self.endplate(above, +1.0, k)
            lower = None if below is None else self.endplate(below, -1.0, k)
            body = None
            if upper is not None and lower is not None and vertebra != FIRST_SACRAL:
                body = measure_body(self.bone(vertebra, k), upper, lower, self.frame)
            self._bodies[vertebra, k] = body
        return self._bodies[vertebra, k]

    def bone(self, vertebra: str, k: int) -> NDArray[np.float32]:
        """Return the mask of a vertebra, or of the sacrum for ``S1``, on a slice."""
        return self.stack.mask(k, body_label(vertebra))

    def canal(self, k: int) -> NDArray[np.float32]:
        """Return the mask of the canal with the cord in it."""
        return self.stack.mask(k, CANAL, CORD)

    def place(self, name: str, k: int) -> Place | None:
        """Return where the canal is crossed for a level or a vertebra; None when that is not known."""
        if "-" in name:
            disc = self.disc(name, k)
            if disc is None or disc.is_round:
                return Place(self.margins[name], 0.15 * self.pitch)
            height = measure_heights(disc, self.frame)["posterior"].value
            return Place(self.margins[name], height + 2 * _BEYOND_DISC * self.pitch)
        point = self.behind_body(name)
        stretch = _BODY_STRETCH_MM if self.frame.is_mm else _BODY_STRETCH_PITCHES * self.pitch
        return None if point is None else Place(point, stretch)

    def behind_body(self, vertebra: str) -> Points | None:
        """Return the point half-way between the disc margins of a vertebra; past the last disc, half a step on."""
        above, below = self._discs_of(vertebra)
        if above is not None and below is not None:
            return (self.margins[above] + self.margins[below]) / 2
        end = above or below
        if end is None or len(self.names) < 2:
            return None
        index = self.names.index(end)
        next_to_it = self.names[index - 1] if above else self.names[min(index + 1, len(self.names) - 1)]
        step: Points = (self.margins[end] - self.margins[next_to_it]) / 2
        return None if next_to_it == end else self.margins[end] + step

    def slip(self, level: str, k: int) -> SlipMeasure | None:
        """Return the slip of the vertebra above a disc on the one below; None where the disc is not outlined."""
        if (level, k) not in self._slips:
            disc, (upper, lower) = self.disc(level, k), beside(level)
            found = None
            if disc is not None:
                found = measure_slip(self.bone(upper, k), self.bone(lower, k), disc, self.pitch, self.frame)
            self._slips[level, k] = found
        return self._slips[level, k]

    def pedicle_height(self, vertebra: str, k: int) -> float:
        """Return the height of bone right behind a body on a slice, plane units; 0 where none joins it."""
        if (vertebra, k) not in self._pedicles:
            self._pedicles[vertebra, k] = self._pedicle_height(vertebra, k)
        return self._pedicles[vertebra, k]

    def _pedicle_height(self, vertebra: str, k: int) -> float:
        point = self.behind_body(vertebra)
        if point is None:
            return 0.0
        _, down = self.along_spine(vertebra)
        back = np.array([down[1], -down[0]])
        origins = point + np.linspace(*_PEDICLE, 4)[:, None] * self.pitch * back
        reach = (-0.6 * self.pitch, 0.35 * self.pitch)
        runs = runs_along(self.bone(vertebra, k), origins, down, reach, self.frame, nearest_to=-0.15 * self.pitch)
        return float(np.nan_to_num(runs[:, 1] - runs[:, 0]).min())

    def along_spine(self, vertebra: str) -> tuple[float, Points]:
        """Return the height of a vertebra with half a disc on both ends, and the unit vector down its back."""
        above, below = self._discs_of(vertebra)
        ends = (above, below) if above and below else self._step_beside(above or below)
        step: Points = self.margins[ends[1] or ""] - self.margins[ends[0] or ""]
        size = float(np.linalg.norm(step))
        return size, step / size

    def _step_beside(self, level: str | None) -> tuple[str, str]:
        index = self.names.index(level or "")
        first = max(index - 1, 0) if index else 0
        return self.names[first], self.names[first + 1]

    def stretch(self, name: str, k: int) -> Stretch | None:
        """Return the canal crossed at a level or behind the middle of a vertebra; None when it is not outlined."""
        if (name, k) not in self._stretches:
            place = self.place(name, k)
            found = None
            if place is not None:
                found = cross_canal(self.canal(k), place.point, place.height, self.pitch, self.frame)
            self._stretches[name, k] = found
        return self._stretches[name, k]

    def cord(self, name: str, k: int) -> Stretch | None:
        """Return the cord on the lines of ``stretch``."""
        stretch = self.stretch(name, k)
        if stretch is None:
            return None
        return inside_canal(self.stack.mask(k, CORD), stretch, self.pitch, self.frame)

    def _discs_of(self, vertebra: str) -> tuple[str | None, str | None]:
        above = next((name for name in self.names if beside(name)[1] == vertebra), None)
        below = next((name for name in self.names if beside(name)[0] == vertebra), None)
        return above, below
