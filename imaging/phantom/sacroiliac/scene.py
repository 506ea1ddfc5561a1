"""The sacroiliac phantom as a scene: what the rest of the phantom asks of a body region."""

from dataclasses import dataclass

import numpy as np

from imaging.phantom.canvas import Canvas
from imaging.phantom.sacroiliac.grids import series_grid
from imaging.phantom.sacroiliac.pelvis import Pelvis, place_pelvis
from imaging.phantom.sacroiliac.plan import PelvisPlan, draw_plan
from imaging.phantom.sacroiliac.skeleton import paint_skeleton
from imaging.phantom.sacroiliac.soft import paint_soft_tissue
from imaging.phantom.sacroiliac.tables import load_tables
from imaging.phantom.sacroiliac.truth import measure_truth
from imaging.phantom.scene import Coil, Truth
from imaging.phantom.setup import SeriesRow, Setup
from imaging.phantom.tissues import Palette, Tissue
from imaging.types import AffineMatrix

_COIL_BEHIND_MM = 85.0
_COIL_REACH_MM = 230.0


@dataclass(frozen=True)
class SacroiliacScene:
    """A placed pelvis with its tissues."""

    pelvis: Pelvis
    palette: Palette
    setup: Setup

    @property
    def version(self) -> str:
        """Version of the tables."""
        return self.pelvis.tables.version

    @property
    def sex(self) -> str:
        """Return ``F`` or ``M``."""
        return self.pelvis.plan.sex

    @property
    def age_years(self) -> int:
        """Whole years."""
        return self.pelvis.plan.age_years

    def paint(self, canvas: Canvas) -> None:
        """Paint soft tissue, bones, joints and lesions."""
        paint_soft_tissue(canvas.whole(), self.pelvis, self.palette)
        paint_skeleton(canvas, self.pelvis, self.palette)

    def grid(self, row: SeriesRow) -> tuple[AffineMatrix, tuple[int, int, int]]:
        """Return affine (voxel -> RAS+ mm) and (columns, rows, slices) of a series."""
        return series_grid(row, self.pelvis)

    def coil(self) -> Coil:
        """Return a coil behind the sacrum."""
        return Coil(
            back=lambda z: np.full_like(np.asarray(z, dtype=np.float32), -_COIL_BEHIND_MM),
            middle_z=0.0,
            reach_mm=_COIL_REACH_MM,
        )

    def measure(self) -> Truth:
        """Measure and grade both joints."""
        row = next(row for row in self.setup.series if row.plane == "coronal")
        return measure_truth(self.pelvis, self.palette, row)


def build_scene(setup: Setup, *, seed: int, palette: Palette) -> SacroiliacScene:
    """Draw and place a pelvis."""
    return scene_from_plan(draw_plan(load_tables(setup.anatomy), seed=seed), setup, palette=palette)


def scene_from_plan(plan: PelvisPlan, setup: Setup, *, palette: Palette) -> SacroiliacScene:
    """Place a plan that is already drawn, or made by hand."""
    tables = load_tables(setup.anatomy)
    for name, row in tables.tissues.items():
        palette.add(name, Tissue(**row))
    return SacroiliacScene(place_pelvis(plan, tables), palette, setup)
