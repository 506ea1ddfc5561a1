"""Build a phantom: draw, place, paint on each grid, take the images, measure the truth."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.canvas import Canvas
from imaging.phantom.discs import add_disc_tissues
from imaging.phantom.grid import Grid
from imaging.phantom.paint import paint_spine
from imaging.phantom.place import Spine, place_spine
from imaging.phantom.plan import SpinePlan, draw_plan
from imaging.phantom.signal import take_image
from imaging.phantom.tables import SeriesRow, Tables, load_tables
from imaging.phantom.tissues import Palette
from imaging.phantom.truth import measure_truth
from imaging.phantom.types import Phantom, PhantomSeries
from imaging.types import AffineMatrix, Plane, Sequence

_SUB_SLICES = 3


def build_phantom(protocol: str, *, seed: int) -> Phantom:
    """Build the phantom of a seed.

    Args:
        protocol: Protocol name; ``lumbar`` for now.
        seed: Not negative; the same seed gives the same phantom, bit for bit.

    Raises:
        ConfigError: If there is no phantom for the protocol.
        ValueError: If the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"phantom seed: expected 0 or more, got {seed!r}")
    return build_from_plan(protocol, draw_plan(protocol, seed=seed))


def random_phantoms(protocol: str, count: int, seed: int) -> Iterator[Phantom]:
    """Yield ``count`` phantoms with the seeds ``seed``, ``seed + 1`` and so on."""
    for number in range(count):
        yield build_phantom(protocol, seed=seed + number)


def build_from_plan(protocol: str, plan: SpinePlan) -> Phantom:
    """Build a phantom whose plan is already drawn, or made by hand.

    Raises:
        ConfigError: If there is no phantom for the protocol.
    """
    tables = load_tables(protocol)
    spine = place_spine(plan, tables)
    palette = Palette()
    add_disc_tissues(palette, spine)
    truth = measure_truth(spine, palette)
    return Phantom(
        protocol=protocol,
        seed=plan.seed,
        version=tables.version,
        sex=plan.sex,
        age_years=plan.age_years,
        series=_take_series(spine, palette, tables),
        levels=truth.levels,
        measurements=truth.measurements,
        grades=truth.grades,
    )


def _take_series(spine: Spine, palette: Palette, tables: Tables) -> tuple[PhantomSeries, ...]:
    """Take every series of the tables; series that share a grid share its painting."""
    painted: dict[tuple[bytes, tuple[int, int, int]], Canvas] = {}
    taken = []
    for row in tables.series:
        affine, shape = _sagittal_grid(row, spine) if row.plane == "sagittal" else _axial_grid(row, spine)
        key = (affine.tobytes(), shape)
        if key not in painted:
            grid = Grid(affine, shape, sub_slices=_SUB_SLICES, thickness=row.thickness / row.spacing)
            painted[key] = Canvas(grid)
            paint_spine(painted[key], spine, palette, with_trunk=True)
        canvas = painted[key]
        seed = (spine.plan.seed, 10 + row.number)
        taken.append(
            PhantomSeries(
                role=row.role,
                plane=Plane(row.plane),
                sequence=Sequence(row.sequence),
                array=take_image(canvas, palette, row, spine, tables, seed=seed),
                affine=affine,
                label_array=canvas.labels(),
                header=_header(row, tables),
            )
        )
    return tuple(taken)


def _header(row: SeriesRow, tables: Tables) -> dict[str, float | int | str]:
    return {
        "series_number": row.number,
        "series_description": row.description,
        "repetition_time_ms": row.tr,
        "echo_time_ms": row.te,
        "flip_angle_deg": row.flip,
        "echo_train_length": int(row.turbo),
        "field_strength_t": tables.field_strength_t,
        "slice_thickness_mm": row.thickness,
        "slice_spacing_mm": row.spacing,
    }


def _sagittal_grid(row: SeriesRow, spine: Spine) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """Columns run front to back, rows head to foot, slices from the patient's left to the right."""
    shape = (row.cols, row.rows, row.slices)
    directions = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]).T
    lumbar = spine.curve.z > 0.0
    centre = np.array([0.0, float(spine.curve.y[lumbar].mean()) + 32.0, 0.5 * row.rows * row.pixel - 45.0])
    return _affine(directions, row, shape, centre), shape


def _axial_grid(row: SeriesRow, spine: Spine) -> tuple[AffineMatrix, tuple[int, int, int]]:
    """One stack parallel to L3-L4 from above L1-L2 to below L5-S1: columns right to left, rows front to back."""
    tilt = spine.disc("L3-L4").frame.tilt
    up = np.array([0.0, np.sin(tilt), np.cos(tilt)])
    ends = [np.array([0.0, frame.y, frame.z]) for frame in (spine.disc("L1-L2").frame, spine.disc("L5-S1").frame)]
    low, high = float(ends[1] @ up) - 10.0, float(ends[0] @ up) + 8.0
    slices = row.slices or int(np.ceil((high - low) / row.spacing)) + 1
    shape = (row.cols, row.rows, slices)
    directions = np.array([[-1.0, 0.0, 0.0], [0.0, -np.cos(tilt), np.sin(tilt)], up]).T
    middle = spine.disc("L3-L4").frame
    centre = np.array([0.0, middle.y, middle.z])
    centre += up * ((low + high) / 2 - centre @ up) + directions[:, 1] * 22.0
    return _affine(directions, row, shape, centre), shape


def _affine(
    directions: NDArray[np.float64], row: SeriesRow, shape: tuple[int, int, int], centre: NDArray[np.float64]
) -> AffineMatrix:
    affine = np.eye(4)
    affine[:3, :3] = directions * np.array([row.pixel, row.pixel, row.spacing])
    affine[:3, 3] = centre - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return affine
