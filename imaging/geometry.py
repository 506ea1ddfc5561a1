"""Where voxels lie: planes, storage order, spacing.

Frames. World is RAS+ in mm. A volume is stored (I, J, K) = (columns, rows, slices) as it is usually shown:

* sagittal: columns front to back, rows head to foot;
* axial: columns patient's right to left, rows front to back;
* coronal: columns patient's right to left, rows head to foot.

Slices keep the order of the file, whichever way it runs (its affine tells); so slice numbers agree with the
source. ``source_axes`` of a volume remembers which file axis became which, and whether it was flipped.

Only whole axes are swapped and flipped; nothing is resampled.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from imaging.planes import find_plane, slice_normal, tilt_from
from imaging.types import AffineMatrix, Plane, Spacing, Volume
from runtime.errors import ConfigError, StudyError

MIN_SPACING_MM = 0.1
MAX_SPACING_MM = 5.0
"""Pixel spacing of an MR slice that we believe; routine spine slices have 0.3 to 1.1 mm. The bounds are ours."""

MAX_DISTANCE_MM = 10_000.0
"""Of the first voxel from the centre of the scanner, which is about 2 m long; own choice."""

MAX_TILT_DEG = 45.0
"""Past this angle to the nearest plane the plane is ``unknown``."""

ISOTROPIC_RATIO = 1.25
"""A volume whose coarsest axis is less than this times the next one has no acquired plane of its own; ours."""

_T = TypeVar("_T", bound=np.generic)
SourceAxes = tuple[tuple[int, bool], tuple[int, bool], tuple[int, bool]]

# For each plane: world axis and sign along which columns and rows grow, in RAS+.
_DISPLAY: dict[Plane, tuple[tuple[int, int], tuple[int, int]]] = {
    Plane.SAGITTAL: ((1, -1), (2, -1)),
    Plane.CORONAL: ((0, -1), (2, -1)),
    Plane.AXIAL: ((0, -1), (1, -1)),
}


@dataclass(frozen=True)
class Oriented:
    """A volume brought into our storage order.

    Attributes:
        array: (I, J, K), a view of the input.
        affine: (4, 4) voxel -> RAS+ mm of ``array``.
        source_axes: As in ``Volume``.
        plane: Plane of the slices by ``imaging.planes``; ``unknown`` when they are oblique in two ways.
        tilt_deg: Angle between the slices and that plane (the nearest one when unknown).
    """

    array: NDArray[np.float32]
    affine: AffineMatrix
    source_axes: SourceAxes
    plane: Plane
    tilt_deg: float


def nearest_plane(affine: AffineMatrix, slice_axis: int) -> tuple[Plane, float]:
    """Return the plane nearest to the slices, and the angle to it in degrees.

    Args:
        affine: (4, 4) voxel -> RAS+ mm.
        slice_axis: Voxel axis that runs from slice to slice.
    """
    normal = slice_normal(affine, slice_axis)
    plane = min((Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL), key=lambda item: tilt_from(normal, item))
    return plane, tilt_from(normal, plane)


def reorient(
    array: NDArray[np.float32], affine: AffineMatrix, slice_axis: int, *, plane: Plane | None = None
) -> Oriented:
    """Bring a volume into our storage order.

    Args:
        array: Voxels, three axes in any order.
        affine: (4, 4) voxel of ``array`` -> RAS+ mm; regular.
        slice_axis: Axis of ``array`` that runs from slice to slice.
        plane: Store as this plane although another is nearer (an oblique series whose header names it).
    """
    normal = slice_normal(affine, slice_axis)
    named = plane or find_plane(normal).plane
    stored = nearest_plane(affine, slice_axis)[0] if named is Plane.UNKNOWN else named
    column_target, row_target = _DISPLAY[stored]
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    in_plane = [axis for axis in range(3) if axis != slice_axis]

    def fit(column: int, row: int) -> float:
        return abs(float(directions[column_target[0], column])) + abs(float(directions[row_target[0], row]))

    column, row = max((tuple(in_plane), tuple(reversed(in_plane))), key=lambda pair: fit(*pair))
    axes: SourceAxes = (
        (column, bool(directions[column_target[0], column] * column_target[1] < 0)),
        (row, bool(directions[row_target[0], row] * row_target[1] < 0)),
        (slice_axis, False),
    )
    shape = (array.shape[0], array.shape[1], array.shape[2])
    return Oriented(
        apply_axes(array, axes), affine @ axes_matrix(shape, axes), axes, named, tilt_from(normal, stored)
    )


def axes_matrix(source_shape: tuple[int, int, int], axes: SourceAxes) -> AffineMatrix:
    """Return the (4, 4) matrix from our voxel (i, j, k) to the voxel of the file."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for ours, (theirs, is_flipped) in enumerate(axes):
        matrix[theirs, ours] = -1.0 if is_flipped else 1.0
        if is_flipped:
            matrix[theirs, 3] = source_shape[theirs] - 1
    return matrix


def apply_axes(array: NDArray[_T], axes: SourceAxes) -> NDArray[_T]:
    """Bring an array of the file's order into ours (a view)."""
    return _flip(array.transpose([theirs for theirs, _ in axes]), [flipped for _, flipped in axes])


def undo_axes(array: NDArray[_T], axes: SourceAxes) -> NDArray[_T]:
    """Bring an array of our order back into the file's (a view)."""
    order = np.argsort([theirs for theirs, _ in axes])
    return _flip(array, [flipped for _, flipped in axes]).transpose(order)


def source_affine(volume: Volume) -> AffineMatrix | None:
    """Return the affine of the file's own grid, or None when the volume has none."""
    if volume.affine is None:
        return None
    return volume.affine @ np.linalg.inv(axes_matrix(volume.source_shape, volume.source_axes))


def spacing_of(affine: AffineMatrix, slices: int) -> Spacing:
    """Return the voxel spacing of an affine of ours; ``slice_mm`` is None for a single slice."""
    column, row, depth = (round(float(size), 6) for size in np.linalg.norm(affine[:3, :3], axis=0))
    return Spacing(row_mm=row, col_mm=column, slice_mm=depth if slices > 1 else None)


def check_affine(name: str, affine: AffineMatrix) -> None:
    """Refuse an affine that places nothing.

    Raises:
        StudyError: If a number is not finite, the matrix cannot be inverted, or the place is not near a scanner.
    """
    if not np.isfinite(affine).all():
        raise StudyError(f"{name}: expected finite numbers in the affine, found NaN or infinity")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    # The determinant of the directions alone: 1 for a right-angled grid, 0 when axes fall together.
    if (sizes == 0).any() or abs(np.linalg.det(affine[:3, :3] / sizes)) < 1e-3:
        raise StudyError(f"{name}: expected an affine with three independent axes, found a singular one")
    far = float(np.abs(affine[:3, 3]).max())
    if far > MAX_DISTANCE_MM:
        raise StudyError(
            f"{name}: expected a position within {MAX_DISTANCE_MM:g} mm of the scanner's centre, found {far:.3g}"
        )


def is_plausible(spacing: Spacing) -> bool:
    """Say whether the pixel spacing is within ``MIN_SPACING_MM`` and ``MAX_SPACING_MM``."""
    sizes = (spacing.row_mm, spacing.col_mm)
    return all(MIN_SPACING_MM <= size <= MAX_SPACING_MM for size in sizes)


def parse_spacing(text: str) -> Spacing:
    """Read ``MM`` or ``ROW,COL`` in mm.

    Raises:
        ConfigError: If it is not one or two numbers within ``MIN_SPACING_MM`` and ``MAX_SPACING_MM``.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise ConfigError(f"spacing: expected MM or ROW,COL in mm, such as 0.625 or 0.7,0.6; got {text!r}")
    spacing = Spacing(row_mm=numbers[0], col_mm=numbers[-1])
    if not is_plausible(spacing):
        raise ConfigError(
            f"spacing: expected {MIN_SPACING_MM} to {MAX_SPACING_MM} mm between pixels, got {text!r}"
        )
    return spacing


def read_spacing_csv(path: Path) -> dict[str, Spacing]:
    """Read a table of spacings.

    Args:
        path: CSV with the columns ``file``, ``row_mm`` and ``col_mm``; others are ignored.

    Returns:
        Name of the file as written in the table -> spacing.

    Raises:
        ConfigError: If the file cannot be read, a column is missing, a file comes twice, or a number is wrong.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path.name}: expected a readable CSV file: {error}") from error
    table: dict[str, Spacing] = {}
    for number, row in enumerate(rows, start=2):
        name = row.get("file")
        row_mm, col_mm = row.get("row_mm"), row.get("col_mm")
        if name is None or row_mm is None or col_mm is None:
            raise ConfigError(f"{path.name}: expected the columns file, row_mm and col_mm")
        if name in table:
            raise ConfigError(f"{path.name}: line {number}: {name!r} comes twice")
        try:
            table[name] = parse_spacing(f"{row_mm},{col_mm}")
        except ConfigError as error:
            raise ConfigError(f"{path.name}: line {number}: {error}") from error
    return table


def _flip(array: NDArray[_T], flips: list[bool]) -> NDArray[_T]:
    return array[tuple(slice(None, None, -1 if flipped else 1) for flipped in flips)]
