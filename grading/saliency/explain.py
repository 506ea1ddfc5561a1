"""Explain one grade: heat on each crop of its level, laid back on the slices, and its share in the region.

The midline's sagittal crops are shown; a grade that rests on other views has nothing to show here yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from anatomy import SCALES
from grading.config import CropGeometry
from grading.crops import CropFrame
from grading.inputs import SequenceCrops, gather_crops
from grading.model import GradingInputs
from grading.predict import Grader
from grading.saliency.focus import Region, area_share, energy_share, find_region, load_focus, series_frames
from grading.saliency.gradients import encoder_heat, rows_of
from grading.saliency.place import Cells, CropHeat, Mask, cell_stride, enlarge, onto_slice, window_mask
from grading.saliency.score import grade_score, score_words
from grading.saliency.types import Saliency, SaliencyMethod
from grading.types import Findings, Grade, GradeStatus
from imaging.types import Study
from runtime.errors import ConfigError, NotEligibleError
from segmentation.types import SegmentedStudy

Place = tuple[str, str]
"""Series id and disc level of one crop."""


@dataclass(frozen=True, eq=False)
class CropHeats:
    """Heat of every crop of a study for one grade.

    Attributes:
        heat: Place -> (H, W), mean over the members, in units of the score; positive speaks for it.
        cells: Place -> (h, w) of the first member, as the feature map gave it.
        logits: Number of logits of the grade's head.
    """

    heat: dict[Place, CropHeat]
    cells: dict[Place, Cells]
    logits: int


def explain_grade(
    grader: Grader,
    study: Study,
    segmented: SegmentedStudy,
    findings: Findings,
    grade_id: str,
    *,
    method: SaliencyMethod = SaliencyMethod.HIRES_CAM,
) -> tuple[Saliency, ...]:
    """Return where each series spoke for a grade.

    Args:
        grader: That gave the grade.
        study: The study.
        segmented: Its levels and outlines.
        findings: Of ``grader`` on both.
        grade_id: Grade to explain.
        method: How heat is made.

    Returns:
        One record a series that shows the level, in the network's order of sequences.

    Raises:
        ConfigError: If there is no such grade, a rule decided it, or it rests on views that are not shown yet.
        NotEligibleError: If the grade could not be given: code ``not_assessable``.
    """
    grade = explainable_grade(findings, grade_id)
    assert grade.level is not None
    views = [item for item in gather_crops(study, segmented, grader.config)[0] if item.crops]
    found = crop_heats(grader, grader.network_inputs(study, segmented), views, grade, method)
    return lay_heats(study, segmented, grade, views, found, method=method, geometry=grader.config.crops)


def lay_heats(
    study: Study,
    segmented: SegmentedStudy,
    grade: Grade,
    views: Sequence[SequenceCrops],
    found: CropHeats,
    *,
    method: SaliencyMethod,
    geometry: CropGeometry,
) -> tuple[Saliency, ...]:
    """Lay the heat of a grade's level on the slices; arguments as of ``explain_grade`` and ``crop_heats``."""
    page = _Page(study, segmented, grade, found, method, geometry)
    return tuple(page.saliency(item) for item in views if grade.level in item.crops)


def explainable_grade(findings: Findings, grade_id: str) -> Grade:
    """Return a grade of the Findings graph that a network gave from midline crops.

    Raises:
        ConfigError: If there is no such grade, a rule decided it, or it rests on views that are not shown yet.
        NotEligibleError: If the grade could not be given.
    """
    grade = findings.grade(grade_id)
    if grade is None:
        raise ConfigError(
            f"grade: expected one of {', '.join(item.id for item in findings.grades)}, got {grade_id!r}"
        )
    name = f"grade {grade_id} ({grade.condition.value} at {grade.level})"
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        raise NotEligibleError(f"{name} could not be given: {grade.reason}", code="not_assessable")
    if not grade.probabilities:
        raise ConfigError(
            f"{name} has no saliency: no network gave it, a measurement decided it ({grade.reason}); "
            f"see measurements {', '.join(grade.measurement_ids)}"
        )
    if grade.side is not None:
        raise ConfigError(f"{name} has no saliency yet: it is graded by side, and only midline crops are shown")
    return grade


def crop_heats(
    grader: Grader,
    inputs: GradingInputs,
    views: Sequence[SequenceCrops],
    grade: Grade,
    method: SaliencyMethod,
) -> CropHeats:
    """Return the heat of every crop of a study for one grade, mean over the members of a grader.

    Args:
        grader: Members and configuration.
        inputs: ``grader.network_inputs`` of the study.
        views: Its crops.
        grade: Given by a network; at a level of the configuration.
        method: How.

    Raises:
        RuntimeError: If the encoder did not read one of the crops in its last call.
    """
    level = grader.config.network.levels.index(str(grade.level))
    steps = SCALES[grade.scale].grades
    counted: list[int] = []

    def score(outputs: Mapping[str, Tensor]) -> Tensor:
        logits = outputs[str(grader.key_of(grade))][0, level]
        counted.append(logits.shape[-1])
        return grade_score(logits, steps.index(str(grade.grade)), len(steps))

    by_member = [_member_cells(*encoder_heat(member, inputs, score, method), views) for member in grader.members]
    shape = (grader.config.crops.height_px, grader.config.crops.width_px)
    heat = {
        place: np.stack([enlarge(cells[place], shape) for cells in by_member]).mean(axis=0)
        for place in by_member[0]
    }
    return CropHeats(heat, by_member[0], counted[-1])


def _member_cells(crops: Tensor, cells: Tensor, views: Sequence[SequenceCrops]) -> dict[Place, Cells]:
    """Give every crop its cells (h, w)."""
    found: dict[Place, Cells] = {}
    for item in views:
        for level, image in item.crops.items():
            rows = rows_of(crops, torch.from_numpy(image).to(crops.device))
            if len(rows) == 0:
                raise RuntimeError(
                    f"crop {item.series_id} {level}: expected it in the encoder's last call, not found"
                )
            found[item.series_id, level] = cells[rows].sum(dim=0).float().cpu().numpy()
    return found


@dataclass(frozen=True, eq=False)
class _Page:
    """All that the records of one grade share."""

    study: Study
    segmented: SegmentedStudy
    grade: Grade
    found: CropHeats
    method: SaliencyMethod
    geometry: CropGeometry

    def saliency(self, item: SequenceCrops) -> Saliency:
        """Lay one series' heat on its slice and measure it."""
        grade, level = self.grade, str(self.grade.level)
        series = next(entry for entry in self.study.series if entry.id == item.series_id)
        frame = series_frames(series, self.segmented)[level]
        columns, rows, _ = series.volume.shape
        laid = onto_slice(self._positive(item.series_id), frame, self.geometry, (rows, columns))
        window = window_mask(frame, self.geometry, (rows, columns))
        region = find_region(grade.condition, level, series, self.study, self.segmented, self.geometry)
        focus, steps = load_focus().get(grade.condition), SCALES[grade.scale].grades
        record = Saliency(
            grade_id=grade.id,
            level=level,
            series_id=series.id,
            slice_index=item.evidence[level].slice_index,
            method=self.method,
            target=score_words(str(grade.grade), steps, self.found.logits),
            map=laid,
            focused_map=None,
            energy_share=None,
            area_share=None,
            level_share=self._level_share(series.id),
            structures=() if focus is None else focus.structures,
            outlined_on=None,
            reason=None,
            box_px=_box(window),
            cell_px=self._cell_px(series.id, frame),
        )
        if not isinstance(region, Region):
            return replace(record, reason=region)
        share = energy_share(laid, region.mask, window)
        return replace(
            record,
            focused_map=np.where(region.mask, laid, np.float32(0)),
            energy_share=share,
            area_share=area_share(region.mask, window),
            outlined_on=region.series_id,
            reason="nothing in this series speaks for it" if share is None else None,
        )

    def _positive(self, series_id: str) -> CropHeat:
        """Return the heat that speaks for the grade, 1 where it is largest among the series of the level."""
        level = str(self.grade.level)
        largest = max(float(heat.max()) for (_, name), heat in self.found.heat.items() if name == level)
        heat = np.maximum(self.found.heat[series_id, level], 0.0)
        return (heat / largest if largest > 0 else heat).astype(np.float32)

    def _level_share(self, series_id: str) -> float | None:
        """Return the share of a series' heat that lies in the level's own crop."""
        sums = {
            level: float(np.maximum(heat, 0.0).sum(dtype=np.float64))
            for (name, level), heat in self.found.heat.items()
            if name == series_id
        }
        whole = sum(sums.values())
        return sums[str(self.grade.level)] / whole if whole > 0 else None

    def _cell_px(self, series_id: str, frame: CropFrame) -> tuple[float, float]:
        """Return the (rows, columns) of the slice that one cell of the feature map spans."""
        cells = self.found.cells[series_id, frame.level].shape
        per_pixel = frame.pitch / self.geometry.pixels_per_pitch
        rows, columns = (
            cell_stride(size, count)
            for size, count in zip((self.geometry.height_px, self.geometry.width_px), cells, strict=True)
        )
        return rows * per_pixel / frame.aspect, columns * per_pixel


def _box(window: Mask) -> tuple[float, float, float, float]:
    """Return (x0, y0, x1, y1) round a crop that lies at least partly in its slice."""
    rows, columns = np.flatnonzero(window.any(axis=1)), np.flatnonzero(window.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])
