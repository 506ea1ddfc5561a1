"""Build a phantom: draw and place a scene, paint it on each grid, take the images, measure the truth."""

from collections.abc import Iterator

from imaging.phantom.canvas import Canvas
from imaging.phantom.grid import Grid
from imaging.phantom.scan.contrast import random_contrast
from imaging.phantom.scan.image import take_image
from imaging.phantom.scan.slices import profile_reach
from imaging.phantom.scan.texture import Painted, prepare
from imaging.phantom.scan.values import tissue_values
from imaging.phantom.scene import Scene, build_scene
from imaging.phantom.setup import SeriesRow, Setup, load_setup
from imaging.phantom.tissues import Palette
from imaging.phantom.types import Phantom, PhantomSeries
from imaging.types import FloatVolume, Plane, Sequence

_SUB_SLICES = 3


def build_phantom(protocol: str, *, seed: int, setup: str | None = None) -> Phantom:
    """Build the phantom of a seed.

    Args:
        protocol: ``lumbar``, ``cervical`` or ``sacroiliac``.
        seed: Not negative; the same seed gives the same phantom, bit for bit.
        setup: Name of a setup; None takes the protocol's usual one.

    Raises:
        ConfigError: If there is no phantom for the protocol, or no such setup.
        ValueError: If the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"phantom seed: expected 0 or more, got {seed!r}")
    chosen = load_setup(setup or f"setup_{protocol}")
    palette = Palette()
    return phantom_of(build_scene(chosen, seed=seed, palette=palette), palette, chosen, seed=seed)


def random_phantoms(protocol: str, count: int, seed: int, *, setup: str | None = None) -> Iterator[Phantom]:
    """Yield ``count`` phantoms with the seeds ``seed``, ``seed + 1`` and so on."""
    for number in range(count):
        yield build_phantom(protocol, seed=seed + number, setup=setup)


def phantom_of(scene: Scene, palette: Palette, setup: Setup, *, seed: int) -> Phantom:
    """Scan and measure a placed scene.

    Args:
        scene: A patient, drawn or made by hand.
        palette: Its tissues.
        setup: How it is scanned.
        seed: Of texture and noise; names the phantom.
    """
    truth = scene.measure()
    return Phantom(
        protocol=setup.protocol,
        seed=seed,
        version=scene.version,
        sex=scene.sex,
        age_years=scene.age_years,
        series=take_series(scene, palette, setup, seed),
        levels=truth.levels,
        measurements=truth.measurements,
        grades=truth.grades,
        boxes=truth.boxes,
        details=truth.details,
    )


def take_series(scene: Scene, palette: Palette, setup: Setup, seed: int) -> tuple[PhantomSeries, ...]:
    """Take every series of the setup; series that share a grid share its painting.

    Args:
        scene: A patient.
        palette: Its tissues.
        setup: How it is scanned.
        seed: Of texture and noise.
    """
    values = tissue_values(palette, field_strength_t=setup.field_strength_t, spread=setup.tissue_spread, seed=seed)

    def image(painted: Painted, row: SeriesRow) -> FloatVolume:
        if setup.contrast == "random":
            return random_contrast(painted, palette, seed=(seed, row.number))
        return take_image(painted, palette, values, row, scene.coil(), setup, seed=(seed, 10 + row.number))

    grids: dict[tuple[bytes, tuple[int, int, int]], Painted] = {}
    taken = []
    for row in setup.series:
        affine, shape = scene.grid(row)
        key = (affine.tobytes(), shape)
        if key not in grids:
            canvas = paint_grid(scene, row, setup)
            grids[key] = prepare(canvas, palette, seed=(seed, 6 + len(grids)))
        painted = grids[key]
        taken.append(
            PhantomSeries(
                role=row.role,
                plane=Plane(row.plane),
                sequence=Sequence(row.sequence),
                array=image(painted, row),
                affine=affine,
                label_array=painted.canvas.labels(),
                header=_header(row, setup),
            )
        )
    return tuple(taken)


def paint_grid(scene: Scene, row: SeriesRow, setup: Setup) -> Canvas:
    """Return the painted canvas of a series, its slices cut into sub-slices."""
    affine, shape = scene.grid(row)
    reach = profile_reach(setup.slice_profile) * row.thickness / row.spacing
    canvas = Canvas(Grid(affine, shape, sub_slices=_SUB_SLICES, thickness=reach))
    scene.paint(canvas)
    return canvas


def _header(row: SeriesRow, setup: Setup) -> dict[str, float | int | str]:
    return {
        "series_number": row.number,
        "series_description": row.description,
        "repetition_time_ms": row.tr,
        "echo_time_ms": row.te,
        "flip_angle_deg": row.flip,
        "echo_train_length": int(row.turbo),
        "field_strength_t": setup.field_strength_t,
        "slice_thickness_mm": row.thickness,
        "slice_spacing_mm": row.spacing,
        "inversion_time_ms": row.ti,
        "pixel_bandwidth_hz": row.bandwidth,
        "phase_axis": row.phase,
        "phase_share": row.acquired,
    }
