"""Records of saliency. No torch here."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anatomy import Side

HeatMap = NDArray[np.float32]
"""Heat on an original slice, (rows, columns), 0 to 1."""


class SaliencyMethod(StrEnum):
    """How heat is made of the feature map's activations and the gradient of the score with respect to them."""

    GRAD_CAM = "grad_cam"
    """Channels weighted by their mean gradient. Selvaraju et al., ICCV 2017."""
    HIRES_CAM = "hires_cam"
    """Every place by its own gradient. Draelos and Carin, arXiv 2011.08891."""


@dataclass(frozen=True, eq=False)
class Saliency:
    """Where one window that the network read spoke for a grade.

    The maps of one grade share a scale: 1 is the largest heat of any of the windows that it rests on at its level.

    Attributes:
        grade_id: Grade of the Findings graph.
        level: Disc level, or ``SIJ``.
        side: Patient's side that the window shows; None for the midline.
        view: ``midline``, a name of ``grading/views.yaml``, or ``joint``.
        series_id: Series.
        slice_index: Slice k that the window was read off; of a window of several slices the middle one.
        method: How the heat was made.
        target: What the heat speaks for, in words.
        map: (rows, columns) on the original slice; 0 outside the window.
        focused_map: ``map`` inside the region the condition is about, 0 elsewhere; None without a region.
        energy_share: Share of the heat that lies in the region, 0 to 1; None when unknown.
        area_share: Share of the window's area that the region takes: what heat without any aim would give; None
            without a region.
        level_share: Share of the heat of all midline crops of this series that lies in this level's own crop, 0 to
            1; the rest came in from other levels. None without any heat, and for a window off the midline, which
            no other level sees.
        window_share: Share of the heat of all windows of this level that lies in this one, 0 to 1, in units of the
            score; of all series, sides and slices that the grade rests on, shown or not. None without any heat.
        structures: Structures of the region, such as ``disc``.
        region: What the region is, in words; None where no structure belongs to the condition.
        outlined_on: Series whose outlines made the region: this one, or the primary one, whose outlines were
            carried over by the levels; None without a region.
        reason: Why there is no energy share; None when there is one.
        box_px: (x0, y0, x1, y1) round the window, in pixels of the original slice, clipped to it.
        cell_px: (rows, columns) of the original slice that one cell of the feature map spans: nothing finer is
            told.
    """

    grade_id: str
    level: str
    side: Side | None
    view: str
    series_id: str
    slice_index: int
    method: SaliencyMethod
    target: str
    map: HeatMap
    focused_map: HeatMap | None
    energy_share: float | None
    area_share: float | None
    level_share: float | None
    window_share: float | None
    structures: tuple[str, ...]
    region: str | None
    outlined_on: str | None
    reason: str | None
    box_px: tuple[float, float, float, float]
    cell_px: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the maps, JSON-ready."""
        return {
            "grade": self.grade_id,
            "level": self.level,
            "side": None if self.side is None else self.side.value,
            "view": self.view,
            "series": self.series_id,
            "slice": self.slice_index,
            "method": self.method.value,
            "target": self.target,
            "energy_share": self.energy_share,
            "area_share": self.area_share,
            "level_share": self.level_share,
            "window_share": self.window_share,
            "structures": list(self.structures),
            "region": self.region,
            "outlined_on": self.outlined_on,
            "reason": self.reason,
            "box_px": list(self.box_px),
            "cell_px": list(self.cell_px),
        }
