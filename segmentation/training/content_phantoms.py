"""Phantom slices in every plane and weighting, for what real slices at hand do not show.

Phantoms of all regions are painted on grids of our own: sagittal ones out to the flanks, axial ones, and
coronal ones from the vertebral bodies to the skin of the back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.build import phantom_of
from imaging.phantom.grid import grid_affine
from imaging.phantom.scene import Scene, build_scene
from imaging.phantom.setup import SeriesRow, load_setup
from imaging.phantom.tissues import Palette
from imaging.types import AffineMatrix
from segmentation.training.content_pictures import Sample

_SIDE_PX = 208
# TR, TE, TI in ms, refocusing angle, echoes of a train: routine values; own choice. STIR's TI for 1.5 and 3 T.
_TIMING: dict[str, dict[str, float]] = {
    "t1": {"tr": 600.0, "te": 10.0, "flip": 150.0, "turbo": 3},
    "t2": {"tr": 3500.0, "te": 105.0, "flip": 150.0, "turbo": 17},
    "stir": {"tr": 4200.0, "te": 50.0, "flip": 150.0, "turbo": 11},
}
_STIR_TI_MS = {1.5: 175.0, 3.0: 225.0}
# Unit directions of columns, rows and slices, RAS+: as our volumes are stored.
_DIRECTIONS = {
    "sagittal": ((0.0, -1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    "coronal": ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0), (0.0, 1.0, 0.0)),
    "axial": ((-1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, 1.0)),
}


@dataclass(frozen=True)
class _OwnGrid:
    """A scene seen through grids of our own."""

    scene: Scene
    pixel_mm: float
    pitch_deg: float

    def __getattr__(self, name: str) -> Any:
        return getattr(self.scene, name)

    def grid(self, row: SeriesRow) -> tuple[AffineMatrix, tuple[int, int, int]]:
        """Return affine and shape of a stack around the middle of the region's own first series."""
        affine, shape = self.scene.grid(_first_row(self.scene, row))
        middle = affine[:3, :3] @ ((np.array(shape) - 1) / 2) + affine[:3, 3]
        own = (row.cols, row.rows, row.slices)
        return grid_affine(_turned(row.plane, self.pitch_deg), row, own, middle), own


def phantom_samples(seeds: range, protocol: str = "lumbar") -> Iterator[Sample]:
    """Yield slices of the phantoms of some seeds: three planes, three weightings, a few slices each."""
    for seed in seeds:
        rng = np.random.default_rng((seed, 77))
        field_t = float(rng.choice([1.5, 3.0]))
        setup = load_setup(f"setup_{protocol}")
        rows = tuple(_row(plane, name, field_t, rng) for plane in _DIRECTIONS for name in _TIMING)
        setup = replace(
            setup,
            series=rows,
            field_strength_t=field_t,
            noise_share=float(rng.uniform(0.005, 0.04)),
            coil_depth_mm=float(np.exp(rng.uniform(np.log(60.0), np.log(600.0)))),
            tissue_spread=0.08,
        )
        palette = Palette()
        scene: Any = _OwnGrid(build_scene(setup, seed=seed, palette=palette), 1.5, float(rng.uniform(-15, 15)))
        phantom = phantom_of(scene, palette, setup, seed=seed)
        for series in phantom.series:
            for k in range(series.array.shape[2]):
                image = np.ascontiguousarray(series.array[:, :, k].T, dtype=np.float32)
                yield Sample(image, series.plane.value, series.sequence.value, f"{protocol}{seed}", "phantom")


def _row(plane: str, sequence: str, field_t: float, rng: np.random.Generator) -> SeriesRow:
    timing: dict[str, Any] = dict(_TIMING[sequence])
    if sequence == "stir":
        timing["ti"] = _STIR_TI_MS[field_t]
    spacing = {"sagittal": 14.0, "coronal": 15.0, "axial": 24.0}[plane]
    pixel = {"sagittal": 1.6, "coronal": 1.8, "axial": 1.5}[plane]
    slices = {"sagittal": 7, "coronal": 7, "axial": 7}[plane]
    number = 10 * list(_DIRECTIONS).index(plane) + list(_TIMING).index(sequence) + 2
    return SeriesRow(
        role=f"{plane}_{sequence}",
        number=number,
        description="",
        sequence=sequence,
        plane=plane,
        rows=_SIDE_PX,
        cols=_SIDE_PX,
        pixel=pixel,
        slices=slices,
        spacing=spacing,
        thickness=5.0,
        **timing,
    )


def _first_row(scene: Scene, row: SeriesRow) -> SeriesRow:
    plane = "coronal" if type(scene).__module__.split(".")[2] == "sacroiliac" else "sagittal"
    return replace(row, plane=plane, slices=3)


def _turned(plane: str, pitch_deg: float) -> NDArray[np.float64]:
    """Return the (3, 3) directions of a plane, turned about the left-right axis."""
    angle = np.radians(pitch_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    return np.asarray(
        turn @ np.array(_DIRECTIONS[plane]).T if plane != "sagittal" else np.array(_DIRECTIONS[plane]).T
    )
