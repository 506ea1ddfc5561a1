"""The lumbar phantom as a scene: what the rest of the phantom asks of a body region."""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.canvas import Canvas
from imaging.phantom.lumbar.discs import add_disc_tissues
from imaging.phantom.lumbar.draw import draw_plan
from imaging.phantom.lumbar.grids import series_grid
from imaging.phantom.lumbar.paint import paint_spine
from imaging.phantom.lumbar.place import Spine, place_spine
from imaging.phantom.lumbar.plan import SpinePlan
from imaging.phantom.lumbar.tables import load_tables
from imaging.phantom.lumbar.truth import measure_truth
from imaging.phantom.scene import Coil, Truth
from imaging.phantom.setup import SeriesRow, Setup
from imaging.phantom.tissues import Palette
from imaging.types import AffineMatrix

_COIL_BEHIND_CANAL_MM = 75.0
_COIL_REACH_MM = 210.0


@dataclass(frozen=True)
class LumbarScene:
    """A placed lumbar spine with its tissues."""

    spine: Spine
    palette: Palette

    @property
    def version(self) -> str:
        """Version of the tables."""
        return self.spine.tables.version

    @property
    def sex(self) -> str:
        """Return ``F`` or ``M``."""
        return self.spine.plan.sex

    @property
    def age_years(self) -> int:
        """Whole years."""
        return self.spine.plan.age_years

    def paint(self, canvas: Canvas) -> None:
        """Paint the trunk and the spine in it."""
        paint_spine(canvas, self.spine, self.palette, with_trunk=True)

    def grid(self, row: SeriesRow) -> tuple[AffineMatrix, tuple[int, int, int]]:
        """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series."""
        return series_grid(row, self.spine)

    def coil(self) -> Coil:
        """Return a coil behind the back."""
        curve = self.spine.curve
        return Coil(
            back=lambda z: np.asarray(curve.at_height(z) - _COIL_BEHIND_CANAL_MM, dtype=np.float32),
            middle_z=self.spine.body("L3").frame.z,
            reach_mm=_COIL_REACH_MM,
        )

    def measure(self) -> Truth:
        """Measure and grade every level of the protocol."""
        return measure_truth(self.spine, self.palette)


def build_scene(setup: Setup, *, seed: int, palette: Palette) -> LumbarScene:
    """Draw and place a lumbar spine."""
    tables = load_tables(setup.anatomy)
    return scene_from_plan(draw_plan(tables, seed=seed), setup, palette=palette)


def scene_from_plan(plan: SpinePlan, setup: Setup, *, palette: Palette) -> LumbarScene:
    """Place a plan that is already drawn, or made by hand."""
    spine = place_spine(plan, load_tables(setup.anatomy))
    add_disc_tissues(palette, spine)
    return LumbarScene(spine, palette)
