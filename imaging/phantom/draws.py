"""Many pictures of one painted patient, for training: painting is dear, contrast is cheap.

``paint_patient`` paints one grid; the patient it returns gives volumes of random contrast (SynthSeg-like) and of
random scanners (signal equations with drawn timing, field, noise and faults) on one label map, as many as wanted,
most of them with clutter in the soft tissue (``scan.clutter``).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imaging.phantom.build import paint_grid
from imaging.phantom.scan.clutter import with_clutter
from imaging.phantom.scan.contrast import random_contrast
from imaging.phantom.scan.image import take_image
from imaging.phantom.scan.scanners import draw_scanner
from imaging.phantom.scan.texture import Painted, prepare
from imaging.phantom.scan.values import tissue_values
from imaging.phantom.scene import Scene, build_scene
from imaging.phantom.setup import SeriesRow, Setup, load_setup
from imaging.phantom.tissues import Palette
from imaging.types import AffineMatrix, FloatVolume


@dataclass(frozen=True)
class PaintedPatient:
    """A patient painted on one grid.

    Attributes:
        seed: Of the patient.
        row: The grid.
        setup: The population.
        scene: For its truth.
        palette: Its tissues.
        painted: Its tissues on the grid.
    """

    seed: int
    row: SeriesRow
    setup: Setup
    scene: Scene
    palette: Palette
    painted: Painted

    @property
    def affine(self) -> AffineMatrix:
        """Return voxel (i, j, k) -> RAS+ mm."""
        return self.painted.canvas.grid.affine

    def labels(self) -> NDArray[np.uint8]:
        """Return the label map (I, J, K), numbers of ``anatomy/codes.csv``."""
        return self.painted.canvas.labels()

    def random_contrasts(self, count: int) -> Iterator[FloatVolume]:
        """Yield volumes (I, J, K) of any contrast, whole numbers from 0; draw n is always the same."""
        for draw in range(count):
            rng = np.random.default_rng((self.seed, draw, 79))
            painted = with_clutter(self.painted, self.palette, rng)
            yield random_contrast(painted, self.palette, seed=(self.seed, draw))

    def random_scanners(self, count: int) -> Iterator[FloatVolume]:
        """Yield volumes (I, J, K) of any scanner, whole numbers from 0; draw n is always the same."""
        for draw in range(count):
            rng = np.random.default_rng((self.seed, draw, 78))
            row, setup = draw_scanner(self.row, self.setup, rng)
            values = tissue_values(
                self.palette,
                field_strength_t=setup.field_strength_t,
                spread=setup.tissue_spread,
                seed=int(rng.integers(2**31)),
            )
            coil, painted = self.scene.coil(), with_clutter(self.painted, self.palette, rng)
            yield take_image(painted, self.palette, values, row, coil, setup, seed=(self.seed, 1000 + draw))


def paint_patient(protocol: str, *, seed: int, row: SeriesRow, setup: str | None = None) -> PaintedPatient:
    """Draw, place and paint a patient.

    Args:
        protocol: Body region.
        seed: Of the patient.
        row: The grid: plane, pixel, slices, spacing and thickness; its timing is replaced by drawn ones.
        setup: Name of a setup, for the population; None takes the protocol's usual one.
    """
    chosen = load_setup(setup or f"setup_{protocol}")
    palette = Palette()
    scene = build_scene(chosen, seed=seed, palette=palette)
    painted = prepare(paint_grid(scene, row, chosen), palette, seed=(seed, 6))
    return PaintedPatient(seed, row, chosen, scene, palette, painted)
