"""Measurement groups of a structured report: one a grade (TID 1410, TID 1501), one a place and structure measured.

A grade's group holds finding site and side, condition, the step of its scale, the prediction set, a probability a
step, the reason where there is one, the measurements it rests on, and the box to look at on the source instance. A
group of measurements (TID 1411 where the SEG has the structure, else TID 1501) holds the values of one level, side
and series. A box and a segment exclude each other in one group, which is why there are two kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    ContentItem,
    ContentSequence,
    FindingSite,
    MeasurementsAndQualitativeEvaluations,
    NumContentItem,
    PlanarROIMeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from highdicom.sr import Measurement as MeasurementItem

from anatomy import Side
from grading.types import Grade
from reporting.codes import Kind, structure_of
from reporting.dicom.codes import code_of, probability_code, step_code
from reporting.dicom.common import (
    ARTIFICIAL_INTELLIGENCE,
    MANUFACTURER,
    MODEL,
    segment_tracking,
    software_version,
    tracking_uid,
    weights_of,
)
from reporting.dicom.sr_items import text_item
from reporting.dicom.sr_places import (
    Segments,
    image_of,
    label_of,
    referenced_segment,
    region_of,
    segments_of,
)
from reporting.export.package import Package
from segmentation.types import Measurement

Group = (
    MeasurementsAndQualitativeEvaluations
    | PlanarROIMeasurementsAndQualitativeEvaluations
    | VolumetricROIMeasurementsAndQualitativeEvaluations
)
_PROPERTY = RelationshipTypeValues.HAS_PROPERTIES
Place = tuple[str | None, Side | None, str, int | None]


def grade_groups(package: Package) -> list[Group]:
    """Return a group for each grade, checks and not assessable ones included, in the order of Findings."""
    return [_grade_group(package, grade) for grade in package.outgoing.findings.grades]


def measurement_groups(package: Package) -> list[Group]:
    """Return a group for each level, side, series and structure that was measured, values that failed included."""
    segments = segments_of(package)
    places: dict[Place, list[Measurement]] = {}
    for item in package.outgoing.findings.measurements:
        places.setdefault(_place(item, segments), []).append(item)
    return [_measurement_group(package, segments, *entry) for entry in places.items()]


def tracking(package: Package, name: str) -> TrackingIdentifier:
    """Return what tells a statement from all others; the same in every version of the report."""
    return TrackingIdentifier(uid=tracking_uid(package, "sr", name), identifier=name)


def _grade_group(package: Package, grade: Grade) -> Group:
    shared: dict[str, Any] = {
        "tracking_identifier": tracking(package, grade.id),
        "finding_type": code_of(Kind.CONDITION, grade.condition.value),
        "finding_sites": _sites(grade.level, grade.side),
        "algorithm_id": _algorithm(package),
        "qualitative_evaluations": [_evaluation(grade)],
    }
    group: Group
    if grade.evidence is None:
        group = MeasurementsAndQualitativeEvaluations(**shared)
    else:
        region = region_of(package.require_source(), grade.evidence)
        group = PlanarROIMeasurementsAndQualitativeEvaluations(**shared, referenced_region=region)
    content = group[0].ContentSequence
    if grade.reason:
        content.append(text_item(code_of(Kind.CONCEPT, "reason"), grade.reason))
    for measurement_id in grade.measurement_ids:
        content.append(text_item(code_of(Kind.CONCEPT, "rests_on"), measurement_id))
    return group


def _evaluation(grade: Grade) -> QualitativeEvaluation:
    """Return the step of the scale, with the prediction set and the probabilities as its properties.

    They are no items of the group: a viewer that shows values without names would state each step of the set.
    """
    scale = code_of(Kind.SCALE, grade.scale)
    if grade.grade is None:
        return QualitativeEvaluation(scale, code_of(Kind.CONCEPT, "not_assessable"))
    found = QualitativeEvaluation(scale, step_code(grade.scale, grade.grade))
    in_set, unit = code_of(Kind.CONCEPT, "prediction_set"), code_of(Kind.UNIT, "1")
    properties: list[ContentItem] = [
        CodeContentItem(in_set, step_code(grade.scale, step), _PROPERTY) for step in grade.prediction_set
    ]
    properties += [
        NumContentItem(probability_code(grade.scale, step), float(value), unit, relationship_type=_PROPERTY)
        for step, value in grade.probabilities.items()
    ]
    if properties:
        found[0].ContentSequence = ContentSequence(properties)
    return found


def _sites(level: str | None, side: Side | None) -> list[FindingSite] | None:
    if level is None:
        return None
    laterality = None if side is None else code_of(Kind.SIDE, side.value)
    return [FindingSite(code_of(Kind.LEVEL, level), laterality=laterality)]


def _algorithm(package: Package) -> AlgorithmIdentification:
    return AlgorithmIdentification(
        name=MODEL,
        version=software_version(package),
        parameters=[f"{name} SHA-256 {checksum}" for name, checksum in weights_of(package).items()],
        family=ARTIFICIAL_INTELLIGENCE,
        manufacturer=MANUFACTURER,
    )


def _place(item: Measurement, segments: dict[str, Segments]) -> Place:
    """Return what is measured together: level, side, series, label number of a segment that the SEG has."""
    label = label_of(structure_of(item.name), item.level, item.side)
    there = segments.get(item.series_id)
    is_there = there is not None and label in there.numbers
    return item.level, item.side, item.series_id, label if is_there else None


def _measurement_group(
    package: Package, segments: dict[str, Segments], place: Place, items: Sequence[Measurement]
) -> Group:
    level, side, series_id, label = place
    shared: dict[str, Any] = {
        "finding_sites": _sites(level, side),
        "algorithm_id": _algorithm(package),
        "measurements": [_measured(package, item) for item in items if item.value is not None],
        "qualitative_evaluations": [_not_measured(package, item) for item in items if item.value is None],
    }
    if label is None:
        words = [level or "whole study", *([side.value] if side else []), series_id]
        follow = tracking(package, " ".join(["measurements", *words]))
        return MeasurementsAndQualitativeEvaluations(**shared, tracking_identifier=follow)
    identifier, uid = segment_tracking(package, series_id, label)
    return VolumetricROIMeasurementsAndQualitativeEvaluations(
        **shared,
        tracking_identifier=TrackingIdentifier(uid=uid, identifier=identifier),
        referenced_segment=referenced_segment(segments[series_id], label),
    )


def _measured(package: Package, item: Measurement) -> MeasurementItem:
    """Return a value with its unit."""
    assert item.value is not None
    made = MeasurementItem(
        name=code_of(Kind.MEASUREMENT, item.name), value=float(item.value), unit=code_of(Kind.UNIT, item.unit)
    )
    made[0].ContentSequence = ContentSequence(list(_particulars(package, item)))
    return made


def _not_measured(package: Package, item: Measurement) -> QualitativeEvaluation:
    """Return a quantity without a value as what it is: not assessable.

    DICOM allows a number without a value, but readers fall over it (highdicom 0.28 among them).
    """
    made = QualitativeEvaluation(code_of(Kind.MEASUREMENT, item.name), code_of(Kind.CONCEPT, "not_assessable"))
    made[0].ContentSequence = ContentSequence(list(_particulars(package, item)))
    return made


def _particulars(package: Package, item: Measurement) -> Iterator[ContentItem]:
    """Yield which measurement it is, how it was taken or why not, and the slice."""
    yield from tracking(package, item.id)
    for concept, text in (("method", item.method), ("reason", item.reason)):
        if text:
            yield text_item(code_of(Kind.CONCEPT, concept), text, _PROPERTY)
    if item.slice_index is not None:
        yield image_of(package.require_source(), item.series_id, item.slice_index)
