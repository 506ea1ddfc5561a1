"""Explain one grade: heat on the windows it rests on, laid back on the slices, and its share in the region.

``explain_grade`` serves both graders. What they read differs (``discs``, ``joints``); heat, laying back and record
do not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from anatomy import SCALES
from grading.joints.inputs import GatheredJoints, gather_joints
from grading.joints.predict import JointGrader
from grading.predict import Grader
from grading.saliency.discs import MIDLINE, disc_heats, disc_windows, head_of
from grading.saliency.focus import Region, area_share, energy_share, find_region, load_focus, view_reason
from grading.saliency.joints import (
    JOINT_STRUCTURE,
    heaviest,
    joint_heats,
    joint_logits,
    joint_region,
    joint_windows,
    region_words,
)
from grading.saliency.place import CropHeat, onto_slice, window_mask
from grading.saliency.score import score_words
from grading.saliency.types import Saliency, SaliencyMethod
from grading.saliency.windows import HeatWindow, ReadWindow
from grading.types import Findings, Grade, GradeStatus
from imaging.types import Study
from runtime.errors import ConfigError, NotEligibleError
from segmentation.types import SegmentedStudy

SLICES = 3
"""Slices of the joints that are shown; own choice."""


@dataclass(frozen=True)
class Focused:
    """Where heat for a condition is looked for on one window.

    Attributes:
        structures: Structures that the condition is about.
        words: The region in words; None where no structure belongs to the condition.
        region: The region, or why there is none.
    """

    structures: tuple[str, ...]
    words: str | None
    region: Region | str


def explain_grade(
    grader: Grader | JointGrader,
    study: Study,
    segmented: SegmentedStudy,
    findings: Findings,
    grade_id: str,
    *,
    method: SaliencyMethod = SaliencyMethod.HIRES_CAM,
    slices: int = SLICES,
) -> tuple[Saliency, ...]:
    """Return where the pictures spoke for a grade.

    Args:
        grader: That gave the grade.
        study: The study.
        segmented: Its levels and outlines.
        findings: Of ``grader`` on both.
        grade_id: Grade to explain.
        method: How heat is made.
        slices: Most slices of the joints that are shown, at least 1; a disc level's windows are all shown.

    Returns:
        One record a window. Of a disc level: each series' crop of the midline and the windows of the head's views,
        what shows the grade's own side first. Of the joints: the slice of the grade's evidence, then those with
        most heat.

    Raises:
        ConfigError: If there is no such grade, or a rule decided it.
        NotEligibleError: If the grade could not be given: code ``not_assessable``.
    """
    grade = explainable_grade(findings, grade_id)
    if isinstance(grader, JointGrader):
        gathered = gather_joints(study, segmented, grader.config.crops)
        heats = joint_heats([grader.network], joint_windows(grader, gathered), grade, method)
        return lay_joint_heats(
            heats, heaviest(heats, grade, slices), grade, gathered, study, segmented, method=method
        )
    heats = disc_heats(grader, disc_windows(grader, study, segmented), grade, method)
    return lay_disc_heats(heats, grade, grader, study, segmented, method=method)


def explainable_grade(findings: Findings, grade_id: str) -> Grade:
    """Return a grade of the Findings graph that a network gave.

    Raises:
        ConfigError: If there is no such grade, or a rule decided it.
        NotEligibleError: If the grade could not be given.
    """
    grade = findings.grade(grade_id)
    if grade is None:
        raise ConfigError(
            f"grade: expected one of {', '.join(item.id for item in findings.grades)}, got {grade_id!r}"
        )
    place = " ".join(str(part) for part in (grade.level or "the patient", grade.side) if part is not None)
    name = f"grade {grade_id} ({grade.condition.value} at {place})"
    if grade.status is GradeStatus.NOT_ASSESSABLE:
        raise NotEligibleError(f"{name} could not be given: {grade.reason}", code="not_assessable")
    if not grade.probabilities:
        raise ConfigError(
            f"{name} has no saliency: no network gave it, a measurement decided it ({grade.reason}); "
            f"see measurements {', '.join(grade.measurement_ids)}"
        )
    return grade


def lay_disc_heats(
    heats: Sequence[HeatWindow],
    grade: Grade,
    grader: Grader,
    study: Study,
    segmented: SegmentedStudy,
    *,
    method: SaliencyMethod,
) -> tuple[Saliency, ...]:
    """Lay the heat of a grade's level (``disc_heats``) on the slices."""
    focus = load_focus().get(grade.condition)
    structures = () if focus is None else focus.structures

    def focused(window: ReadWindow) -> Focused:
        words = ", ".join(structures).replace("_", " ") or None
        if window.view != MIDLINE:
            return Focused(structures, words, view_reason(grade.condition, window.series_id))
        series = next(item for item in study.series if item.id == window.series_id)
        geometry = grader.config.crops
        region = find_region(grade.condition, window.level, series, study, segmented, geometry)
        return Focused(structures, words, region)

    there = [item for item in heats if item.window.level == grade.level]
    page = _Page(grade, head_of(grader, grade).logit_count, method, heats, there, focused)
    return tuple(page.saliency(item) for item in there)


def lay_joint_heats(
    heats: Sequence[HeatWindow],
    shown: Sequence[HeatWindow],
    grade: Grade,
    gathered: GatheredJoints,
    study: Study,
    segmented: SegmentedStudy,
    *,
    method: SaliencyMethod,
) -> tuple[Saliency, ...]:
    """Lay the heat of some slices of the joints (``joint_heats``) on them; ``shown`` are those."""

    def focused(window: ReadWindow) -> Focused:
        assert window.side is not None
        region = joint_region(window, gathered, study, segmented)
        return Focused((JOINT_STRUCTURE[window.side].value,), region_words(window.side), region)

    page = _Page(grade, joint_logits(grade), method, heats, heats, focused)
    return tuple(page.saliency(item) for item in shown)


@dataclass(frozen=True, eq=False)
class _Page:
    """All that the records of one grade share.

    Attributes:
        grade: Explained.
        logits: Number of logits of its head.
        method: How heat was made.
        heats: Of every window that the grade rests on.
        there: Those of its own level.
        focused: Window -> where heat is looked for.
    """

    grade: Grade
    logits: int
    method: SaliencyMethod
    heats: Sequence[HeatWindow]
    there: Sequence[HeatWindow]
    focused: Callable[[ReadWindow], Focused]

    def saliency(self, item: HeatWindow) -> Saliency:
        """Lay one window's heat on its slice and measure it."""
        window, focused, place = item.window, self.focused(item.window), item.window.place
        laid, covered = onto_slice(self._positive(item), place), window_mask(place)
        record = Saliency(
            grade_id=self.grade.id,
            level=window.level,
            side=window.side,
            view=window.view,
            series_id=window.series_id,
            slice_index=window.slice_index,
            method=self.method,
            target=score_words(str(self.grade.grade), SCALES[self.grade.scale].grades, self.logits),
            map=laid,
            focused_map=None,
            energy_share=None,
            area_share=None,
            level_share=self._level_share(window),
            window_share=self._window_share(item),
            structures=focused.structures,
            region=focused.words,
            outlined_on=None,
            reason=None,
            box_px=place.box_px(),
            cell_px=place.cell_px(item.cells.shape),
        )
        region = focused.region
        if not isinstance(region, Region):
            return replace(record, reason=region)
        share = energy_share(laid, region.mask, covered)
        return replace(
            record,
            focused_map=np.where(region.mask, laid, np.float32(0)),
            energy_share=share,
            area_share=area_share(region.mask, covered),
            outlined_on=region.series_id,
            reason="nothing in this picture speaks for it" if share is None else None,
        )

    def _positive(self, item: HeatWindow) -> CropHeat:
        """Return the heat that speaks for the grade, 1 where it is largest among the windows of the level."""
        largest = max(float(other.heat.max()) for other in self.there)
        heat = np.maximum(item.heat, 0.0)
        return (heat / largest if largest > 0 else heat).astype(np.float32)

    def _level_share(self, window: ReadWindow) -> float | None:
        """Return the share of the heat of a series' midline crops that lies in the level's own crop."""
        if window.view != MIDLINE:
            return None
        sums = {
            other.window.level: float(np.maximum(other.heat, 0.0).sum(dtype=np.float64))
            for other in self.heats
            if (other.window.view, other.window.series_id) == (MIDLINE, window.series_id)
        }
        whole = sum(sums.values())
        return sums[window.level] / whole if whole > 0 else None

    def _window_share(self, item: HeatWindow) -> float | None:
        whole = sum(other.amount for other in self.there)
        return item.amount / whole if whole > 0 else None
