"""A bundle back to findings: every grade and every measurement as it was, of either version of FHIR.

A bundle holds no named points of levels, no detections and no terms of the score: these are empty here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from anatomy import Condition, Side
from grading.types import Burden, Evidence, Findings, Grade, GradeStatus
from reporting.fhir import codes, parts
from reporting.fhir.context import Resource
from reporting.fhir.observations import BURDEN
from runtime.errors import ReportError
from segmentation.types import Measurement


@dataclass(frozen=True)
class ReadBundle:
    """What a bundle tells.

    Attributes:
        status: Of its DiagnosticReport: ``preliminary``, ``final`` or ``amended``.
        version: Version of the report.
        findings: Grades, measurements and score.
    """

    status: str
    version: int
    findings: Findings


def read_bundle(bundle: Mapping[str, Any]) -> ReadBundle:
    """Return the findings of a bundle that SpineScribe wrote.

    Raises:
        ReportError: If it holds no report of ours.
    """
    resources = {entry["fullUrl"]: entry["resource"] for entry in bundle.get("entry", ())}
    reports = [item for item in resources.values() if item["resourceType"] == "DiagnosticReport"]
    if len(reports) != 1:
        raise ReportError(f"FHIR bundle: expected one DiagnosticReport, found {len(reports)}")
    report, observations = reports[0], list(_observations(resources))
    protocol = parts.code_of(report["code"], codes.PROTOCOL)
    if protocol is None:
        raise ReportError("FHIR bundle: expected a report of SpineScribe, found one without its protocol")
    findings = Findings(
        study_key=_identifier(report, codes.STUDY),
        protocol=protocol,
        sequences=(),
        levels=(),
        measurements=tuple(_measurement(item, resources) for item in observations if _is(item, codes.MEASUREMENT)),
        grades=tuple(_grade(item, resources) for item in observations if _is(item, codes.CONDITION)),
        burden=_burden(resources),
    )
    return ReadBundle(report["status"], int(report["meta"]["versionId"]), findings)


def _observations(resources: Mapping[str, Resource]) -> Iterator[Resource]:
    for item in resources.values():
        if item["resourceType"] == "Observation" and _identifier(item, codes.FINDING) != BURDEN:
            yield item


def _is(observation: Resource, system: str) -> bool:
    return parts.code_of(observation["code"], system) is not None


def _identifier(resource: Resource, system: str) -> str:
    return next((str(row["value"]) for row in resource["identifier"] if row.get("system") == system), "")


def _grade(item: Resource, resources: Mapping[str, Resource]) -> Grade:
    condition, scale = parts.code_of(item["code"], codes.CONDITION), parts.text_of(item, "scale")
    assert condition is not None
    assert scale is not None
    system = codes.scale_system(scale)
    step = parts.code_of(item.get("valueCodeableConcept", {}), system)
    chosen = (parts.code_of(row["valueCodeableConcept"], system) for row in parts.parts_of(item, "prediction-set"))
    return Grade(
        id=_identifier(item, codes.FINDING),
        level=_level(item, resources),
        side=_side(item),
        condition=Condition(condition),
        scale=scale,
        grade=step,
        probabilities=parts.probabilities_of(item),
        prediction_set=tuple(step for step in chosen if step is not None),
        status=GradeStatus.NOT_ASSESSABLE if step is None else GradeStatus.GRADED,
        reason=_reason(item),
        evidence=_evidence(item),
        measurement_ids=_derived(item, resources),
    )


def _measurement(item: Resource, resources: Mapping[str, Resource]) -> Measurement:
    name, line = parts.code_of(item["code"], codes.MEASUREMENT), parts.points_of(item, "line-px")
    assert name is not None
    return Measurement(
        id=_identifier(item, codes.FINDING),
        name=name,
        level=_level(item, resources),
        side=_side(item),
        value=item.get("valueQuantity", {}).get("value"),
        unit=parts.text_of(item, "unit") or "1",
        method=item.get("method", {}).get("text", ""),
        reason=_reason(item),
        series_id=parts.text_of(item, "series") or "",
        slice_index=_slice(item),
        line_px=None if line is None else ((line[0], line[1]), (line[2], line[3])),
        percentile=parts.number_of(item, "percentile"),
    )


def _burden(resources: Mapping[str, Resource]) -> Burden:
    rows = [item for item in resources.values() if item["resourceType"] == "Observation"]
    item = next((row for row in rows if _identifier(row, codes.FINDING) == BURDEN), None)
    if item is None:
        raise ReportError("FHIR bundle: expected the burden score, found none")
    low, high = parts.number_of(item, "interval-low"), parts.number_of(item, "interval-high")
    return Burden(
        score=item.get("valueQuantity", {}).get("value"),
        category=parts.text_of(item, "category"),
        terms=(),
        formula=item["method"]["text"],
        interval=None if low is None or high is None else (low, high),
        expected=parts.number_of(item, "expected"),
        upper_bound=parts.number_of(item, "upper-bound"),
        completeness=parts.number_of(item, "completeness"),
    )


def _level(item: Resource, resources: Mapping[str, Resource]) -> str | None:
    """Return the level: from the site itself (R4), or from the structure that is referred to (R5)."""
    if "bodySite" in item:
        return parts.code_of(item["bodySite"], codes.LEVEL)
    if "bodyStructure" not in item:
        return None
    structure = resources[item["bodyStructure"]["reference"]]
    return parts.code_of(structure["includedStructure"][0]["structure"], codes.LEVEL)


def _side(item: Resource) -> Side | None:
    text = next((row["valueCodeableConcept"]["text"] for row in parts.parts_of(item, "side")), None)
    return None if text is None else Side(text)


def _reason(item: Resource) -> str | None:
    return parts.text_of(item, "reason")


def _slice(item: Resource) -> int | None:
    return next((int(row["valueInteger"]) for row in parts.parts_of(item, "slice")), None)


def _evidence(item: Resource) -> Evidence | None:
    series, k, box = parts.text_of(item, "series"), _slice(item), parts.points_of(item, "box-px")
    if series is None or k is None or box is None:
        return None
    return Evidence(series, k, (box[0], box[1], box[2], box[3]))


def _derived(item: Resource, resources: Mapping[str, Resource]) -> tuple[str, ...]:
    """Return the measurements that a grade rests on."""
    found = (resources[row["reference"]] for row in item.get("derivedFrom", ()))
    return tuple(_identifier(row, codes.FINDING) for row in found if row["resourceType"] == "Observation")
