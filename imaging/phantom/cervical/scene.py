"""The cervical phantom as a scene: what the rest of the phantom asks of a body region."""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.canvas import Canvas
from imaging.phantom.cervical.discs import add_tissues
from imaging.phantom.cervical.draw import draw_plan
from imaging.phantom.cervical.grids import series_grid
from imaging.phantom.cervical.paint import paint_neck
from imaging.phantom.cervical.place import Neck, place_neck
from imaging.phantom.cervical.plan import NeckPlan
from imaging.phantom.cervical.tables import load_tables
from imaging.phantom.cervical.truth import measure_truth
from imaging.phantom.scene import Coil, Truth
from imaging.phantom.setup import SeriesRow, Setup
from imaging.phantom.tissues import Palette
from imaging.types import AffineMatrix

_COIL_BEHIND_CANAL_MM = 70.0
_COIL_REACH_MM = 150.0


@dataclass(frozen=True)
class CervicalScene:
    """A placed neck with its tissues."""

    neck: Neck
    palette: Palette

    @property
    def version(self) -> str:
        """Version of the tables."""
        return self.neck.tables.version

    @property
    def sex(self) -> str:
        """Return ``F`` or ``M``."""
        return self.neck.plan.sex

    @property
    def age_years(self) -> int:
        """Whole years."""
        return self.neck.plan.age_years

    def paint(self, canvas: Canvas) -> None:
        """Paint neck and head."""
        paint_neck(canvas, self.neck, self.palette, with_soft=True)

    def grid(self, row: SeriesRow) -> tuple[AffineMatrix, tuple[int, int, int]]:
        """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series."""
        return series_grid(row, self.neck)

    def coil(self) -> Coil:
        """Return a coil behind the neck."""
        curve = self.neck.curve
        return Coil(
            back=lambda z: np.asarray(curve.at_height(z) - _COIL_BEHIND_CANAL_MM, dtype=np.float32),
            middle_z=self.neck.body("C5").frame.z,
            reach_mm=_COIL_REACH_MM,
        )

    def measure(self) -> Truth:
        """Measure and grade every level of the protocol."""
        return measure_truth(self.neck, self.palette)


def build_scene(setup: Setup, *, seed: int, palette: Palette) -> CervicalScene:
    """Draw and place a neck."""
    tables = load_tables(setup.anatomy)
    return scene_from_plan(draw_plan(tables, seed=seed), setup, palette=palette)


def scene_from_plan(plan: NeckPlan, setup: Setup, *, palette: Palette) -> CervicalScene:
    """Place a plan that is already drawn, or made by hand."""
    neck = place_neck(plan, load_tables(setup.anatomy))
    add_tissues(palette, neck)
    return CervicalScene(neck, palette)
