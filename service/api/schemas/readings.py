"""What the routes of a reading answer: its files, and what its viewer shows.

Points are (x, y) and boxes (x0, y0, x1, y1) in pixels of the original slice: x the column, y the row.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

Point = tuple[float, float]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class FileRow(_Answer):
    """A file to download."""

    name: str
    bytes: int
    media_type: str


class Directions(_Answer):
    """The patient's direction at each edge of a slice: A, P, R, L, H or F; null where nothing tells it."""

    left: str | None
    right: str | None
    top: str | None
    bottom: str | None


class Window(_Answer):
    """Which values are shown from black to white, in values of the file."""

    centre: float
    width: float


class ValueScale(_Answer):
    """A stored number s stands for s * slope + intercept."""

    slope: float
    intercept: float


class LevelRow(_Answer):
    """A named level on a slice."""

    name: str
    slice: int
    centre_px: Point
    posterior_px: Point
    confidence: float
    doubt: str | None


class MeasurementRow(_Answer):
    """A measured line."""

    id: str
    name: str
    level: str | None
    value: float | None
    unit: str
    slice: int
    line_px: tuple[Point, Point]


class BoxRow(_Answer):
    """Where a graded finding lies."""

    finding_id: str
    slice: int
    box_px: tuple[float, float, float, float]
    level: str | None
    words: str
    is_positive: bool


class SeriesRow(_Answer):
    """One series. ``affine``: voxel (column, row, slice, 1) -> RAS+ millimetres, null without geometry."""

    id: str
    role: str | None
    plane: str
    sequence: str
    rows: int
    columns: int
    slices: int
    row_mm: float | None
    column_mm: float | None
    slice_mm: float | None
    affine: list[list[float]] | None
    directions: Directions
    window: Window
    value_range: tuple[float, float]
    scale: ValueScale
    start_slice: int
    has_labels: bool
    levels: list[LevelRow]
    measurements: list[MeasurementRow]
    boxes: list[BoxRow]


class StructureRow(_Answer):
    """A structure of the label maps; ``level`` is that of a disc."""

    label: int
    name: str
    colour: str
    level: str | None


class HeatPlace(_Answer):
    """Slice that the heat map of a finding lies on."""

    series: str
    slice: int


class ViewerManifest(_Answer):
    """Everything the viewer needs before the first slice. ``saliency``: finding id -> place of its heat map."""

    primary_series: str
    series: list[SeriesRow]
    structures: list[StructureRow]
    saliency: dict[str, HeatPlace]
