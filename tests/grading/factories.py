"""Made-up spines for the grading tests: a drawn sagittal slice with known posterior points, and its records."""

import numpy as np
from numpy.typing import NDArray

from imaging.types import Plane, Sequence, Series, SourceKind, Spacing, Study, Volume
from segmentation.types import Level, Measurement, SegmentedStudy

LEVELS = ("T11-T12", "T12-L1", "L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1")


Points = dict[str, tuple[float, float]]


def chain(*, pitch: float = 40.0, top: tuple[float, float] = (120.0, 40.0), lean: float = 0.0) -> Points:
    """Return posterior points in pixels, leaning forward by ``lean`` radians per level."""
    points, place, angle = {}, np.array(top), 0.0
    for level in LEVELS:
        points[level] = (float(place[0]), float(place[1]))
        place = place + pitch * np.array([-np.sin(angle), np.cos(angle)])
        angle += lean
    return points


def draw_spine(
    points: Points,
    *,
    shape: tuple[int, int] = (340, 220),
    pitch: float = 40.0,
    disc: float = 0.3,
    marrow: float = 0.5,
    canal: float = 1.0,
    scale: float = 1000.0,
) -> NDArray[np.float32]:
    """Draw a slice (rows, columns): marrow in front of the points, discs in it, the canal behind."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    xs, ys = np.array([p[0] for p in points.values()]), np.array([p[1] for p in points.values()])
    border = np.interp(rows, ys, xs)
    image = np.full(shape, 0.1)
    image[(columns <= border) & (columns > border - 0.95 * pitch)] = marrow
    image[(columns > border) & (columns <= border + 0.45 * pitch)] = canal
    for x, y in points.values():
        is_disc = (np.abs(rows - y) < 0.12 * pitch) & (columns <= x) & (columns > x - 0.95 * pitch)
        image[is_disc] = disc
    noise = np.random.default_rng(0).normal(0, 0.02, shape)
    return ((image + noise) * scale).astype(np.float32)


def series_of(
    image: NDArray[np.float32],
    *,
    series_id: str = "S1",
    sequence: Sequence = Sequence.T2,
    role: str | None = "sagittal_t2",
    spacing: Spacing | None = None,
) -> Series:
    array = np.ascontiguousarray(image.T[:, :, None])
    volume = Volume(array, spacing, None, array.shape)
    return Series(series_id, role, Plane.SAGITTAL, sequence, volume)


def study_of(*series: Series, notices: tuple[str, ...] = ()) -> Study:
    return Study("abc", SourceKind.PICTURE, "lumbar", series, notices=notices)


def levels_of(points: Points, *, series_id: str = "S1", doubt: dict[str, str] | None = None) -> tuple[Level, ...]:
    return tuple(
        Level(
            name=name,
            series_id=series_id,
            slice_index=0,
            centre_px=(x - 18, y),
            posterior_px=(x, y),
            centre_ras_mm=None,
            angle_deg=0.0,
            length_px=36.0,
            confidence=0.9,
            doubt=(doubt or {}).get(name),
        )
        for name, (x, y) in points.items()
    )


def canal_measurement(number: int, level: str, value: float | None, *, reason: str | None = None) -> Measurement:
    return Measurement(
        id=f"m{number}",
        name="canal_ap_diameter",
        level=level,
        side=None,
        value=value,
        unit="mm",
        method="made up",
        reason=reason,
        series_id="S1",
        slice_index=0,
        line_px=((120.0, 50.0), (135.0, 52.0)),
    )


def segmented_of(
    levels: dict[str, tuple[Level, ...]],
    *,
    measurements: tuple[Measurement, ...] = (),
    notices: tuple[str, ...] = (),
) -> SegmentedStudy:
    primary = next(iter(levels))
    return SegmentedStudy(
        label_maps=(),
        primary_series_id=primary,
        levels=levels[primary],
        series_levels=levels,
        measurements=measurements,
        notices=notices,
    )
