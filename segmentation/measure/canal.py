"""Front-to-back widths of the spinal canal and what lies in it, on one sagittal slice.

The canal's direction at a place is the principal direction of its mask near there; widths are taken at right
angles to it on lines across a stretch, such as the height of a disc's rear end; the smallest of these (averaged
over about two pixels of height) is reported: a bulge narrows the canal at one height only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from segmentation.frame import Points, SliceFrame
from segmentation.measure.discs import Line, line_between
from segmentation.profiles import runs_along

NOT_VISIBLE = "the spinal canal is not outlined at this level"
INTERRUPTED = "the outline of the spinal canal is interrupted at this level"
_NEAR = 0.7
"""Canal within this many pitches of the disc margin gives the direction."""
_REACH = (-0.5, 1.1)
"""Lines run from before the disc margin to behind the canal, in pitches."""
_PIXELS_NEEDED = 12


@dataclass(frozen=True)
class CanalMeasure:
    """Canal width in plane units with its line; ``reason`` says why there is none."""

    value: float | None
    line_px: Line | None
    reason: str | None


@dataclass(frozen=True, eq=False)
class Stretch:
    """A stretch of the canal crossed by parallel lines, cranial to caudal.

    Attributes:
        origin: (n, 2) plane points where the lines' coordinate is 0, at the front.
        across: Unit vector of the lines, front to back.
        ends: (n, 2) first and last coordinate of the canal on each line; nan where a line meets none.
        pixel: Side of a pixel, plane units.
    """

    origin: Points
    across: Points
    ends: NDArray[np.float64]
    pixel: float

    @property
    def reason(self) -> str | None:
        """Return why the stretch cannot be measured, None when it can."""
        missing = np.isnan(self.ends[:, 0])
        if missing.all():
            return NOT_VISIBLE
        return INTERRUPTED if missing.any() else None

    def widths(self) -> NDArray[np.float64]:
        """Return the widths, averaged over about two pixels of height."""
        return smooth(self.ends[:, 1] - self.ends[:, 0])

    def line_px(self, index: int, frame: SliceFrame) -> Line:
        """Return one of the lines in pixels."""
        first, last = (self.origin[index] + end * self.across for end in self.ends[index])
        return line_between(first, last, frame)


def measure_canal(
    canal: NDArray[np.float32],
    posterior: Points,
    height: float,
    pitch: float,
    frame: SliceFrame,
) -> CanalMeasure:
    """Measure the canal behind one disc.

    Args:
        canal: Canal mask or probability, (rows, columns), 0 to 1.
        posterior: Posterior disc margin, plane.
        height: Height of the disc's rear end, plane units.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
    """
    stretch = cross_canal(canal, posterior, height, pitch, frame)
    if stretch is None:
        return CanalMeasure(None, None, NOT_VISIBLE)
    return narrowest(stretch, frame)


def narrowest(stretch: Stretch, frame: SliceFrame) -> CanalMeasure:
    """Return the smallest width of a stretch."""
    if stretch.reason is not None:
        return CanalMeasure(None, None, stretch.reason)
    widths = stretch.widths()
    index = int(np.argmin(widths))
    return CanalMeasure(float(widths[index]), stretch.line_px(index, frame), None)


def cross_canal(
    canal: NDArray[np.float32], posterior: Points, height: float, pitch: float, frame: SliceFrame
) -> Stretch | None:
    """Cross the canal with lines over a stretch; None with too little canal nearby.

    Args:
        canal: Canal mask or probability, (rows, columns), 0 to 1.
        posterior: Point in front of the canal at the middle of the stretch, plane.
        height: Length of the stretch, plane units.
        pitch: Usual distance of neighbouring discs, plane units.
        frame: The slice's plane.
    """
    direction = _direction(canal, posterior, pitch, frame)
    if direction is None:
        return None
    across = np.array([direction[1], -direction[0]])  # turned from caudal to the back
    half = max(height / 2, 2 * frame.pixel_side)
    step = frame.pixel_side / 2
    places = np.arange(-half, half + step / 2, step)
    origin = posterior + places[:, None] * direction
    return Stretch(origin, across, _runs(canal, origin, across, pitch, frame, 0.1 * pitch), frame.pixel_side)


def inside_canal(part: NDArray[np.float32], stretch: Stretch, pitch: float, frame: SliceFrame) -> Stretch:
    """Return the lines of a stretch with the ends of something that lies in the canal, such as the cord."""
    middle = float(np.nanmean(stretch.ends)) if not np.isnan(stretch.ends).all() else 0.1 * pitch
    ends = _runs(part, stretch.origin, stretch.across, pitch, frame, middle)
    return Stretch(stretch.origin, stretch.across, ends, stretch.pixel)


def smooth(widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average over neighbouring lines: five, half a pixel apart."""
    return np.asarray(ndimage.uniform_filter1d(widths, size=min(5, len(widths)), mode="nearest"), dtype=np.float64)


def sample_inside(
    image: NDArray[np.float32], mask: NDArray[np.float32], stretch: Stretch, frame: SliceFrame
) -> NDArray[Any]:
    """Return the intensities of an image on the lines of a stretch, within a mask and a pixel off its ends."""
    values = []
    for origin, (first, last) in zip(stretch.origin, stretch.ends, strict=True):
        if np.isnan(first) or last - first < 3 * stretch.pixel:
            continue
        along = np.arange(first + stretch.pixel, last - stretch.pixel, stretch.pixel / 2)
        px = frame.to_px(origin + along[:, None] * stretch.across)
        place = [px[:, 1], px[:, 0]]
        inside = ndimage.map_coordinates(mask, place, order=1, mode="constant", cval=0.0) > 0.99
        values.append(ndimage.map_coordinates(image, place, order=1, mode="nearest")[inside])
    return np.concatenate(values) if values else np.array([], dtype=np.float32)


def _runs(
    mask: NDArray[np.float32], origin: Points, across: Points, pitch: float, frame: SliceFrame, nearest_to: float
) -> NDArray[np.float64]:
    reach = (_REACH[0] * pitch, _REACH[1] * pitch)
    return runs_along(mask, origin, across, reach, frame, nearest_to=nearest_to)


def _direction(canal: NDArray[np.float32], posterior: Points, pitch: float, frame: SliceFrame) -> Points | None:
    """Return the canal's direction near a point, towards the feet; None with too little canal."""
    (x0, y0), (x1, y1) = (
        np.maximum(frame.to_px(posterior + sign * _NEAR * pitch), 0).astype(int) for sign in (-1, 1)
    )
    rows, columns = np.nonzero(canal[y0 : y1 + 2, x0 : x1 + 2] >= 0.5)
    points = frame.to_plane(np.stack([columns + x0, rows + y0], axis=1))
    near = points[np.linalg.norm(points - posterior, axis=1) < _NEAR * pitch] if len(points) else points
    if len(near) < _PIXELS_NEEDED:
        return None
    offsets = near - near.mean(axis=0)
    direction: Points = np.linalg.eigh(offsets.T @ offsets)[1][:, -1]
    return direction if direction[1] >= 0 else -direction
