"""Put grades, measurements, levels and doubts of a study together as the Findings graph. No torch."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from anatomy import SCALES, Condition, Protocol, Side
from grading.burden import measure_burden
from grading.stenosis import Rule, load_rule
from grading.types import Detection, Evidence, Findings, Grade, GradeStatus
from imaging.types import Study
from segmentation.types import Level, Measurement, SegmentedStudy


def not_assessable(
    level: str, condition: Condition, scale: str, reason: str, *, side: Side | None = None
) -> Grade:
    """Return a grade that could not be given, with the reason; it gets its id in ``build_findings``."""
    return Grade(
        id="",
        level=level,
        side=side,
        condition=condition,
        scale=scale,
        grade=None,
        probabilities={},
        prediction_set=(),
        status=GradeStatus.NOT_ASSESSABLE,
        reason=reason,
        evidence=None,
    )


def graded_by_rule(rule: Rule, level: Level, segmented: SegmentedStudy) -> Grade:
    """Grade one level by a rule on its measurement."""
    measured = next(
        (item for item in segmented.measurements if item.name == rule.measurement and item.level == level.name),
        None,
    )
    if measured is None or measured.value is None:
        reason = f"{rule.words} was not measured at {level.name}" if measured is None else measured.reason
        reason = reason or f"{rule.words} was not measured at {level.name}"
        return not_assessable(level.name, rule.condition, rule.scale, reason)
    if measured.unit != rule.unit:
        reason = f"rule {rule.id} needs {rule.words} in {rule.unit}, got {measured.unit}"
        return not_assessable(level.name, rule.condition, rule.scale, reason)
    grade = rule.step_for(measured.value)
    return Grade(
        id="",
        level=level.name,
        side=None,
        condition=rule.condition,
        scale=rule.scale,
        grade=grade,
        probabilities={},
        prediction_set=(grade,),
        status=GradeStatus.GRADED,
        reason=rule.explain(measured.value),
        evidence=_measurement_evidence(measured, level, segmented),
        measurement_ids=(measured.id,),
    )


def rules_of(protocol: Protocol) -> tuple[Rule, ...]:
    """Return the rules a protocol names for its conditions.

    Raises:
        ConfigError: If a rule table is missing or wrong.
    """
    return tuple(
        load_rule(protocol.rules[condition.value])
        for condition in protocol.conditions
        if condition.value in protocol.rules
    )


def build_findings(
    study: Study,
    segmented: SegmentedStudy,
    protocol: Protocol,
    grades: Iterable[Grade],
    *,
    notices: Sequence[str] = (),
    roles: Mapping[str, str] | None = None,
    detections: Sequence[Detection] = (),
) -> Findings:
    """Order and number the grades, score the burden and gather the doubts a report must state.

    Args:
        study: The study.
        segmented: Levels and measurements.
        protocol: Order of levels and conditions.
        grades: Grades without ids, at most one per level, side and condition.
        notices: What the grading itself wants stated.
        detections: Boxes.
        roles: Series id -> role, where the grading knows better than the series (weighting told by the picture).

    Raises:
        ValueError: If two grades claim the same level, side, condition and scale.
    """
    ordered = sorted(grades, key=lambda grade: _place(grade, protocol))
    places = [(grade.level, grade.side, grade.condition, grade.scale) for grade in ordered]
    twice = {place for place in places if places.count(place) > 1}
    if twice:
        raise ValueError(f"grades: expected one per level, side, condition and scale, got several of {twice!r}")
    stated = [*study.notices, *segmented.notices, *_level_notices(segmented, protocol), *notices]
    numbered = tuple(replace(grade, id=f"g{number}") for number, grade in enumerate(ordered, start=1))
    return Findings(
        study_key=study.key,
        protocol=protocol.name,
        sequences=_roles_read(study, segmented, roles or {}),
        levels=segmented.levels,
        measurements=segmented.measurements,
        grades=numbered,
        burden=measure_burden(numbered, protocol),
        detections=tuple(detections),
        notices=tuple(dict.fromkeys(stated)),
    )


def _roles_read(study: Study, segmented: SegmentedStudy, roles: Mapping[str, str]) -> tuple[str, ...]:
    """Return the roles of the series that levels were found on: only those were read."""
    read = [series for series in study.series if segmented.series_levels.get(series.id)]
    named = [roles.get(series.id, series.role) for series in read]
    return tuple(dict.fromkeys(role for role in named if role is not None))


def find_box(segmented: SegmentedStudy, level: str, series_id: str) -> Evidence | None:
    """Return the region of a level on a series as evidence, or None when there is none."""
    for region in segmented.regions:
        if region.level == level and region.series_id == series_id:
            return Evidence(series_id, region.slice_index, region.box_px)
    return None


def _measurement_evidence(measured: Measurement, level: Level, segmented: SegmentedStudy) -> Evidence:
    """Return the level's region on the measured series, else the box round the measured line or the disc."""
    box = find_box(segmented, level.name, measured.series_id)
    if box is not None:
        return box
    first, second = measured.line_px or (level.centre_px, level.posterior_px)
    (x0, x1), (y0, y1) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    slice_index = level.slice_index if measured.slice_index is None else measured.slice_index
    return Evidence(measured.series_id, slice_index, (x0, y0, x1, y1))


def _place(grade: Grade, protocol: Protocol) -> tuple[int, int, int, int]:
    level = protocol.levels.index(grade.level) if grade.level in protocol.levels else len(protocol.levels)
    condition = (
        protocol.conditions.index(grade.condition)
        if grade.condition in protocol.conditions
        else len(protocol.conditions)
    )
    side = 0 if grade.side is None else 1 + ("left", "right").index(grade.side.value)
    return level, condition, side, list(SCALES).index(grade.scale)


def _level_notices(segmented: SegmentedStudy, protocol: Protocol) -> list[str]:
    """Return sentences on doubtful names and on levels that were not found."""
    doubts: dict[str, list[str]] = {}
    for level in segmented.levels:
        if level.doubt is not None:
            doubts.setdefault(level.doubt, []).append(level.name)
    notices = [f"Numbering of {_join(names)} is doubtful: {doubt.rstrip('.')}." for doubt, names in doubts.items()]
    found = {level.name for level in segmented.levels}
    absent = [name for name in protocol.levels if name not in found]
    if absent:
        verb = "was" if len(absent) == 1 else "were"
        notices.append(f"{_join(absent)} {verb} not found in the images and not graded.")
    return notices


def _join(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
