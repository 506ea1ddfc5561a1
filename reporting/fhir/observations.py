"""Observations: one a grade, one a measurement, one for the burden score.

A grade that could not be given has no value but a reason. Checks (a second way of grading) are there too, marked
as such and not among the results of the report. Boxes and lines are in pixels of the slice as in reading.json.
"""

from __future__ import annotations

from typing import Any

from anatomy import CONDITIONS, Side
from grading.types import Grade
from reporting.export.content import grade_words
from reporting.fhir import codes, parts
from reporting.fhir.context import Context, Resource
from reporting.fhir.narrative import narrative, plain
from reporting.fhir.people import deciders, is_graded_by_reader
from reporting.fhir.study import image_references
from segmentation.types import Measurement

_CATEGORY = codes.concept(
    "Imaging", codes.coding(f"{codes.TERMINOLOGY}/observation-category", "imaging", "Imaging")
)
_CHECK = codes.concept("check of another grade", codes.coding(codes.KIND, "check"))
_UNKNOWN = codes.coding(f"{codes.TERMINOLOGY}/data-absent-reason", "unknown", "Unknown")
_NETWORK = "grading"
BURDEN = "burden"


def grade_observation(context: Context, grade: Grade) -> Resource:
    """Return a grade."""
    seen = grade.evidence
    told = f"{place_words(grade.level, grade.side)}{CONDITIONS[grade.condition].words}: {grade_words(grade)}"
    return _observation(
        context,
        grade.id,
        code=codes.condition_concept(grade.condition),
        category=[_CATEGORY, *([_CHECK] if grade.is_check else [])],
        valueCodeableConcept=None if grade.grade is None else codes.step_concept(grade.scale, grade.grade),
        dataAbsentReason=_absent(grade.reason) if grade.grade is None else None,
        method=_method(grade),
        device=_grader(context, grade),
        performer=deciders(context, grade.id),
        derivedFrom=[
            *image_references(context, None if seen is None else seen.series_id, _slice(grade)),
            *context.findings(grade.measurement_ids),
        ],
        component=[
            *parts.side_part(grade.side),
            *parts.text_part("scale", grade.scale),
            *parts.text_part("reason", grade.reason),
            *parts.probability_parts(grade.scale, grade.probabilities),
            *parts.set_parts(grade.scale, grade.prediction_set),
            *parts.text_part("series", None if seen is None else seen.series_id),
            *parts.integer_part("slice", _slice(grade)),
            *parts.points_part("box-px", None if seen is None else seen.box_px),
        ],
        text=narrative([told, grade.reason or ""]),
        **_where(context, grade.level, grade.side),
    )


def measurement_observation(context: Context, item: Measurement) -> Resource:
    """Return a measurement."""
    value = None if item.value is None else codes.quantity(item.value, item.unit)
    line = None if item.line_px is None else [value for point in item.line_px for value in point]
    shown = "not assessable" if item.value is None else f"{item.value:.4g} {item.unit}".removesuffix(" 1")
    told = f"{place_words(item.level, item.side)}{item.name.replace('_', ' ')}: {shown}"
    return _observation(
        context,
        item.id,
        code=codes.measurement_concept(item.name),
        category=[_CATEGORY],
        valueQuantity=value,
        dataAbsentReason=_absent(item.reason) if item.value is None else None,
        method=codes.concept(plain(item.method)) if item.method else None,
        device=context.reference("Device", "spinescribe"),
        derivedFrom=image_references(context, item.series_id, item.slice_index),
        component=[
            *parts.side_part(item.side),
            *parts.text_part("unit", item.unit),
            *parts.text_part("reason", item.reason),
            *parts.number_part("percentile", item.percentile, "%"),
            *parts.text_part("series", item.series_id),
            *parts.integer_part("slice", item.slice_index),
            *parts.points_part("line-px", line),
        ],
        text=narrative([told, item.reason or ""]),
        **_where(context, item.level, item.side),
    )


def burden_observation(context: Context) -> Resource:
    """Return the patient's score."""
    burden = context.package.outgoing.findings.burden
    low, high = (None, None) if burden.interval is None else burden.interval
    shown = "not assessable" if burden.score is None else f"{burden.score:.0f} of 100"
    return _observation(
        context,
        BURDEN,
        code=codes.measurement_concept("degeneration_burden_score"),
        category=[_CATEGORY],
        valueQuantity=None if burden.score is None else {"value": burden.score, "unit": "of 100"},
        dataAbsentReason=_absent("nothing was graded") if burden.score is None else None,
        method=codes.concept(plain(burden.formula)),
        device=context.reference("Device", "spinescribe"),
        derivedFrom=context.findings(term.grade_id for term in burden.terms),
        component=[
            *parts.text_part("category", burden.category),
            *parts.number_part("interval-low", low),
            *parts.number_part("interval-high", high),
            *parts.number_part("expected", burden.expected),
            *parts.number_part("upper-bound", burden.upper_bound),
            *parts.number_part("completeness", burden.completeness),
        ],
        text=narrative([f"Degeneration burden score: {shown}"]),
    )


def _observation(context: Context, key: str, **content: Any) -> Resource:
    """Return an Observation; the order of its elements is of no meaning."""
    return context.resource(
        "Observation",
        key,
        identifier=[{"system": codes.FINDING, "value": key}],
        status=context.observation_status,
        subject=context.reference("Patient"),
        **content,
    )


def _where(context: Context, level: str | None, side: Side | None) -> Resource:
    """Return the place: a BodyStructure in R5; in R4, where no element refers to one, the site of the level."""
    if level is None:
        return {}
    if context.is_r5:
        return {"bodyStructure": context.reference("BodyStructure", place_key(level, side))}
    return {"bodySite": codes.level_concept(level)}


def place_words(level: str | None, side: Side | None) -> str:
    """Return a place as words begin with it, such as ``L4-L5 left: ``; nothing for the whole study."""
    place = " ".join(part for part in (level, None if side is None else side.value) if part)
    return f"{place}: " if place else ""


def place_key(level: str, side: Side | None) -> str:
    """Return the key of a place."""
    return level if side is None else f"{level}/{side.value}"


def body_structures(context: Context) -> list[Resource]:
    """Return the places of all grades and measurements, for R5."""
    findings = context.package.outgoing.findings
    rows = [(item.level, item.side) for item in findings.grades]
    rows += [(item.level, item.side) for item in findings.measurements]
    return [
        context.resource(
            "BodyStructure",
            place_key(level, side),
            includedStructure=[
                {
                    "structure": codes.level_concept(level),
                    **({} if side is None else {"laterality": codes.side_concept(side)}),
                }
            ],
            patient=context.reference("Patient"),
        )
        for level, side in dict.fromkeys(rows)
        if level is not None
    ]


def _slice(grade: Grade) -> int | None:
    return None if grade.evidence is None else grade.evidence.slice_index


def _absent(reason: str | None) -> Resource:
    return codes.concept(plain(reason or "not said"), _UNKNOWN)


def _method(grade: Grade) -> Resource | None:
    if grade.grade is None:
        return None
    return codes.concept("calibrated network" if grade.probabilities else "rule or reader, see reason")


def _grader(context: Context, grade: Grade) -> Resource | None:
    """Return what graded: the network, a rule of ours, or nothing of ours where a reader graded anew."""
    if is_graded_by_reader(context, grade.id):
        return None
    is_network = bool(grade.probabilities) and _NETWORK in context.made["models"]
    return context.reference("Device", f"model/{_NETWORK}" if is_network else "spinescribe")
